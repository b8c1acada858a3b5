/* The client side of the inlet: what a pull receiver's process and a module's process put behind
   call_begin(), pass() and call_commit(). Calls may come from any thread of the process; groups go one after
   the other.

   Exactly once: a group has an id that is stored in the same frame. Where the connection is lost after a
   group was sent, the next welcome says which group of ours is the last durable one: ours (it is done), or
   not (nothing of it is stored, it is sent again). Nothing is ever resent blindly. */
#ifndef PULL_LINK_H
#define PULL_LINK_H

#include "core/base/error.h"
#include "core/observe/board.h"

typedef struct pull_link pull_link;

typedef struct pull_link_setup {
    board *board;
    uint32_t process_index; /* of this process in the board                                  */
    const char *data_dir;   /* inlet.sock is there                                           */
    const char *source;     /* "kafka-in", "module windows"                                  */
    const char *parser;
    /* Monotonic: until when the present call_commit() may take; it is asked again and again. */
    int64_t (*until_us)(void *arg);
    void *arg;
} pull_link_setup;

pull_link *pull_link_new(const pull_link_setup *setup, ss_error *err); /* strings are copied */
void pull_link_free(pull_link *l);

/* Connects where it is not. SS_OK; SS_RETRY: not now; SS_REJECT: never, err says why. Does not wait long. */
int32_t pull_link_connect(pull_link *l, ss_error *err);
/* The durable position as of the last connect, for start(resume). Borrowed until the next connect. */
ss_str pull_link_position(pull_link *l);
uint64_t pull_link_journal(pull_link *l);

/* What the host table gets. NULL, SS_RETRY: not now. */
ss_call *pull_link_begin(pull_link *l);
int32_t pull_link_pass(ss_call *call, const ss_message *message);
/* Ends the call. SS_OK: durable. SS_RETRY: nothing of it is stored. SS_FATAL: its time was over and what
   became of it is not known: only a new instance, with its start(resume), knows. */
int32_t pull_link_commit(pull_link *l, ss_call *call, ss_str position, ss_error *err);
void *pull_link_memory(ss_call *call, size_t len);

/* DATA/inlet.sock: a listening socket that the supervisor makes and ingest inherits, so that a connection
   waits while ingest is started anew. The descriptor, or -1 with errno. */
int pull_listen(const char *data_dir);
void pull_unlink(const char *data_dir); /* the file of pull_listen() */
int pull_connect(const char *data_dir); /* -1 with errno */

#endif

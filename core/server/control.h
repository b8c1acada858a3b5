/* The control socket DATA/control.sock: how the verbs ask a running server. One request line, one answer,
   then the connection ends. The answer is a line "ok LENGTH" or "error LENGTH" followed by LENGTH bytes of
   text. The peer must be the server's user or root (SO_PEERCRED), whatever the file's mode says. Server side:
   single-threaded, part of the supervisor's epoll loop. Client side: any thread. */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "core/base/buf.h"
#include "core/base/error.h"

#define CONTROL_REQUEST_MAX 256u
#define CONTROL_ANSWER_MAX  (1024u * 1024)
#define CONTROL_CLIENTS_MAX 16u
#define CONTROL_TIMEOUT_MS  20000 /* of one exchange; a reload may take 10 s */

/* ---- client ------------------------------------------------------------------------------------------ */

/* Asks the server that runs on data_dir. 0: answer holds the text (fd_out, if not NULL, the descriptor that
   came with it, or -1). 1: the server refused; answer says why. -1: no server there, or it does not answer;
   err says what to do. */
int control_ask(const char *data_dir, const char *request, buf *answer, int *fd_out, ss_error *err);

/* The same for what takes long: waits up to timeout_ms, and gives up where *stop becomes true. */
int control_ask_long(const char *data_dir, const char *request, int64_t timeout_ms, const _Atomic bool *stop,
                     buf *answer, ss_error *err);

/* ---- server ------------------------------------------------------------------------------------------ */

typedef struct control control;
typedef struct control_client control_client;

/* Replaces a socket file that a dead server left (the caller holds DATA/LOCK, so it is dead). handle()
   answers now or later with control_answer(); `request` is borrowed for the call. loop: see watch.h. NULL:
   err says why. */
control *control_open(const char *data_dir, int loop,
                      void (*handle)(void *arg, control_client *client, const char *request), void *arg,
                      ss_error *err);
void control_close(control *c); /* removes the socket file; clients still waiting get an end of file */

/* Sends the answer (fd: passed along, stays the caller's; -1 = none) and ends the exchange: client is gone.
 */
void control_answer(control_client *client, bool ok, ss_str text, int fd);

/* Ends exchanges of clients that are too slow; returns milliseconds until the next one would be, or -1. A
   client whose request is being handled is not ended (what handles it is bounded itself). */
int control_expire(control *c);

#endif

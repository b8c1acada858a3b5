/* The inlet's language: how a pull receiver's process, or a module that derives events, hands groups of
   messages to ingest over the stream socket DATA/inlet.sock. Both ends are the same binary; the layout is
   fixed for one build, and the hello says which. Nothing here does I/O.

     client  HELLO    who I am, and which receiver reads my messages
     server  WELCOME  how far my source is durable, and the id of its last durable group
     client  GROUP    an id, the position behind it, messages
     server  ANSWER   that id, and what became of it: only after the sync
     ... */
#ifndef PULL_WIRE_H
#define PULL_WIRE_H

#include "core/base/buf.h"

#define WIRE_PROTOCOL           1u
#define WIRE_GROUP_MESSAGES_MAX 10000u
#define WIRE_GROUP_BYTES_MAX    (8u * 1024 * 1024) /* of a group with more than one message             */
#define WIRE_MESSAGE_BYTES_MAX  (4u * 1024 * 1024) /* of one; what is longer is cut and kept as failed  */
#define WIRE_HEADERS_MAX        256u               /* of one message; more are left out                 */
#define WIRE_POSITION_MAX       (32u * 1024)       /* of one call_commit(): the parts that moved */
#define WIRE_PART_MAX           256u               /* of a part's name with the instance's       */
#define WIRE_VALUE_MAX          4096u              /* of one part, or of a position without parts */
#define WIRE_FRAME_BYTES_MAX    (16u * 1024 * 1024)
#define WIRE_NAME_MAX           128u
#define WIRE_GROUP_ID_BYTES     32u /* hexadecimal: 16 digits of the process, 16 of the group   */

enum wire_type { WIRE_HELLO = 1, WIRE_WELCOME = 2, WIRE_GROUP = 3, WIRE_ANSWER = 4 };

typedef struct wire_head {
    uint32_t magic, type;
    uint32_t bytes; /* behind the head */
    uint32_t spare;
} wire_head;
#define WIRE_MAGIC 0x4c4e4953u /* "SINL" */

enum wire_message_flag {
    WIRE_MESSAGE_POISON = 1u, /* it ended ingest more than once: keep it, do not parse it */
    WIRE_MESSAGE_CUT = 2u     /* it was longer than WIRE_MESSAGE_BYTES_MAX                */
};

typedef struct wire_hello {
    uint32_t protocol;
    ss_str version; /* of the server */
    ss_str process; /* "receiver kafka-in": as the supervisor named it            */
    ss_str source;  /* "kafka-in", "module windows": begins the names of positions */
    ss_str parser;
} wire_hello;

typedef struct wire_welcome {
    int32_t status; /* SS_OK; SS_RETRY: not now; SS_REJECT: never */
    ss_str text;    /* why */
    uint64_t journal_id;
    ss_str group;    /* id of the last durable group; empty = none */
    ss_str position; /* as the plugin gets it in start()           */
} wire_welcome;

typedef struct wire_answer {
    ss_str group;
    int32_t status; /* SS_OK: on disk. SS_RETRY: nothing of it is stored */
    ss_str text;
} wire_answer;

typedef struct wire_group {
    ss_str id, position;
    uint32_t count;
    ss_str messages; /* encoded: wire_next_message() */
} wire_group;

/* A frame is begun, filled, and ended: the length goes into its head. */
void wire_begin(buf *out, enum wire_type type);
void wire_end(buf *out);

void wire_put_hello(buf *out, const wire_hello *h);
void wire_put_welcome(buf *out, const wire_welcome *w);
void wire_put_answer(buf *out, const wire_answer *a);
void wire_put_group(buf *out, const wire_group *g); /* messages: encoded by wire_put_message */
/* At most WIRE_MESSAGE_BYTES_MAX of it. Returns the offset of its flags in out. */
size_t wire_put_message(buf *out, const ss_message *m);
size_t wire_message_bytes(const ss_message *m); /* a bound of what the above adds */
void wire_flag_message(char *encoded, size_t offset, uint32_t flag);

/* Reading a frame's body; false: it does not add up. Strings point into the body. */
bool wire_read_hello(ss_str body, wire_hello *out);
bool wire_read_welcome(ss_str body, wire_welcome *out);
bool wire_read_answer(ss_str body, wire_answer *out);
bool wire_read_group(ss_str body, wire_group *out);
/* The next message; headers: room for WIRE_HEADERS_MAX. *rest moves on. */
bool wire_next_message(ss_str *rest, ss_message *out, uint32_t *flags, ss_pair *headers);

/* A whole frame at the front of the bytes? 1: body is set, used is its length; 0: more is needed; -1: not
 * ours. */
int wire_frame(ss_str bytes, enum wire_type *type, ss_str *body, size_t *used);

/* A position that a plugin gives to call_commit(): either text, or lines "/PART=VALUE\n" that each move one
   part on (an empty value takes it out). Calls visit with each; part is empty for plain text. false: it does
   not add up, err says how. */
bool wire_each_part(ss_str position, bool (*visit)(void *arg, ss_str part, ss_str value), void *arg,
                    ss_error *err);

#endif

/* What the shared page tells of the server's health, in words. Read-only; any thread. */
#ifndef OBSERVE_HEALTH_H
#define OBSERVE_HEALTH_H

#include "core/base/buf.h"
#include "core/observe/board.h"

/* Can the server take events? text gets one sentence that says why or why not. */
bool health_ready(board *b, buf *text);
const char *health_journal_state(uint32_t state); /* "open", "full", ... */
/* Appends text as the inside of a JSON string; bytes that are not valid UTF-8 become U+FFFD. */
void health_put_json(buf *out, ss_str text);
/* JSON objects for `status`: {"id":...} and [{"name":...}]. */
void health_journal_json(board *b, buf *out);
void health_processes_json(board *b, buf *out);
void health_modules_json(board *b, buf *out);

#endif

/* Why inputs were not stored: a ring of JSON lines in the shared page, written by ingest, read by
   `streamsteam tail --rejected`. Every call is counted (inputs_rejected_total by receiver and code); at most
   REJECTS_LINES_PER_SECOND go into the ring. */
#ifndef OBSERVE_REJECTS_H
#define OBSERVE_REJECTS_H

#include "core/base/buf.h"
#include "core/observe/board.h"

#define REJECTS_LINES_PER_SECOND 100u
#define REJECTS_LINE_MAX         4096u /* bytes of one line; names and texts are cut to fit */

/* Any thread of ingest. text and client_ip need not be valid UTF-8. */
void rejects_add(board *b, const char *receiver, const char *code, ss_str text, ss_str client_ip,
                 int64_t when_us);

/* Appends whole lines written since *from (0 = the oldest still there) and moves *from. Lines that were
   overwritten before they could be read are left out. Returns the number of bytes appended. */
size_t rejects_read(board *b, uint64_t *from, buf *out);

#endif

/* Events whose own time cannot be used, told by one field of their line, and the line that says so, in the
   shape of Amazon Data Firehose's error objects. */
#ifndef LAKE_FAILURE_H
#define LAKE_FAILURE_H

#include "streamsteam/plugin.h"

#define FAILURE_BAD_TIME "metadata-extraction-failed"

/* The line's member of that name is a number or a text that is not empty. */
bool failure_time_usable(ss_str json, const char *field);
/* The record as a failed one: a copy whose line tells the failure and holds r->body as base64. *owned: to be
   freed by the caller when the copy has been used. false: out of memory. The same record gives the same
   bytes. */
bool failure_of(const ss_record *r, const char *field, ss_record *out, char **owned);

#endif

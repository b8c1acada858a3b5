/* The engine and the documents that it is about to hand over, as one file: written beside, synced, renamed.
   The file carries a checksum; what a crash left half is never read as whole. */
#ifndef WINDOWS_SAVE_H
#define WINDOWS_SAVE_H

#include "modules/windows/engine.h"
#include "modules/windows/outbox.h"

/* On disk when it returns true; sum: the file's checksum. */
bool save_write(const char *path, const engine *e, const outbox *plan, uint64_t *sum, ss_error *err);
/* Into an engine without windows. Windows of metrics that are not declared any more, or are declared
   otherwise, are left out and counted. The outbox becomes the file's. */
bool save_read(const char *path, uint64_t sum, engine *e, outbox *plan, uint64_t *left_out, ss_error *err);
/* The same of a file's bytes, whatever they are, without their checksum: NULL, or what is wrong with them. */
const char *save_take(ss_str bytes, engine *e, outbox *plan, uint64_t *left_out);

#endif

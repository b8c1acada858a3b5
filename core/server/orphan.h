/* Modules that once were in the configuration and still have a directory: what they have not delivered yet is
   kept for them, at most their max_bytes. */
#ifndef SERVER_ORPHAN_H
#define SERVER_ORPHAN_H

#include <stdbool.h>
#include <stdint.h>

/* dir: DATA/modules/NAME. False: it has no position there. */
bool orphan_read(const char *dir, uint64_t *cursor, uint64_t *max_bytes);

#endif

/* Counts what a gzip file holds while it is copied: lines, bytes, CRC-32, over all its members. ISA-L where
   there is one, else zlib. One thread. */
#ifndef COMPACT_UNPACK_H
#define COMPACT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/common/grow.h"

typedef struct unpacked {
    int64_t raw_bytes, lines;
    uint32_t crc;
    bool ends_in_newline; /* or is empty */
} unpacked;

typedef struct unpack unpack;

unpack *unpack_new(void); /* NULL: no memory */
void unpack_free(unpack *u);
void unpack_begin(unpack *u, bool gzip); /* else plain lines */
void unpack_into(unpack *u, grow *out);  /* what is unpacked goes there, too; NULL: no more */
bool unpack_add(unpack *u, const void *bytes, size_t len); /* false: it is no gzip, or its sums are wrong */
bool unpack_end(unpack *u, unpacked *out);                 /* false: a member has no end */

/* Of the second behind the first. */
uint32_t crc_join(uint32_t first, uint32_t second, int64_t second_bytes);

#endif

/* Gzip in pieces: one member per object, made of chunks that are compressed one by one with one shared
   workspace, so that many objects can be open at once. ISA-L where there is one, else zlib. One thread. */
#ifndef LAKE_GZ_H
#define LAKE_GZ_H

#include <stdint.h>
#include <sys/types.h>

#define GZ_TRAILER_BYTES 10u /* an empty last block, CRC-32, length */

typedef struct gz gz;

gz *gz_new(int level); /* 1 (fast) to 3; NULL: out of memory */
void gz_free(gz *g);
/* Raw deflate of one chunk, ending on a byte; *out stays valid until the next call. -1: out of memory. */
ssize_t gz_chunk(gz *g, const char *bytes, size_t len, const char **out);
/* The member's header with a comment of that length; its content may change later. Bytes written. */
size_t gz_put_header(char *out, const char *comment);
#define GZ_HEADER_BYTES(comment_len) (10u + (comment_len) + 1u)
void gz_put_trailer(char out[GZ_TRAILER_BYTES], uint32_t crc, uint64_t raw_bytes);
uint32_t gz_crc(uint32_t crc, const void *bytes, size_t len); /* CRC-32 as gzip has it; start with 0 */

#endif

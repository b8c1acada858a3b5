/* A growable byte buffer with a cap. Not thread-safe. Growing past the cap or out of memory sets `failed`
   and drops the bytes: check once at the end instead of at each append. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "streamsteam/plugin.h"

typedef struct buf {
    char *ptr; /* owned */
    size_t len, size, max;
    bool failed;
} buf;

void buf_init(buf *b, size_t max_bytes);
void buf_fini(buf *b);
void buf_reset(buf *b);
bool buf_reserve(buf *b, size_t more); /* room for `more` bytes after len; false: failed is set */
void buf_add(buf *b, const void *bytes, size_t len);
void buf_adds(buf *b, const char *text);
void buf_addf(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *buf_text(buf *b); /* NUL-terminated view; "" where nothing was added */

static inline ss_str buf_str(const buf *b)
{
    return ss_s(b->ptr, b->len);
}

#endif

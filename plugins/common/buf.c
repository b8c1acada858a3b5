#include "plugins/common/buf.h"

#include <stdlib.h>

#define BUF_FIRST_BYTES 256u

void buf_init(buf *b, size_t max_bytes)
{
    *b = (buf){.max = max_bytes};
}

void buf_fini(buf *b)
{
    free(b->ptr);
    *b = (buf){.max = b->max};
}

void buf_reset(buf *b)
{
    b->len = 0;
    b->failed = false;
}

bool buf_reserve(buf *b, size_t more)
{
    if (b->failed || more > b->max || b->len > b->max - more) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more;
    if (need <= b->size)
        return true;
    size_t size = b->size ? b->size : BUF_FIRST_BYTES;
    while (size < need)
        size *= 2;
    if (size > b->max)
        size = b->max;
    char *ptr = realloc(b->ptr, size);
    if (!ptr) {
        b->failed = true;
        return false;
    }
    b->ptr = ptr;
    b->size = size;
    return true;
}

void buf_add(buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
}

void buf_adds(buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addf(buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0 && buf_reserve(b, (size_t)len + 1)) {
        (void)vsnprintf(b->ptr + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

const char *buf_text(buf *b)
{
    if (!buf_reserve(b, 1))
        return "";
    b->ptr[b->len] = '\0';
    return b->ptr;
}

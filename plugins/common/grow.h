/* Bytes that grow, up to a limit; past it, or without memory, `full` is set and nothing is added any more. A
   NUL follows the bytes. Zeroed but for `limit` is empty. */
#ifndef COMMON_GROW_H
#define COMMON_GROW_H

#include <stdlib.h>

#include "streamsteam/plugin.h"

#define GROW_FIRST 256u

typedef struct grow {
    char *at;
    size_t len, size, limit;
    bool full;
} grow;

static inline bool grow_room(grow *g, size_t more)
{
    if (g->full || more > g->limit || g->len > g->limit - more) {
        g->full = true;
        return false;
    }
    if (g->len + more < g->size)
        return true;
    size_t size = g->size ? g->size : GROW_FIRST;
    while (size <= g->len + more)
        size *= 2;
    char *at = (char *)realloc(g->at, size);
    g->full = !at;
    if (!at)
        return false;
    g->at = at;
    g->size = size;
    return true;
}

static inline bool grow_put(grow *g, ss_str bytes)
{
    if (!grow_room(g, bytes.len))
        return false;
    if (bytes.len)
        memcpy(g->at + g->len, bytes.ptr, bytes.len);
    g->len += bytes.len;
    g->at[g->len] = '\0';
    return true;
}

static inline bool grow_puts(grow *g, const char *text)
{
    return grow_put(g, ss_cstr(text));
}

static inline ss_str grow_str(const grow *g)
{
    return ss_s(g->at ? g->at : "", g->len);
}

static inline void grow_clear(grow *g)
{
    g->len = 0;
    g->full = false;
}

static inline void grow_free(grow *g)
{
    free(g->at);
    g->at = NULL;
    g->len = g->size = 0;
}

#endif

#include "core/base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define ARENA_CHUNK_BYTES 16384u
#define ARENA_ALIGN       16u

struct arena_chunk {
    arena_chunk *next;
    size_t size;
    _Alignas(16) char bytes[];
};

void arena_init(arena *a, size_t max_bytes)
{
    *a = (arena){.max_bytes = max_bytes};
}

static void free_chain(arena_chunk *chunk)
{
    while (chunk) {
        arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_fini(arena *a)
{
    free_chain(a->first);
    *a = (arena){.max_bytes = a->max_bytes};
}

/* A chunk with room: the next kept one where it is large enough, else a new one in front of it. */
static arena_chunk *chunk_with_room(arena *a, size_t len)
{
    arena_chunk *next = a->current ? a->current->next : a->first;
    if (next && next->size >= len)
        return next;
    size_t size = len > ARENA_CHUNK_BYTES ? len : ARENA_CHUNK_BYTES;
    arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->next = next;
    if (a->current)
        a->current->next = chunk;
    else
        a->first = chunk;
    return chunk;
}

void *arena_take(arena *a, size_t len)
{
    if (len > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    len = (len + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (len > a->max_bytes || a->taken_bytes > a->max_bytes - len)
        return NULL;
    if (!a->current || a->current->size - a->used < len) {
        arena_chunk *chunk = chunk_with_room(a, len);
        if (!chunk)
            return NULL;
        a->current = chunk;
        a->used = 0;
    }
    void *p = a->current->bytes + a->used;
    a->used += len;
    a->taken_bytes += len;
    return p;
}

arena_mark arena_mark_here(const arena *a)
{
    return (arena_mark){a->current, a->used, a->taken_bytes};
}

void arena_reset_to(arena *a, arena_mark mark)
{
    a->current = mark.chunk;
    a->used = mark.used;
    a->taken_bytes = mark.taken_bytes;
}

void arena_reset(arena *a)
{
    arena_reset_to(a, (arena_mark){0});
}

void arena_shrink(arena *a, size_t keep_bytes)
{
    size_t kept = 0;
    arena_chunk **link = &a->first;
    while (*link && kept + (*link)->size <= keep_bytes) {
        kept += (*link)->size;
        link = &(*link)->next;
    }
    free_chain(*link);
    *link = NULL;
}

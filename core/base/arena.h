/* Scratch memory in chunks: take, never free one by one, reset to a mark. Not thread-safe. Chunks are kept
   for reuse. Bounded: NULL past max_bytes. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

typedef struct arena_chunk arena_chunk;

typedef struct arena {
    arena_chunk *first, *current;
    size_t used; /* in current */
    size_t taken_bytes, max_bytes;
} arena;

typedef struct arena_mark {
    arena_chunk *chunk;
    size_t used, taken_bytes;
} arena_mark;

void arena_init(arena *a, size_t max_bytes);
void arena_fini(arena *a);
void *arena_take(arena *a, size_t len); /* 16-byte aligned, not zeroed */
arena_mark arena_mark_here(const arena *a);
void arena_reset_to(arena *a, arena_mark mark);
void arena_reset(arena *a);
void arena_shrink(arena *a, size_t keep_bytes); /* after reset: gives chunks above keep_bytes back */

#endif

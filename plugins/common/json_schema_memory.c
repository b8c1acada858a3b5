/* A schema's memory: one list of chunks, freed as a whole. */
#include <stdlib.h>

#include "plugins/common/json_schema_inside.h"

#define CHUNK_BYTES 8192u

void *json_schema_take(json_schema *s, size_t len)
{
    len = (len + 15) & ~(size_t)15;
    if (len > s->chunk_left) {
        size_t size = len > CHUNK_BYTES ? len : CHUNK_BYTES;
        json_schema_chunk *chunk = calloc(1, sizeof *chunk + size);
        if (!chunk)
            return NULL;
        chunk->next = s->chunks;
        s->chunks = chunk;
        s->chunk_at = chunk->bytes;
        s->chunk_left = size;
    }
    void *at = s->chunk_at;
    s->chunk_at += len;
    s->chunk_left -= len;
    return at;
}

void json_schema_free(json_schema *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->pattern_count; i++)
        json_schema_pattern_free(s->patterns[i]);
    free(s->patterns);
    for (json_schema_chunk *c = s->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(s);
}

const char *json_schema_warning(const json_schema *s, size_t i)
{
    return i < s->warning_count ? s->warnings[i] : NULL;
}

#include "modules/lake/route.h"

#include <stdlib.h>

static bool slots_grow(cut *c)
{
    size_t count = c->slot_count ? c->slot_count * 2 : 256;
    cut_part **slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < c->part_count; i++) {
        size_t at = cut_hash(c->parts[i]->dir, strlen(c->parts[i]->dir)) & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = c->parts[i];
    }
    free(c->slots);
    c->slots = slots;
    c->slot_count = count;
    return true;
}

static cut_part *part_new(cut *c, const char *dir, bool parquet)
{
    if (c->part_count == c->part_size) {
        size_t size = c->part_size ? c->part_size * 2 : 16;
        cut_part **parts = realloc(c->parts, size * sizeof *parts);
        if (!parts)
            return NULL;
        c->parts = parts;
        c->part_size = size;
    }
    cut_part *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->dir = strdup(dir);
    p->fd = -1;
    p->parquet = parquet;
    p->number = (uint32_t)c->part_count;
    if (!p->dir) {
        free(p);
        return NULL;
    }
    c->parts[c->part_count++] = p;
    return p;
}

/* Failed records are lines, also where events beside them are Parquet. */
static cut_part *part_of_dir(cut *c, const char *dir, bool parquet)
{
    if (c->part_count * 2 >= c->slot_count && !slots_grow(c))
        return NULL;
    size_t at = cut_hash(dir, strlen(dir)) & (c->slot_count - 1);
    for (; c->slots[at]; at = (at + 1) & (c->slot_count - 1))
        if (strcmp(c->slots[at]->dir, dir) == 0 && c->slots[at]->parquet == parquet)
            return c->slots[at];
    cut_part *p = part_new(c, dir, parquet);
    if (p)
        c->slots[at] = p;
    return p;
}

cut_part *route_part(cut *c, const ss_record *r)
{
    char key[LAYOUT_KEY_MAX + 1], dir[LAYOUT_DIR_MAX];
    bool failed = r->flags & SS_RECORD_FAILED;
    const layout *l = failed ? &c->errors : &c->layout;
    size_t len = layout_key(l, r, key);
    key[len++] = failed ? 'f' : 'e'; /* two templates, two kinds of keys */
    uint64_t hash = cut_hash(key, len);
    cut_route *route = &c->routes[hash % CUT_ROUTES];
    if (route->part && route->hash == hash && route->key_len == len && memcmp(route->key, key, len) == 0)
        return route->part;
    (void)layout_dir(l, r, dir);
    cut_part *p = part_of_dir(c, dir, c->settings.parquet && !failed);
    char *copy = p ? malloc(len + 1) : NULL;
    if (copy) {
        memcpy(copy, key, len);
        free(route->key);
        *route = (cut_route){.key = copy, .key_len = len, .hash = hash, .part = p};
    }
    return p;
}

void route_clear(cut *c)
{
    for (size_t i = 0; i < CUT_ROUTES; i++) {
        free(c->routes[i].key);
        c->routes[i] = (cut_route){0};
    }
    if (c->slots)
        memset(c->slots, 0, c->slot_count * sizeof *c->slots);
}

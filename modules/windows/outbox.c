#include "modules/windows/outbox.h"

#include <stdlib.h>

bool outbox_add(outbox *o, const outbox_item *item)
{
    const outbox_entry entry = {item->entry.version,     item->entry.time_us,     (uint32_t)item->id.len,
                                (uint32_t)item->key.len, (uint32_t)item->app.len, (uint32_t)item->body.len};
    const ss_str parts[] = {ss_s((const char *)&entry, sizeof entry), item->id, item->key, item->app,
                            item->body};
    size_t need = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        need += parts[i].len;
    if (!o->last || o->last->size - o->last->len < need) {
        size_t size = need > OUTBOX_BLOCK_BYTES ? need : OUTBOX_BLOCK_BYTES;
        outbox_block *b = malloc(sizeof *b + size);
        if (!b)
            return false;
        b->next = NULL;
        b->len = 0;
        b->size = size;
        if (o->last)
            o->last->next = b;
        else
            o->first = b;
        o->last = b;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].len)
            memcpy(o->last->bytes + o->last->len, parts[i].ptr, parts[i].len);
        o->last->len += parts[i].len;
    }
    o->count++;
    o->bytes += need;
    return true;
}

void outbox_clear(outbox *o)
{
    for (outbox_block *b = o->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *o = (outbox){NULL, NULL, 0, 0};
}

outbox_walk outbox_begin(const outbox *o)
{
    return (outbox_walk){o->first, 0};
}

bool outbox_next(outbox_walk *w, outbox_item *item)
{
    while (w->block && w->at == w->block->len)
        *w = (outbox_walk){w->block->next, 0};
    if (!w->block)
        return false;
    const char *at = w->block->bytes + w->at;
    outbox_entry *e = &item->entry;
    memcpy(e, at, sizeof *e);
    at += sizeof *e;
    item->id = ss_s(at, e->id_len);
    item->key = ss_s(item->id.ptr + e->id_len, e->key_len);
    item->app = ss_s(item->key.ptr + e->key_len, e->app_len);
    item->body = ss_s(item->app.ptr + e->app_len, e->body_len);
    w->at += sizeof *e + e->id_len + e->key_len + e->app_len + e->body_len;
    return true;
}

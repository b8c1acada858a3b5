/* The most frequent values: counters of candidates (space-saving). */
#include "modules/windows/aggregate_inside.h"

#include <stdlib.h>

typedef struct top_item {
    uint64_t hash, count;
    uint16_t len;
    char text[AGGREGATE_TOP_TEXT + 6];
} top_item;

enum aggregate_result top_add(const aggregate_spec *spec, aggregate *a, ss_str text, hash_key key,
                              size_t room, int64_t *bytes)
{
    uint32_t most = spec->k * AGGREGATE_TOP_SPARE;
    uint64_t hash = hash_bytes(key, text.ptr, text.len).a;
    top_item *items = a->table;
    uint32_t least = 0;
    for (uint32_t i = 0; i < a->used; i++) {
        if (items[i].hash == hash) {
            items[i].count++;
            return AGGREGATE_TAKEN;
        }
        if (items[i].count < items[least].count)
            least = i;
    }
    if (a->used == a->size && a->size < most) {
        uint32_t size = a->size ? a->size * 2 : AGGREGATE_TABLE_FIRST;
        size = size < most ? size : most;
        top_item *more =
            (size - a->size) * sizeof *items <= room ? realloc(items, size * sizeof *items) : NULL;
        if (more) {
            *bytes += (int64_t)((size - a->size) * sizeof *items);
            a->table = items = more;
            a->size = size;
        }
    }
    bool full = a->used == a->size;
    if (full && a->used == 0)
        return AGGREGATE_NO_ROOM;
    top_item *to = full ? &items[least] : &items[a->used++];
    size_t len = text.len < AGGREGATE_TOP_TEXT ? text.len : AGGREGATE_TOP_TEXT;
    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xC0u) == 0x80u)
        len--;
    *to = (top_item){.hash = hash, .count = (full ? to->count : 0) + 1, .len = (uint16_t)len};
    memcpy(to->text, text.ptr, len);
    return full && a->size < most ? AGGREGATE_NO_ROOM : AGGREGATE_TAKEN;
}

static int by_count(const void *x, const void *y)
{
    const top_item *p = *(const top_item *const *)x, *q = *(const top_item *const *)y;
    if (p->count != q->count)
        return p->count < q->count ? 1 : -1;
    size_t len = p->len < q->len ? p->len : q->len;
    int order = memcmp(p->text, q->text, len);
    return order ? order : (int)p->len - (int)q->len;
}

void top_put(const aggregate_spec *spec, const aggregate *a, buf *out)
{
    const top_item *sorted[AGGREGATE_TOP_MAX * AGGREGATE_TOP_SPARE];
    const top_item *items = a->table;
    char text[json_escape_bound(AGGREGATE_TOP_TEXT + 6)];
    for (uint32_t i = 0; i < a->used; i++)
        sorted[i] = &items[i];
    if (a->used)
        qsort(sorted, a->used, sizeof *sorted, by_count);
    buf_adds(out, "[");
    for (uint32_t i = 0; i < a->used && i < spec->k; i++) {
        buf_addf(out, "%s{\"value\":", i ? "," : "");
        buf_add(out, text, json_put_string(text, ss_s(sorted[i]->text, sorted[i]->len)));
        buf_addf(out, ",\"count\":%llu}", (unsigned long long)sorted[i]->count);
    }
    buf_adds(out, "]");
}

size_t top_bytes(const aggregate *a)
{
    return a->size * sizeof(top_item);
}

bool top_is_sound(const aggregate_spec *spec, const aggregate *a)
{
    const top_item *items = a->table;
    if (a->size > spec->k * AGGREGATE_TOP_SPARE || a->used > a->size)
        return false;
    for (uint32_t i = 0; i < a->used; i++)
        if (items[i].len > AGGREGATE_TOP_TEXT)
            return false;
    return true;
}

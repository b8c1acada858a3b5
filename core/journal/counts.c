#include "core/journal/counts.h"

#include <stdlib.h>

void counts_init(counts *c)
{
    memset(c, 0, sizeof *c);
    counts_reset(c);
}

void counts_fini(counts *c)
{
    free(c->apps);
    free(c->others);
    memset(c, 0, sizeof *c);
}

void counts_reset(counts *c)
{
    memset(c->slots, 0, sizeof c->slots);
    if (c->others)
        memset(c->others, 0, c->other_count * sizeof *c->others);
    c->pair_count = c->last = 0;
    c->app_bytes = 0;
    c->records = c->footer_bytes = 0;
    c->event_min_us = c->receive_min_us = INT64_MAX;
    c->event_max_us = c->receive_max_us = INT64_MIN;
}

static bool is_pair(const counts *c, const counts_pair *p, uint16_t source, ss_str app)
{
    return p->source == source && p->app_len == app.len && memcmp(c->apps + p->app, app.ptr, app.len) == 0;
}

static uint32_t hash_pair(uint16_t source, ss_str app)
{
    return journal_crc32c(source, app.ptr, app.len);
}

static int add_other(counts *c, uint16_t source)
{
    if (source >= c->other_count) {
        uint64_t *others = realloc(c->others, ((size_t)source + 1) * sizeof *others);
        if (!others)
            return -1;
        memset(others + c->other_count, 0, ((size_t)source + 1 - c->other_count) * sizeof *others);
        c->others = others;
        c->other_count = (uint32_t)source + 1;
    }
    if (c->others[source]++ == 0)
        c->footer_bytes += sizeof(journal_pair) + 8;
    return 0;
}

static int keep_app(counts *c, ss_str app)
{
    size_t need = c->app_bytes + app.len + 1; /* never NULL, also for an empty app */
    if (need > c->app_size) {
        size_t size = c->app_size ? 2 * c->app_size : 4096;
        size = size > need ? size : need;
        char *apps = realloc(c->apps, size);
        if (!apps)
            return -1;
        c->apps = apps;
        c->app_size = size;
    }
    if (app.len > 0)
        memcpy(c->apps + c->app_bytes, app.ptr, app.len);
    c->app_bytes += app.len;
    return 0;
}

static int add_pair(counts *c, uint16_t source, ss_str app)
{
    uint32_t slot = hash_pair(source, app) % COUNTS_SLOTS;
    for (; c->slots[slot]; slot = (slot + 1) % COUNTS_SLOTS) {
        uint32_t i = c->slots[slot] - 1u;
        if (is_pair(c, &c->pairs[i], source, app)) {
            c->pairs[i].records++;
            c->last = i;
            return 0;
        }
    }
    if (c->pair_count == JOURNAL_PAIRS_MAX)
        return add_other(c, source);
    uint32_t at = (uint32_t)c->app_bytes;
    if (keep_app(c, app) != 0)
        return -1;
    c->last = c->pair_count++;
    c->slots[slot] = (uint16_t)c->pair_count;
    c->pairs[c->last] =
        (counts_pair){.records = 1, .source = source, .app_len = (uint16_t)app.len, .app = at};
    c->footer_bytes += sizeof(journal_pair) + JOURNAL_ALIGN(app.len);
    return 0;
}

int counts_add(counts *c, const journal_record_head *head)
{
    ss_str app = ss_s((const char *)(head + 1), head->app_len);
    c->records++;
    if (head->event_us < c->event_min_us)
        c->event_min_us = head->event_us;
    if (head->event_us > c->event_max_us)
        c->event_max_us = head->event_us;
    if (head->receive_us < c->receive_min_us)
        c->receive_min_us = head->receive_us;
    if (head->receive_us > c->receive_max_us)
        c->receive_max_us = head->receive_us;
    if (c->pair_count > 0 && is_pair(c, &c->pairs[c->last], head->source, app)) {
        c->pairs[c->last].records++;
        return 0;
    }
    return add_pair(c, head->source, app);
}

size_t counts_growth(const counts *c, uint64_t records, uint64_t app_bytes)
{
    uint64_t left = JOURNAL_PAIRS_MAX - c->pair_count;
    uint64_t bytes = app_bytes < left * JOURNAL_NAME_MAX ? app_bytes : left * JOURNAL_NAME_MAX;
    /* Each new pair: its head, padding; or the source's "*" entry. */
    return (size_t)((records < left ? records : left) * (sizeof(journal_pair) + 8) + bytes +
                    (records > left ? (records - left) * (sizeof(journal_pair) + 8) : 0));
}

uint32_t counts_put(const counts *c, buf *out)
{
    static const char zeros[8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->pair_count; i++, count++) {
        const counts_pair *p = &c->pairs[i];
        journal_pair e = {.records = p->records, .source = p->source, .app_len = p->app_len};
        buf_add(out, &e, sizeof e);
        buf_add(out, c->apps + p->app, p->app_len);
        buf_add(out, zeros, JOURNAL_ALIGN(p->app_len) - p->app_len);
    }
    for (uint32_t s = 0; s < c->other_count; s++) {
        if (c->others[s] == 0)
            continue;
        journal_pair e = {.records = c->others[s], .source = (uint16_t)s, .app_len = 1};
        buf_add(out, &e, sizeof e);
        buf_add(out, "*\0\0\0\0\0\0\0", 8);
        count++;
    }
    return count;
}

#include "core/journal/names.h"

#include <stdlib.h>

static const char zeros[8];

static void pad(buf *out, size_t len)
{
    buf_add(out, zeros, JOURNAL_ALIGN(len) - len);
}

/* Always a buffer of its own, also for nothing: NULL means "unknown". */
static char *copy_bytes(const char *ptr, size_t len)
{
    char *copy = malloc(len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, ptr, len);
    copy[len] = '\0';
    return copy;
}

static void source_fini(names_source *s)
{
    free(s->name);
    free(s->version);
    *s = (names_source){0};
}

void names_dictionary_fini(names_dictionary *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        source_fini(&d->sources[i]);
    free(d->sources);
    *d = (names_dictionary){0};
}

static int dictionary_grow(names_dictionary *d, uint32_t number)
{
    if (number < d->count)
        return 0;
    names_source *sources = realloc(d->sources, (size_t)(number + 1) * sizeof *sources);
    if (!sources)
        return -1;
    memset(sources + d->count, 0, (size_t)(number + 1 - d->count) * sizeof *sources);
    d->sources = sources;
    d->count = number + 1;
    return 0;
}

int names_dictionary_set(names_dictionary *d, uint32_t number, const journal_source *source)
{
    size_t name_len = source->name.len < JOURNAL_NAME_MAX ? source->name.len : JOURNAL_NAME_MAX;
    size_t version_len = source->version.len < JOURNAL_NAME_MAX ? source->version.len : JOURNAL_NAME_MAX;
    char *name = copy_bytes(source->name.ptr, name_len);
    char *version = copy_bytes(source->version.ptr, version_len);
    if (!name || !version || dictionary_grow(d, number) != 0) {
        free(name);
        free(version);
        return -1;
    }
    source_fini(&d->sources[number]);
    d->sources[number] = (names_source){.name = name,
                                        .version = version,
                                        .name_len = (uint16_t)name_len,
                                        .version_len = (uint16_t)version_len,
                                        .schema_rev = source->schema_rev,
                                        .catalog_hash = source->catalog_hash};
    return 0;
}

int names_dictionary_find(const names_dictionary *d, ss_str name)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (d->sources[i].name && ss_eq(ss_s(d->sources[i].name, d->sources[i].name_len), name))
            return (int)i;
    return -1;
}

size_t names_dictionary_entry_bytes(const names_dictionary *d, uint32_t number)
{
    const names_source *s = &d->sources[number];
    return s->name ? JOURNAL_ALIGN(sizeof(journal_dictionary_entry) + s->name_len + s->version_len) : 0;
}

void names_dictionary_put(const names_dictionary *d, uint32_t number, buf *out)
{
    const names_source *s = &d->sources[number];
    if (!s->name)
        return;
    journal_dictionary_entry e = {.source = (uint16_t)number,
                                  .name_len = s->name_len,
                                  .version_len = s->version_len,
                                  .schema_rev = s->schema_rev,
                                  .catalog_hash = s->catalog_hash};
    buf_add(out, &e, sizeof e);
    buf_add(out, s->name, s->name_len);
    buf_add(out, s->version, s->version_len);
    pad(out, sizeof e + s->name_len + s->version_len);
}

bool names_dictionary_next(const char *bytes, size_t len, size_t *at, uint32_t *number, journal_source *out)
{
    journal_dictionary_entry e;
    if (len - *at < sizeof e)
        return false;
    memcpy(&e, bytes + *at, sizeof e);
    size_t used = JOURNAL_ALIGN(sizeof e + e.name_len + e.version_len);
    if (len - *at < used || e.name_len > JOURNAL_NAME_MAX || e.version_len > JOURNAL_NAME_MAX)
        return false;
    const char *name = bytes + *at + sizeof e;
    *number = e.source;
    *out = (journal_source){.name = ss_s(name, e.name_len),
                            .version = ss_s(name + e.name_len, e.version_len),
                            .schema_rev = e.schema_rev,
                            .catalog_hash = e.catalog_hash};
    *at += used;
    return true;
}

bool names_dictionary_read(names_dictionary *d, const char *bytes, size_t len)
{
    size_t at = 0;
    uint32_t number;
    journal_source source;
    while (at < len) {
        if (!names_dictionary_next(bytes, len, &at, &number, &source) ||
            names_dictionary_set(d, number, &source) != 0)
            return false;
    }
    return true;
}

void names_positions_fini(names_positions *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        free(p->items[i].source);
        free(p->items[i].position);
    }
    p->count = 0;
}

const names_position *names_positions_find(const names_positions *p, ss_str source)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (ss_eq(ss_s(p->items[i].source, p->items[i].source_len), source))
            return &p->items[i];
    return NULL;
}

static void drop_position(names_positions *p, uint32_t i)
{
    free(p->items[i].source);
    free(p->items[i].position);
    p->items[i] = p->items[--p->count];
}

int names_positions_set(names_positions *p, ss_str source, ss_str position)
{
    if (source.len == 0 || source.len > JOURNAL_NAME_MAX || position.len > JOURNAL_POSITION_MAX)
        return -1;
    const names_position *known = names_positions_find(p, source);
    if (position.len == 0) { /* it is done with */
        if (known)
            drop_position(p, (uint32_t)(known - p->items));
        return 0;
    }
    if (!known && p->count == JOURNAL_POSITIONS_MAX)
        return -1;
    char *bytes = copy_bytes(position.ptr, position.len);
    char *name = known ? NULL : copy_bytes(source.ptr, source.len);
    if (!bytes || (!known && !name)) {
        free(bytes);
        free(name);
        return -1;
    }
    names_position *item = &p->items[known ? (size_t)(known - p->items) : p->count++];
    if (known)
        free(item->position);
    else
        *item = (names_position){.source = name, .source_len = (uint32_t)source.len};
    item->position = bytes;
    item->position_len = (uint32_t)position.len;
    return 0;
}

size_t names_position_bytes(ss_str source, ss_str position)
{
    return source.len == 0 ? 0 : JOURNAL_ALIGN(sizeof(journal_position_entry) + source.len + position.len);
}

void names_position_put(ss_str source, ss_str position, buf *out)
{
    journal_position_entry e = {.source_len = (uint16_t)source.len, .position_len = (uint32_t)position.len};
    buf_add(out, &e, sizeof e);
    buf_add(out, source.ptr, source.len);
    buf_add(out, position.ptr, position.len);
    pad(out, sizeof e + source.len + position.len);
}

bool names_positions_read(names_positions *p, const char *bytes, size_t len)
{
    size_t at = 0;
    while (len - at >= sizeof(journal_position_entry)) {
        journal_position_entry e;
        memcpy(&e, bytes + at, sizeof e);
        if (e.source_len > JOURNAL_NAME_MAX || e.position_len > JOURNAL_POSITION_MAX)
            return false;
        size_t used = JOURNAL_ALIGN(sizeof e + e.source_len + e.position_len);
        if (len - at < used)
            return false;
        const char *source = bytes + at + sizeof e;
        if (names_positions_set(p, ss_s(source, e.source_len), ss_s(source + e.source_len, e.position_len)) !=
            0)
            return false;
        at += used;
    }
    return at == len;
}

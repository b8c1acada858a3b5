/* Partitions that records bring with them: registered as soon as a record of a new one is read. */
#include "modules/glue/glue.h"

#include <stdlib.h>

#define KNOWN_FIRST 256u
#define KNOWN_MAX   (1u << 18) /* then all are forgotten: to register one again does no harm */

static uint64_t hash_of(const char *bytes, size_t len)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
    h ^= h >> 29;
    return h ? h : 1; /* 0 is an empty place */
}

/* ---- those that are known ---- */

static bool known_has(const known *k, uint64_t hash)
{
    for (size_t i = hash & (k->size - 1); k->size && k->hashes[i]; i = (i + 1) & (k->size - 1))
        if (k->hashes[i] == hash)
            return true;
    return false;
}

static void known_put(known *k, uint64_t hash)
{
    size_t i = hash & (k->size - 1);
    while (k->hashes[i])
        i = (i + 1) & (k->size - 1);
    k->hashes[i] = hash;
    k->count++;
}

static bool known_add(known *k, uint64_t hash)
{
    if (known_has(k, hash))
        return true;
    if (k->count * 2 >= k->size) {
        size_t size = k->size >= KNOWN_MAX ? KNOWN_FIRST : k->size ? k->size * 2 : KNOWN_FIRST;
        known bigger = {calloc(size, sizeof *bigger.hashes), 0, size};
        if (!bigger.hashes)
            return false;
        for (size_t i = 0; size > k->size && i < k->size; i++)
            if (k->hashes[i])
                known_put(&bigger, k->hashes[i]);
        free(k->hashes);
        *k = bigger;
    }
    known_put(k, hash);
    return true;
}

/* ---- those that are new ---- */

static int32_t read_storage(glue *g, glue_table *t, ss_error *err)
{
    buf answer;
    bool found = false;
    if (t->storage.len)
        return SS_OK;
    buf_init(&answer, TABLE_BYTES_MAX);
    int32_t rc = calls_get_table(&g->calls, t->name, &found, &answer, err);
    ss_str storage = table_member(table_member(buf_str(&answer), "Table"), "StorageDescriptor");
    if (rc == SS_OK && (!found || storage.len == 0))
        rc = ss_fail(err, SS_PAUSE, "there is no table %s.%s: `streamsteam module setup %.*s` makes it",
                     g->database, t->name, (int)g->host->instance.len, g->host->instance.ptr);
    if (rc == SS_OK)
        buf_add(&t->storage, storage.ptr, storage.len);
    buf_fini(&answer);
    return rc;
}

static int32_t send(glue *g, glue_table *t, ss_error *err)
{
    if (t->waiting_count == 0)
        return SS_OK;
    buf_adds(&t->inputs, "]");
    int32_t rc = calls_create_partitions(&g->calls, t->name, &t->inputs, err);
    for (uint32_t i = 0; rc == SS_OK && i < t->waiting_count; i++)
        (void)known_add(&t->known, t->waiting[i]); /* without memory it is registered again */
    if (rc == SS_OK)
        g->host->metric_add(g->partitions, t->waiting_count);
    if (rc == SS_PAUSE)
        buf_reset(&t->storage); /* the table may be another when it goes on */
    t->waiting_count = 0;
    t->last = 0;
    buf_reset(&t->inputs);
    return rc;
}

static bool waits(const glue_table *t, uint64_t hash)
{
    for (uint32_t i = 0; i < t->waiting_count; i++)
        if (t->waiting[i] == hash)
            return true;
    return false;
}

static int32_t add(glue *g, glue_table *t, const char *dir, uint64_t hash, ss_error *err)
{
    char location[SHAPE_LOCATION_MAX + LAYOUT_DIR_MAX];
    int32_t rc = read_storage(g, t, err);
    if (rc == SS_OK && t->waiting_count == CALLS_PARTITIONS_MAX)
        rc = send(g, t, err);
    if (rc != SS_OK)
        return rc;
    (void)snprintf(location, sizeof location, "%s%s", t->shape.root, dir);
    buf_adds(&t->inputs, t->waiting_count ? ", {\"Values\": " : "[{\"Values\": ");
    shape_put_values(&t->shape, dir, &t->inputs);
    buf_adds(&t->inputs, ", \"StorageDescriptor\": ");
    table_put_storage(buf_str(&t->storage), location, &t->inputs);
    buf_adds(&t->inputs, "}");
    t->waiting[t->waiting_count++] = hash;
    return t->inputs.failed ? send(g, t, err) : SS_OK;
}

static int32_t take(glue *g, glue_table *t, const ss_record *r, ss_error *err)
{
    char key[LAYOUT_KEY_MAX], dir[LAYOUT_DIR_MAX];
    size_t len = layout_key(&t->shape.layout, r, key);
    uint64_t hash = hash_of(key, len);
    if (hash == t->last)
        return SS_OK;
    len = layout_dir(&t->shape.layout, r, dir);
    uint64_t place = hash_of(dir, len);
    int32_t rc = known_has(&t->known, place) || waits(t, place) ? SS_OK : add(g, t, dir, place, err);
    t->last = rc == SS_OK ? hash : 0;
    return rc;
}

int32_t glue_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    glue *g = inst;
    int32_t rc = SS_OK;
    g->calls.deadline_us = batch->deadline_us;
    for (uint32_t i = 0; g->registered && rc == SS_OK && i < batch->count; i++) {
        const ss_record *r = ss_record_at(batch, i);
        glue_table *t = glue_find(g, r->receiver);
        if (t && t->shape.key_count > 0)
            rc = take(g, t, r, err);
    }
    for (size_t i = 0; rc == SS_OK && i < g->count; i++)
        rc = send(g, g->tables[i], err);
    if (rc == SS_OK)
        ss_mark_all(result, SS_RECORD_OK);
    return rc;
}

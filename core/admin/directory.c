#include "core/admin/directory.h"

#include <stdlib.h>

#include "core/admin/hash_index.h"
#include "core/base/arena.h"

#define CHUNK       1024u
#define CHUNKS      (DIRECTORY_APPS_MAX / CHUNK)
#define NAMES_BYTES (1024u * 1024u * 1024u)
#define STALE_MIN   1024u

/* A key's number: its application's slot, and two bits. */
#define KEY_UNIT     4u
#define KEY_DISABLED 1u
#define KEY_LIMITED  2u

typedef struct slot_limits {
    _Atomic int64_t rate, burst, quota;
} slot_limits;

typedef struct app_slot {
    key16 id;
    const char *name;
    uint32_t name_len;
    uint32_t keys; /* the writer's: entries of the index that are good for this application */
    _Atomic uint32_t flags;
    slot_limits limits;
} app_slot;

struct directory {
    gate *gate;
    hash_index *_Atomic apps, *_Atomic keys, *_Atomic limited; /* limited: key and application -> limits */
    app_slot *_Atomic app_chunks[CHUNKS];
    slot_limits *_Atomic limit_chunks[CHUNKS];
    _Atomic uint32_t app_slots, limit_slots; /* the next free one; 0 is none */
    arena names;
    size_t chunk_bytes;
    size_t dead, dead_keys; /* deleted applications, and their keys, which still take room */
};

/* ---- life ------------------------------------------------------------------------------------- */

directory *directory_new(gate *g, size_t apps, size_t keys)
{
    directory *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->gate = g;
    d->app_slots = d->limit_slots = 1;
    arena_init(&d->names, NAMES_BYTES);
    d->apps = hash_index_new(apps);
    d->keys = hash_index_new(keys);
    d->limited = hash_index_new(0);
    if (d->apps && d->keys && d->limited)
        return d;
    directory_free(d);
    return NULL;
}

void directory_free(directory *d)
{
    if (!d)
        return;
    hash_index_free(d->apps);
    hash_index_free(d->keys);
    hash_index_free(d->limited);
    for (size_t i = 0; i < CHUNKS; i++) {
        free(d->app_chunks[i]);
        free(d->limit_chunks[i]);
    }
    arena_fini(&d->names);
    free(d);
}

size_t directory_apps(const directory *d)
{
    return hash_index_count(d->apps);
}

size_t directory_keys(const directory *d)
{
    return hash_index_count(d->keys) - d->dead_keys;
}

size_t directory_bytes(const directory *d)
{
    return sizeof *d + hash_index_bytes(d->apps) + hash_index_bytes(d->keys) + hash_index_bytes(d->limited) +
           d->names.taken_bytes + d->chunk_bytes;
}

bool directory_is_stale(const directory *d)
{
    return (d->dead > STALE_MIN && d->dead > directory_apps(d) / 4) ||
           (d->dead_keys > STALE_MIN && d->dead_keys > directory_keys(d) / 4);
}

/* ---- slots ------------------------------------------------------------------------------------ */

static app_slot *app_at(const directory *d, uint32_t slot)
{
    return atomic_load_explicit(&d->app_chunks[slot / CHUNK], memory_order_acquire) + slot % CHUNK;
}

static slot_limits *limits_at(const directory *d, uint32_t slot)
{
    return atomic_load_explicit(&d->limit_chunks[slot / CHUNK], memory_order_acquire) + slot % CHUNK;
}

static void write_limits(slot_limits *to, const store_limits *from)
{
    atomic_store_explicit(&to->rate, from->rate, memory_order_relaxed);
    atomic_store_explicit(&to->burst, from->burst, memory_order_relaxed);
    atomic_store_explicit(&to->quota, from->quota, memory_order_relaxed);
}

static store_limits read_limits(const slot_limits *from)
{
    return (store_limits){atomic_load_explicit(&from->rate, memory_order_relaxed),
                          atomic_load_explicit(&from->burst, memory_order_relaxed),
                          atomic_load_explicit(&from->quota, memory_order_relaxed)};
}

static bool is_default(const store_limits *l)
{
    return l->rate == STORE_LIMIT_DEFAULT && l->burst == STORE_LIMIT_DEFAULT &&
           l->quota == STORE_LIMIT_DEFAULT;
}

static bool make_app_slot(directory *d, uint32_t slot)
{
    if (slot >= DIRECTORY_APPS_MAX)
        return false;
    if (!d->app_chunks[slot / CHUNK]) {
        d->app_chunks[slot / CHUNK] = calloc(CHUNK, sizeof(app_slot));
        d->chunk_bytes += CHUNK * sizeof(app_slot);
    }
    return d->app_chunks[slot / CHUNK] != NULL;
}

static bool make_limit_slot(directory *d, uint32_t slot)
{
    if (slot >= DIRECTORY_APPS_MAX)
        return false;
    if (!d->limit_chunks[slot / CHUNK]) {
        d->limit_chunks[slot / CHUNK] = calloc(CHUNK, sizeof(slot_limits));
        d->chunk_bytes += CHUNK * sizeof(slot_limits);
    }
    return d->limit_chunks[slot / CHUNK] != NULL;
}

/* Puts into an index; where it is full, into a larger one that takes its place. */
static bool put(directory *d, hash_index *_Atomic *at, key16 key, uint32_t value, uint32_t unit)
{
    hash_index *x = atomic_load(at);
    if (hash_index_put(x, key, value, unit))
        return true;
    hash_index *big = hash_index_grown(x);
    if (!big)
        return false;
    bool ok = hash_index_put(big, key, value, unit);
    atomic_store(at, big);
    gate_wait(d->gate);
    hash_index_free(x);
    return ok;
}

/* ---- applications ----------------------------------------------------------------------------- */

static uint32_t slot_of(const directory *d, key16 id)
{
    return hash_index_find(atomic_load(&d->apps), id, 0, 0);
}

bool directory_put_app(directory *d, key16 id, ss_str name, uint32_t flags, const store_limits *limits)
{
    uint32_t slot = slot_of(d, id), is_new = slot == 0;
    if (is_new) {
        slot = d->app_slots;
        char *copy = make_app_slot(d, slot) ? arena_take(&d->names, name.len + 1) : NULL;
        if (!copy)
            return false;
        memcpy(copy, name.ptr, name.len);
        app_at(d, slot)->id = id;
        app_at(d, slot)->name = copy; /* names do not change */
        app_at(d, slot)->name_len = (uint32_t)name.len;
    }
    atomic_store_explicit(&app_at(d, slot)->flags, flags, memory_order_relaxed);
    write_limits(&app_at(d, slot)->limits, limits);
    if (is_new)
        atomic_store(&d->app_slots, slot + 1);
    return !is_new || put(d, &d->apps, id, slot, 1);
}

void directory_drop_app(directory *d, key16 id)
{
    uint32_t slot = slot_of(d, id);
    if (!slot)
        return;
    d->dead++;
    d->dead_keys += app_at(d, slot)->keys;
    hash_index_drop(d->apps, id, slot, 1);
}

static void fill_app(const directory *d, uint32_t slot, directory_app *out)
{
    const app_slot *app = app_at(d, slot);
    *out = (directory_app){.slot = slot,
                           .flags = atomic_load_explicit(&app->flags, memory_order_relaxed),
                           .id = app->id,
                           .name = ss_s(app->name, app->name_len),
                           .limits = read_limits(&app->limits)};
}

bool directory_find_app(const directory *d, key16 id, directory_app *out)
{
    uint32_t slot = slot_of(d, id);
    if (slot)
        fill_app(d, slot, out);
    return slot != 0;
}

bool directory_next_app(const directory *d, uint32_t after, directory_app *out)
{
    uint32_t end = atomic_load(&d->app_slots);
    for (uint32_t slot = after + 1; slot < end; slot++) {
        if (slot_of(d, app_at(d, slot)->id) != slot)
            continue; /* deleted */
        fill_app(d, slot, out);
        return true;
    }
    return false;
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* One key value may be good for several applications, with limits of its own for each. */
static key16 limit_key(key16 hash, uint32_t slot)
{
    return (key16){hash.a ^ (uint64_t)slot * 0x9E3779B97F4A7C15ULL, hash.b};
}

static bool put_limits(directory *d, key16 hash, uint32_t app, const store_limits *limits)
{
    key16 key = limit_key(hash, app);
    uint32_t slot = hash_index_find(atomic_load(&d->limited), key, 0, 0);
    bool is_new = slot == 0;
    if (is_new)
        slot = d->limit_slots;
    if (!make_limit_slot(d, slot))
        return false;
    write_limits(limits_at(d, slot), limits);
    if (is_new)
        d->limit_slots++;
    return !is_new || put(d, &d->limited, key, slot, 1);
}

bool directory_put_key(directory *d, key16 hash, key16 app, bool enabled, const store_limits *limits)
{
    uint32_t slot = slot_of(d, app), limited = is_default(limits) ? 0 : KEY_LIMITED;
    if (!slot)
        return true;
    if (limited && !put_limits(d, hash, slot, limits))
        return false;
    size_t before = hash_index_count(d->keys);
    if (!put(d, &d->keys, hash, slot * KEY_UNIT + limited + (enabled ? 0 : KEY_DISABLED), KEY_UNIT))
        return false;
    app_at(d, slot)->keys += hash_index_count(d->keys) > before;
    return true;
}

void directory_drop_key(directory *d, key16 hash, key16 app)
{
    uint32_t slot = slot_of(d, app);
    size_t before = hash_index_count(d->keys);
    if (slot)
        hash_index_drop(d->keys, hash, slot * KEY_UNIT, KEY_UNIT);
    if (hash_index_count(d->keys) < before)
        app_at(d, slot)->keys--;
}

enum directory_answer directory_find_key(const directory *d, key16 hash, uint32_t slot, store_limits *limits)
{
    const hash_index *keys = atomic_load(&d->keys);
    uint32_t value = hash_index_find(keys, hash, slot, KEY_UNIT);
    if (!value)
        return hash_index_find(keys, hash, 0, 0) ? DIRECTORY_OTHER : DIRECTORY_UNKNOWN;
    if (value & KEY_DISABLED)
        return DIRECTORY_DISABLED;
    uint32_t own = limits && (value & KEY_LIMITED)
                       ? hash_index_find(atomic_load(&d->limited), limit_key(hash, slot), 0, 0)
                       : 0;
    if (limits)
        *limits = own ? read_limits(limits_at(d, own))
                      : (store_limits){STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT};
    return DIRECTORY_ALLOWED;
}

bool directory_has_key_limits(const directory *d)
{
    return atomic_load_explicit(&d->limit_slots, memory_order_relaxed) > 1;
}

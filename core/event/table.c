#include "core/event/table.h"

#include <stdlib.h>

#include "core/event/table_inside.h"
#include "plugins/common/json.h"

const char *const event_envelope_names[EVENT_ENVELOPE] = {"event_id", "received_at", "event_type"};
static const uint32_t envelope_types[EVENT_ENVELOPE] = {SS_FIELD_STRING, SS_FIELD_TIMESTAMP, SS_FIELD_STRING};

static size_t field_find(const event_table *t, ss_str name)
{
    for (size_t i = 0; i < t->count; i++)
        if (ss_eq(ss_cstr(t->declared[i]->name), name))
            return i;
    return SIZE_MAX;
}

/* Printable ASCII, no quote or backslash, no empty part between dots. */
static bool name_ok(const char *name)
{
    size_t len = strlen(name), depth = 0, part = 0;
    if (len == 0 || len > EVENT_FIELD_NAME_MAX)
        return false;
    for (const char *p = name; *p; p++) {
        if (*p <= ' ' || *p >= 127 || *p == '"' || *p == '\\' || (*p == '.' && part == 0))
            return false;
        part = *p == '.' ? 0 : part + 1;
        depth += *p == '.';
    }
    return part > 0 && depth <= EVENT_FIELD_DEPTH_MAX;
}

/* Where one name is the object in which the other one lives. */
static bool names_clash(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    return n < m ? b[n] == '.' && memcmp(a, b, n) == 0 : m < n && a[m] == '.' && memcmp(a, b, m) == 0;
}

static const uint8_t kind_of[SS_FIELD_JSON + 1] = {
    [SS_FIELD_STRING] = SS_V_STR, [SS_FIELD_INT] = SS_V_INT,        [SS_FIELD_DOUBLE] = SS_V_DOUBLE,
    [SS_FIELD_BOOL] = SS_V_BOOL,  [SS_FIELD_TIMESTAMP] = SS_V_TIME, [SS_FIELD_DATETIME] = SS_V_TIME,
    [SS_FIELD_JSON] = SS_V_JSON};

static bool field_add(event_table *t, const ss_field *f, const char *plugin, ss_error *err)
{
    if (!name_ok(f->name) || f->type < SS_FIELD_STRING || f->type > SS_FIELD_JSON) {
        (void)ss_fail(
            err, SS_REJECT,
            "plugin %s declares field \"%.128s\" of type %u: a name is up to %u printable characters "
            "without quotes, its parts are separated by single dots, and the type is 1 to 7",
            plugin, f->name, f->type, EVENT_FIELD_NAME_MAX);
        return false;
    }
    for (size_t i = 0; i < t->count; i++) {
        const ss_field *other = t->declared[i];
        bool same = strcmp(other->name, f->name) == 0;
        if (same && other->type == f->type)
            return true;
        if (same || names_clash(other->name, f->name)) {
            (void)ss_fail(
                err, SS_REJECT,
                "field \"%s\" (type %u) of plugin %s and field \"%s\" (type %u) of plugin %s exclude each "
                "other: rename one, or leave one of the two plugins out of this receiver",
                f->name, f->type, plugin, other->name, other->type, t->owners[i]);
            return false;
        }
    }
    if (t->count == EVENT_FIELDS_MAX) {
        (void)ss_fail(err, SS_LIMIT, "plugin %s: more than %u fields in one receiver with its enrichers",
                      plugin, EVENT_FIELDS_MAX);
        return false;
    }
    t->owners[t->count] = plugin;
    t->declared[t->count] = f;
    t->fields[t->count++] =
        (table_field){.type = (uint8_t)f->type, .kind = kind_of[f->type], .object = TABLE_NONE};
    return true;
}

static bool plugin_add(event_table *t, const ss_plugin *p, ss_error *err)
{
    const ss_field *f = p->fields;
    for (; f && f->name; f = (const ss_field *)(const void *)((const char *)f + p->field_size))
        if (!field_add(t, f, p->name, err))
            return false;
    return true;
}

/* `,"name":` or, with brace, `,"name":{` into the key store. */
static const char *key_add(event_table *t, ss_str name, bool brace, uint16_t *len)
{
    char *to = t->keys + t->keys_len, *key = to;
    *to++ = ',';
    to += json_put_string(to, name);
    *to++ = ':';
    if (brace)
        *to++ = '{';
    *len = (uint16_t)(to - key);
    t->keys_len = (size_t)(to - t->keys);
    return key;
}

/* The object that a dotted name lives in; makes it and those around it. SIZE_MAX: no memory. */
static bool object_find(event_table *t, ss_str path, uint16_t *out)
{
    uint16_t parent = TABLE_NONE;
    for (size_t from = 0, i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '.')
            continue;
        uint16_t o = 0;
        while (o < t->object_count && !ss_eq(t->objects[o].path, ss_s(path.ptr, i)))
            o++;
        if (o == t->object_count) {
            table_object *more = realloc(t->objects, (o + 1u) * sizeof *more);
            if (!more)
                return false;
            t->objects = more;
            table_object *new = &t->objects[t->object_count++];
            *new = (table_object){.path = ss_s(path.ptr, i), .parent = parent};
            new->depth = (uint16_t)(parent == TABLE_NONE ? 1 : t->objects[parent].depth + 1);
            new->key = key_add(t, ss_s(path.ptr + from, i - from), true, &new->key_len);
            t->fixed_bytes += new->key_len + 1u;
        }
        parent = o;
        from = i + 1;
    }
    *out = parent;
    return true;
}

/* Fields of one object side by side, then the objects within it: the order of the line. */
static void order_object(event_table *t, uint16_t object)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->fields[i].object == object)
            t->nested[t->nested_count++] = (uint16_t)i;
    for (uint16_t o = 0; o < t->object_count; o++)
        if (t->objects[o].parent == object)
            order_object(t, o);
}

/* How many fields stand before the first one that the host does not know. */
static size_t head_count(const event_table *t)
{
    size_t i = 0, k = 0;
    for (; i < t->count && k < EVENT_ENVELOPE; i++) {
        for (k = 0; k < EVENT_ENVELOPE && strcmp(t->declared[i]->name, event_envelope_names[k]) != 0; k++)
            ;
        if (k == EVENT_ENVELOPE)
            break;
    }
    return i;
}

static bool lay_out(event_table *t)
{
    size_t room = BLOCK_SLACK;
    for (size_t i = 0; i < t->count; i++)
        room += (strlen(t->declared[i]->name) + BLOCK_SLACK) * (EVENT_FIELD_DEPTH_MAX + 2u);
    t->words = (t->count + 63) / 64;
    t->keys = calloc(1, room);
    t->flat = calloc(t->words + 1, sizeof *t->flat);
    t->deep = calloc(t->words + 1, sizeof *t->deep);
    t->texts = calloc(t->words + 1, sizeof *t->texts);
    t->nested = calloc(t->count + 1, sizeof *t->nested);
    if (!t->keys || !t->flat || !t->deep || !t->texts || !t->nested)
        return false;
    t->fixed_bytes = 2 + BLOCK_SLACK;
    for (size_t i = 0; i < t->count; i++) {
        table_field *f = &t->fields[i];
        const char *name = t->declared[i]->name, *dot = strrchr(name, '.');
        if (dot && !object_find(t, ss_s(name, (size_t)(dot - name)), &f->object))
            return false;
        f->key = key_add(t, ss_cstr(dot ? dot + 1 : name), false, &f->key_len);
        t->fixed_bytes += f->key_len + SCALAR_BYTES;
        if (f->type == SS_FIELD_STRING || f->type == SS_FIELD_JSON)
            t->texts[i >> 6] |= (uint64_t)1 << (i & 63);
        (dot ? t->deep : t->flat)[i >> 6] |= (uint64_t)1 << (i & 63);
    }
    for (uint16_t o = 0; o < t->object_count; o++)
        if (t->objects[o].parent == TABLE_NONE)
            order_object(t, o);
    for (size_t k = 0; k < EVENT_ENVELOPE; k++) {
        size_t i = field_find(t, ss_cstr(event_envelope_names[k]));
        bool mine = i < head_count(t) && t->fields[i].type == envelope_types[k];
        t->envelope[k] = mine ? (uint16_t)i : TABLE_NONE;
        if (mine)
            t->flat[i >> 6] &= ~((uint64_t)1 << (i & 63));
    }
    return true;
}

/* FNV-1a */
static uint64_t hash_add(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_fields(const event_table *t)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < t->count; i++) {
        const char *name = t->declared[i]->name;
        hash = hash_add(hash, name, strlen(name) + 1);
        hash = hash_add(hash, &t->fields[i].type, 1);
    }
    return hash;
}

event_table *event_table_new(const ss_plugin *receiver, const ss_plugin *const *enrichers, size_t n,
                             ss_error *err)
{
    event_table *t = calloc(1, sizeof *t);
    if (t) {
        t->fields = calloc(EVENT_FIELDS_MAX, sizeof *t->fields);
        t->declared = calloc(EVENT_FIELDS_MAX, sizeof *t->declared);
        t->owners = calloc(EVENT_FIELDS_MAX, sizeof *t->owners);
    }
    bool memory = t && t->fields && t->declared && t->owners;
    bool ok = memory && plugin_add(t, receiver, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = plugin_add(t, enrichers[i], err);
    if (ok)
        ok = memory = lay_out(t);
    if (!memory)
        (void)ss_fail(err, SS_LIMIT, "no memory for the field table of receiver %s", receiver->name);
    if (!ok) {
        event_table_free(t);
        return NULL;
    }
    t->hash = hash_fields(t);
    return t;
}

void event_table_free(event_table *t)
{
    if (!t)
        return;
    free(t->fields);
    free((void *)t->declared);
    free((void *)t->owners);
    free(t->objects);
    free(t->nested);
    free(t->flat);
    free(t->deep);
    free(t->texts);
    free(t->keys);
    free(t);
}

size_t event_table_count(const event_table *t)
{
    return t->count;
}

const ss_field *event_table_at(const event_table *t, size_t i)
{
    return i < t->count ? t->declared[i] : NULL;
}

uint64_t event_table_hash(const event_table *t)
{
    return t->hash;
}

void event_table_refs(const event_table *t, const char *const *names, size_t n, uint16_t *refs)
{
    for (size_t i = 0; i < n; i++) {
        size_t found = field_find(t, ss_cstr(names[i]));
        refs[i] = found == SIZE_MAX ? SS_NO_FIELD : (uint16_t)found;
    }
}

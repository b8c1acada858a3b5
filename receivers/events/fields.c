#include "receivers/events/fields.h"

#include <stdlib.h>

#include "plugins/common/rfc3339.h"

#define FIELDS_MAX     1000u /* of one instance: enrichers want some, too */
#define NAME_MAX_BYTES 128u
#define DOC_MAX_BYTES  300u
#define NO_COLUMN      UINT16_MAX

static const ss_field fixed[FIELD_FIXED] = {
    [FIELD_EVENT_ID] = {"event_id", SS_FIELD_STRING, 0,
                        "Unique id of the event: its own, else a UUID version 7.", NULL},
    [FIELD_RECEIVED_AT] = {"received_at", SS_FIELD_TIMESTAMP, 0, "When the server received the request.",
                           NULL},
    [FIELD_EVENT_TYPE] = {"event_type", SS_FIELD_STRING, 0, "Which of the declared types the event is of.",
                          NULL},
    [FIELD_EVENT_TIME] = {"event_time", SS_FIELD_TIMESTAMP, 0,
                          "When it happened as the event says, else when it was received.", NULL},
    [FIELD_APP_ID] = {"app_id", SS_FIELD_STRING, 0, "The application that sent it.", NULL},
    [FIELD_EXTRA] = {"extra_properties", SS_FIELD_JSON, 0,
                     "Members of the event that its schema does not name, as they came.", NULL},
    [FIELD_ENVELOPE] = {"extra_envelope", SS_FIELD_JSON, 0,
                        "Members that stand beside the event's data (data_path), as they came.", NULL},
    [FIELD_INVALID_TYPE] = {"invalid_type", SS_FIELD_STRING, 0,
                            "Quarantine: the type that the input was to be of.", NULL},
    [FIELD_INVALID_COUNT] = {"invalid_reason_count", SS_FIELD_INT, 0,
                             "Quarantine: how many reasons there are.", NULL},
    [FIELD_INVALID_REASONS] = {"invalid_reasons", SS_FIELD_JSON, 0,
                               "Quarantine: a list of objects with path, keyword, expected and got.", NULL},
    [FIELD_INVALID_BYTES] =
        {"invalid_input_bytes", SS_FIELD_INT, 0,
         "Quarantine: length of the input; more than invalid_input has where that was cut.", NULL},
    [FIELD_INVALID_INPUT] = {"invalid_input", SS_FIELD_STRING, 0, "Quarantine: the input as it came.", NULL},
};

/* ---- which fields there are ------------------------------------------------------------------ */

/* A name that may be a field: printable ASCII; a dot would make an object of it. */
static bool name_ok(ss_str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] >= 127 || strchr("\"\\.", name.ptr[i]))
            return false;
    return true;
}

static uint32_t type_of(const json_schema_property *p)
{
    switch (p->types & ~(uint32_t)SCHEMA_NULL) {
    case SCHEMA_STRING:
        return p->date_time ? SS_FIELD_TIMESTAMP : SS_FIELD_STRING;
    case SCHEMA_INTEGER:
        return SS_FIELD_INT;
    case SCHEMA_NUMBER:
    case SCHEMA_NUMBER | SCHEMA_INTEGER:
        return SS_FIELD_DOUBLE;
    case SCHEMA_BOOLEAN:
        return SS_FIELD_BOOL;
    default:
        return SS_FIELD_JSON;
    }
}

/* Two schemas that differ about one name: what can hold both. */
static uint32_t type_for_both(uint32_t a, uint32_t b)
{
    bool numbers = (a == SS_FIELD_INT && b == SS_FIELD_DOUBLE) || (a == SS_FIELD_DOUBLE && b == SS_FIELD_INT);
    bool texts = (a == SS_FIELD_STRING && b == SS_FIELD_TIMESTAMP) ||
                 (a == SS_FIELD_TIMESTAMP && b == SS_FIELD_STRING);
    return a == b ? a : numbers ? SS_FIELD_DOUBLE : texts ? SS_FIELD_STRING : SS_FIELD_JSON;
}

typedef struct collector {
    events *e;
    event_type *type;
    bool no_memory, too_many;
} collector;

static char *keep(events *e, const char *text, size_t len)
{
    char **grown = realloc(e->texts, (e->text_count + 1) * sizeof *grown);
    char *copy = grown ? malloc(len + 1) : NULL;
    if (grown)
        e->texts = grown;
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    e->texts[e->text_count++] = copy;
    return copy;
}

static const char *doc_of(collector *c, const json_schema_property *p)
{
    char text[DOC_MAX_BYTES];
    if (p->doc.len > 0 && p->doc.len < sizeof text)
        return keep(c->e, p->doc.ptr, p->doc.len);
    int len = snprintf(text, sizeof text, "Property %.*s of event type %.*s.", (int)p->name.len, p->name.ptr,
                       (int)c->type->name.len, c->type->name.ptr);
    return keep(c->e, text, (size_t)len);
}

static uint32_t field_index(const events *e, ss_str name)
{
    uint32_t i = 0;
    while (i < e->field_count && !ss_eq(ss_cstr(e->fields[i].name), name))
        i++;
    return i;
}

/* First pass: a field for each name that any type has. */
static void collect_field(void *arg, const json_schema_property *p)
{
    collector *c = arg;
    events *e = c->e;
    if (!name_ok(p->name))
        return;
    uint32_t i = field_index(e, p->name);
    if (i < FIELD_FIXED)
        return; /* the server's own: such a member goes to FIELD_EXTRA */
    if (i < e->field_count) {
        e->fields[i].type = type_for_both(e->fields[i].type, type_of(p));
        return;
    }
    if (e->field_count == FIELDS_MAX) {
        c->too_many = true;
        return;
    }
    const char *name = keep(e, p->name.ptr, p->name.len), *doc = doc_of(c, p);
    c->no_memory |= !name || !doc;
    if (name && doc)
        e->fields[e->field_count++] = (ss_field){name, type_of(p), 0, doc, name};
}

static bool columns_make(columns *c, uint32_t most)
{
    uint32_t size = 4;
    while (size < 2 * most)
        size *= 2;
    c->mask = size - 1;
    c->list = calloc(most + 1, sizeof *c->list);
    c->table = malloc(size * sizeof *c->table);
    if (!c->list || !c->table)
        return false;
    memset(c->table, 0xFF, size * sizeof *c->table);
    return true;
}

/* Second pass: the fields have their final types. */
static void collect_column(void *arg, const json_schema_property *p)
{
    const collector *c = arg;
    columns *to = &c->type->columns;
    uint32_t i = field_index(c->e, p->name), hash = json_tape_hash(p->name), at = hash & to->mask;
    if (i < FIELD_FIXED || i == c->e->field_count)
        return;
    for (; to->table[at] != NO_COLUMN; at = (at + 1) & to->mask)
        if (to->list[to->table[at]].field == i)
            return;
    const ss_field *f = &c->e->fields[i];
    to->table[at] = (uint16_t)to->count;
    to->list[to->count++] = (column){ss_cstr(f->name), hash, (uint16_t)i, (uint16_t)f->type};
}

int32_t fields_make(events *e, ss_error *err)
{
    collector c = {.e = e};
    e->fields = calloc(FIELDS_MAX + 1, sizeof *e->fields);
    if (!e->fields)
        return ss_fail(err, SS_LIMIT, "no memory for the fields");
    memcpy(e->fields, fixed, sizeof fixed);
    e->field_count = FIELD_FIXED;
    for (uint32_t i = 0; i < e->type_count; i++) {
        c.type = &e->types[i];
        json_schema_properties(c.type->schema, collect_field, &c);
    }
    if (c.too_many)
        return ss_fail(err, SS_REJECT,
                       "types: the schemas name more than %u properties; divide them among several instances",
                       FIELDS_MAX - FIELD_FIXED);
    for (uint32_t i = 0; i < e->type_count && !c.no_memory; i++) {
        c.type = &e->types[i];
        c.no_memory = !columns_make(&c.type->columns, e->field_count - FIELD_FIXED);
        if (!c.no_memory)
            json_schema_properties(c.type->schema, collect_column, &c);
    }
    return c.no_memory ? ss_fail(err, SS_LIMIT, "no memory for the fields") : SS_OK;
}

void fields_free(events *e)
{
    for (uint32_t i = 0; i < e->type_count; i++) {
        free(e->types[i].columns.list);
        free(e->types[i].columns.table);
    }
    for (size_t i = 0; i < e->text_count; i++)
        free(e->texts[i]);
    free(e->texts);
    free(e->fields);
}

/* ---- filling an event ------------------------------------------------------------------------ */

static const column *column_of(const columns *c, const tape_token *key)
{
    for (uint32_t at = key->count & c->mask; c->table[at] != NO_COLUMN; at = (at + 1) & c->mask) {
        const column *found = &c->list[c->table[at]];
        if (found->hash == key->count && ss_eq(found->name, json_tape_str(key)))
            return found;
    }
    return NULL;
}

static bool set_number(ss_event *event, const column *c, ss_str text)
{
    int64_t whole;
    double real;
    if (c->type == SS_FIELD_INT && json_i64(text, &whole))
        ss_set_int(event, c->field, whole);
    else if (c->type == SS_FIELD_DOUBLE && json_double(text, &real))
        ss_set_double(event, c->field, real);
    else
        return false;
    return true;
}

static bool set_string(ss_event *event, const column *c, ss_str text)
{
    int64_t us;
    if (c->type == SS_FIELD_STRING)
        ss_set_str(event, c->field, text);
    else if (c->type == SS_FIELD_TIMESTAMP && rfc3339_date_time(text, &us) && us % 1000 == 0)
        ss_set_time(event, c->field, us);
    else
        return false;
    return true;
}

/* false: the value does not fit the field without a loss. */
static bool set_value(ss_event *event, const column *c, const json_tape *tape, const tape_token *value)
{
    if (c->type == SS_FIELD_JSON) {
        ss_set_json(event, c->field, json_tape_raw(tape, value));
        return true;
    }
    switch (value->kind) {
    case JSON_NULL:
        ss_set_null(event, c->field);
        return true;
    case JSON_STRING:
        return set_string(event, c, json_tape_str(value));
    case JSON_NUMBER:
        return set_number(event, c, json_tape_str(value));
    case JSON_TRUE:
    case JSON_FALSE:
        if (c->type != SS_FIELD_BOOL)
            return false;
        ss_set_bool(event, c->field, value->kind == JSON_TRUE);
        return true;
    default:
        return false;
    }
}

typedef struct rest { /* a JSON object being put together */
    char *text;
    size_t len;
} rest;

static bool rest_add(const events *e, ss_event *event, rest *r, const json_tape *tape, uint32_t object,
                     uint32_t key)
{
    const tape_token *tokens = tape->tokens;
    ss_str name = json_tape_raw(tape, &tokens[key]), value = json_tape_raw(tape, &tokens[key + 1]);
    if (!r->text) { /* room for all members: a comma and a colon more than each has */
        r->text = e->host->mem(event->call, tokens[object].raw_len + 2u * tokens[object].count + 2u);
        if (!r->text)
            return false;
    }
    r->text[r->len] = r->len ? ',' : '{';
    r->len++;
    memcpy(r->text + r->len, name.ptr, name.len);
    r->len += name.len;
    r->text[r->len++] = ':';
    memcpy(r->text + r->len, value.ptr, value.len);
    r->len += value.len;
    return true;
}

static void rest_set(ss_event *event, rest *r, uint32_t field)
{
    if (!r->text)
        return;
    r->text[r->len++] = '}';
    ss_set_json(event, field, ss_s(r->text, r->len));
}

static bool is_consumed(const uint32_t consumed[CONSUMED], uint32_t token)
{
    for (uint32_t i = 0; i < CONSUMED; i++)
        if (token == consumed[i])
            return true;
    return false;
}

bool fields_fill(const events *e, const event_type *type, ss_event *event, const json_tape *tape,
                 uint32_t data, const uint32_t consumed[CONSUMED])
{
    const tape_token *tokens = tape->tokens;
    uint32_t key = data + 1;
    rest r = {0};
    if (tokens[data].kind != JSON_OBJECT) {
        ss_set_json(event, FIELD_EXTRA, json_tape_raw(tape, &tokens[data]));
        return true;
    }
    for (uint32_t i = 0; i < tokens[data].count; i++, key = tokens[key + 1].next) {
        const column *c = column_of(&type->columns, &tokens[key]);
        if (c ? set_value(event, c, tape, &tokens[key + 1]) : is_consumed(consumed, key + 1))
            continue;
        if (!rest_add(e, event, &r, tape, data, key))
            return false;
    }
    rest_set(event, &r, FIELD_EXTRA);
    return true;
}

bool fields_rest(const events *e, ss_event *event, const json_tape *tape, uint32_t object,
                 const uint32_t consumed[CONSUMED], uint32_t field)
{
    const tape_token *tokens = tape->tokens;
    uint32_t key = object + 1;
    rest r = {0};
    for (uint32_t i = 0; i < tokens[object].count; i++, key = tokens[key + 1].next)
        if (!is_consumed(consumed, key + 1) && !rest_add(e, event, &r, tape, object, key))
            return false;
    rest_set(event, &r, field);
    return true;
}

#include "core/event/line.h"

#include <math.h>

#include "core/event/table_inside.h"
#include "core/event/uuid.h"
#include "plugins/common/block.h"
#include "plugins/common/json.h"

#define KEY_BLOCK  32u /* keys up to this are copied with one fixed-size copy */
#define NUMBER_MAX 32u /* characters of a number that stays as it was written; within SCALAR_BYTES */

/* ---- times ---- */

#define US_PER_SECOND 1000000
#define SECOND_MIN    (-62167219200) /* 0000-01-01 */
#define SECOND_MAX    253402300799   /* 9999-12-31 */
#define TIME_CACHE    4u

typedef struct time_text {
    int64_t second;
    char text[EVENT_DATETIME_SIZE + 1];
} time_text;

static void put_two(char *out, int64_t value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

/* Days since 1970 -> civil date (Hinnant's algorithm, years from March). */
static void render_second(char *out, int64_t second)
{
    int64_t days = second / 86400, rest = second % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * month + 2) / 5 + 1, year = yoe + era * 400 + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    memcpy(out, "0000-00-00 00:00:00", EVENT_DATETIME_SIZE);
    put_two(out, year / 100);
    put_two(out + 2, year % 100);
    put_two(out + 5, month);
    put_two(out + 8, day);
    put_two(out + 11, rest / 3600);
    put_two(out + 14, rest / 60 % 60);
    put_two(out + 17, rest % 60);
}

/* Events of one moment share their seconds; a few slots, because receive time and event time take turns. */
static const char *second_text(int64_t second)
{
    static _Thread_local time_text cache[TIME_CACHE];
    second = second < SECOND_MIN ? SECOND_MIN : second > SECOND_MAX ? SECOND_MAX : second;
    time_text *slot = &cache[(uint64_t)second % TIME_CACHE];
    if (slot->second != second || slot->text[0] == '\0') {
        render_second(slot->text, second);
        slot->second = second;
    }
    return slot->text;
}

static inline int64_t floor_second(int64_t us)
{
    return us / US_PER_SECOND - (us % US_PER_SECOND < 0);
}

void event_put_datetime(char *out, int64_t us)
{
    memcpy(out, second_text(floor_second(us)), EVENT_DATETIME_SIZE);
}

void event_put_timestamp(char *out, int64_t us)
{
    int64_t second = floor_second(us);
    int64_t ms = ((us % US_PER_SECOND + US_PER_SECOND) % US_PER_SECOND) / 1000;
    memcpy(out, second_text(second), EVENT_DATETIME_SIZE);
    out[10] = 'T';
    out[19] = '.';
    out[20] = (char)('0' + ms / 100);
    put_two(out + 21, ms % 100);
    out[23] = 'Z';
}

/* ---- values ---- */

static char *put_null(char *to)
{
    memcpy(to, "null", 4);
    return to + 4;
}

static char *put_bool(char *to, bool value)
{
    memcpy(to, value ? "true " : "false", 5);
    return to + (value ? 4 : 5);
}

static char *put_time(char *to, uint32_t type, int64_t us)
{
    *to++ = '"';
    if (type == SS_FIELD_TIMESTAMP) {
        event_put_timestamp(to, us);
        to += EVENT_TIMESTAMP_SIZE;
    } else {
        event_put_datetime(to, us);
        to += EVENT_DATETIME_SIZE;
    }
    *to++ = '"';
    return to;
}

static char *put_int(char *to, uint32_t type, int64_t value)
{
    if (type == SS_FIELD_BOOL)
        return value == 0 || value == 1 ? put_bool(to, value) : put_null(to);
    if (type != SS_FIELD_STRING)
        return to + json_put_i64(to, value);
    *to++ = '"';
    to += json_put_i64(to, value);
    *to++ = '"';
    return to;
}

static char *put_double(char *to, uint32_t type, double value)
{
    bool whole = type == SS_FIELD_INT && fabs(value) <= 9007199254740992.0 && rint(value) == value;
    if (whole)
        return to + json_put_i64(to, (int64_t)value);
    if (type != SS_FIELD_DOUBLE && type != SS_FIELD_JSON)
        return put_null(to);
    return to + json_put_double(to, value);
}

/* The same text in event after event (what a request's events have in common) is checked once: a second look
   is a comparison. Kept only where a text comes from the same place again, so that texts that differ each
   time do not push it out. */
#define REPEAT_LEAST 48u
#define REPEAT_BYTES 512u
#define REPEAT_SLOTS 4u

typedef struct json_repeat {
    const char *seen; /* where the last text of this slot was */
    size_t raw_len, len;
    char raw[REPEAT_BYTES], text[json_compact_bound(REPEAT_BYTES)];
} json_repeat;

static char *put_json(char *to, const ss_value *v)
{
    static _Thread_local json_repeat cache[REPEAT_SLOTS];
    ss_str json = ss_s(v->as.ptr, v->len);
    if (json.len < REPEAT_LEAST || json.len > REPEAT_BYTES)
        return to + json_put_compact(to, json);
    json_repeat *r = &cache[((uintptr_t)json.ptr >> 4) % REPEAT_SLOTS];
    if (r->raw_len == json.len && memcmp(r->raw, json.ptr, json.len) == 0) {
        memcpy(to, r->text, r->len);
        return to + r->len;
    }
    size_t len = json_put_compact(to, json);
    if (r->seen == json.ptr) {
        memcpy(r->raw, json.ptr, json.len);
        memcpy(r->text, to, len);
        r->raw_len = json.len;
        r->len = len;
    }
    r->seen = json.ptr;
    return to + len;
}

/* A number as it was written, within the room that every number has. */
static char *put_number(char *to, const ss_value *v)
{
    ss_str text = ss_s(v->as.ptr, v->len);
    bool number =
        text.len > 0 && text.len <= NUMBER_MAX && (*text.ptr == '-' || (unsigned)(*text.ptr - '0') < 10);
    if (!number || !json_valid(text) || text.ptr[text.len - 1] <= ' ')
        return put_null(to);
    memcpy(to, text.ptr, text.len);
    return to + text.len;
}

/* Which kinds a type takes: bit k = kind k. */
#define KIND(k) (1u << (SS_V_##k))
static const uint8_t kinds_of[SS_FIELD_JSON + 1] = {
    [SS_FIELD_STRING] = KIND(STR) | KIND(INT),
    [SS_FIELD_INT] = KIND(INT) | KIND(BOOL) | KIND(DOUBLE) | KIND(JSON),
    [SS_FIELD_DOUBLE] = KIND(DOUBLE) | KIND(INT) | KIND(JSON),
    [SS_FIELD_BOOL] = KIND(BOOL) | KIND(INT),
    [SS_FIELD_TIMESTAMP] = KIND(TIME),
    [SS_FIELD_DATETIME] = KIND(TIME),
    [SS_FIELD_JSON] = KIND(JSON) | KIND(STR) | KIND(INT) | KIND(DOUBLE) | KIND(BOOL),
};

static __attribute__((noinline)) char *put_value(char *to, uint32_t type, const ss_value *v)
{
    if (v->kind > SS_V_NULL || !(kinds_of[type] >> v->kind & 1u))
        return put_null(to);
    switch (v->kind) {
    case SS_V_STR:
        return to + json_put_string(to, ss_s(v->as.ptr, v->len));
    case SS_V_INT:
        return put_int(to, type, v->as.i64);
    case SS_V_DOUBLE:
        return put_double(to, type, v->as.f64);
    case SS_V_BOOL:
        return type == SS_FIELD_INT ? to + json_put_i64(to, v->as.i64 != 0) : put_bool(to, v->as.i64 != 0);
    case SS_V_TIME:
        return put_time(to, type, v->as.i64);
    case SS_V_JSON:
        return type == SS_FIELD_JSON ? put_json(to, v) : put_number(to, v);
    default:
        return put_null(to);
    }
}

/* ---- the line ---- */

static inline char *put_key(char *to, const char *key, size_t len)
{
    memcpy(to, key, KEY_BLOCK); /* a copy of fixed size is two stores; keys has slack behind it */
    if (__builtin_expect(len > KEY_BLOCK, 0))
        memcpy(to + KEY_BLOCK, key + KEY_BLOCK, len - KEY_BLOCK);
    return to + len;
}

/* Texts that fit into one block and need no escape; others go the long way, empty ones too: theirs may be a
   null pointer. */
static inline char *put_text(char *to, const char *text, size_t len)
{
    if (__builtin_expect(len - 1 < BLOCK_BYTES - 1, 1)) {
        block b = block_load_short(text, len);
        *to = '"';
        block_store(to + 1, b);
        if (__builtin_expect(block_first(block_special(b) | 1u << BLOCK_BYTES) >= len, 1)) {
            to[1 + len] = '"';
            return to + len + 2;
        }
    }
    return to + json_put_string(to, ss_s(text, len));
}

/* The usual kinds of the usual types right here, the rest in put_value(). */
static inline __attribute__((always_inline)) char *put_field(char *to, const table_field *f,
                                                             const ss_value *v)
{
    to = put_key(to, f->key, f->key_len);
    if (v->kind == f->kind) {
        if (v->kind == SS_V_STR)
            return put_text(to, v->as.ptr, v->len);
        if (v->kind == SS_V_INT) {
            if ((uint64_t)v->as.i64 > 9)
                return to + json_put_i64(to, v->as.i64);
            *to = (char)('0' + v->as.i64);
            return to + 1;
        }
        if (v->kind == SS_V_BOOL) {
            memcpy(to, v->as.i64 ? "true    " : "false   ", 8);
            return to + 5 - (v->as.i64 != 0);
        }
    }
    return put_value(to, f->type, v);
}

static char *put_envelope(char *to, const event_table *t, const ss_event *e)
{
    for (size_t k = 0; k < EVENT_ENVELOPE; k++) {
        uint32_t i = t->envelope[k];
        if (i == TABLE_NONE)
            continue;
        if (ss_has(e, i)) {
            to = put_field(to, &t->fields[i], &e->values[i]);
            continue;
        }
        ss_str text = k == 0 ? e->id : e->type;
        if (k != 1 && text.len == 0)
            continue;
        to = put_key(to, t->fields[i].key, t->fields[i].key_len);
        to = k == 1 ? put_time(to, SS_FIELD_TIMESTAMP, e->receive_us) : to + json_put_string(to, text);
    }
    return to;
}

/* A key behind an opening brace has no comma before it. (The line's own brace takes its first comma's place.)
 */
static char *put_inner_key(char *to, const char *line, const char *key, size_t len)
{
    size_t comma = to > line && to[-1] == '{';
    return put_key(to, key + comma, len - comma);
}

static char *close_to(char *to, size_t *depth, size_t want)
{
    for (; *depth > want; (*depth)--)
        *to++ = '}';
    return to;
}

static bool within(const event_table *t, uint16_t object, uint16_t outer)
{
    while (object != TABLE_NONE && object != outer)
        object = t->objects[object].parent;
    return object == outer;
}

/* From the nth nested field on: the first one behind the object, where every value in it is null; else 0. */
static size_t null_object(const event_table *t, const ss_event *e, size_t n, uint16_t object)
{
    for (; n < t->nested_count && within(t, t->fields[t->nested[n]].object, object); n++)
        if (ss_has(e, t->nested[n]) && e->values[t->nested[n]].kind != SS_V_NULL)
            return 0;
    return n;
}

static char *put_nested(char *to, const char *line, const event_table *t, const ss_event *e)
{
    uint16_t open[EVENT_FIELD_DEPTH_MAX + 1];
    size_t depth = 0;
    for (size_t n = 0; n < t->nested_count; n++) {
        uint32_t i = t->nested[n];
        size_t behind = 0;
        if (!ss_has(e, i))
            continue;
        uint16_t path[EVENT_FIELD_DEPTH_MAX + 1], object = t->fields[i].object;
        size_t deep = t->objects[object].depth, common = 0;
        for (size_t d = deep; d > 0; d--, object = t->objects[object].parent)
            path[d - 1] = object;
        /* cppcheck-suppress uninitvar ; filled below deep */
        while (common < depth && common < deep && open[common] == path[common])
            common++;
        to = close_to(to, &depth, common);
        bool null = e->values[i].kind == SS_V_NULL;
        for (; depth < deep && !behind; depth++) {
            const table_object *o = &t->objects[path[depth]];
            behind = null ? null_object(t, e, n, path[depth]) : 0;
            to = put_inner_key(to, line, o->key, o->key_len);
            open[depth] = path[depth];
        }
        if (behind) {
            to = put_null(to - 1); /* in place of the brace */
            depth--;
            n = behind - 1;
            continue;
        }
        to = put_inner_key(to, line, t->fields[i].key, t->fields[i].key_len);
        to = put_value(to, t->fields[i].type, &e->values[i]);
    }
    return close_to(to, &depth, 0);
}

size_t event_line_bound(const event_table *t, const ss_event *e)
{
    /* What any event of this table may need besides its texts was summed up when the table was made. */
    static const uint8_t factor[8] = {[SS_V_STR] = 6, [SS_V_JSON] = 1};
    size_t bound = t->fixed_bytes + 6 * (e->id.len + e->type.len);
    const ss_value *values = e->values;
    for (size_t w = 0; w < t->words; w++, values += 64)
        for (uint64_t bits = e->present[w] & t->texts[w]; bits; bits &= bits - 1) {
            const ss_value *v = &values[__builtin_ctzll(bits)];
            bound += (size_t)v->len * factor[v->kind & 7u];
        }
    return bound;
}

size_t event_line_write(const event_table *t, const ss_event *e, char *out)
{
    /* Every key starts with a comma; the first one becomes the brace in the end. */
    char *to = put_envelope(out, t, e);
    const ss_value *values = e->values;
    const table_field *fields = t->fields;
    uint64_t deep = 0;
    for (size_t w = 0; w < t->words; w++, values += 64, fields += 64) {
        deep |= e->present[w] & t->deep[w];
        for (uint64_t bits = e->present[w] & t->flat[w]; bits; bits &= bits - 1) {
            size_t i = (size_t)__builtin_ctzll(bits);
            to = put_field(to, &fields[i], &values[i]);
        }
    }
    if (deep)
        to = put_nested(to, out, t, e);
    if (to == out)
        to++;
    out[0] = '{';
    *to++ = '}';
    return (size_t)(to - out);
}

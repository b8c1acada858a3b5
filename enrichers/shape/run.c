/* The steps on one event. */
#include "enrichers/shape/step.h"
#include "plugins/common/json.h"
#include "plugins/common/utf8.h"

#define FIELDS_MAX  1024u /* of one event; the server has no more */
#define NUMBER_TEXT 40u

static inline bool is_text(const ss_value *v)
{
    return v && v->kind == SS_V_STR;
}

/* A value as text, numbers written out. false: it has none. */
static bool text_of(const ss_value *v, char room[NUMBER_TEXT], ss_str *out)
{
    switch (v->kind) {
    case SS_V_STR:
    case SS_V_JSON:
        *out = ss_s(v->as.ptr, v->len);
        return true;
    case SS_V_INT:
        *out = ss_s(room, json_put_i64(room, v->as.i64));
        return true;
    case SS_V_DOUBLE:
        *out = ss_s(room, json_put_double(room, v->as.f64));
        return true;
    case SS_V_BOOL:
        *out = v->as.i64 ? SS_LIT("true") : SS_LIT("false");
        return true;
    default:
        return false;
    }
}

static bool fits(enum step_test test, ss_str text, ss_str want)
{
    switch (test) {
    case TEST_EQUALS:
        return ss_eq(text, want);
    case TEST_PREFIX:
        return text.len >= want.len && ss_eq(ss_s(text.ptr, want.len), want);
    case TEST_SUFFIX:
        return text.len >= want.len && ss_eq(ss_s(text.ptr + text.len - want.len, want.len), want);
    default:
        return want.len == 0 || (text.len >= want.len && memmem(text.ptr, text.len, want.ptr, want.len));
    }
}

static bool holds(const step_condition *when, const ss_event *e)
{
    char room[NUMBER_TEXT];
    ss_str text;
    const ss_value *v = field_value(e, ss_ref(e, when->ref));
    bool true_so_far = v && v->kind != SS_V_NULL;
    if (true_so_far && when->test != TEST_EXISTS) {
        true_so_far = false;
        if (text_of(v, room, &text))
            for (size_t i = 0; i < when->count && !true_so_far; i++)
                true_so_far = fits(when->test, text, when->texts[i]);
    }
    return true_so_far != when->negated;
}

/* ---- actions on one field ---- */

static void rename_field(ss_event *e, const step_item *item)
{
    uint32_t from = ss_ref(e, item->ref), to = ss_ref(e, item->target);
    const ss_value *v = field_value(e, from);
    if (!v || to == SS_NO_FIELD)
        return;
    ss_value moved = *v;
    ss_unset(e, from);
    *ss_slot(e, to) = moved;
}

static int32_t hash_field(const step *s, const ss_host *host, const keyed_hash *hash, ss_event *e,
                          uint32_t index)
{
    char room[NUMBER_TEXT];
    ss_str text;
    const ss_value *v = field_value(e, index);
    if (!v || v->kind == SS_V_NULL)
        return SS_OK;
    if (!text_of(v, room, &text)) {
        ss_unset(e, index); /* a time: no text to hash, and not to be kept */
        return SS_OK;
    }
    char *out = host->mem(e->call, s->digits);
    if (!out)
        return SS_LIMIT;
    keyed_hash_put(hash, text, out, s->digits);
    if (ss_eq(e->key, text)) /* the record's key would give it away */
        e->key = ss_s(out, s->digits);
    ss_set_str(e, index, ss_s(out, s->digits));
    return SS_OK;
}

/* ASCII letters: what other alphabets' small letters are depends on the language. */
static int32_t lower_field(const ss_host *host, ss_event *e, uint32_t index)
{
    ss_value *v = field_value(e, index);
    if (!is_text(v))
        return SS_OK;
    uint32_t i = 0;
    while (i < v->len && !(v->as.ptr[i] >= 'A' && v->as.ptr[i] <= 'Z'))
        i++;
    if (i == v->len)
        return SS_OK;
    char *out = host->mem(e->call, v->len);
    if (!out)
        return SS_LIMIT;
    memcpy(out, v->as.ptr, v->len);
    for (; i < v->len; i++)
        if (out[i] >= 'A' && out[i] <= 'Z')
            out[i] = (char)(out[i] | 0x20);
    v->as.ptr = out;
    return SS_OK;
}

static inline bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim_field(ss_event *e, uint32_t index)
{
    ss_value *v = field_value(e, index);
    if (!is_text(v))
        return;
    for (; v->len > 0 && is_space(*v->as.ptr); v->len--)
        v->as.ptr++;
    while (v->len > 0 && is_space(v->as.ptr[v->len - 1]))
        v->len--;
}

static void cut_field(ss_event *e, uint32_t index, size_t bytes)
{
    ss_value *v = field_value(e, index);
    if (is_text(v))
        v->len = (uint32_t)utf8_cut(v->as.ptr, v->len, bytes);
}

static int32_t run_item(const step *s, const step_item *item, const ss_host *host, const keyed_hash *hash,
                        ss_event *e)
{
    uint32_t index = ss_ref(e, item->ref);
    if (index == SS_NO_FIELD) /* of another receiver */
        return SS_OK;
    switch (s->action) {
    case STEP_REMOVE:
        ss_unset(e, index);
        return SS_OK;
    case STEP_RENAME:
        rename_field(e, item);
        return SS_OK;
    case STEP_SET:
        *ss_slot(e, index) = item->value;
        return SS_OK;
    case STEP_DEFAULT:
        if (!ss_has(e, index) || field_value(e, index)->kind == SS_V_NULL)
            *ss_slot(e, index) = item->value;
        return SS_OK;
    case STEP_HASH:
        return hash_field(s, host, hash, e, index);
    case STEP_LOWER:
        return lower_field(host, e, index);
    case STEP_TRIM:
        trim_field(e, index);
        return SS_OK;
    default:
        cut_field(e, index, item->limit);
        return SS_OK;
    }
}

/* ---- steps ---- */

static void keep_fields(const step *s, ss_event *e)
{
    uint64_t kept[FIELDS_MAX / 64] = {0};
    for (size_t i = 0; i < s->count; i++) {
        uint32_t index = ss_ref(e, s->items[i].ref);
        if (index < FIELDS_MAX)
            kept[index >> 6] |= (uint64_t)1 << (index & 63u);
    }
    for (uint32_t w = 0; w < (e->field_count + 63u) / 64u; w++)
        e->present[w] &= w < FIELDS_MAX / 64 ? kept[w] : 0;
}

static int32_t run_step(const step *s, const ss_host *host, const keyed_hash *hash, ss_event *e,
                        ss_error *err)
{
    int32_t status = SS_OK;
    if (s->action == STEP_DROP_EVENT)
        return ss_fail(err, SS_DROP, "%.*s", (int)s->reason.len, s->reason.ptr);
    if (s->action == STEP_KEEP)
        keep_fields(s, e);
    else
        for (size_t i = 0; i < s->count && status == SS_OK; i++)
            status = run_item(s, &s->items[i], host, hash, e);
    return status;
}

int32_t steps_run(const steps *s, const ss_host *host, const keyed_hash *hash, ss_event *e, ss_error *err)
{
    int32_t status = SS_OK;
    for (size_t i = 0; i < s->count && status == SS_OK; i++)
        if (!s->list[i].when.given || holds(&s->list[i].when, e))
            status = run_step(&s->list[i], host, hash, e, err);
    return status;
}

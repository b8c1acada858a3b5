#include "receivers/events/event.h"

#include "plugins/common/rfc3339.h"
#include "plugins/common/utf8.h"
#include "receivers/events/fields.h"

#define ID_BYTES_MAX   200u
#define KEPT_BYTES_MIN 128u               /* of a quarantined input that is too large as a whole */
#define SHOWN_MAX      80u                /* bytes of a value in a line for the operator */
#define SECONDS_BELOW  100000000000       /* numbers below are seconds, ... */
#define MILLIS_BELOW   100000000000000    /* ... milliseconds, else microseconds */
#define TIME_MAX_US    253402300800000000 /* year 10000 */

typedef struct reading { /* one input on its way */
    intake *in;
    ss_str input;
    ss_event *event;
    json_tape tape;
    const event_type *type;      /* NULL: not known (yet) */
    ss_str said;                 /* the type that the input names */
    uint32_t data;               /* token of what the schema is for */
    uint32_t consumed[CONSUMED]; /* top members that became type, time, id and data */
    json_schema_error errors[ERRORS_MAX];
    uint32_t count; /* of all errors */
    bool forbidden; /* the key is for other types: nothing of it is kept */
} reading;

static void *take_mem(void *arg, size_t len)
{
    const reading *r = arg;
    return r->in->e->host->mem(r->in->request->call, len);
}

static void complain(reading *r, uint32_t token, const char *keyword, const char *expected, ss_str got)
{
    if (r->count < r->in->e->max_errors)
        r->errors[r->count] = (json_schema_error){token, keyword, ss_cstr(expected), got};
    r->count++;
}

static void complain_of(reading *r, uint32_t token, const char *keyword, const char *expected)
{
    complain(r, token, keyword, expected, json_tape_raw(&r->tape, &r->tape.tokens[token]));
}

/* ---- what the event is ----------------------------------------------------------------------- */

static const event_type *type_named(const events *e, ss_str name)
{
    for (uint32_t i = 0; i < e->type_count; i++)
        if (ss_eq(e->types[i].name, name))
            return &e->types[i];
    return NULL;
}

static bool key_covers(const intake *in, const event_type *type)
{
    uint32_t i = (uint32_t)(type - in->e->types);
    return !in->key || in->key->all || (in->key->types[i >> 6] >> (i & 63u) & 1u);
}

/* The type: of the path, of the event, or the one that is meant where none is named. */
static void find_type(reading *r)
{
    const events *e = r->in->e;
    uint32_t token = path_find(&e->type_path, &r->tape);
    bool named = token && r->tape.tokens[token].kind == JSON_STRING;
    r->said = r->in->type.len ? r->in->type : named ? json_tape_str(&r->tape.tokens[token]) : ss_s("", 0);
    if (named && ss_eq(r->said, json_tape_str(&r->tape.tokens[token])))
        r->consumed[0] = e->type_path.count == 1 ? token : 0;
    if (r->said.len > 0)
        r->type = type_named(e, r->said);
    else if (!token && e->default_type != UINT32_MAX)
        r->type = &e->types[e->default_type];
    if (named && r->in->type.len && !ss_eq(r->said, json_tape_str(&r->tape.tokens[token])))
        complain_of(r, token, "type", "the type that the path names");
    else if (!r->type && token)
        complain_of(r, token, "type", "one of the declared types");
    else if (!r->type)
        complain(r, 0, "type", "one of the declared types", r->said.len ? r->said : SS_LIT("nothing"));
    r->forbidden = r->type && !key_covers(r->in, r->type);
    if (r->forbidden)
        complain(r, 0, "key", "a key for this type", r->said);
    else if (r->type)
        r->event->type = r->type->name;
}

static ss_str id_text(reading *r, uint32_t token, const char *keyword)
{
    const tape_token *t = &r->tape.tokens[token];
    bool good = (t->kind == JSON_STRING || t->kind == JSON_NUMBER) && t->len > 0 && t->len <= ID_BYTES_MAX;
    if (good || t->kind == JSON_NULL)
        return good ? json_tape_str(t) : ss_s("", 0);
    complain_of(r, token, keyword, "a text or number of 1 to 200 bytes");
    return ss_s("", 0);
}

static bool time_of_number(ss_str text, int64_t *us)
{
    double value, scale = 1;
    if (!json_double(text, &value) || value < 0)
        return false;
    if (value < (double)SECONDS_BELOW)
        scale = 1e6;
    else if (value < (double)MILLIS_BELOW)
        scale = 1e3;
    if (value * scale >= (double)TIME_MAX_US)
        return false;
    *us = (int64_t)(value * scale + 0.5);
    return true;
}

static void find_time(reading *r)
{
    uint32_t token = path_find(&r->type->time, &r->tape);
    if (!token || r->tape.tokens[token].kind == JSON_NULL)
        return;
    const tape_token *t = &r->tape.tokens[token];
    int64_t us;
    bool good = t->kind == JSON_STRING   ? rfc3339_date_time(json_tape_str(t), &us)
                : t->kind == JSON_NUMBER ? time_of_number(json_tape_str(t), &us)
                                         : false;
    if (!good) {
        complain_of(r, token, "time", "RFC 3339, or seconds, milliseconds or microseconds since 1970");
        return;
    }
    r->event->event_us = us;
    if (r->type->time.count == 1 && us % 1000 == 0)
        r->consumed[1] = token;
}

static void find_names(reading *r)
{
    uint32_t id = path_find(&r->type->id, &r->tape), key = path_find(&r->type->key, &r->tape);
    uint32_t app = path_find(&r->in->e->app_path, &r->tape);
    if (id)
        r->event->id = id_text(r, id, "id");
    if (id && r->type->id.count == 1 && r->tape.tokens[id].kind == JSON_STRING)
        r->consumed[2] = id;
    if (key)
        r->event->key = id_text(r, key, "partition_key");
    if (app && !(r->in->key && r->in->key->app.len))
        r->event->app = id_text(r, app, "app");
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* A number that no double holds would be another one, or none, for whoever reads the event. */
static void check_numbers(reading *r)
{
    for (uint32_t i = 0; i < r->tape.count; i++) {
        const tape_token *t = &r->tape.tokens[i];
        double value;
        if (t->kind == JSON_NUMBER && t->len > 3 && !json_double(json_tape_str(t), &value))
            complain_of(r, i, "number", "a number within the range of a double");
    }
}

static void check_schema(reading *r)
{
    const events *e = r->in->e;
    uint32_t data = path_find(&e->data_path, &r->tape);
    if (e->data_path.count && !data) {
        complain(r, 0, "required", "the event's data, as data_path says", SS_LIT("nothing"));
        return;
    }
    r->data = data;
    uint32_t used = r->count < e->max_errors ? r->count : e->max_errors;
    json_schema_run run = {.memory = {take_mem, r},
                           .errors = r->errors + used,
                           .max = e->max_errors - used,
                           .pattern_us = &r->in->pattern_us};
    if (!json_schema_check(r->type->schema, &r->tape, data, &run))
        r->count += run.max ? run.count : 1;
}

/* false: no memory. Errors are noted. */
static bool read_input(reading *r)
{
    const events *e = r->in->e;
    if (r->input.len > e->max_event_bytes) {
        complain(r, 0, "max_event_bytes", "a smaller event", ss_s(r->input.ptr, 64));
        r->said = r->in->type;
        return true;
    }
    if (!json_tape_read(&r->tape, r->input, (tape_memory){take_mem, r})) {
        if (r->tape.no_memory)
            return false;
        char *got = e->host->mem(r->in->request->call, 160);
        if (!got)
            return false;
        int len = snprintf(got, 160, "%s at byte %zu", r->tape.problem, r->tape.offset);
        complain(r, 0, "json", "JSON", ss_s(got, (size_t)len));
        r->tape.count = 0; /* no paths */
        r->said = r->in->type;
        return true;
    }
    if (r->tape.tokens[0].kind != JSON_OBJECT)
        complain_of(r, 0, "type", "a JSON object");
    find_type(r);
    check_numbers(r);
    if (r->type && !r->forbidden && r->tape.tokens[0].kind == JSON_OBJECT) {
        find_time(r);
        find_names(r);
        check_schema(r);
    }
    return true;
}

/* ---- storing --------------------------------------------------------------------------------- */

static void set_common(reading *r)
{
    const events *e = r->in->e;
    ss_event *event = r->event;
    if (r->in->key && r->in->key->app.len)
        event->app = r->in->key->app;
    else if (event->app.len == 0)
        event->app = e->app;
    if (event->app.len > 0)
        ss_set_str(event, FIELD_APP_ID, event->app);
    ss_set_time(event, FIELD_EVENT_TIME, event->event_us);
}

static int32_t store(reading *r)
{
    const events *e = r->in->e;
    set_common(r);
    if (!fields_fill(e, r->type, r->event, &r->tape, r->data, r->consumed))
        return SS_RETRY;
    r->consumed[3] = path_top(&e->data_path, &r->tape);
    if (e->data_path.count && !fields_rest(e, r->event, &r->tape, 0, r->consumed, FIELD_ENVELOPE))
        return SS_RETRY;
    return e->host->emit(r->in->request->call, r->event);
}

static int32_t store_invalid(reading *r, ss_str reasons, size_t bytes)
{
    const events *e = r->in->e;
    ss_event *event = e->host->event_new(r->in->request->call);
    if (!event)
        return SS_RETRY;
    r->event = event;
    event->type = e->quarantine_type;
    set_common(r);
    if (r->said.len > 0)
        ss_set_str(event, FIELD_INVALID_TYPE, r->said);
    ss_set_int(event, FIELD_INVALID_COUNT, r->count);
    ss_set_json(event, FIELD_INVALID_REASONS, reasons);
    ss_set_int(event, FIELD_INVALID_BYTES, (int64_t)r->input.len);
    ss_set_str(event, FIELD_INVALID_INPUT, ss_s(r->input.ptr, bytes));
    return e->host->emit(r->in->request->call, event);
}

/* For `tail --rejected`: the first reason in one line. */
static int first_reason(const reading *r, char *out, size_t size)
{
    const json_schema_error *first = &r->errors[0];
    char where[SCHEMA_PATH_SIZE] = "";
    if (r->tape.count)
        (void)json_schema_path(&r->tape, first->token, where, sizeof where);
    int shown = first->expected.len < SHOWN_MAX ? (int)first->expected.len : (int)SHOWN_MAX;
    int found = first->got.len < SHOWN_MAX ? (int)first->got.len : (int)SHOWN_MAX;
    int len = snprintf(out, size, "%.*s: %.64s %s: expected %.*s, got %.*s%s", (int)r->said.len, r->said.ptr,
                       where, first->keyword, shown, first->expected.ptr, found, first->got.ptr,
                       r->count > 1 ? " (and more)" : "");
    return len < (int)size ? len : (int)size - 1;
}

static outcome refuse(reading *r)
{
    const events *e = r->in->e;
    answer *a = &r->in->answer;
    uint32_t told = r->count < e->max_errors ? r->count : e->max_errors;
    ss_str reasons = answer_reasons(a, &r->tape, r->errors, told);
    /* A copy that outlives the event: its texts go with it. */
    char said[NAME_BYTES_MAX];
    size_t said_len = utf8_cut(r->said.ptr, r->said.len, sizeof said);
    if (said_len)
        memcpy(said, r->said.ptr, said_len);
    r->said = ss_s(said, said_len);
    char text[400];
    int text_len = first_reason(r, text, sizeof text);
    enum policy policy = r->type ? r->type->policy : e->policy;
    outcome what = EVENT_REJECTED;
    if (policy == POLICY_QUARANTINE && !r->forbidden) {
        size_t bytes = r->input.len;
        int32_t status = store_invalid(r, reasons, bytes);
        /* Too large for the server: as much of it as goes. */
        while (status == SS_LIMIT && bytes > KEPT_BYTES_MIN)
            status = store_invalid(r, reasons, bytes /= 2);
        if (status == SS_RETRY)
            return EVENT_RETRY;
        if (status == SS_OK)
            what = EVENT_QUARANTINED;
        else if (status == SS_DROP)
            what = EVENT_DROPPED;
    }
    e->host->rejected(r->in->request->call, what == EVENT_REJECTED ? "invalid" : "quarantined",
                      ss_s(text, (size_t)text_len));
    e->host->metric_add(what == EVENT_REJECTED ? e->rejected : e->quarantined, 1);
    answer_add(a, what, r->said, ss_s("", 0), reasons);
    return what;
}

outcome event_take(intake *in, ss_str input)
{
    const events *e = in->e;
    reading r; /* not zeroed: room for many errors */
    r.in = in;
    r.input = input;
    r.tape = (json_tape){.text = input};
    r.type = NULL;
    r.said = ss_s("", 0);
    r.data = r.count = 0;
    memset(r.consumed, 0, sizeof r.consumed);
    r.forbidden = false;
    if (!answer_reserve(&in->answer) || !(r.event = e->host->event_new(in->request->call)) || !read_input(&r))
        return EVENT_RETRY;
    if (r.count > 0)
        return refuse(&r);
    char id[ID_BYTES_MAX];
    size_t id_len = r.event->id.len;
    if (id_len)
        memcpy(id, r.event->id.ptr, id_len);
    r.said = r.type->name;
    int32_t status = store(&r);
    if (status == SS_LIMIT) {
        r.tape.count = 0; /* it went with the event */
        complain(&r, 0, "max_event_bytes", "an event within the server's limit", SS_LIT("a larger one"));
        return refuse(&r);
    }
    if (status != SS_OK && status != SS_DROP)
        return EVENT_RETRY;
    outcome what = status == SS_OK ? EVENT_ACCEPTED : EVENT_DROPPED;
    answer_add(&in->answer, what, r.type->name, ss_s(id, id_len), ss_s("", 0));
    return what;
}

/* Records of direct producers, as pull receivers hand them over: what reaches processing without the API's
   validation. */
#include <math.h>

#include "receivers/game/coerce.h"
#include "receivers/game/receiver.h"
#include "receivers/game/store.h"

#define METADATA_BYTES 512u
#define FLAG           "aws_ga_api_validated_flag"
#define REQUEST_ID     "aws_ga_api_requestId"
#define REQUEST_TIME   "aws_ga_api_requestTimeEpoch"

typedef struct direct { /* one message */
    game_store store;
    ss_event *event;
    ss_str body;
    game_event in;
    bool surrogates;         /* anywhere in the record */
    bool has_event, unknown; /* unknown: a member that no record has */
    game_value app_id, flag, request_id, request_time, extra;
    bool api;   /* the flag is set: its members are metadata, those that are truthy */
    bool lossy; /* the line does not say all that came */
    bool registered;
    game_error error;
    ss_error *why;
} direct;

/* ---- reading --------------------------------------------------------------------------------- */

static game_value *place_of(direct *d, const json_value *key)
{
    return json_is(key, "application_id") ? &d->app_id
           : json_is(key, FLAG)           ? &d->flag
           : json_is(key, REQUEST_ID)     ? &d->request_id
           : json_is(key, REQUEST_TIME)   ? &d->request_time
                                          : NULL;
}

static bool read_record(direct *d)
{
    json_scan s;
    json_value v, key;
    game_value unused;
    json_start(&s, d->body);
    if (json_read(&s, &v) && v.kind == JSON_OBJECT) {
        while (json_member(&s, &key)) {
            game_value *place = place_of(d, &key);
            d->has_event |= json_is(&key, "event");
            if (json_is(&key, "event")) {
                (void)game_event_read(&s, &d->in);
                continue;
            }
            d->unknown |= !place;
            (void)game_value_read(&s, place ? place : &unused);
        }
    } else if (!s.problem && v.kind != JSON_ARRAY) {
        (void)json_finish(&s);
    }
    if (v.kind == JSON_ARRAY)
        (void)json_leave(&s);
    d->surrogates = s.halves;
    if (!json_finish(&s)) {
        (void)ss_fail(d->why, SS_REJECT, "the record is not JSON: %s, at byte %zu", s.problem,
                      json_offset(&s));
        return false;
    }
    return v.kind == JSON_OBJECT || (ss_fail(d->why, SS_REJECT, "the record must be object"), false);
}

/* The API's members go where the flag says so and they say something; what stays is one too many. */
static bool stays(const direct *d, const json_value *key)
{
    if (json_is(key, "event") || json_is(key, "application_id"))
        return false;
    if (d->api && json_is(key, FLAG))
        return false;
    if (d->api && json_is(key, REQUEST_ID))
        return !game_truthy(&d->request_id);
    if (d->api && json_is(key, REQUEST_TIME))
        return !game_truthy(&d->request_time);
    return true;
}

/* In the order of the record, which a second pass has to find; mostly there is nothing to find. */
static void find_extra(direct *d)
{
    bool id = d->request_id.kind && !(d->api && game_truthy(&d->request_id));
    bool time = d->request_time.kind && !(d->api && game_truthy(&d->request_time));
    bool flag = d->flag.kind && !d->api;
    if (!d->unknown && !id && !time && !flag)
        return;
    json_scan s;
    json_value v, key;
    json_start(&s, d->body);
    (void)json_read(&s, &v);
    while (json_member(&s, &key)) {
        if (stays(d, &key))
            game_extra_note(&d->extra, &key);
        (void)json_skip(&s, NULL);
    }
}

static bool complete(direct *d)
{
    const char *problem = !d->app_id.kind           ? "application_id is missing"
                          : !d->has_event           ? "event is missing"
                          : d->in.kind == JSON_NULL ? "event is null"
                          : d->app_id.kind != JSON_STRING || d->app_id.len == 0
                              ? "application_id must be a text that is not empty"
                              : NULL;
    if (problem)
        (void)ss_fail(d->why, SS_REJECT, "%s", problem);
    return !problem;
}

/* ---- the schema ------------------------------------------------------------------------------ */

static void check(direct *d)
{
    if (d->extra.kind) {
        d->error = (game_error){RULE_EXTRA, PLACE_RECORD, d->extra};
        return;
    }
    game_event_check(&d->in, &d->error);
    if (d->error.rule == RULE_NONE && !game_is_uuid(d->store.app_id))
        d->error = (game_error){.rule = RULE_PATTERN, .place = PLACE_APPLICATION_ID};
}

static char *put(char *to, const char *text)
{
    size_t len = strlen(text);
    memcpy(to, text, len);
    return to + len;
}

static char *put_raw(char *to, const game_value *v)
{
    size_t quote = v->kind == JSON_STRING;
    memcpy(to, v->ptr - quote, v->len + 2 * quote);
    return to + v->len + 2 * quote;
}

static char *put_api(char *to, const direct *d)
{
    bool id = game_truthy(&d->request_id), time = game_truthy(&d->request_time);
    to = put(to, ",\"api\":{");
    if (id)
        to = put_raw(put(to, "\"request_id\":"), &d->request_id);
    if (time)
        to = put_raw(put(to, id ? ",\"request_time_epoch\":" : "\"request_time_epoch\":"), &d->request_time);
    return put(to, "}");
}

static bool make_metadata(direct *d)
{
    const ss_host *host = d->store.g->host;
    char id[GAME_UUID_SIZE + 1] = "";
    size_t size = METADATA_BYTES + d->request_id.len + d->request_time.len + GAME_ERROR_SIZE(&d->error);
    char *out = host->mem(d->store.call, size), *to = out;
    if (!out)
        return false;
    game_uuid(d->store.g, id);
    to = put(put(put(to, "{\"ingestion_id\":\""), id), "\",\"processing_timestamp\":");
    to += json_put_i64(to, host->now_us(host->self) / 1000000);
    if (d->api)
        to = put_api(to, d);
    to = put(to, ",\"processing_result\":{\"status\":\"");
    if (!d->registered) {
        to = put(to, "unregistered\"}}");
    } else if (d->error.rule == RULE_NONE) {
        to = put(to, "ok\"}}");
    } else {
        to = put(to, "schema_mismatch\",\"validation_errors\":[");
        to += game_error_object(to, &d->error);
        to = put(to, "]}}");
    }
    d->store.metadata = ss_s(out, (size_t)(to - out));
    return true;
}

/* ---- storing --------------------------------------------------------------------------------- */

static int32_t coerced(const direct *d, uint32_t member, enum coerced status)
{
    if (status == COERCE_THROWS)
        return ss_fail(d->why, SS_REJECT, "event.%s cannot be made a text: its toString is no function",
                       game_member_names[member]);
    return status == COERCE_OK ? SS_OK : SS_RETRY;
}

static int32_t set_text(direct *d, uint32_t member)
{
    ss_str text = {"", 0};
    int32_t status =
        coerced(d, member, game_to_string(d->store.g, d->store.call, &d->in.members[member], &text));
    if (status != SS_OK)
        return status;
    ss_set_str(d->event, game_fields[member], text);
    if (member == MEMBER_ID)
        d->event->id = text;
    else if (member == MEMBER_TYPE)
        d->event->type = text;
    return SS_OK;
}

static int32_t set_time(direct *d)
{
    const game_value *v = &d->in.members[MEMBER_TIMESTAMP];
    double seconds = 0;
    if (v->kind == JSON_NUMBER && v->len <= GAME_TOKEN_MAX) {
        game_set_timestamp(d->event, ss_s(v->ptr, v->len));
        return SS_OK;
    }
    int32_t status = coerced(d, MEMBER_TIMESTAMP, game_to_number(d->store.g, d->store.call, v, &seconds));
    if (status != SS_OK)
        return status;
    char *text = d->store.g->host->mem(d->store.call, COERCE_NUMBER_SIZE);
    if (!text)
        return SS_RETRY;
    if (isfinite(seconds))
        ss_set_json(d->event, FIELD_EVENT_TIMESTAMP, ss_s(text, game_put_number(text, seconds)));
    else
        ss_set_null(d->event, FIELD_EVENT_TIMESTAMP);
    game_set_time(d->event, seconds);
    return SS_OK;
}

static int32_t set_members(direct *d)
{
    int32_t status = SS_OK;
    for (uint32_t m = 0; m < MEMBERS && status == SS_OK; m++) {
        const game_value *v = &d->in.members[m];
        if (!v->kind)
            continue;
        size_t quote = v->kind == JSON_STRING;
        if (m == MEMBER_DATA)
            ss_set_json(d->event, FIELD_EVENT_DATA, ss_s(v->ptr - quote, v->len + 2 * quote));
        else
            status = m == MEMBER_TIMESTAMP ? set_time(d) : set_text(d, m);
    }
    return status;
}

/* Does the record come back as it was? */
static bool is_lossy(const direct *d)
{
    double finite;
    if (d->extra.kind || d->in.kind != JSON_OBJECT || d->in.extra.kind || d->surrogates ||
        (d->flag.kind && d->flag.kind != JSON_TRUE))
        return true;
    for (uint32_t m = 0; m < MEMBERS; m++) {
        const game_value *v = &d->in.members[m];
        bool kept = m == MEMBER_DATA || !v->kind || v->kind == JSON_STRING;
        if (m == MEMBER_TIMESTAMP && v->kind)
            kept = v->kind == JSON_NUMBER && v->len <= GAME_TOKEN_MAX &&
                   json_double(ss_s(v->ptr, v->len), &finite);
        if (!kept)
            return true;
    }
    return false;
}

static int32_t look_up(direct *d, ss_app *app)
{
    const game *g = d->store.g;
    *app = (ss_app){.struct_size = sizeof *app};
    d->store.app_id = game_text(g, d->store.call, &d->app_id);
    if (!d->store.app_id.ptr)
        return SS_RETRY;
    int32_t status = g->host->app_get(d->store.call, d->store.app_id, app);
    d->registered = status == SS_OK;
    d->store.app_name = app->name;
    return status == SS_RETRY ? ss_fail(d->why, SS_RETRY, "the store of applications cannot be read now")
                              : SS_OK;
}

static int32_t store(direct *d)
{
    const game *g = d->store.g;
    if (d->registered)
        check(d);
    if (!make_metadata(d))
        return SS_RETRY;
    int32_t status = set_members(d);
    if (status != SS_OK)
        return status;
    if (is_lossy(d) && !game_set_aside(&d->store, d->event, ASIDE_RECORD, d->body))
        return SS_RETRY;
    d->event->app = d->store.app_id;
    ss_set_json(d->event, FIELD_METADATA, d->store.metadata);
    if (d->registered)
        ss_set_str(d->event, FIELD_APPLICATION_NAME, d->store.app_name);
    ss_set_str(d->event, FIELD_APPLICATION_ID, d->store.app_id);
    g->host->metric_add(!d->registered               ? g->direct_unregistered
                        : d->error.rule == RULE_NONE ? g->direct_ok
                                                     : g->direct_mismatch,
                        1);
    status = g->host->emit(d->store.call, d->event);
    if (status == SS_LIMIT)
        return ss_fail(d->why, SS_REJECT, "the event is larger than the server's max_event_bytes");
    return status == SS_DROP ? SS_OK : status;
}

int32_t direct_parse(void *instance, ss_call *call, const ss_message *message, ss_error *err)
{
    direct d = {.store = {.g = instance, .call = call}, .body = message->body, .why = err};
    ss_app app;
    if (!read_record(&d) || !complete(&d))
        return SS_REJECT;
    d.api = game_truthy(&d.flag);
    find_extra(&d);
    d.event = d.store.g->host->event_new(call);
    if (!d.event)
        return SS_RETRY;
    int32_t status = look_up(&d, &app);
    return status == SS_OK ? store(&d) : status;
}

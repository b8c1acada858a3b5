/* The receiver of metric documents, as the module windows makes them: it has no routes; parse() takes a
 * document. */
#include <stdlib.h>

#include "plugins/common/json.h"
#include "streamsteam/plugin.h"

enum {
    FIELD_NAME,
    FIELD_TIMESTAMP,
    FIELD_VALUE_INT,
    FIELD_VALUE,
    FIELD_TOP,
    FIELD_UNIT,
    FIELD_APPLICATION,
    FIELD_APP_VERSION,
    FIELD_COUNTRY,
    FIELD_CURRENCY,
    FIELD_SPELL,
    FIELD_MISSION,
    FIELD_ITEM,
    FIELD_SITE,
    FIELD_GOAL,
    FIELD_SOURCE,
    FIELD_OUTPUT_TYPE,
    FIELD_DOCUMENT_COUNT,
    FIELD_EXTRA = FIELD_DOCUMENT_COUNT,
    FIELD_ID,
    FIELD_VERSION,
    FIELDS
};

static const ss_field fields[FIELDS + 1] = {
    {"METRIC_NAME", SS_FIELD_STRING, 0, "The metric's name.", "METRIC_NAME"},
    {"METRIC_TIMESTAMP", SS_FIELD_STRING, 0, "When its window begins, 2025-06-26T23:03:00Z.",
     "METRIC_TIMESTAMP"},
    {"METRIC_UNIT_VALUE_INT", SS_FIELD_INT, 0, "The value, where it is a whole number.",
     "METRIC_UNIT_VALUE_INT"},
    {"METRIC_UNIT_VALUE", SS_FIELD_DOUBLE, 0,
     "The value of sums, averages, quantiles, smallest and largest ones.", "METRIC_UNIT_VALUE"},
    {"METRIC_TOP", SS_FIELD_JSON, 0, "The most frequent values: a list of value and count.", "METRIC_TOP"},
    {"METRIC_UNIT", SS_FIELD_STRING, 0, "The value's unit.", "METRIC_UNIT"},
    {"DIMENSION_APPLICATION_ID", SS_FIELD_STRING, 0, "The application.", "DIMENSION_APPLICATION_ID"},
    {"DIMENSION_APP_VERSION", SS_FIELD_STRING, 0, "The game's version.", "DIMENSION_APP_VERSION"},
    {"DIMENSION_COUNTRY_ID", SS_FIELD_STRING, 0, "The country.", "DIMENSION_COUNTRY_ID"},
    {"DIMENSION_CURRENCY_TYPE", SS_FIELD_STRING, 0, "The currency.", "DIMENSION_CURRENCY_TYPE"},
    {"DIMENSION_SPELL_ID", SS_FIELD_STRING, 0, "The spell.", "DIMENSION_SPELL_ID"},
    {"DIMENSION_MISSION_ID", SS_FIELD_STRING, 0, "The mission.", "DIMENSION_MISSION_ID"},
    {"DIMENSION_ITEM_ID", SS_FIELD_STRING, 0, "The item.", "DIMENSION_ITEM_ID"},
    {"DIMENSION_SITE_ID", SS_FIELD_STRING, 0, "The web site.", "DIMENSION_SITE_ID"},
    {"DIMENSION_GOAL_ID", SS_FIELD_STRING, 0, "The goal of a conversion.", "DIMENSION_GOAL_ID"},
    {"DIMENSION_SOURCE", SS_FIELD_STRING, 0, "Where a visit came from.", "DIMENSION_SOURCE"},
    {"OUTPUT_TYPE", SS_FIELD_STRING, 0, "Always metrics.", "OUTPUT_TYPE"},
    {"METRIC_EXTRA", SS_FIELD_JSON, SS_FIELD_OBJECT,
     "Members of the document that have no field of their own.", NULL},
    {"METRIC_ID", SS_FIELD_STRING, 0, "Names the document: journal, metric, window, dimensions.", NULL},
    {"METRIC_VERSION", SS_FIELD_INT, 0,
     "The last event that is in it, by its place in the journal: of documents with one METRIC_ID the highest "
     "counts.",
     NULL},
    {NULL, 0, 0, NULL, NULL}};

typedef struct metrics {
    const ss_host *host;
} metrics;

static int32_t metrics_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)cfg;
    metrics *m = calloc(1, sizeof *m);
    if (!m)
        return ss_fail(err, SS_LIMIT, "no memory for the receiver");
    m->host = host;
    *inst = m;
    return SS_OK;
}

static void metrics_destroy(void *inst)
{
    free(inst);
}

/* ---- a document ---- */

typedef struct taking {
    const metrics *m;
    ss_call *call;
    ss_event *event;
    char *extra; /* '{' and members */
    size_t extra_len;
    ss_str name;
    bool no_memory;
} taking;

static uint32_t field_of(const json_value *key)
{
    for (uint32_t i = 0; i < FIELD_DOCUMENT_COUNT; i++)
        if (json_is(key, fields[i].name))
            return i;
    return FIELDS;
}

static void add_extra(taking *t, const json_value *key, ss_str raw, size_t most)
{
    if (!t->extra && !(t->extra = t->m->host->mem(t->call, most + 4))) {
        t->no_memory = true;
        return;
    }
    char *to = t->extra + t->extra_len;
    *to++ = t->extra_len ? ',' : '{';
    *to++ = '"';
    memcpy(to, key->text.ptr, key->text.len);
    to += key->text.len;
    *to++ = '"';
    *to++ = ':';
    memcpy(to, raw.ptr, raw.len);
    t->extra_len = (size_t)(to + raw.len - t->extra);
}

static void set_string(taking *t, uint32_t field, ss_str raw, bool is_string)
{
    if (!is_string) { /* a dimension that is a number stays readable as text */
        ss_set_str(t->event, field, raw);
        return;
    }
    ss_str text = ss_s(raw.ptr + 1, raw.len - 2);
    if (memchr(text.ptr, '\\', text.len)) {
        char *plain = t->m->host->mem(t->call, text.len + 1);
        t->no_memory |= !plain;
        text = plain ? ss_s(plain, json_unescape(plain, text)) : ss_s("", 0);
    }
    ss_set_str(t->event, field, text);
    if (field == FIELD_NAME)
        t->name = text;
}

static void take_member(taking *t, const json_value *key, ss_str raw, size_t most)
{
    uint32_t field = field_of(key);
    if (field == FIELDS)
        add_extra(t, key, raw, most);
    else if (ss_eq(raw, SS_LIT("null")))
        ss_set_null(t->event, field);
    else if (fields[field].type == SS_FIELD_STRING)
        set_string(t, field, raw, raw.ptr[0] == '"');
    else
        ss_set_json(t->event, field, raw);
}

static bool take_document(taking *t, ss_str body)
{
    json_scan s;
    json_value v, key;
    ss_str raw;
    json_start(&s, body);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key) && json_skip(&s, &raw))
        take_member(t, &key, raw, body.len);
    return json_finish(&s);
}

static ss_str header(const ss_message *message, const char *name)
{
    for (uint32_t i = 0; i < message->header_count; i++) {
        const ss_pair *p =
            (const ss_pair *)(const void *)((const char *)message->headers + (size_t)i * message->pair_size);
        if (ss_eq(p->key, ss_cstr(name)))
            return p->value;
    }
    return ss_s("", 0);
}

static int32_t metrics_parse(void *inst, ss_call *call, const ss_message *message, ss_error *err)
{
    const metrics *m = inst;
    taking t = {.m = m, .call = call, .event = m->host->event_new(call)};
    if (!t.event)
        return ss_fail(err, SS_RETRY, "the server takes no events now");
    if (!take_document(&t, message->body))
        return ss_fail(err, SS_REJECT, "a metric's document is a JSON object");
    if (t.extra) {
        t.extra[t.extra_len++] = '}';
        ss_set_json(t.event, FIELD_EXTRA, ss_s(t.extra, t.extra_len));
    }
    ss_str version = header(message, "version");
    int64_t number;
    if (message->id.len)
        ss_set_str(t.event, FIELD_ID, message->id);
    if (json_i64(version, &number))
        ss_set_int(t.event, FIELD_VERSION, number);
    if (t.no_memory)
        return ss_fail(err, SS_RETRY, "no memory for the document");
    t.event->id = message->id;
    t.event->app = header(message, "app");
    t.event->key = message->key.len ? message->key : t.name;
    t.event->type = t.name.len ? t.name : message->key;
    if (message->time_us)
        t.event->event_us = message->time_us;
    int32_t status = m->host->emit(call, t.event);
    return status == SS_DROP ? SS_OK : status;
}

/* ---- the view: the document as it was declared, without what the server keeps beside it ---- */

static bool put(const ss_sink *out, bool *first, const json_value *key, ss_str raw)
{
    bool ok = out->write(out->self, *first ? "{\"" : ",\"", 2) == 0 &&
              out->write(out->self, key->text.ptr, key->text.len) == 0 &&
              out->write(out->self, "\":", 2) == 0 && out->write(out->self, raw.ptr, raw.len) == 0;
    *first = false;
    return ok;
}

static bool put_extra(const ss_sink *out, bool *first, ss_str object)
{
    json_scan s;
    json_value v, key;
    ss_str raw;
    json_start(&s, object);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return true;
    while (json_member(&s, &key) && json_skip(&s, &raw))
        if (!put(out, first, &key, raw))
            return false;
    return true;
}

static int32_t render_document(const ss_record *record, const ss_sink *out, ss_error *err)
{
    json_scan s;
    json_value v, key;
    ss_str raw;
    bool first = true, ok = true;
    json_start(&s, record->json);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return ss_fail(err, SS_REJECT, "the record is no metric's document");
    while (ok && json_member(&s, &key) && json_skip(&s, &raw)) {
        if (json_is(&key, "METRIC_EXTRA"))
            ok = put_extra(out, &first, raw);
        else if (!json_is(&key, "METRIC_ID") && !json_is(&key, "METRIC_VERSION"))
            ok = put(out, &first, &key, raw);
    }
    ok = ok && out->write(out->self, first ? "{}" : "}", first ? 2 : 1) == 0;
    return ok ? SS_OK : ss_fail(err, SS_LIMIT, "the document is larger than a view may be");
}

static const ss_view views[] = {
    {"document", "application/json",
     "The document as its metric declares it, without METRIC_ID and METRIC_VERSION.", render_document},
    {NULL, NULL, NULL, NULL}};

static const ss_route routes[] = {{NULL, NULL, 0, 0, NULL}};

static int32_t metrics_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst;
    (void)request;
    (void)response;
    (void)err;
    return SS_DECLINE; /* it has no routes */
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .views = views,
                                     .receive = metrics_receive,
                                     .parse = metrics_parse};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,         .kind = SS_RECEIVER,
    .name = "metrics",        .version = "1.0.0",
    .build_id = SS_VERSION,   .summary = "Makes events of the documents of the module windows.",
    .license = "MIT",         .fields = fields,
    .schema_rev = 1,          .receiver = &receiver,
    .create = metrics_create, .destroy = metrics_destroy};

SS_PLUGIN(plugin);

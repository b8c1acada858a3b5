/* The receiver as a plugin: options, creation, the look at the stream that `check --connect` takes. */
#include <stdlib.h>

#include "plugins/common/base64.h"
#include "plugins/common/json.h"
#include "plugins/common/rfc3339.h"
#include "receivers/kinesis/kinesis.h"

static const ss_option options[] = {
    {.name = "stream",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The stream to read: its name, or its ARN where it belongs to another account."},
    {.name = "parser",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The receiver that turns each record into events, by its name in this file (game, events)."},
    {.name = "start",
     .type = SS_T_STRING,
     .dflt = "trim_horizon",
     .doc = "Where a stream begins that was never read: trim_horizon (all that Kinesis still holds), latest, "
            "or a time as "
            "2026-11-22T03:24:00Z; later the journal knows."},
    {.name = "poll",
     .type = SS_T_DURATION,
     .min = READ_GAP_MS,
     .max = 60000,
     .dflt = "1s",
     .doc = "How often a shard without new records is asked; one with a backlog is read as fast as Kinesis "
            "allows, five times a "
            "second."},
    {.name = "limit",
     .type = SS_T_INT,
     .min = 1,
     .max = 10000,
     .dflt = "10000",
     .doc = "Records of one read at the most."},
    {.name = "in_flight",
     .type = SS_T_INT,
     .min = 1,
     .max = 64,
     .dflt = "4",
     .doc = "Requests at the same time; each may hold an answer of 14 MB."},
    AWS_OPTIONS,
    {.name = NULL},
};

static bool name_ok(const char *name, const char *more)
{
    for (const char *at = name; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
              strchr(more, *at)))
            return false;
    return *name != '\0';
}

static int32_t set_stream(kinesis *k, ss_str value, ss_error *err)
{
    (void)snprintf(k->stream, sizeof k->stream, "%.*s", (int)value.len, value.ptr);
    bool arn = strncmp(k->stream, "arn:", 4) == 0;
    const char *slash = arn ? strrchr(k->stream, '/') : NULL,
               *name = arn ? (slash ? slash + 1 : "") : k->stream;
    if (value.len > ARN_MAX || !name_ok(k->stream, arn ? "_.-:/" : "_.-") || !name_ok(name, "_.-") ||
        strlen(name) > STREAM_MAX)
        return ss_fail(err, SS_REJECT,
                       "stream: \"%.100s\" is neither a stream's name (letters, digits, _ . -) nor its ARN",
                       k->stream);
    (void)snprintf(k->name, sizeof k->name, "%s", name);
    return SS_OK;
}

static int32_t set_start(kinesis *k, ss_str value, ss_error *err)
{
    int64_t us = 0;
    if (ss_eq(value, SS_LIT("trim_horizon")))
        k->first.kind = PLACE_HORIZON;
    else if (ss_eq(value, SS_LIT("latest")))
        k->first.kind = PLACE_LATEST;
    else if (rfc3339_date_time(value, &us) && us > 0)
        k->first = (place){.kind = PLACE_TIME, .time_ms = us / 1000};
    else
        return ss_fail(err, SS_REJECT,
                       "start: \"%.*s\" is not trim_horizon, latest or a time like 2026-11-22T03:24:00Z",
                       value.len < 64 ? (int)value.len : 64, value.ptr);
    return SS_OK;
}

static void add_metrics(kinesis *k)
{
    const ss_host *h = k->host;
    kinesis_metrics *m = &k->metrics;
    m->records = h->counter(h->self, "kinesis_records_total", "Records read.", "");
    m->messages = h->counter(h->self, "kinesis_messages_total",
                             "Messages handed over; a packed record holds several.", "");
    m->bytes = h->counter(h->self, "kinesis_bytes_total", "Bytes of the records read.", "");
    m->packed = h->counter(h->self, "kinesis_packed_records_total",
                           "Records packed by the Kinesis Producer Library.", "");
    m->throttled =
        h->counter(h->self, "kinesis_throttled_total", "Reads that Kinesis asked to come later.", "");
    m->expired_iterators = h->counter(h->self, "kinesis_expired_iterators_total",
                                      "Iterators that were too old and were replaced.", "");
    m->expired_shards = h->counter(h->self, "kinesis_expired_shards_total",
                                   "Shards that Kinesis no longer kept before they were read.", "");
    m->behind = h->gauge(h->self, "kinesis_millis_behind_latest",
                         "How far the shard that is furthest behind is behind, in milliseconds.", "");
    m->shards = h->gauge(h->self, "kinesis_shards",
                         "Shards being read, or ended and waiting for the others of their family.", "");
}

static void destroy(void *inst)
{
    kinesis *k = inst;
    if (!k)
        return;
    if (k->aws)
        kinesis_cancel(k);
    while (k->count)
        kinesis_forget(k, 0);
    aws_client_free(k->aws);
    free(k->list.shards);
    free(k->next.shards);
    grow_free(&k->list_body);
    free(k->data);
    free(k->text);
    free(k->kpl);
    free(k);
}

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    kinesis *k = calloc(1, sizeof *k);
    if (!k)
        return ss_fail(err, SS_LIMIT, "no memory");
    k->host = host;
    k->poll_ms = host->cfg_int(cfg, "poll");
    k->limit = (uint32_t)host->cfg_int(cfg, "limit");
    k->data = malloc(BASE64_SIZE(DATA_MAX));
    k->text = malloc(BASE64_SIZE(DATA_MAX));
    k->kpl = malloc(sizeof *k->kpl);
    int32_t rc = k->data && k->text && k->kpl ? SS_OK : ss_fail(err, SS_LIMIT, "no memory");
    if (rc == SS_OK)
        rc = set_stream(k, host->cfg_str(cfg, "stream"), err);
    if (rc == SS_OK)
        rc = set_start(k, host->cfg_str(cfg, "start"), err);
    if (rc == SS_OK) {
        aws_settings settings = aws_settings_of(&k->origin, host, cfg);
        settings.max_in_flight = (uint32_t)host->cfg_int(cfg, "in_flight");
        k->aws = aws_client_new(&settings, err);
        rc = k->aws ? SS_OK : SS_REJECT;
    }
    if (rc != SS_OK) {
        destroy(k);
        return rc;
    }
    add_metrics(k);
    *inst = k;
    return SS_OK;
}

static int32_t start(void *inst, const ss_resume *resume, ss_error *err)
{
    return kinesis_resume(inst, resume->position, err);
}

/* ---- check --connect ---- */

static void read_status(ss_str body, char *out, size_t size)
{
    json_scan s;
    json_value v, key;
    json_start(&s, body);
    *out = '\0';
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT || !json_member(&s, &key) ||
        !json_is(&key, "StreamDescriptionSummary") || !json_read(&s, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(&s, &key)) {
        bool status = json_is(&key, "StreamStatus");
        ss_str raw;
        if (json_skip(&s, &raw) && status && raw.len > 2 && raw.len - 2 < size)
            (void)snprintf(out, size, "%.*s", (int)raw.len - 2, raw.ptr + 1); /* without its quotes */
    }
}

static int32_t check(void *inst, ss_error *err)
{
    kinesis *k = inst;
    char status[64];
    grow body = {.limit = ARN_MAX + 64};
    int32_t rc = aws_connect(k->aws, err);
    if (rc != SS_OK)
        return rc;
    put_stream(k, &body);
    (void)grow_puts(&body, "}");
    aws_call *call =
        body.full ? NULL : aws_json(k->aws, AWS_KINESIS, "DescribeStreamSummary", grow_str(&body), 0, NULL);
    if (call) {
        const aws_reply *reply = aws_wait(call);
        read_status(reply->body, status, sizeof status);
        rc = aws_status(reply->result);
        if (reply->result != AWS_OK)
            (void)ss_fail(err, rc, "stream %s in %s: %s (credentials: %s)", k->name, aws_region(k->aws),
                          reply->text, aws_keys_source(k->aws));
        else if (strcmp(status, "ACTIVE") != 0 && strcmp(status, "UPDATING") != 0)
            rc = ss_fail(err, SS_PAUSE, "stream %s is %s, not ACTIVE", k->name,
                         *status ? status : "in no known state");
        aws_call_free(call);
    } else {
        rc = ss_fail(err, SS_LIMIT, "no memory");
    }
    grow_free(&body);
    return rc;
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver), .run = kinesis_run};

static const ss_plugin plugin = {
    SS_PLUGIN_BEGIN(SS_RECEIVER),
    .name = "kinesis",
    .version = SS_VERSION,
    .build_id = SS_VERSION,
    .summary = "Reads a Kinesis data stream: shards, resharding and packed records, each record once.",
    .license = "MIT",
    .options = options,
    .receiver = &receiver,
    .create = create,
    .check = check,
    .start = start,
    .destroy = destroy,
};

SS_PLUGIN(plugin);

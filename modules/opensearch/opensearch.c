/* Records into OpenSearch: raw events under ids of their own, created once; windows' documents under the
   version of their last revision. bulk.c sends, name.c names, setup.c makes templates, policy, dashboards. */
#include "modules/opensearch/opensearch.h"

#include <stdlib.h>

#include "plugins/common/json.h"

#define BATCH_RECORDS 10000u
#define BATCH_BYTES   (32u << 20)
#define DAY_US        86400000000LL
#define VERSION_MAX   32u

/* ---- options ---- */

static bool consistent(const opensearch *o, ss_error *err)
{
    const ss_host *h = o->host;
    const names *n = &o->names;
    const ss_config *list = h->cfg_get(o->cfg, "templates");
    size_t count = list ? h->cfg_len(list) : 0;
    if (n->with_version && (n->op != NAME_INDEX || !n->with_id))
        return ss_fail(err, 0, "opensearch: version needs op: index and an id");
    if (n->data_stream && (n->op != NAME_CREATE || n->dated))
        return ss_fail(
            err, 0, "opensearch: a data stream takes op: create only, and index is its name without a date");
    if (h->cfg_int(o->cfg, "retain") && !n->dated && !n->data_stream)
        return ss_fail(
            err, 0,
            "opensearch: retain deletes whole indices: put the date into index, as %%Y.%%m, or set it to 0s");
    if (h->cfg_int(o->cfg, "retain") && count == 0)
        return ss_fail(err, 0, "opensearch: retain needs templates, which say what it holds for");
    if (count > 1 && !strstr(n->index, "{receiver}"))
        return ss_fail(err, 0, "opensearch: templates names %zu receivers, so index must hold {receiver}",
                       count);
    return true;
}

int32_t opensearch_open(opensearch *o, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    memset(o, 0, sizeof *o);
    o->host = host;
    o->cfg = cfg;
    o->names.op = ss_eq(host->cfg_str(cfg, "op"), SS_LIT("index")) ? NAME_INDEX : NAME_CREATE;
    o->names.data_stream = host->cfg_int(cfg, "data_stream") != 0;
    o->names.past_us = host->cfg_int(cfg, "past") * 1000;
    o->names.future_us = host->cfg_int(cfg, "future") * 1000;
    o->bulk.timestamp = o->names.data_stream || host->cfg_int(cfg, "timestamp");
    o->bulk.calls_max = (uint32_t)host->cfg_int(cfg, "calls_in_flight");
    o->bulk.bytes_max = (size_t)host->cfg_int(cfg, "call_bytes");
    if (!names_init(&o->names, host->cfg_str(cfg, "index"), host->cfg_str(cfg, "id"),
                    host->cfg_str(cfg, "version"), err) ||
        !consistent(o, err))
        return SS_REJECT;
    int32_t rc = wire_open(&o->wire, host, cfg, err);
    if (o->wire.kind == WIRE_AOSS && ss_eq(host->cfg_str(cfg, "serverless"), SS_LIT("timeseries"))) {
        if (o->names.with_version)
            return ss_fail(err, SS_REJECT,
                           "opensearch: a time series collection takes no versions: use one of type search");
        o->names.with_id = false;
    }
    bulk_init(&o->bulk, host, &o->wire, &o->names);
    return rc;
}

void opensearch_close(opensearch *o)
{
    wire_close(&o->wire);
    bulk_fini(&o->bulk);
}

static void opensearch_destroy(void *inst)
{
    opensearch_close(inst);
    free(inst);
}

static int32_t opensearch_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    opensearch *o = malloc(sizeof *o);
    if (!o)
        return ss_fail(err, SS_RETRY, "opensearch: no memory");
    int32_t rc = opensearch_open(o, host, cfg, err);
    if (rc == SS_OK) {
        *inst = o;
        return SS_OK;
    }
    opensearch_destroy(o);
    return rc;
}

/* ---- is it there, and what is it? ---- */

/* "number" : "2.19.1" */
static void read_version(ss_str body, char out[VERSION_MAX])
{
    json_scan s;
    json_value v, key;
    out[0] = '\0';
    json_start(&s, body);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(&s, &key)) {
        bool version = json_is(&key, "version"), number = json_is(&key, "number");
        if (!version && !number) {
            (void)json_skip(&s, NULL);
        } else if (json_read(&s, &v) && number) {
            (void)snprintf(out, VERSION_MAX, "%.*s",
                           (int)(v.text.len < VERSION_MAX ? v.text.len : VERSION_MAX - 1), v.text.ptr);
            return;
        }
    }
}

/* A collection has no page of its own: an empty _bulk is refused by OpenSearch (400), by nobody before it. */
static int32_t reach(opensearch *o, ss_error *err)
{
    char reason[WIRE_PROBLEM_MAX], version[VERSION_MAX];
    bool serverless = o->wire.kind == WIRE_AOSS;
    wire_call call = {.user = NULL};
    wire_answer answer;
    const wire_request r = {.method = serverless ? "POST" : "GET", .path = serverless ? "/_bulk" : "/"};
    uint32_t status = wire_ask(&o->wire, &call, &r, &answer);
    int32_t rc = SS_OK;
    wire_reason(&answer, reason, sizeof reason);
    read_version(answer.body, version);
    if (status == 0)
        rc = ss_fail(err, answer.result == WIRE_WRONG ? SS_PAUSE : SS_RETRY, "opensearch: %s", reason);
    else if (status == 401 || status == 403)
        rc = ss_fail(err, SS_PAUSE,
                     "opensearch: %s: status %u: %.200s: set user and password, or sign with a role that the "
                     "cluster's access policy names",
                     o->wire.hosts[call.host].url, status, reason);
    else if (status == 429 || status >= 500)
        rc = ss_fail(err, SS_RETRY, "opensearch: %s: status %u: %.200s", o->wire.hosts[call.host].url, status,
                     reason);
    else if (!serverless && (status != 200 || !*version))
        rc = ss_fail(err, SS_PAUSE, "opensearch: %s is no OpenSearch: status %u: %.200s",
                     o->wire.hosts[call.host].url, status, reason);
    else if (*version && strcmp(version, "1.") < 0)
        rc = ss_fail(err, SS_PAUSE, "opensearch: version %s is too old", version);
    else
        ss_logf(o->host, SS_INFO, "opensearch: %s%s%s", o->wire.hosts[call.host].url,
                *version ? " has version " : "", version);
    wire_end(&o->wire, &call);
    return rc;
}

static int32_t opensearch_check(void *inst, ss_error *err)
{
    opensearch *o = inst;
    char drift[600];
    int32_t rc = reach(o, err);
    if (rc != SS_OK)
        return rc;
    rc = setup_drift(o, drift, sizeof drift, err);
    return rc == SS_OK && *drift ? ss_fail(err, SS_REJECT, "opensearch: %.480s", drift) : rc;
}

/* ---- delivering ---- */

/* Once: without its template an index gets a mapping that events can blow up. Rights to look may be missing.
 */
static void look(opensearch *o)
{
    char drift[600];
    ss_error err = {.struct_size = sizeof err};
    o->looked = true;
    if (setup_drift(o, drift, sizeof drift, &err) == SS_OK)
        o->host->alarm(o->host->self, "template", *drift ? drift : NULL);
}

static int32_t opensearch_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    opensearch *o = inst;
    int32_t rc = wire_renew(&o->wire, err);
    if (rc != SS_OK)
        return rc;
    if (!o->looked)
        look(o);
    rc = bulk_run(&o->bulk, batch, result, err);
    char text[BULK_TEXT_MAX + 100];
    if (o->bulk.refused)
        (void)snprintf(
            text, sizeof text,
            "mend the index's mapping, then `streamsteam quarantine retry %.*s --all`; refused last: %.250s",
            (int)(o->host->instance.len < 64 ? o->host->instance.len : 64), o->host->instance.ptr,
            o->bulk.refusal);
    o->host->alarm(o->host->self, "refused", o->bulk.refused ? text : NULL);
    return rc;
}

static const ss_module opensearch_ops = {
    .struct_size = sizeof opensearch_ops,
    .max_records = BATCH_RECORDS,
    .max_bytes = BATCH_BYTES,
    .deliver = opensearch_deliver,
};

/* ---- verbs ---- */

typedef int32_t verb_run(opensearch *o, const ss_sink *out, ss_error *err);

static int32_t run_verb(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err,
                        verb_run *run)
{
    opensearch *o = malloc(sizeof *o);
    if (!o)
        return ss_fail(err, SS_RETRY, "opensearch: no memory");
    int32_t rc = opensearch_open(o, host, cfg, err);
    if (rc == SS_OK)
        rc = run(o, out, err);
    opensearch_destroy(o);
    return rc;
}

static int32_t opensearch_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    return run_verb(host, cfg, out, err, setup_run);
}

static int32_t opensearch_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out,
                                   ss_error *err)
{
    return run_verb(host, cfg, out, err, setup_remove);
}

static int32_t say_howto(opensearch *o, const ss_sink *out, ss_error *err)
{
    char pattern[TEMPLATE_TEXT_MAX];
    ss_str dashboards = o->host->cfg_str(o->cfg, "dashboards_url"),
           file = o->host->cfg_str(o->cfg, "dashboards_file");
    const ss_config *sets = o->host->cfg_get(o->cfg, "dashboards");
    (void)err;
    names_pattern(&o->names, SS_LIT("*"), pattern, sizeof pattern);
    setup_say(out, "Documents are in the indices %s of %s.\n\n  curl '%s/%s/_search?size=3&pretty'\n\n",
              pattern, o->wire.hosts[0].url, o->wire.hosts[0].url, pattern);
    if (sets && dashboards.len)
        setup_say(out, "Dashboards: %.*s, Dashboards, \"Metrics: ...\".\n", (int)dashboards.len,
                  dashboards.ptr);
    else if (sets)
        setup_say(
            out,
            "Dashboards: import %.*s in OpenSearch Dashboards under Dashboards Management, Saved objects.\n",
            (int)file.len, file.ptr);
    setup_say(out, "What was refused: streamsteam quarantine list %.*s\n", (int)o->host->instance.len,
              o->host->instance.ptr);
    return SS_OK;
}

static int32_t opensearch_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    return run_verb(host, cfg, out, err, say_howto);
}

static const ss_plugin opensearch_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "opensearch",
    .version = "1.0.0",
    .summary = "Puts events and metric documents into OpenSearch.",
    .license = "MIT",
    .options = opensearch_options,
    .module = &opensearch_ops,
    .create = opensearch_create,
    .check = opensearch_check,
    .destroy = opensearch_destroy,
    .setup = opensearch_setup,
    .teardown = opensearch_teardown,
    .howto = opensearch_howto,
    .warning = "Records leave this machine; Amazon bills domains and collections by the hour.",
};

SS_PLUGIN(opensearch_plugin);

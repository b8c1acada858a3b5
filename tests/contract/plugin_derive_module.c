/* A module for the tests that derives an event of each record: what it read goes on to the receiver that
   `parser` names. Its position is the last record that it derived from, so that no record is derived from
   twice. */
#include <inttypes.h>
#include <stdlib.h>

#include "streamsteam/plugin.h"

static const ss_option options[] = {
    {.name = "parser", .type = SS_T_STRING, .doc = "The receiver that reads what is derived."},
    {.name = NULL}};

typedef struct deriver {
    const ss_host *host;
    uint64_t done;
} deriver;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    deriver *d = calloc(1, sizeof *d);
    (void)cfg;
    (void)err;
    if (!d)
        return SS_LIMIT;
    d->host = host;
    *inst = d;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

static int32_t start(void *inst, const ss_resume *resume, ss_error *err)
{
    deriver *d = inst;
    char text[32];
    (void)err;
    (void)snprintf(text, sizeof text, "%.*s", (int)resume->position.len,
                   resume->position.ptr ? resume->position.ptr : "");
    d->done = strtoull(text, NULL, 10);
    ss_logf(d->host, SS_INFO, "derived up to %" PRIu64, d->done);
    return SS_OK;
}

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    deriver *d = inst;
    char position[32];
    uint64_t last = d->done;
    ss_call *call = d->host->call_begin(d->host->self);
    ss_mark_all(result, SS_RECORD_RETRY);
    if (!call)
        return ss_fail(err, SS_RETRY, "ingest takes nothing now");
    for (uint32_t i = 0; i < batch->count; i++) {
        const ss_record *r = ss_record_at(batch, i);
        ss_message m = {.struct_size = sizeof m, .body = r->json, .id = r->id, .time_us = r->event_us};
        if (r->seq <= d->done)
            continue;
        if (d->host->pass(call, &m) != SS_OK)
            break;
        last = r->seq;
    }
    (void)snprintf(position, sizeof position, "%" PRIu64, last);
    int32_t status = d->host->call_commit(d->host->self, call, ss_cstr(position), err);
    if (status != SS_OK)
        return status;
    d->done = last;
    for (uint32_t i = 0; i < batch->count; i++)
        if (ss_record_at(batch, i)->seq <= last)
            ss_mark(result, i, SS_RECORD_OK);
    return SS_OK;
}

static const ss_module module = {.struct_size = sizeof(ss_module), .deliver = deliver};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER, .kind = SS_MODULE,  .name = "derive_module",
    .version = "1",   .build_id = "1",    .summary = "Derives an event of each record.",
    .license = "MIT", .options = options, .module = &module,
    .create = create, .start = start,     .destroy = destroy};

SS_PLUGIN(plugin);

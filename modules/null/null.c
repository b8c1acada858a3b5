/* The smallest module: takes every record, counts, forgets. To measure what delivery itself costs, and to
   copy from. */
#include <stdlib.h>

#include "streamsteam/plugin.h"

typedef struct null_module {
    ss_metric *records, *bytes;
    const ss_host *host;
} null_module;

static int32_t null_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)cfg;
    null_module *m = calloc(1, sizeof *m);
    if (!m)
        return ss_fail(err, SS_RETRY, "null: out of memory");
    m->host = host;
    m->records = host->counter(host->self, "null_records_total", "Records taken and forgotten.", "");
    m->bytes = host->counter(host->self, "null_bytes_total", "Their bytes.", "");
    *inst = m;
    return SS_OK;
}

static void null_destroy(void *inst)
{
    free(inst);
}

static int32_t null_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)err;
    null_module *m = inst;
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        bytes += ss_record_at(batch, i)->body.len;
    m->host->metric_add(m->records, batch->count);
    m->host->metric_add(m->bytes, (double)bytes);
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static const ss_module null_ops = {
    .struct_size = sizeof null_ops,
    .max_records = 10000,
    .max_bytes = 4u << 20,
    .deliver = null_deliver,
};

static const ss_plugin null_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "null",
    .version = "1.0.0",
    .summary = "Takes every record and forgets it.",
    .license = "MIT",
    .module = &null_ops,
    .create = null_create,
    .destroy = null_destroy,
};

SS_PLUGIN(null_plugin);

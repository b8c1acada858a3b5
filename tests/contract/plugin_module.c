/* A module in one file: appends the records to a file below its own directory. */
#include <errno.h>
#include <stdlib.h>

#include "streamsteam/plugin.h"

static const ss_option options[] = {
    {.name = "file", .type = SS_T_STRING, .dflt = "records.ndjson", .doc = "Name of the file."},
    {.name = NULL},
};

typedef struct append {
    const ss_host *host;
    char path[4096];
} append;

static int32_t append_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    ss_str dir = host->data_dir(host->self), file = host->cfg_str(cfg, "file");
    if (file.len == 0 || memchr(file.ptr, '/', file.len))
        return ss_fail(err, SS_FATAL, "file: must be a name without a slash");
    append *a = malloc(sizeof *a);
    if (!a)
        return ss_fail(err, SS_FATAL, "out of memory");
    a->host = host;
    (void)snprintf(a->path, sizeof a->path, "%.*s/%.*s", (int)dir.len, dir.ptr, (int)file.len, file.ptr);
    *inst = a;
    return SS_OK;
}

static int32_t append_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    append *a = inst;
    FILE *out = fopen(a->path, "ae");
    if (!out)
        return ss_fail(err, SS_PAUSE, "%s: %s: make it writable", a->path, strerror(errno));
    for (uint32_t i = 0; i < batch->count; i++) {
        ss_str line = ss_record_at(batch, i)->body;
        bool written = fwrite(line.ptr, 1, line.len, out) == line.len && fputc('\n', out) != EOF;
        ss_mark(result, i, written ? SS_RECORD_OK : SS_RECORD_RETRY);
    }
    return fclose(out) == 0 ? SS_OK : ss_fail(err, SS_RETRY, "%s: %s", a->path, strerror(errno));
}

static const ss_module module = {
    .struct_size = sizeof(ss_module), .max_records = 1000, .deliver = append_deliver};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_MODULE,
                                 .name = "append",
                                 .version = "1.0",
                                 .summary = "Appends records to a file.",
                                 .license = "MIT",
                                 .options = options,
                                 .module = &module,
                                 .create = append_create,
                                 .destroy = free};
SS_PLUGIN(plugin);

/* A module that only looks at the catalog: it writes the fields of the receiver `of` to the file named by
   `out`, "NAME TYPE DOC SOURCE FLAGS" parted by tabs, at create() with .create behind the name, at start()
   with .start. */
#include <errno.h>
#include <stdlib.h>

#include "streamsteam/plugin.h"

static const ss_option options[] = {
    {.name = "of", .type = SS_T_STRING, .dflt = "matomo", .doc = "The receiver whose fields are wanted."},
    {.name = "out", .type = SS_T_STRING, .flags = SS_OPT_REQUIRED, .doc = "The file to write to."},
    {.name = NULL},
};

typedef struct looker {
    const ss_host *host;
    ss_str of, out;
} looker;

static void write_field(void *arg, const ss_field *field)
{
    (void)fprintf(arg, "%s\t%u\t%s\t%s\t%u\n", field->name, field->type, field->doc,
                  field->source ? field->source : "-", field->flags);
}

static int32_t write_all(const looker *l, const char *when, ss_error *err)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%.*s.%s", (int)l->out.len, l->out.ptr, when);
    FILE *out = fopen(path, "we");
    if (!out)
        return ss_fail(err, SS_FATAL, "%s: %s", path, strerror(errno));
    int32_t status = l->host->catalog(l->host->self, l->of, write_field, out);
    if (status != SS_OK)
        (void)fprintf(out, "status %d\n", (int)status);
    (void)fclose(out);
    return SS_OK;
}

static int32_t looker_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    looker *l = malloc(sizeof *l);
    if (!l)
        return ss_fail(err, SS_FATAL, "out of memory");
    *l = (looker){host, host->cfg_str(cfg, "of"), host->cfg_str(cfg, "out")};
    *inst = l;
    return write_all(l, "create", err);
}

static int32_t looker_start(void *inst, const ss_resume *resume, ss_error *err)
{
    (void)resume;
    return write_all(inst, "start", err);
}

static int32_t looker_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)inst, (void)batch, (void)err;
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static const ss_module module = {.struct_size = sizeof(ss_module), .deliver = looker_deliver};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_MODULE,
                                 .name = "looker",
                                 .version = "1.0",
                                 .summary = "Writes down the fields that events may carry.",
                                 .license = "MIT",
                                 .options = options,
                                 .module = &module,
                                 .create = looker_create,
                                 .start = looker_start,
                                 .destroy = free};
SS_PLUGIN(plugin);

/* A module with the lifecycle verbs: each appends a line to a file, and fails where its option says so. */
#include <stdlib.h>

#include "streamsteam/plugin.h"

static const ss_option options[] = {
    {.name = "diary",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The file that each verb appends to."},
    {.name = "password", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .dflt = "", .doc = "Of the other end."},
    {.name = "fails", .type = SS_T_STRING, .dflt = "", .doc = "The verb that shall fail."},
    {.name = NULL},
};

static int32_t note(const ss_host *host, const ss_config *cfg, const ss_sink *out, const char *verb,
                    ss_error *err)
{
    ss_str diary = host->cfg_str(cfg, "diary"), password = host->cfg_str(cfg, "password");
    char path[4096];
    (void)snprintf(path, sizeof path, "%.*s", (int)diary.len, diary.ptr);
    FILE *file = fopen(path, "ae");
    if (!file)
        return ss_fail(err, SS_FATAL, "diary: cannot write %s", path);
    (void)fprintf(file, "%s\n", verb);
    (void)fclose(file);
    if (ss_eq(host->cfg_str(cfg, "fails"), ss_cstr(verb)))
        return ss_fail(err, SS_FATAL, "the other end does not know %.*s", (int)password.len, password.ptr);
    (void)out->write(out->self, verb, strlen(verb));
    return out->write(out->self, " was here\n", 10) == 0 ? SS_OK : SS_FATAL;
}

static int32_t do_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    return note(host, cfg, out, "setup", err);
}

static int32_t do_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    return note(host, cfg, out, "teardown", err);
}

static int32_t do_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    return note(host, cfg, out, "howto", err);
}

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)host;
    (void)cfg;
    *inst = malloc(1);
    return *inst ? SS_OK : ss_fail(err, SS_LIMIT, "out of memory");
}

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)inst;
    (void)batch;
    (void)err;
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static const ss_module module = {.struct_size = sizeof(ss_module), .deliver = deliver};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_MODULE,
                                 .name = "diary",
                                 .version = "1.0",
                                 .summary = "Writes down what is done to it.",
                                 .license = "MIT",
                                 .options = options,
                                 .module = &module,
                                 .create = create,
                                 .destroy = free,
                                 .setup = do_setup,
                                 .teardown = do_teardown,
                                 .howto = do_howto,
                                 .warning = "The diary module writes everything down."};
SS_PLUGIN(plugin);

/* A module of contract 0.2 that commits itself. Never changed: it stands for those that are out there. */
#include <stdlib.h>
#include <streamsteam/plugin.h>

typedef struct old_module {
    const ss_host *host;
    FILE *file;
    uint64_t count;
} old_module;

static const ss_option options[] = {
    {.name = "file", .type = SS_T_PATH, .flags = SS_OPT_REQUIRED, .doc = "Where the lines go."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    old_module *m = calloc(1, sizeof *m);
    char name[4096];
    (void)snprintf(name, sizeof name, "%.*s", (int)host->cfg_str(cfg, "file").len, host->cfg_str(cfg, "file").ptr);
    if (!m || !(m->file = fopen(name, "a"))) {
        free(m);
        return ss_fail(err, SS_FATAL, "old: cannot open %s", name);
    }
    m->host = host;
    *inst = m;
    return SS_OK;
}

static int32_t start(void *inst, const ss_resume *resume, ss_error *err)
{
    old_module *m = inst;
    (void)err;
    if (resume->state.len == sizeof m->count)
        memcpy(&m->count, resume->state.ptr, sizeof m->count);
    (void)fprintf(m->file, "start %llu\n", (unsigned long long)m->count);
    return fflush(m->file) == 0 ? SS_OK : SS_RETRY;
}

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    old_module *m = inst;
    for (uint32_t i = 0; i < batch->count; i++) {
        const ss_record *r = ss_record_at(batch, i);
        (void)fprintf(m->file, "%.*s %.*s %.*s %.*s %u %u %.*s\n", (int)r->receiver.len, r->receiver.ptr, (int)r->app.len, r->app.ptr,
                      (int)r->type.len, r->type.ptr, (int)r->key.len, r->key.ptr, r->schema_rev, r->attempt, (int)r->body.len, r->body.ptr);
        if (memmem(r->json.ptr, r->json.len, "refuse", 6))
            m->host->result(m->host->self, result, i, SS_RECORD_REJECT, 9, SS_LIT("asked for it"));
        else
            ss_mark(result, i, SS_RECORD_OK);
        m->count++;
    }
    if (fflush(m->file) != 0)
        return ss_fail(err, SS_RETRY, "old: cannot write");
    return m->host->commit(m->host->self, batch->through, &m->count, sizeof m->count, SS_COMMIT_SYNC, err);
}

static void destroy(void *inst)
{
    (void)fclose(((old_module *)inst)->file);
    free(inst);
}

static const ss_module module = {.struct_size = sizeof module, .flags = SS_MODULE_COMMITS, .max_records = 100, .deliver = deliver};
static const ss_plugin plugin = {SS_PLUGIN_HEADER, .kind = SS_MODULE, .name = "old", .version = "1.0", .summary = "Of contract 0.2.",
                                 .license = "MIT", .options = options, .module = &module, .create = create, .start = start,
                                 .destroy = destroy};
SS_PLUGIN(plugin);

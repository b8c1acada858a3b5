/* A module outside the tree: appends each event's line to a file; refuses what says "refuse"; crashes on
   what says "crash", which is how the tests see that one poisonous record is set aside. */
#include <stdlib.h>
#include <streamsteam/plugin.h>

typedef struct appender {
    const ss_host *host;
    FILE *file;
} appender;

static const ss_option options[] = {
    {.name = "file", .type = SS_T_PATH, .flags = SS_OPT_REQUIRED, .doc = "Where the lines go."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    ss_str path = host->cfg_str(cfg, "file");
    char name[4096];
    appender *a = malloc(sizeof *a);
    (void)snprintf(name, sizeof name, "%.*s", (int)path.len, path.ptr);
    if (!a || !(a->file = fopen(name, "a"))) {
        free(a);
        return ss_fail(err, SS_FATAL, "append: cannot open %s: make its folder", name);
    }
    a->host = host;
    *inst = a;
    return SS_OK;
}

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    appender *a = inst;
    (void)err;
    for (uint32_t i = 0; i < batch->count; i++) {
        const ss_record *record = ss_record_at(batch, i);
        if (memmem(record->json.ptr, record->json.len, "\"crash\"", 7))
            abort();
        if (memmem(record->json.ptr, record->json.len, "\"refuse\"", 8)) {
            a->host->result(a->host->self, result, i, SS_RECORD_REJECT, 7, SS_LIT("it says refuse"));
            continue;
        }
        (void)fprintf(a->file, "%.*s\n", (int)record->json.len, record->json.ptr);
        ss_mark(result, i, SS_RECORD_OK);
    }
    return fflush(a->file) == 0 ? SS_OK : SS_RETRY;
}

static void destroy(void *inst)
{
    (void)fclose(((appender *)inst)->file);
    free(inst);
}

static const ss_module module = {.struct_size = sizeof(ss_module), .deliver = deliver};
static const ss_plugin plugin = {
    SS_PLUGIN_HEADER, .kind = SS_MODULE,  .name = "append",  .version = "1.0", .summary = "An example.",
    .license = "MIT", .options = options, .module = &module, .create = create, .destroy = destroy};
SS_PLUGIN(plugin);

/* Module @NAME@: appends each event's line to a file.
 *
 * A module passes stored records on. It runs in a process of its own, on one thread: it needs no locks, and
 * what it does wrong hurts nobody else. The server calls deliver() with a batch and learns for each record
 * what became of it; what was not delivered comes again, and after a crash some records come twice.
 * streamsteam/plugin.h holds the whole contract; a plugin links nothing of the server.
 * The border is plain C: no exception may leave a callback, hence noexcept and new (std::nothrow). */
#include <cerrno>
#include <new>
#include <streamsteam/plugin.h>

namespace {

struct Instance {
    const ss_host *host; /* what the server lends: all calls go through this table */
    ss_str path;         /* borrowed from the configuration, which outlives the instance */
    size_t line_max;
    FILE *file; /* none until start() */

    ~Instance()
    {
        if (file)
            (void)fclose(file);
    }
};

/* What one may write under `modules: @NAME@:`. Types, ranges and defaults are checked by the server, so that
 * create() sees only good values; `streamsteam explain` prints this table. */
const ss_option options[] = {
    {.name = "file",
     .type = SS_T_PATH,
     .flags = SS_OPT_REQUIRED,
     .doc = "Where the lines go; its folder must exist."},
    {.name = "line_max", .type = SS_T_SIZE, .dflt = "1MiB", .doc = "Longer lines are refused."},
    {.name = nullptr},
};

/* Makes an instance, without touching the outside world: `streamsteam check` calls this, too. */
int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err) noexcept
{
    *inst = new (std::nothrow) Instance{host, host->cfg_str(cfg, "file"),
                                        static_cast<size_t>(host->cfg_int(cfg, "line_max")), nullptr};
    if (!*inst) /* one sentence that names the place: it goes to the log as it stands */
        return ss_fail(err, SS_RETRY, "@NAME@: out of memory");
    return SS_OK;
}

/* Before the first batch; ss_resume says where the instance stood. SS_RETRY: the server tries again. */
int32_t start(void *inst, const ss_resume *, ss_error *err) noexcept
{
    Instance *self = static_cast<Instance *>(inst);
    char path[4096];
    ss_str p = self->path; /* it has no NUL at its end */
    (void)snprintf(path, sizeof path, "%.*s", (int)p.len, p.ptr);
    if (!self->file)
        self->file = fopen(path, "a");
    if (!self->file)
        return ss_fail(err, SS_RETRY, "@NAME@: cannot open %.300s: %s", path, strerror(errno));
    return SS_OK;
}

void destroy(void *inst) noexcept { delete static_cast<Instance *>(inst); }

/* One batch. Say for each record SS_RECORD_OK, SS_RECORD_RETRY or, through host->result(), SS_RECORD_REJECT
 * with a reason: that one goes into the quarantine (`streamsteam quarantine list`). OK means that it is
 * really there: hence the fflush() before the answer. */
int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err) noexcept
{
    Instance *self = static_cast<Instance *>(inst);
    const ss_host *host = self->host;
    for (uint32_t i = 0; i < batch->count; i++) {
        const ss_record *record = ss_record_at(batch, i); /* not records[i]: their size is the server's */
        if (record->body.len > self->line_max) {
            host->result(host->self, result, i, SS_RECORD_REJECT, 1, SS_LIT("longer than line_max"));
            continue;
        }
        (void)fprintf(self->file, "%.*s\n", (int)record->body.len, record->body.ptr);
        ss_mark(result, i, SS_RECORD_OK);
    }
    if (fflush(self->file) == 0 && !ferror(self->file))
        return SS_OK;
    clearerr(self->file);
    ss_mark_all(result, SS_RECORD_RETRY); /* nobody knows how much got through: all of it again, later */
    return ss_fail(err, SS_RETRY, "@NAME@: cannot write: %s", strerror(errno));
}

const ss_module module = {.struct_size = sizeof module, .deliver = deliver};

/* The descriptor: all that the server learns about the plugin before it calls it. */
const ss_plugin plugin = {
    SS_PLUGIN_BEGIN(SS_MODULE),
    .name = "@NAME@",
    .version = "0.1.0",
    .summary = "Appends each event's line to a file.",
    .license = "MIT",
    .options = options,
    .module = &module,
    .create = create,
    .start = start,
    .destroy = destroy,
};

} // namespace

SS_PLUGIN(plugin);

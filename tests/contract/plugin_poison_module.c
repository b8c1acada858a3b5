/* A module that does what the type of each record says, for the tests of delivery. It appends a line
   "SEQ ATTEMPT FLAGS BODY" to the file named by the option `out` for every record it is given:
     ok            OK                          crash      abort()
     retry         RETRY at the first attempt  hang       sleeps past the deadline
     reject        REJECT, code 7              unset      no verdict at the first attempt
     pause         PAUSE for the first call    fatal      SS_FATAL for the first call of all lives (file
   `out`.fatal) throttle      THROTTLE 50 ms, once        odd        an unknown status at the first attempt
     stubborn      REJECT unless it comes out of quarantine */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "streamsteam/plugin.h"

typedef struct poison {
    const ss_host *host;
    int fd;
    char out[512];
    int calls;
} poison;

static const ss_option poison_options[] = {
    {.name = "out", .type = SS_T_STRING, .flags = SS_OPT_REQUIRED, .doc = "The file to write to."},
    {.name = NULL},
};

static int32_t poison_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    poison *p = calloc(1, sizeof *p);
    ss_str out = host->cfg_str(cfg, "out");
    if (!p || out.len >= sizeof p->out)
        return ss_fail(err, SS_REJECT, "poison: out is too long");
    p->host = host;
    memcpy(p->out, out.ptr, out.len);
    p->fd = open(p->out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    *inst = p;
    return p->fd >= 0 ? SS_OK : ss_fail(err, SS_REJECT, "poison: cannot open %s", p->out);
}

static void poison_destroy(void *inst)
{
    poison *p = inst;
    (void)close(p->fd);
    free(p);
}

static void note(poison *p, const ss_record *r)
{
    char line[256];
    int n = snprintf(line, sizeof line, "%llu %u %u %.*s\n", (unsigned long long)r->seq, r->attempt, r->flags,
                     (int)r->body.len, r->body.ptr);
    ssize_t ignored = write(p->fd, line, (size_t)n);
    (void)ignored;
}

static int32_t one(poison *p, const ss_record *r, ss_result *result, uint32_t i, ss_error *err)
{
    char type[16], marker[600];
    (void)snprintf(type, sizeof type, "%.*s", (int)r->type.len, r->type.ptr);
    bool first = r->attempt == 1;
    note(p, r);
    ss_mark(result, i, SS_RECORD_OK);
    if (strcmp(type, "crash") == 0)
        abort();
    if (strcmp(type, "hang") == 0)
        (void)sleep(30);
    if (strcmp(type, "retry") == 0 && first)
        p->host->result(p->host->self, result, i, SS_RECORD_RETRY, 0, SS_LIT("not now"));
    if (strcmp(type, "reject") == 0 || (strcmp(type, "stubborn") == 0 && !(r->flags & SS_RECORD_QUARANTINE)))
        p->host->result(p->host->self, result, i, SS_RECORD_REJECT, 7, SS_LIT("never"));
    if (strcmp(type, "unset") == 0 && first)
        ss_mark(result, i, SS_RECORD_UNSET);
    if (strcmp(type, "odd") == 0 && first)
        ss_mark(result, i, 77);
    if (strcmp(type, "throttle") == 0 && first) {
        ss_mark(result, i, SS_RECORD_RETRY);
        result->retry_after_ms = 50;
        return SS_THROTTLE;
    }
    if (strcmp(type, "pause") == 0 && p->calls == 1) {
        ss_mark(result, i, SS_RECORD_RETRY);
        return ss_fail(err, SS_PAUSE, "wrong credentials");
    }
    (void)snprintf(marker, sizeof marker, "%s.fatal", p->out);
    int fd = strcmp(type, "fatal") == 0 ? open(marker, O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return SS_OK;
    (void)close(fd);
    return ss_fail(err, SS_FATAL, "lost the connection for good");
}

static int32_t poison_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    poison *p = inst;
    int32_t worst = SS_OK;
    p->calls++;
    for (uint32_t i = 0; i < batch->count; i++) {
        int32_t rc = one(p, ss_record_at(batch, i), result, i, err);
        worst = rc == SS_OK ? worst : rc;
    }
    return worst;
}

static const ss_module poison_ops = {
    .struct_size = sizeof poison_ops, .max_records = 64, .deliver = poison_deliver};

static const ss_plugin poison_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "poison",
    .version = "1.0.0",
    .summary = "Does what each record's type says.",
    .license = "MIT",
    .options = poison_options,
    .module = &poison_ops,
    .create = poison_create,
    .destroy = poison_destroy,
};

SS_PLUGIN(poison_plugin);

/* A pull receiver for the tests: hands over the lines of a file. Its position is the offset of the next line;
   with `parts` it has one for even and one for odd lines. */
#include <stdlib.h>
#include <unistd.h>

#include "streamsteam/plugin.h"

#define LINE_MAX_BYTES 8192

static const ss_option options[] = {
    {.name = "parser", .type = SS_T_STRING, .doc = "The receiver that reads the lines."},
    {.name = "file", .type = SS_T_PATH, .flags = SS_OPT_REQUIRED, .doc = "Where the lines stand."},
    {.name = "group", .type = SS_T_INT, .dflt = "7", .min = 1, .max = 10000, .doc = "Lines in a group."},
    {.name = "parts", .type = SS_T_BOOL, .dflt = "false", .doc = "A position for each kind of line."},
    {.name = "fail",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "What run() shall do: pause, fatal, crash, return, hang."},
    {.name = NULL},
};

typedef struct puller {
    const ss_host *host;
    ss_str file, fail;
    uint32_t group;
    bool parts;
    long offset, line;
    long at[2]; /* with parts: the next line of each kind */
} puller;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    puller *p = calloc(1, sizeof *p);
    (void)err;
    if (!p)
        return SS_LIMIT;
    *p = (puller){.host = host,
                  .file = host->cfg_str(cfg, "file"),
                  .fail = host->cfg_str(cfg, "fail"),
                  .group = (uint32_t)host->cfg_int(cfg, "group"),
                  .parts = host->cfg_int(cfg, "parts") != 0};
    *inst = p;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

static void read_position(puller *p, ss_str position)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%.*s", (int)position.len, position.ptr ? position.ptr : "");
    ss_logf(p->host, SS_INFO, "resumes at '%s'", text);
    const char *even = strstr(text, "/even="), *odd = strstr(text, "/odd=");
    p->at[0] = even ? strtol(even + 6, NULL, 10) : 0;
    p->at[1] = odd ? strtol(odd + 5, NULL, 10) : 0;
    p->offset = p->parts ? 0 : strtol(text, NULL, 10);
}

static int32_t start(void *inst, const ss_resume *resume, ss_error *err)
{
    (void)err;
    read_position(inst, resume->position);
    return SS_OK;
}

static bool wanted(const puller *p)
{
    return !p->parts || p->line >= p->at[p->line % 2];
}

static size_t put_position(const puller *p, char *out, size_t size)
{
    long even = p->at[0] > p->line + 1 ? p->at[0] : p->line + 1,
         odd = p->at[1] > p->line + 1 ? p->at[1] : p->line + 1;
    int n = p->parts ? snprintf(out, size, "/even=%ld\n/odd=%ld\n", even, odd)
                     : snprintf(out, size, "%ld", p->offset);
    return (size_t)n;
}

/* One group from where it stands. The number of lines handed over; -1: not stored. */
static int hand_over(puller *p, FILE *f, ss_error *err, int32_t *status)
{
    static char line[LINE_MAX_BYTES];
    char position[128] = "", id[32];
    ss_call *call = NULL;
    int count = 0;
    if (fseek(f, p->offset, SEEK_SET) != 0)
        return 0;
    while ((uint32_t)count < p->group && fgets(line, sizeof line, f) && strchr(line, '\n')) {
        if (!call && !(call = p->host->call_begin(p->host->self))) {
            *status = SS_RETRY;
            return -1;
        }
        int n = snprintf(id, sizeof id, "line/%ld", p->line);
        ss_pair header = {SS_LIT("n"), ss_s(id, (size_t)n)};
        ss_message m = {.struct_size = sizeof m,
                        .pair_size = sizeof header,
                        .body = ss_s(line, strlen(line) - 1),
                        .id = ss_s(id, (size_t)n),
                        .headers = &header,
                        .header_count = 1};
        if (wanted(p) && p->host->pass(call, &m) != SS_OK)
            break;
        p->offset = ftell(f);
        (void)put_position(p, position, sizeof position);
        p->line++;
        count++;
    }
    if (!call)
        return 0;
    *status = p->host->call_commit(p->host->self, call, ss_cstr(position), err);
    return *status == SS_OK ? count : -1;
}

static int32_t misbehave(const puller *p, ss_error *err)
{
    if (ss_eq(p->fail, SS_LIT("pause")))
        return ss_fail(err, SS_PAUSE, "the test wants a pause");
    if (ss_eq(p->fail, SS_LIT("fatal")))
        return ss_fail(err, SS_FATAL, "the test wants a new instance");
    if (ss_eq(p->fail, SS_LIT("crash")))
        abort();
    while (ss_eq(p->fail, SS_LIT("hang")))
        (void)pause();
    return SS_OK;
}

static int32_t run(void *inst, ss_error *err)
{
    puller *p = inst;
    char path[4096];
    if (p->fail.len)
        return misbehave(p, err);
    (void)snprintf(path, sizeof path, "%.*s", (int)p->file.len, p->file.ptr);
    while (!p->host->stopping(p->host->self)) {
        FILE *f = fopen(path, "r");
        int32_t status = SS_OK;
        long offset = p->offset, line = p->line;
        int count = f ? hand_over(p, f, err, &status) : 0;
        if (f)
            (void)fclose(f);
        if (count < 0) { /* nothing of it is stored */
            p->offset = offset;
            p->line = line;
            if (status == SS_FATAL)
                return status;
        }
        if (count <= 0)
            (void)usleep(5000);
    }
    return SS_OK;
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver), .run = run};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "pull_receiver",
    .version = "1",   .build_id = "1",     .summary = "Hands over the lines of a file.",
    .license = "MIT", .options = options,  .receiver = &receiver,
    .create = create, .start = start,      .destroy = destroy};

SS_PLUGIN(plugin);

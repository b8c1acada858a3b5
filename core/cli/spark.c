/* streamsteam spark: the batches of a module spark, on a live or a dead data directory. */
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "plugins/common/json.h"
#include "plugins/common/spark_store.h"

#define LIST_DEFAULT 50
#define LIST_MAX     100000
#define REASON_SHOWN 60

static const char help[] =
    "usage: streamsteam spark list [--state STATE] [--limit N] [--json]\n"
    "       streamsteam spark show BATCH\n"
    "       streamsteam spark run JOB\n"
    "       streamsteam spark rerun BATCH\n"
    "       streamsteam spark drop BATCH\n"
    "\n"
    "The batches of the module spark: which files of the lake went into which run, and how it fared.\n"
    "\n"
    "  list     newest first; states: waiting, sending, running, done, failed, rerun, dropped\n"
    "  show     one batch with its files, as JSON\n"
    "  run      a batch of all files that wait for the job, now, whatever its trigger says\n"
    "  rerun    a new batch, marked as such, of the same files; for one that is done or failed\n"
    "  drop     a batch that waits or failed shall not be run (again)\n"
    "\n"
    "BATCH is its name or its number. The server takes new batches up at once, or at its next start.\n"
    "\n"
    "  --module NAME       the module, where it is not called spark\n"
    "  -c, --config FILE   find the data directory through this configuration\n"
    "  -d, --data-dir DIR  the data directory\n"
    "\n"
    "Exit code: 0 = done, 1 = failed or no such batch, 2 = wrong use.\n";

typedef struct request {
    const char *verb, *what, *module, *state;
    int64_t limit;
    bool json;
    spark_store *store;
} request;

#define fail(code, ...) cli_fail(code, "spark", __VA_ARGS__)

/* ---- printing ---- */

static const char *time_text(int64_t us, char out[32])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    out[0] = '\0';
    if (us && gmtime_r(&seconds, &tm))
        (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return out;
}

static void print_string(const char *name, const char *text)
{
    char *out = malloc(json_escape_bound(strlen(text)));
    if (!out)
        return;
    size_t len = json_put_string(out, ss_cstr(text));
    (void)printf("\"%s\":%.*s,", name, (int)len, out);
    free(out);
}

static void print_json(const request *r, const spark_batch *b)
{
    char name[SPARK_NAME_MAX + 1], run[SPARK_NAME_MAX + 1], at[32];
    spark_batch_name(r->store, b->id, name);
    spark_run_name(r->store, b, run);
    (void)printf("{");
    print_string("batch", name);
    print_string("run", run);
    print_string("job", b->job);
    print_string("kind", b->kind);
    print_string("state", b->state);
    print_string("partition", b->key);
    print_string("id_at_target", b->ext);
    print_string("reason", b->reason);
    print_string("made", time_text(b->made_us, at));
    print_string("sent", time_text(b->sent_us, at));
    print_string("ended", time_text(b->ended_us, at));
    print_string("from", time_text(b->min_us, at));
    print_string("through", time_text(b->max_us, at));
    (void)printf("\"late\":%s,\"number\":%" PRId64 ",\"attempt\":%" PRId64 ",\"files\":%" PRId64
                 ",\"bytes\":%" PRId64 ",\"events\":%" PRId64,
                 b->late ? "true" : "false", b->id, b->attempt, b->files, b->bytes, b->events);
}

static bool print_file(void *arg, ss_str path)
{
    size_t *count = arg;
    char *out = malloc(json_escape_bound(path.len));
    if (!out)
        return false;
    size_t len = json_put_string(out, path);
    (void)printf("%s%.*s", (*count)++ ? ",\n" : "\n", (int)len, out);
    free(out);
    return true;
}

static bool print_line(void *arg, const spark_batch *b)
{
    const request *r = arg;
    char name[SPARK_NAME_MAX + 1], made[32];
    if (r->json) {
        print_json(r, b);
        (void)printf("}\n");
        return true;
    }
    spark_batch_name(r->store, b->id, name);
    (void)printf("%-28s %-16s %-8s %-8s %20s %7" PRId64 " %10" PRId64 "  %s%s%.*s\n", name, b->job, b->kind,
                 b->state, time_text(b->made_us, made), b->files, b->events, b->key, b->reason[0] ? "  " : "",
                 REASON_SHOWN, b->reason);
    return true;
}

/* ---- verbs ---- */

static int list(request *r)
{
    if (!r->json)
        (void)printf("%-28s %-16s %-8s %-8s %20s %7s %10s  %s\n", "BATCH", "JOB", "KIND", "STATE", "MADE",
                     "FILES", "EVENTS", "PARTITION");
    bool good = spark_batches(r->store, r->state, ss_s("", 0), INT64_MAX, r->limit, print_line, r);
    return good ? CLI_OK : fail(CLI_FAILED, "%s", spark_store_problem(r->store));
}

/* The number, or the name of a batch or a run. */
static int find(request *r, spark_batch *b)
{
    char name[SPARK_NAME_MAX + 1], run[SPARK_NAME_MAX + 1], *end;
    const char *number = r->what;
    if (!isdigit((unsigned char)*number) || strchr(number, '-')) {
        const char *dash = strrchr(number, '-');
        for (int i = 0; i < 2 && dash; i++) { /* of a run's name, the attempt is last */
            int64_t id = strtoll(dash + 1, &end, 10);
            if (spark_batch_get(r->store, id, b)) {
                spark_batch_name(r->store, b->id, name);
                spark_run_name(r->store, b, run);
                size_t len = strlen(name);
                if (strcmp(name, r->what) == 0 || (strncmp(name, r->what, len) == 0 && r->what[len] == '-'))
                    return CLI_OK;
            }
            while (dash > r->what && *--dash != '-')
                ;
            dash = *dash == '-' ? dash : NULL;
        }
    } else if (spark_batch_get(r->store, strtoll(number, &end, 10), b) && !*end) {
        return CLI_OK;
    }
    return fail(CLI_FAILED, "there is no batch %.80s; `streamsteam spark list` shows them", r->what);
}

static int show(request *r)
{
    spark_batch b;
    size_t count = 0;
    int code = find(r, &b);
    if (code != CLI_OK)
        return code;
    print_json(r, &b);
    (void)printf(",\"paths\":[");
    bool good = spark_batch_files(r->store, &b, false, print_file, &count);
    (void)printf("]}\n");
    return good ? CLI_OK : fail(CLI_FAILED, "%s", spark_store_problem(r->store));
}

static int finish(request *r, int64_t id, const char *what)
{
    char name[SPARK_NAME_MAX + 1];
    if (id <= 0 || !spark_store_commit(r->store)) {
        spark_store_undo(r->store);
        return fail(CLI_FAILED, "%s", spark_store_problem(r->store));
    }
    spark_batch_name(r->store, id, name);
    (void)printf("%s %s\n", name, what);
    return CLI_OK;
}

static bool count_files(void *arg, const spark_group *g)
{
    *(int64_t *)arg += g->files;
    return true;
}

static int run(request *r)
{
    int64_t fired, files = 0;
    bool known = false;
    if (!spark_store_begin(r->store))
        return fail(CLI_FAILED, "%s", spark_store_problem(r->store));
    (void)spark_job_get(r->store, ss_cstr(r->what), &fired, &known);
    if (!known || !spark_groups(r->store, ss_cstr(r->what), count_files, &files) || files == 0) {
        spark_store_undo(r->store);
        if (!known)
            return fail(CLI_FAILED, "no job %.64s has been started with this data directory", r->what);
        return fail(CLI_FAILED,
                    "nothing is new for the job %.64s; `streamsteam spark rerun BATCH` runs old files again",
                    r->what);
    }
    int64_t now = clock_now_us();
    return finish(r, spark_batch_make(r->store, ss_cstr(r->what), NULL, "manual", false, now),
                  "waits for its run");
}

static bool is_one_of(const char *state, const char *a, const char *b)
{
    return strcmp(state, a) == 0 || strcmp(state, b) == 0;
}

static int rerun(request *r)
{
    spark_batch b;
    int code =
        spark_store_begin(r->store) ? find(r, &b) : fail(CLI_FAILED, "%s", spark_store_problem(r->store));
    if (code == CLI_OK && !is_one_of(b.state, "done", "failed"))
        code = fail(CLI_FAILED, "the batch is %s: only one that is done or failed can be run again", b.state);
    if (code != CLI_OK) {
        spark_store_undo(r->store);
        return code;
    }
    int64_t id = spark_batch_copy(r->store, &b, ss_cstr(b.job), "rerun", clock_now_us());
    if (id > 0 && strcmp(b.state, "failed") == 0) {
        (void)snprintf(b.state, sizeof b.state, "rerun");
        id = spark_batch_put(r->store, &b) ? id : 0;
    }
    return finish(r, id, "waits for its run");
}

static int drop(request *r)
{
    spark_batch b;
    int code =
        spark_store_begin(r->store) ? find(r, &b) : fail(CLI_FAILED, "%s", spark_store_problem(r->store));
    if (code == CLI_OK && !is_one_of(b.state, "waiting", "failed"))
        code = fail(CLI_FAILED, "the batch is %s: only one that waits or failed can be dropped", b.state);
    if (code != CLI_OK) {
        spark_store_undo(r->store);
        return code;
    }
    (void)snprintf(b.state, sizeof b.state, "dropped");
    return finish(r, spark_batch_put(r->store, &b) ? b.id : 0, "is dropped");
}

/* ---- */

static int dispatch(request *r, const char *data_dir)
{
    static const struct {
        const char *name;
        int (*run)(request *r);
    } verbs[] = {{"list", list}, {"show", show}, {"run", run}, {"rerun", rerun}, {"drop", drop}};
    char path[PATH_MAX + 128];
    ss_error err = error_init();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(r->verb, verbs[i].name) != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/modules/%.64s/" SPARK_STORE_FILE, data_dir, r->module);
        r->store = spark_store_open(path, ss_cstr(r->module), false, &err);
        if (!r->store)
            return fail(CLI_FAILED, "%s; --module names the module, and it must have been started once",
                        err.text);
        int code = verbs[i].run(r);
        spark_store_close(r->store);
        return code;
    }
    return fail(CLI_USAGE, "it does not know \"%.40s\"; see streamsteam spark --help", r->verb);
}

int verb_spark(int argc, char **argv)
{
    bool bad = false;
    char data_dir[PATH_MAX];
    request r = {.limit = LIST_DEFAULT};
    if (cli_help(argc, argv, help))
        return CLI_OK;
    r.module = cli_take_option(&argc, argv, NULL, "module", &bad);
    r.state = cli_take_option(&argc, argv, NULL, "state", &bad);
    const char *limit = cli_take_option(&argc, argv, NULL, "limit", &bad);
    r.json = cli_take_flag(&argc, argv, "json");
    int code = cli_data_dir(&argc, argv, data_dir);
    if (code != CLI_OK)
        return code;
    r.verb = argc > 1 ? argv[1] : "";
    r.what = argc > 2 ? argv[2] : NULL;
    r.module = r.module ? r.module : "spark";
    if (limit)
        r.limit = strtoll(limit, NULL, 10);
    bool is_list = strcmp(r.verb, "list") == 0;
    if (bad || argc != (is_list ? 2 : 3) || strchr(r.module, '/') || r.module[0] == '.' || r.limit < 1 ||
        r.limit > LIST_MAX)
        return fail(CLI_USAGE, "say a verb%s; see streamsteam spark --help",
                    is_list ? "" : " and what it is for");
    return dispatch(&r, data_dir);
}

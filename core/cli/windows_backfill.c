/* streamsteam windows backfill: the windows of a time once more, from the journal or a lake, with all that
   came late. This process computes them, from the journal through a replay; the running module hands them
   over. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/verbs.h"
#include "core/cli/windows_backfill.h"
#include "core/cli/windows_lake.h"
#include "core/config/node.h"
#include "core/config/plan.h"
#include "core/delivery/replay.h"
#include "core/journal/summary.h"
#include "plugins/common/windows_backfill.h"
#include "plugins/loader/remove_tree.h"

#define HALVINGS_MAX 16u       /* of the time, where it does not fit into memory */
#define PIECE_MIN_US 120000000 /* a shorter time is not halved */
#define MINUTE_US    60000000
#define ERRORS_MAX   (1u << 20)

static const char help[] =
    "usage: streamsteam windows backfill --from TIME --to TIME [--lake DIR] [--module NAME] [-c FILE]\n"
    "\n"
    "Computes the windows between two times anew from the journal, with every event that came late, and has "
    "the\n"
    "running module hand the documents over: same ids, and a version that no older document overwrites. The "
    "server\n"
    "may run; where it does not, its next start does it. Run again, it says the same again.\n"
    "\n"
    "  --from, --to TIME    2026-11-26T08:00:00Z or 2026-11-26: windows that begin at `from` or later and "
    "end "
    "by\n"
    "                       `to`. Of windows that are older than the journal, or open still, none is "
    "computed\n"
    "  --lake DIR           from the files of a lake on disk, for a time that the journal does not have any "
    "more.\n"
    "                       Lines, not Parquet; {receiver} is in its partition\n"
    "  --module NAME        the module windows, where there are several\n"
    "  --accept-damage      also where records of that time are damaged in the journal and cannot be "
    "counted\n"
    "  -c, --config FILE    the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "\n"
    "Exit code: 0 = done, 1 = failed, 2 = wrong use.\n";

#define fail(code, ...) cli_fail(code, "windows", __VA_ARGS__)

typedef struct job {
    plan_module module;
    const config *config;                  /* with a lake */
    char dir[PATH_MAX], journal[PATH_MAX]; /* the module's; the journal's */
    char lake[PATH_MAX];                   /* "": from the journal */
    uint64_t lines;                        /* of the lake that were read */
    int64_t from_us, to_us, covered_us;
    uint64_t first_seq, through_seq;
    bool any, accept_damage;
    uint64_t windows, groups, no_room;
    int64_t computed_from_us;
} job;

/* ---- what the journal has ---- */

static int look_at(void *arg, const journal_segment_summary *s)
{
    job *j = arg;
    if (s->last_seq < s->first_seq)
        return 0;
    if (!j->any) {
        j->any = true;
        j->covered_us = s->first_seq > 1 ? s->receive_min_us : INT64_MIN;
    }
    if (s->records == 0 || s->event_max_us < j->from_us || s->event_min_us >= j->to_us)
        return 0;
    j->first_seq = j->first_seq ? j->first_seq : s->first_seq;
    j->through_seq = s->last_seq;
    return 0;
}

static int find_records(job *j)
{
    ss_error err = error_init();
    return journal_summaries(j->journal, look_at, j, &err) == 0 ? CLI_OK : fail(CLI_FAILED, "%s", err.text);
}

/* ---- one replay ---- */

static bool replay_dir(const job *j, char dir[PATH_MAX])
{
    int n =
        snprintf(dir, PATH_MAX, "%.3900s/replay-%" PRIu64 "-%" PRIu64, j->dir, j->first_seq, j->through_seq);
    return n > 0 && n < PATH_MAX;
}

static bool path_in(const char *dir, const char *name, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%.3900s/%.180s", dir, name);
    return n > 0 && n < PATH_MAX;
}

static int put_order(const job *j, const char *dir, int64_t from_us, int64_t to_us)
{
    char path[PATH_MAX], text[BACKFILL_LINE_BYTES];
    const backfill_order order = {from_us, to_us, j->to_us, j->covered_us, j->first_seq, j->through_seq};
    int n = backfill_put_order(text, &order);
    return path_in(dir, BACKFILL_ORDER, path) && file_make_dirs(dir, 0700) == 0 &&
                   file_replace(path, text, (size_t)n, 0600) == 0
               ? CLI_OK
               : fail(CLI_FAILED, "%s: %s", dir, strerror(errno));
}

static int get_result(const char *dir, backfill_result *r)
{
    char path[PATH_MAX];
    buf text;
    buf_init(&text, BACKFILL_LINE_BYTES);
    bool ok = path_in(dir, BACKFILL_RESULT, path) && file_read(path, &text) == 0 &&
              backfill_get_result(buf_text(&text), r);
    buf_fini(&text);
    return ok ? CLI_OK : fail(CLI_FAILED, "the module computed nothing; the lines above say why");
}

static int judge(const job *j, const replay_summary *s)
{
    if (s->expired)
        return fail(CLI_FAILED, "the journal let go of %" PRIu64 " records meanwhile: run it again",
                    s->expired);
    if (s->damaged && !j->accept_damage)
        return fail(CLI_FAILED,
                    "%" PRIu64 " records of that time are damaged in the journal: what they were cannot be "
                    "counted. `streamsteam journal verify` says where; --accept-damage goes on without them",
                    s->damaged);
    return CLI_OK;
}

static int compute(const job *j, const char *dir, int64_t from_us, int64_t to_us, backfill_result *r)
{
    ss_error err = error_init();
    replay_summary summary = {0};
    const replay_options options = {
        .blob = ss_cstr(j->module.blob), .from = j->first_seq, .through = j->through_seq};
    remove_tree(dir); /* of one that was stopped */
    int code = put_order(j, dir, from_us, to_us);
    if (code == CLI_OK && replay_run(&options, &summary, &err) != 0)
        code = fail(CLI_FAILED, "%s", err.text);
    if (code == CLI_OK)
        code = judge(j, &summary);
    return code == CLI_OK ? get_result(dir, r) : code;
}

static int compute_from_lake(job *j, const char *dir, int64_t from_us, int64_t to_us, backfill_result *r)
{
    windows_lake ask = {.lake = j->lake, .dir = dir, .from_us = from_us, .to_us = to_us};
    windows_lake_result result = {.through = 0};
    remove_tree(dir); /* of one that was stopped */
    if (file_make_dirs(dir, 0700) != 0)
        return fail(CLI_FAILED, "%s: %s", dir, strerror(errno));
    int code = windows_lake_compute(j->config, j->module.name, &ask, &result);
    *r = result.windows;
    j->through_seq = result.through;
    j->lines += result.lines;
    return code;
}

/* The windows' file into the module's own directory; there is none where no window had an event. */
static int publish(const job *j, const char *dir)
{
    int code = CLI_OK;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && code == CLI_OK && (e = readdir(d)) != NULL;) {
        char from[PATH_MAX], to[PATH_MAX];
        if (strncmp(e->d_name, BACKFILL_PREFIX, sizeof BACKFILL_PREFIX - 1) != 0)
            continue;
        if (!path_in(dir, e->d_name, from) || !path_in(j->dir, e->d_name, to) || rename(from, to) != 0 ||
            file_sync_dir(j->dir) != 0)
            code = fail(CLI_FAILED, "%s: %s", j->dir, strerror(errno));
    }
    if (d)
        (void)closedir(d);
    return code;
}

/* ---- the whole time, in halves where it has to be ---- */

static int backfill_piece(job *j, int64_t from_us, int64_t to_us, unsigned depth)
{
    char dir[PATH_MAX];
    backfill_result r = {0};
    if (!replay_dir(j, dir))
        return fail(CLI_FAILED, "the path of data_dir is too long");
    int code =
        j->lake[0] ? compute_from_lake(j, dir, from_us, to_us, &r) : compute(j, dir, from_us, to_us, &r);
    bool halve = code == CLI_OK && r.no_room && depth < HALVINGS_MAX && to_us - from_us >= PIECE_MIN_US;
    if (code == CLI_OK && !halve && r.dropped)
        code = fail(CLI_FAILED,
                    "%" PRIu64
                    " events found no room although only a minute was computed: give the metrics more "
                    "`memory`",
                    r.dropped);
    if (code == CLI_OK && !halve)
        code = publish(j, dir);
    remove_tree(dir);
    if (halve) {
        int64_t middle = from_us + (to_us - from_us) / 2 / MINUTE_US * MINUTE_US;
        code = backfill_piece(j, from_us, middle, depth + 1);
        return code == CLI_OK ? backfill_piece(j, middle, to_us, depth + 1) : code;
    }
    if (code == CLI_OK) {
        j->windows += r.windows;
        j->groups += r.groups;
        j->no_room += r.no_room;
        if (j->computed_from_us == INT64_MIN)
            j->computed_from_us = r.covered_us;
    }
    return code;
}

static void tell_room(const job *j)
{
    if (j->no_room)
        (void)printf("%" PRIu64
                     " events did not fit as they should and count as they do in the running module "
                     "(__other__, or estimated)\n",
                     j->no_room);
}

static int run_lake(job *j)
{
    int code = backfill_piece(j, j->from_us, j->to_us, 0);
    if (code != CLI_OK)
        return code;
    tell_room(j);
    if (j->through_seq == 0)
        (void)printf("%s has no manifests: it is no lake, or has no cut yet\n", j->lake);
    else
        (void)printf("%s: %" PRIu64 " windows with %" PRIu64 " groups computed from %" PRIu64
                     " lines of the lake, up to record %" PRIu64
                     "; the module hands them over as soon as it runs\n",
                     j->module.name, j->windows, j->groups, j->lines, j->through_seq);
    return CLI_OK;
}

static void tell(const job *j)
{
    if (j->computed_from_us > j->from_us)
        (void)printf("windows that begin more than %" PRId64
                     " s after --from were computed: of earlier ones the "
                     "journal may not have all events any more\n",
                     (j->computed_from_us - j->from_us) / 1000000);
    tell_room(j);
    (void)printf("%s: %" PRIu64 " windows with %" PRIu64 " groups computed from records %" PRIu64
                 " to %" PRIu64 "; the module hands them over as soon as it runs\n",
                 j->module.name, j->windows, j->groups, j->first_seq, j->through_seq);
}

static int run_journal(job *j)
{
    int code = find_records(j);
    if (code != CLI_OK)
        return code;
    if (j->first_seq == 0) {
        (void)puts("the journal has no events of that time");
        return CLI_OK;
    }
    code = backfill_piece(j, j->from_us, j->to_us, 0);
    if (code == CLI_OK)
        tell(j);
    return code;
}

static int run(job *j, const char *given)
{
    cli_files files;
    int64_t now = clock_now_us();
    j->to_us = j->to_us < now ? j->to_us : now; /* of a window that is not over nobody knows all */
    if (!j->lake[0])
        return run_journal(j);
    int code = cli_load("windows", given, &files);
    j->config = files.config;
    if (code == CLI_OK)
        code = run_lake(j);
    cli_unload(&files);
    return code;
}

/* ---- the verb ---- */

/* true: this module is a module windows. */
static bool take_module(job *j, const plan_module *m)
{
    ss_error err = error_init();
    ss_config *blob = node_parse(m->blob, strlen(m->blob), &err);
    bool is = blob && ss_eq(node_str(blob, "use"), SS_LIT("windows"));
    if (is) {
        j->module = *m;
        (void)snprintf(j->dir, sizeof j->dir, "%.3800s/modules/%.64s", node_str(blob, "data_dir").ptr,
                       m->name);
        (void)snprintf(j->journal, sizeof j->journal, "%s", node_str(blob, "journal_dir").ptr);
    }
    node_free(blob);
    return is;
}

static int find_module(const plan *p, const char *wanted, job *j)
{
    size_t found = 0;
    for (size_t i = 0; i < plan_module_count(p); i++) {
        plan_module m = plan_module_at(p, i);
        if ((!wanted || strcmp(wanted, m.name) == 0) && take_module(j, &m))
            found++;
    }
    if (found == 1)
        return CLI_OK;
    if (found > 1)
        return fail(CLI_USAGE, "there are %zu modules windows: choose one with --module", found);
    return wanted ? fail(CLI_USAGE, "there is no module '%.64s' that uses windows", wanted)
                  : fail(CLI_FAILED, "no module of the configuration uses windows: see docs/windows.md");
}

static int with_config(const char *given, const char *module, job *j)
{
    buf errors;
    buf_init(&errors, ERRORS_MAX);
    plan *p = plan_load(cli_config_path(given), &errors);
    if (!p)
        (void)fputs(buf_text(&errors), stderr);
    int code = p ? find_module(p, module, j) : CLI_FAILED;
    if (code == CLI_OK)
        code = run(j, given);
    buf_fini(&errors);
    plan_free(p);
    return code;
}

int windows_backfill(int argc, char **argv)
{
    static job j = {.computed_from_us = INT64_MIN}; /* too large for a stack; the verb has one thread */
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *from = cli_take_option(&argc, argv, NULL, "from", &bad),
               *to = cli_take_option(&argc, argv, NULL, "to", &bad),
               *lake = cli_take_option(&argc, argv, NULL, "lake", &bad),
               *module = cli_take_option(&argc, argv, NULL, "module", &bad),
               *given = cli_take_option(&argc, argv, "c", "config", &bad);
    j.accept_damage = cli_take_flag(&argc, argv, "accept-damage");
    if (bad || argc != 1)
        return fail(CLI_USAGE, "see streamsteam windows backfill --help");
    if (!cli_time(from, &j.from_us) || !cli_time(to, &j.to_us) || j.from_us >= j.to_us)
        return fail(CLI_USAGE,
                    "--from and --to are times as 2026-11-26T08:00:00Z, the first before the second");
    if (lake && !realpath(lake, j.lake))
        return fail(CLI_FAILED, "--lake: %s: %s", lake, strerror(errno));
    if (lake && j.accept_damage)
        return fail(CLI_USAGE,
                    "--accept-damage is about the journal; a lake's file that is damaged has to be put back");
    return with_config(given, module, &j);
}

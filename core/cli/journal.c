/* streamsteam journal: look at a journal, live or dead. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/plan.h"
#include "core/delivery/replay.h"
#include "core/journal/reader.h"
#include "core/journal/summary.h"
#include "core/journal/verify.h"
#include "plugins/common/json.h"

#define TOTALS_MAX      4096u /* lines of (receiver, application) that stat prints */
#define TOTALS_NAME_MAX (JOURNAL_NAME_MAX + 1u)
#define PLAN_ERRORS_MAX (1024u * 1024)
#define DUMP_LINE_MAX   (16u * 1024 * 1024)

static const char help[] =
    "usage: streamsteam journal stat|verify|dump|replay|new-id [-c FILE | -d DIR] [options]\n"
    "\n"
    "  stat                   segments, records, and how many per receiver and application\n"
    "  verify                 read every record and say what is damaged or missing\n"
    "  dump [--from SEQ] [--to SEQ] [--raw]\n"
    "                         records as JSON lines with their number, times and names; --raw: the stored "
    "lines only\n"
    "  replay --module NAME --from SEQ --to SEQ\n"
    "                         deliver a range once more to a module, under a prefix of its own "
    "(replay/FROM-TO/);\n"
    "                         the same command again goes on where it was stopped\n"
    "  new-id                 a new identity for a restored backup or a cloned machine, so that its outputs "
    "do not\n"
    "                         collide with those of the original; the server must be stopped\n"
    "\n"
    "  -c, --config FILE      the configuration that names the data directory\n"
    "  -d, --data-dir DIR     the data directory itself (the journal is DIR/journal)\n"
    "\n"
    "All but replay and new-id only read, and work while the server runs.\n"
    "Exit code: 0 = done, 1 = failed, or something is damaged, 2 = wrong use.\n";

/* ---- stat ---- */

typedef struct total {
    char receiver[TOTALS_NAME_MAX], app[TOTALS_NAME_MAX];
    uint64_t records;
} total;

typedef struct stat_sums {
    uint64_t segments, records, damaged, bytes, first, last, unreadable, uncounted;
    int64_t receive_min_us, receive_max_us;
    total *totals;
    size_t count;
} stat_sums;

static void copy_name(char out[TOTALS_NAME_MAX], ss_str name)
{
    size_t len = name.len < TOTALS_NAME_MAX ? name.len : TOTALS_NAME_MAX - 1;
    memcpy(out, name.ptr, len);
    out[len] = '\0';
}

static void add_total(stat_sums *s, const journal_count *c)
{
    char receiver[TOTALS_NAME_MAX], app[TOTALS_NAME_MAX];
    copy_name(receiver, c->receiver);
    copy_name(app, c->app);
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->totals[i].receiver, receiver) == 0 && strcmp(s->totals[i].app, app) == 0) {
            s->totals[i].records += c->records;
            return;
        }
    if (s->count == TOTALS_MAX) {
        s->uncounted += c->records;
        return;
    }
    total *t = &s->totals[s->count++];
    memcpy(t->receiver, receiver, sizeof receiver);
    memcpy(t->app, app, sizeof app);
    t->records = c->records;
}

static int add_segment(void *arg, const journal_segment_summary *segment)
{
    stat_sums *s = arg;
    s->segments++;
    s->bytes += segment->bytes;
    s->damaged += segment->damaged;
    s->unreadable += segment->journal_id == 0;
    if (segment->records == 0)
        return 0;
    s->records += segment->records;
    if (s->first == 0) {
        s->first = segment->first_seq;
        s->receive_min_us = segment->receive_min_us;
    }
    s->last = segment->last_seq;
    s->receive_max_us = segment->receive_max_us;
    for (size_t i = 0; i < segment->count_count; i++)
        add_total(s, &segment->counts[i]);
    return 0;
}

static void print_time(const char *what, int64_t us)
{
    char text[32];
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        (void)printf("%-12s %s\n", what, text);
}

/* Applications come from the outside: nothing of them may act on a terminal. */
static void print_name(const char *name)
{
    char text[json_escape_bound(TOTALS_NAME_MAX)];
    size_t len = json_put_string(text, ss_cstr(name));
    (void)printf("%.*s", (int)len, text);
}

static void print_stat(const stat_sums *s, uint64_t id)
{
    (void)printf("%-12s %016" PRIx64 "\n", "journal", id);
    (void)printf("%-12s %" PRIu64 " (%" PRIu64 " bytes)\n", "segments", s->segments, s->bytes);
    (void)printf("%-12s %" PRIu64 "\n", "records", s->records);
    if (s->records > 0) {
        (void)printf("%-12s %" PRIu64 " to %" PRIu64 "\n", "numbers", s->first, s->last);
        print_time("oldest", s->receive_min_us);
        print_time("newest", s->receive_max_us);
    }
    if (s->damaged + s->unreadable > 0)
        (void)printf("%-12s %" PRIu64 " records, %" PRIu64
                     " segments unreadable; see streamsteam journal verify\n",
                     "damaged", s->damaged, s->unreadable);
    for (size_t i = 0; i < s->count; i++) {
        (void)printf("%-12s %" PRIu64 " of ", "", s->totals[i].records);
        print_name(s->totals[i].receiver);
        (void)printf(" application ");
        print_name(s->totals[i].app);
        (void)printf("\n");
    }
    if (s->uncounted > 0)
        (void)printf("%-12s %" PRIu64 " of further applications\n", "", s->uncounted);
}

static int run_stat(const char *dir)
{
    ss_error err = error_init();
    stat_sums s = {.totals = calloc(TOTALS_MAX, sizeof *s.totals)};
    if (!s.totals)
        return cli_fail(CLI_FAILED, "journal", "out of memory");
    int rc = journal_summaries(dir, add_segment, &s, &err);
    if (rc == 0) {
        int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        print_stat(&s, dirfd < 0 ? 0 : journal_directory_id(dirfd, NULL));
        if (dirfd >= 0)
            (void)close(dirfd);
    }
    free(s.totals);
    return rc == 0 ? CLI_OK : cli_fail(CLI_FAILED, "journal", "%s", err.text);
}

/* ---- verify ---- */

static void print_finding(void *arg, const char *text)
{
    (void)arg;
    (void)printf("%s\n", text);
}

static int run_verify(const char *dir)
{
    ss_error err = error_init();
    verify_result r;
    if (journal_verify(dir, print_finding, NULL, &r, &err) != 0)
        return cli_fail(CLI_FAILED, "journal", "%s", err.text);
    bool clean = verify_clean(&r);
    (void)printf("%s: %" PRIu64 " segments, %" PRIu64 " records good, %" PRIu64 " damaged, %" PRIu64
                 " missing\n",
                 clean ? "ok" : "DAMAGED", r.segments, r.records, r.damaged, r.missing);
    return clean ? CLI_OK : CLI_FAILED;
}

/* ---- dump ---- */

static void put_member(buf *line, const char *key, ss_str value)
{
    buf_addf(line, "\"%s\":", key);
    if (buf_reserve(line, json_escape_bound(value.len)))
        line->len += json_put_string(line->ptr + line->len, value);
    buf_adds(line, ",");
}

static void put_record(buf *line, const ss_record *r)
{
    buf_addf(line,
             "{\"seq\":%" PRIu64 ",\"receive_us\":%" PRId64 ",\"event_us\":%" PRId64 ",\"schema_rev\":%u,",
             r->seq, r->receive_us, r->event_us, r->schema_rev);
    put_member(line, "receiver", r->receiver);
    put_member(line, "app", r->app);
    put_member(line, "type", r->type);
    put_member(line, "id", r->id);
    put_member(line, "key", r->key);
    buf_adds(line, "\"event\":");
    buf_add(line, r->json.ptr, r->json.len);
    buf_adds(line, "}\n");
}

static int print_record(buf *line, const ss_record *r, bool raw)
{
    buf_reset(line);
    if (raw) {
        buf_add(line, r->json.ptr, r->json.len);
        buf_adds(line, "\n");
    } else {
        put_record(line, r);
    }
    if (line->failed)
        return cli_fail(CLI_FAILED, "journal", "record %" PRIu64 " is too large to be shown", r->seq);
    return fwrite(line->ptr, 1, line->len, stdout) == line->len ? CLI_OK : CLI_FAILED;
}

/* Everything up to `to`. Damage goes to stderr and makes the exit code 1; what has expired is only said. */
static int dump_records(journal_reader *reader, uint64_t to, bool raw)
{
    ss_error err = error_init();
    journal_item item;
    buf line;
    int rc = CLI_OK;
    buf_init(&line, DUMP_LINE_MAX);
    for (bool on = true; on && !ferror(stdout);) {
        switch (journal_reader_next(reader, to, &item, &err)) {
        case JOURNAL_READ_RECORD:
            rc |= print_record(&line, &item.record, raw);
            break;
        case JOURNAL_READ_GAP:
            (void)fprintf(stderr, "records %" PRIu64 " to %" PRIu64 " have expired\n", item.from,
                          item.through);
            break;
        case JOURNAL_READ_DAMAGED:
            (void)fprintf(stderr, "records %" PRIu64 " to %" PRIu64 " are damaged\n", item.from,
                          item.through);
            rc = CLI_FAILED;
            break;
        case JOURNAL_READ_FULL:
            journal_reader_release(reader);
            break;
        case JOURNAL_READ_END:
            on = false;
            break;
        case JOURNAL_READ_ERROR:
        default:
            rc = cli_fail(CLI_FAILED, "journal", "%s", err.text);
            on = false;
        }
    }
    buf_fini(&line);
    return fflush(stdout) == 0 ? rc : cli_fail(CLI_FAILED, "journal", "cannot write: %s", strerror(errno));
}

static int run_dump(const char *dir, uint64_t from, uint64_t to, bool raw)
{
    ss_error err = error_init();
    uint64_t first, last;
    if (journal_last_seq(dir, &first, &last, &err) != 0)
        return cli_fail(CLI_FAILED, "journal", "%s", err.text);
    if (from < first) /* what expired before is no news */
        from = first;
    if (to > last)
        to = last;
    journal_reader *reader = journal_reader_open(dir, from - 1, JOURNAL_RECORD_MAX, &err);
    if (!reader)
        return cli_fail(CLI_FAILED, "journal", "%s", err.text);
    int rc = dump_records(reader, to, raw);
    journal_reader_close(reader);
    return rc;
}

/* ---- new-id ---- */

static int run_new_id(const char *dir)
{
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return cli_fail(CLI_FAILED, "journal", "%s: %s", dir, strerror(errno));
    int lock = journal_lock(dirfd, false), rc = CLI_OK;
    uint64_t id = lock < 0 ? 0 : journal_new_id();
    if (lock < 0)
        rc =
            cli_fail(CLI_FAILED, "journal", "%s is in use (%s); stop the server first", dir, strerror(errno));
    else if (id == 0 || journal_directory_set_id(dir, id) != 0)
        rc = cli_fail(CLI_FAILED, "journal", "%s/id cannot be written: %s", dir, strerror(errno));
    else
        (void)printf("%016" PRIx64 "\n", id);
    if (lock >= 0)
        (void)close(lock);
    (void)close(dirfd);
    return rc;
}

/* ---- replay ---- */

static int replay_module(const plan_module *m, uint64_t from, uint64_t to)
{
    ss_error err = error_init();
    replay_summary summary = {0};
    replay_options options = {.blob = ss_cstr(m->blob), .from = from, .through = to};
    int rc = replay_run(&options, &summary, &err);
    (void)printf("%s %s: %" PRIu64 " delivered, %" PRIu64 " rejected, %" PRIu64 " filtered, %" PRIu64
                 " expired, %" PRIu64 " damaged\n",
                 m->name, summary.id, summary.delivered, summary.rejected, summary.filtered, summary.expired,
                 summary.damaged);
    return rc == 0 ? CLI_OK : cli_fail(CLI_FAILED, "journal", "%s", err.text);
}

static int run_replay(const char *config, const char *module, uint64_t from, uint64_t to)
{
    buf errors;
    buf_init(&errors, PLAN_ERRORS_MAX);
    plan *p = plan_load(cli_config_path(config), &errors);
    int rc = CLI_FAILED;
    if (!p)
        (void)fputs(buf_text(&errors), stderr);
    buf_fini(&errors);
    for (size_t i = 0; p && i < plan_module_count(p); i++) {
        plan_module m = plan_module_at(p, i);
        if (strcmp(m.name, module) == 0) {
            rc = replay_module(&m, from, to);
            plan_free(p);
            return rc;
        }
    }
    if (p)
        rc = cli_fail(CLI_FAILED, "journal", "the configuration has no module %s", module);
    plan_free(p);
    return rc;
}

/* ---- the verb ---- */

typedef struct journal_arguments {
    const char *config, *module, *from_text, *to_text;
    uint64_t from, to;
    bool raw, bad;
} journal_arguments;

static bool read_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    if (!text)
        return true; /* keeps its default */
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value > 0 && value < UINT64_MAX;
}

static void take_arguments(int *argc, char **argv, journal_arguments *a)
{
    *a = (journal_arguments){.from = 1, .to = UINT64_MAX - 1};
    a->module = cli_take_option(argc, argv, NULL, "module", &a->bad);
    a->from_text = cli_take_option(argc, argv, NULL, "from", &a->bad);
    a->to_text = cli_take_option(argc, argv, NULL, "to", &a->bad);
    a->raw = cli_take_flag(argc, argv, "raw");
    a->bad |= !read_number(a->from_text, &a->from) || !read_number(a->to_text, &a->to);
}

static int run_on_directory(const char *what, int argc, char **argv, const journal_arguments *a)
{
    char data[PATH_MAX], dir[PATH_MAX];
    bool range = a->from_text || a->to_text || a->raw;
    int rc = cli_data_dir(&argc, argv, data);
    if (rc != CLI_OK)
        return rc;
    if (argc > 2 || a->module || (range && strcmp(what, "dump") != 0))
        return cli_fail(CLI_USAGE, "journal",
                        "%s does not take these arguments; see streamsteam journal --help", what);
    if (snprintf(dir, sizeof dir, "%s/journal", data) >= (int)sizeof dir)
        return cli_fail(CLI_FAILED, "journal", "%s: the path is too long", data);
    if (strcmp(what, "stat") == 0)
        return run_stat(dir);
    if (strcmp(what, "verify") == 0)
        return run_verify(dir);
    if (strcmp(what, "dump") == 0)
        return run_dump(dir, a->from, a->to, a->raw);
    if (strcmp(what, "new-id") == 0)
        return run_new_id(dir);
    return cli_fail(CLI_USAGE, "journal", "\"%s\" is none of stat, verify, dump, replay, new-id", what);
}

int verb_journal(int argc, char **argv)
{
    journal_arguments a;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    take_arguments(&argc, argv, &a);
    if (a.bad)
        return cli_fail(CLI_USAGE, "journal",
                        "an option lacks its value, or a number is not one; see streamsteam "
                        "journal --help");
    if (argc < 2 || argv[1][0] == '-')
        return cli_fail(CLI_USAGE, "journal",
                        "what? stat, verify, dump, replay or new-id; see streamsteam journal "
                        "--help");
    log_init("journal", SS_WARNING);
    const char *what = argv[1];
    if (strcmp(what, "replay") != 0)
        return run_on_directory(what, argc, argv, &a);
    a.config = cli_take_option(&argc, argv, "c", "config", &a.bad);
    if (a.bad || argc > 2 || !a.module || !a.from_text || !a.to_text)
        return cli_fail(CLI_USAGE, "journal", "replay wants --module NAME --from SEQ --to SEQ (and -c FILE)");
    return run_replay(a.config, a.module, a.from, a.to);
}

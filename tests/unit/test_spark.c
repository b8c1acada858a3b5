/* Module spark from inside: cron times, templates, manifests, and which partitions close when. */
// with: modules/spark/cron.c modules/spark/job.c modules/spark/lake.c modules/spark/trigger.c
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "modules/spark/trigger.h"
#include "tests/unit/check.h"

#define MINUTE 60000000ll
#define PARTS  10000

static int64_t at(int month, int day, int hour, int minute)
{
    struct tm t = {.tm_year = 126, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    return (int64_t)timegm(&t) * 1000000;
}

/* ---- cron ---- */

static void cron_gives_the_next_time(void)
{
    static const struct {
        const char *text;
        int month, day, hour, minute; /* the first after 2026-11-26T09:30 (a Thursday) */
    } rows[] = {{"0 * * * *", 11, 26, 10, 0},      {"30 9 * * *", 11, 27, 9, 30},
                {"*/20 * * * *", 11, 26, 9, 40},   {"31 9 * * *", 11, 26, 9, 31},
                {"0 0 1 * *", 12, 1, 0, 0},        {"15 3 * * mon", 11, 30, 3, 15},
                {"0 0 * * 7", 11, 29, 0, 0},       {"0 12 27 * fri", 11, 27, 12, 0},
                {"0 12 30 * fri", 11, 27, 12, 0},  {"5-10/5,50 9 * nov *", 11, 26, 9, 50},
                {"@daily", 11, 27, 0, 0},          {"@weekly", 11, 29, 0, 0},
                {"0 0 * dec-dec 1-5", 12, 1, 0, 0}};
    ss_error err = {.struct_size = sizeof err};
    cron c;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        REQUIRE(cron_parse(&c, ss_cstr(rows[i].text), &err));
        CHECK(cron_next(&c, at(11, 26, 9, 30)) ==
              at(rows[i].month, rows[i].day, rows[i].hour, rows[i].minute));
    }
    REQUIRE(cron_parse(&c, SS_LIT("0 0 29 2 *"), &err)); /* 2028 */
    CHECK(cron_next(&c, at(11, 26, 9, 30)) ==
          at(2, 29, 0, 0) + (365 + 366 - 1) * DAY_US + (at(3, 1, 0, 0) - at(2, 29, 0, 0)));
    REQUIRE(cron_parse(&c, SS_LIT("0 0 30 2 *"), &err));
    CHECK(cron_next(&c, at(11, 26, 9, 30)) == 0);
}

static void cron_refuses_what_is_none(void)
{
    static const char *const bad[] = {
        "",           "* * * *",       "60 * * * *",  "* 24 * * *", "* * 0 * *",   "* * * 13 *",
        "* * * * 8",  "*/0 * * * *",   "5-1 * * * *", "a * * * *",  "* * * * * *", "1,,2 * * * *",
        "1- * * * *", "99999 * * * *", "@never"};
    ss_error err = {.struct_size = sizeof err};
    cron c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!cron_parse(&c, ss_cstr(bad[i]), &err));
}

/* ---- templates ---- */

static void templates_are_filled_in(void)
{
    ss_error err = {.struct_size = sizeof err};
    grow out = {.limit = 1024};
    spark_batch b = {.attempt = 2,
                     .files = 3,
                     .min_us = at(11, 1, 2, 3),
                     .job = "etl",
                     .key = "day=01/",
                     .kind = "late",
                     .late = true};
    const run_facts f = {.batch = &b, .batch_name = "spark-1", .run = "spark-1-2", .list = "/l.json"};
    CHECK(job_expand(
        SS_LIT("{batch} {run} {job} {list} {partition} {kind} {late} {attempt} {files} {from} {{x}}"), &f,
        &out, &err));
    CHECK_STR(out.at, "spark-1 spark-1-2 etl /l.json day=01/ late true 2 3 2026-11-01T02:03:00Z {x}");
    CHECK(!job_expand(SS_LIT("{nothing}"), NULL, &out, &err) && strstr(err.text, "{nothing}"));
    CHECK(!job_expand(SS_LIT("{batch"), NULL, &out, &err));
    grow_free(&out);
}

/* ---- a lake in memory ---- */

typedef struct memory_lake {
    char names[8][64];
    char *texts[8];
    size_t count;
} memory_lake;

static bool memory_list(void *self, const lake_names *names, ss_error *err)
{
    memory_lake *m = self;
    (void)err;
    for (size_t i = 0; i < m->count; i++)
        if (!names->visit(names->arg, ss_cstr(m->names[i])))
            return false;
    return true;
}

static bool memory_read(void *self, ss_str name, grow *out, ss_error *err)
{
    memory_lake *m = self;
    (void)err;
    grow_clear(out);
    for (size_t i = 0; i < m->count; i++)
        if (ss_eq(name, ss_cstr(m->names[i])))
            return grow_puts(out, m->texts[i]);
    return false;
}

static bool memory_changed(void *self)
{
    return self != NULL;
}

typedef struct fixture {
    memory_lake lake;
    spark_jobs jobs;
    trigger t;
    char folder[64], file[96];
} fixture;

static void begin(fixture *f, enum job_on on, int64_t unit_us)
{
    ss_error err = {.struct_size = sizeof err};
    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/test-spark-XXXXXX");
    REQUIRE(mkdtemp(f->folder));
    (void)snprintf(f->file, sizeof f->file, "%s/spark.db", f->folder);
    f->jobs.count = 1;
    f->jobs.at[0] = (spark_job){
        .name = SS_LIT("etl"), .on = on, .unit_us = unit_us, .grace_us = 15 * MINUTE, .late = true};
    f->t = (trigger){
        .jobs = &f->jobs,
        .store = spark_store_open(f->file, SS_LIT("spark"), true, &err),
        .lake = {.self = &f->lake, .list = memory_list, .read = memory_read, .changed = memory_changed}};
    REQUIRE(f->t.store);
}

static void end(fixture *f)
{
    char path[128];
    f->t.lake.free = NULL;
    trigger_stop(&f->t);
    spark_store_close(f->t.store);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s%s", f->file, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->folder);
    for (size_t i = 0; i < f->lake.count; i++)
        free(f->lake.texts[i]);
}

static void put_time(char out[32], int64_t us)
{
    time_t s = (time_t)(us / 1000000);
    struct tm t;
    (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &t));
}

static void put_manifest(fixture *f, const char *folder, size_t folders, int64_t from, int64_t through)
{
    char a[32], b[32];
    grow g = {.limit = 16u << 20};
    put_time(a, from);
    put_time(b, through);
    (void)grow_puts(&g, "{\"version\":1,\"objects\":[");
    for (size_t i = 0; i < folders; i++) {
        char object[400];
        (void)snprintf(object, sizeof object,
                       "%s{\"path\":\"%s%zu/"
                       "%zu.gz\",\"bytes\":10,\"count\":5,\"event_min\":\"%s\",\"event_max\":\"%s\"}",
                       i ? "," : "", folder, i, f->lake.count, a, b);
        (void)grow_puts(&g, object);
    }
    (void)grow_puts(&g, "]}");
    (void)snprintf(f->lake.names[f->lake.count], 64, "m-%zu.json", f->lake.count);
    f->lake.texts[f->lake.count++] = g.at;
}

static int64_t look(fixture *f, int64_t now)
{
    ss_error err = {.struct_size = sizeof err};
    CHECK(trigger_look(&f->t, now, &err));
    return f->t.made;
}

static void start(fixture *f, int64_t now)
{
    ss_error err = {.struct_size = sizeof err};
    REQUIRE(trigger_start(&f->t, now, &err));
}

/* ---- closing ---- */

static void the_stream_closes_a_partition(void)
{
    fixture f;
    begin(&f, ON_CLOSED, HOUR_US);
    start(&f, at(11, 1, 10, 0));
    put_manifest(&f, "p", 1, at(11, 1, 9, 5), at(11, 1, 9, 50));
    CHECK(look(&f, at(11, 1, 10, 0)) == 0);
    put_manifest(&f, "p", 1, at(11, 1, 10, 1), at(11, 1, 10, 14));
    CHECK(look(&f, at(11, 1, 10, 14)) == 0);
    put_manifest(&f, "q", 1, at(11, 1, 10, 2), at(11, 1, 10, 15));
    CHECK(look(&f, at(11, 1, 10, 15)) == 1); /* 9 o'clock's; those of 10 o'clock are open */
    CHECK(look(&f, at(11, 1, 10, 16)) == 1);
    end(&f);
}

static void the_clock_closes_when_idle_and_not_while_a_backlog_comes(void)
{
    fixture f;
    begin(&f, ON_CLOSED, HOUR_US);
    start(&f, at(11, 1, 9, 40));
    put_manifest(&f, "p", 1, at(11, 1, 9, 5), at(11, 1, 9, 30));
    CHECK(look(&f, at(11, 1, 9, 40)) == 0);
    CHECK(look(&f, at(11, 1, 10, 14)) == 0);
    CHECK(look(&f, at(11, 1, 10, 15)) == 1);
    put_manifest(&f, "q", 1, at(11, 1, 10, 5), at(11, 1, 10, 30)); /* an old outage's events, at noon */
    CHECK(look(&f, at(11, 1, 12, 0)) == 1);
    CHECK(look(&f, at(11, 1, 12, 14)) == 1);
    CHECK(look(&f, at(11, 1, 12, 15)) == 2);
    end(&f);
}

static void late_files_are_gathered_into_one_marked_batch(void)
{
    fixture f;
    spark_batch b;
    begin(&f, ON_CLOSED, HOUR_US);
    start(&f, at(11, 1, 9, 0));
    put_manifest(&f, "p", 1, at(11, 1, 9, 5), at(11, 1, 9, 30));
    CHECK(look(&f, at(11, 1, 9, 31)) == 0);
    CHECK(look(&f, at(11, 1, 11, 0)) == 1);
    put_manifest(&f, "p", 1, at(11, 1, 9, 7), at(11, 1, 9, 8));
    CHECK(look(&f, at(11, 1, 11, 1)) == 1);
    put_manifest(&f, "p", 1, at(11, 1, 9, 9), at(11, 1, 9, 10));
    CHECK(look(&f, at(11, 1, 11, 10)) == 1);
    CHECK(look(&f, at(11, 1, 11, 16)) == 2);
    REQUIRE(spark_batch_get(f.t.store, 2, &b));
    CHECK(b.late && b.files == 2 && strcmp(b.kind, "late") == 0);
    CHECK(look(&f, at(11, 1, 13, 0)) == 2);
    f.jobs.at[0].late = false;
    put_manifest(&f, "p", 1, at(11, 1, 9, 7), at(11, 1, 9, 8));
    CHECK(look(&f, at(11, 1, 14, 0)) == 2 && look(&f, at(11, 1, 15, 0)) == 2);
    end(&f);
}

static void a_clock_that_is_ahead_closes_nothing(void)
{
    fixture f;
    begin(&f, ON_CLOSED, HOUR_US);
    start(&f, at(11, 1, 9, 0));
    put_manifest(&f, "p", 1, at(11, 1, 9, 5), at(11, 1, 9, 30));
    put_manifest(&f, "q", 1, at(11, 2, 9, 5), at(11, 2, 9, 30));
    CHECK(look(&f, at(11, 1, 9, 31)) == 0);
    end(&f);
}

static void amounts_and_times(void)
{
    fixture f;
    ss_error err = {.struct_size = sizeof err};
    spark_batch b;
    begin(&f, ON_AMOUNT, DAY_US);
    f.jobs.at[0].events = 11;
    start(&f, at(11, 1, 9, 0));
    put_manifest(&f, "p", 2, at(11, 1, 9, 5), at(11, 1, 9, 30));
    CHECK(look(&f, at(11, 1, 9, 31)) == 0);
    put_manifest(&f, "p", 1, at(11, 1, 9, 5), at(11, 1, 9, 30));
    CHECK(look(&f, at(11, 1, 9, 32)) == 1);
    REQUIRE(spark_batch_get(f.t.store, 1, &b));
    CHECK(b.files == 3 && b.events == 15 && b.bytes == 30);
    end(&f);
    begin(&f, ON_CRON, DAY_US);
    REQUIRE(cron_parse(&f.jobs.at[0].cron, SS_LIT("0 * * * *"), &err));
    start(&f, at(11, 1, 9, 30));
    CHECK(look(&f, at(11, 1, 10, 0)) == 0); /* nothing new: nothing is run */
    put_manifest(&f, "p", 1, at(11, 1, 9, 5), at(11, 1, 9, 30));
    CHECK(look(&f, at(11, 1, 10, 30)) == 0);
    CHECK(look(&f, at(11, 1, 14, 10)) == 1); /* four times passed */
    CHECK(look(&f, at(11, 1, 15, 0)) == 1);
    end(&f);
}

/* ---- forgetting ---- */

typedef struct gone {
    int64_t ids[64];
    size_t count;
} gone;

static void note_gone(void *arg, const spark_batch *b)
{
    gone *g = arg;
    if (g->count < 64)
        g->ids[g->count++] = b->id;
}

static void prune(fixture *f, int64_t cut, gone *g)
{
    spark_pruner p = {.cut_us = cut, .gone = note_gone, .arg = g};
    bool more = true;
    while (more) {
        REQUIRE(spark_store_begin(f->t.store));
        REQUIRE(spark_prune(f->t.store, &p, &more));
        REQUIRE(spark_store_commit(f->t.store));
    }
}

static void set_state(fixture *f, int64_t id, const char *state, int64_t ended)
{
    spark_batch b;
    REQUIRE(spark_batch_get(f->t.store, id, &b));
    (void)snprintf(b.state, sizeof b.state, "%s", state);
    b.ended_us = ended;
    REQUIRE(spark_batch_put(f->t.store, &b));
}

static bool count_file(void *arg, int64_t id, const spark_file *file)
{
    (void)id;
    (void)file;
    ++*(int *)arg;
    return true;
}

static int files(fixture *f)
{
    int count = 0;
    CHECK(spark_files(f->t.store, count_file, &count));
    return count;
}

/* Two partitions of 9 o'clock with a batch each. */
static void begin_with_two(fixture *f)
{
    begin(f, ON_CLOSED, HOUR_US);
    start(f, at(11, 1, 9, 0));
    put_manifest(f, "p", 2, at(11, 1, 9, 5), at(11, 1, 9, 30));
    CHECK(look(f, at(11, 1, 9, 31)) == 0);
    CHECK(look(f, at(11, 1, 11, 0)) == 2);
}

static void what_ended_long_ago_is_forgotten_and_nothing_else(void)
{
    static const char *const kept[] = {"waiting", "sending", "running", "failed"};
    fixture f;
    spark_batch b;
    gone g = {.count = 0};
    begin_with_two(&f);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        set_state(&f, 1, kept[i], at(11, 1, 12, 0));
        prune(&f, at(11, 20, 0, 0), &g);
        CHECK(g.count == 0 && files(&f) == 2);
    }
    set_state(&f, 1, "done", at(11, 1, 12, 0));
    set_state(&f, 2, "done", at(11, 1, 12, 0));
    prune(&f, at(11, 1, 12, 0), &g); /* it ended at that very moment: not before */
    CHECK(g.count == 0);
    REQUIRE(spark_batch_get(f.t.store, 1, &b));
    REQUIRE(spark_batch_copy(f.t.store, &b, SS_LIT("etl"), "rerun", at(11, 1, 13, 0)) == 3);
    prune(&f, at(11, 20, 0, 0), &g);
    CHECK(g.count == 1 && g.ids[0] == 2); /* the first has a rerun that waits */
    CHECK(spark_batch_get(f.t.store, 1, &b) && !spark_batch_get(f.t.store, 2, &b));
    CHECK(files(&f) == 1);
    set_state(&f, 3, "done", at(11, 2, 0, 0));
    prune(&f, at(11, 20, 0, 0), &g);
    CHECK(g.count == 3 && !spark_batch_get(f.t.store, 1, &b) && !spark_batch_get(f.t.store, 3, &b));
    CHECK(files(&f) == 0 && look(&f, at(11, 21, 0, 0)) == 2); /* known manifests are no new ones */
    end(&f);
}

static void late_files_of_a_forgotten_partition_are_a_persons(void)
{
    fixture f;
    spark_batch b;
    gone g = {.count = 0};
    begin_with_two(&f);
    set_state(&f, 1, "done", at(11, 1, 12, 0));
    set_state(&f, 2, "dropped", 0);
    put_manifest(&f, "p", 1, at(11, 1, 9, 7), at(11, 1, 9, 8));
    CHECK(look(&f, at(11, 19, 0, 0)) == 2);
    prune(&f, at(11, 20, 0, 0), &g); /* a file waits for the first one's partition */
    CHECK(g.count == 1 && g.ids[0] == 2);
    CHECK(look(&f, at(11, 19, 0, 16)) == 3);
    set_state(&f, 3, "done", at(11, 19, 0, 20));
    prune(&f, at(11, 20, 0, 0), &g);
    CHECK(g.count == 3);
    put_manifest(&f, "p", 1, at(11, 1, 9, 9), at(11, 1, 9, 10));
    CHECK(look(&f, at(11, 21, 0, 0)) == 3 && look(&f, at(11, 21, 0, 16)) == 4);
    REQUIRE(spark_batch_get(f.t.store, 4, &b));
    CHECK(b.late && strcmp(b.state, "failed") == 0 && strstr(b.reason, "keep"));
    end(&f);
}

static void names_of_manifests_are_forgotten_up_to_the_newest(void)
{
    static const char form[] = "0123456789abcdef-%s-%020d-%020d.json";
    fixture f;
    gone g = {.count = 0};
    char name[128], newest[SPARK_MANIFEST_MAX];
    begin(&f, ON_CLOSED, HOUR_US);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, form, i % 2 ? "lake" : "lake-2", i, i + 2);
        REQUIRE(spark_manifest_add(f.t.store, ss_cstr(name), at(11, 1, 0, 0)));
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 202; i++) {
            (void)snprintf(name, sizeof name, form, i % 2 ? "lake" : "lake-2", i, i + 2);
            CHECK(spark_manifest_seen(f.t.store, ss_cstr(name)) == (i < 200));
            bool newer = spark_manifest_newest(f.t.store, ss_cstr(name), newest);
            CHECK(newer == (i < 198) && (!newer || strlen(newest) == strlen(name)));
        }
        prune(&f, at(11, 2, 0, 0), &g);
    }
    end(&f);
}

/* ---- cost ---- */

static bool count_batch(void *arg, const spark_batch *b)
{
    (void)b;
    ++*(int *)arg;
    return true;
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ten_thousand_partitions_cost_little(void)
{
    fixture f;
    struct rusage before, after;
    begin(&f, ON_CLOSED, HOUR_US);
    start(&f, at(11, 1, 9, 0));
    put_manifest(&f, "receiver/year=2026/month=11/day=01/hour=09/site=", PARTS, at(11, 1, 9, 5),
                 at(11, 1, 9, 30));
    (void)getrusage(RUSAGE_SELF, &before);
    double began = seconds();
    CHECK(look(&f, at(11, 1, 9, 31)) == 0);
    double read = seconds();
    CHECK(look(&f, at(11, 1, 11, 0)) == PARTS);
    double made = seconds();
    int ready = 0;
    for (int i = 0; i < 100; i++) /* what each round of the runner asks while they wait */
        CHECK(spark_batches(f.t.store, "waiting", SS_LIT("etl"), at(11, 1, 12, 0), 4, count_batch, &ready));
    double asked = seconds();
    (void)getrusage(RUSAGE_SELF, &after);
    (void)printf(
        "# %d partitions: read in %.0f ms, triggered in %.0f ms, %ld KiB; who is next: %.2f ms a round\n",
        PARTS, (read - began) * 1e3, (made - read) * 1e3, after.ru_maxrss - before.ru_maxrss,
        (asked - made) * 10);
    CHECK(ready == 400);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(asked - made < 0.5);
    CHECK(made - began < 1.0); /* of processor time: a busy machine is no failure */
    CHECK(after.ru_maxrss - before.ru_maxrss < 20 * 1024);
#endif
    end(&f);
}

/* ---- manifests ---- */

static bool count_object(void *arg, const lake_object *o)
{
    (void)o;
    ++*(int *)arg;
    return true;
}

static void manifests_are_checked(void)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"objects\":1}",
                                      "{\"objects\":[{}]}",
                                      "{\"objects\":[{\"path\":\"/etc/x\"}]}",
                                      "{\"objects\":[{\"path\":\"a/../b\"}]}",
                                      "{\"objects\":[{\"path\":\"a\",\"count\":-1}]}",
                                      "{\"objects\":[{\"path\":\"a\",\"event_min\":\"yesterday\"}]}",
                                      "{\"objects\":[{\"path\":\"a\"}]"};
    ss_error err = {.struct_size = sizeof err};
    int count = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!manifest_read(ss_cstr(bad[i]), count_object, &count, &err));
    count = 0;
    CHECK(manifest_read(SS_LIT("{\"objects\":[{\"path\":\"a\\/b\",\"x\":[1]},{\"path\":\"c\"}]}"),
                        count_object, &count, &err) &&
          count == 2);
}

static const check_test tests[] = {
    TEST(cron_gives_the_next_time),
    TEST(cron_refuses_what_is_none),
    TEST(templates_are_filled_in),
    TEST(manifests_are_checked),
    TEST(the_stream_closes_a_partition),
    TEST(the_clock_closes_when_idle_and_not_while_a_backlog_comes),
    TEST(late_files_are_gathered_into_one_marked_batch),
    TEST(a_clock_that_is_ahead_closes_nothing),
    TEST(amounts_and_times),
    TEST(what_ended_long_ago_is_forgotten_and_nothing_else),
    TEST(late_files_of_a_forgotten_partition_are_a_persons),
    TEST(names_of_manifests_are_forgotten_up_to_the_newest),
    TEST(ten_thousand_partitions_cost_little),
};
CHECK_MAIN(tests)

/* The module's loop: what is delivered, again, refused, skipped; crashes, deadline, pause, filter, view. */
#include "tests/unit/delivery_fixture.h"

static void poison_init(fixture *f)
{
    fixture_init(f);
    (void)snprintf(f->plugin, sizeof f->plugin, "%.3000s/tests/contract/plugin_poison_module.so", f->build);
    (void)snprintf(f->options, sizeof f->options, "\"out\":\"%s/out\"", f->dir);
    fixture_journal(f);
}

/* How often each record was given to the module; its highest attempt. */
typedef struct seen {
    int times[600], attempt[600];
    unsigned flags[600];
    char body[600][64];
} seen;

static void read_seen(const fixture *f, seen *s)
{
    char path[256];
    memset(s, 0, sizeof *s);
    (void)snprintf(path, sizeof path, "%s/out", f->dir);
    FILE *in = fopen(path, "r");
    unsigned long long seq;
    int attempt;
    unsigned flags;
    char body[64];
    while (in && fscanf(in, "%llu %d %u %63[^\n]", &seq, &attempt, &flags, body) == 4) {
        s->times[seq]++;
        s->attempt[seq] = attempt > s->attempt[seq] ? attempt : s->attempt[seq];
        s->flags[seq] |= flags;
        (void)snprintf(s->body[seq], sizeof s->body[seq], "%s", body);
    }
    if (in)
        (void)fclose(in);
}

static void delivers_all(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    for (int i = 0; i < 10; i++)
        fixture_put_types(&f, "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok");
    CHECK_INT(fixture_run(&f), 0);
    read_seen(&f, &s);
    for (uint64_t i = 1; i <= f.last_seq; i++)
        CHECK_INT(s.times[i], 1);
    CHECK_STR(s.body[7], "{\"n\":7}");
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 200);
    CHECK(atomic_load(&f.board->journal.slots[0].synced_cursor) == f.last_seq);
    fixture_fini(&f);
}

static void follows_live(void)
{
    fixture f;
    poison_init(&f);
    fixture_put_types(&f, "ok");
    fixture_start(&f);
    for (int i = 0; i < 30; i++) {
        CHECK(fixture_until_cursor(&f, f.last_seq));
        fixture_put_types(&f, "ok ok");
    }
    CHECK(fixture_until_cursor(&f, 61));
    CHECK_INT(fixture_stop(&f), 0);
    fixture_fini(&f);
}

static void retries_only_what_failed(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    fixture_put_types(&f, "ok retry ok unset ok odd ok throttle ok");
    CHECK_INT(fixture_run(&f), 0);
    read_seen(&f, &s);
    for (uint64_t i = 1; i <= f.last_seq; i++)
        CHECK_INT(s.times[i], i % 2 ? 1 : 2);
    CHECK_INT(s.attempt[2], 2);
    CHECK(s.flags[2] & SS_RECORD_RETRIED);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
}

/* What was done of a batch is written down: a restart in the middle gives only the rest. */
static void remembers_what_was_done(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    (void)snprintf(f.host, sizeof f.host,
                   "\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},"
                   "\"retry\":{\"base_ms\":60000,\"max_ms\":60000},\"deadline_ms\":1000,\"drain_ms\":2000");
    fixture_put_types(&f, "ok retry ok");
    fixture_start(&f);
    for (int i = 0; i < 3000; i++) { /* until the first call was made and its outcome stored */
        read_seen(&f, &s);
        if (s.times[3])
            break;
        usleep(1000);
    }
    usleep(200000);
    (void)kill(f.pid, SIGKILL);
    (void)fixture_reap(&f);
    (void)snprintf(f.host, sizeof f.host,
                   "\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},"
                   "\"retry\":{\"base_ms\":1,\"max_ms\":1},\"deadline_ms\":1000,\"drain_ms\":2000");
    CHECK_INT(fixture_run(&f), 0);
    read_seen(&f, &s);
    CHECK_INT(s.times[1], 1);
    CHECK(s.times[2] >= 2);
    CHECK_INT(s.times[3], 1);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 3);
    fixture_fini(&f);
}

static bool count_row(void *arg, const state_row *row)
{
    *(int *)arg += 1;
    CHECK(row->code == 7 || row->code == 0);
    return true;
}

static void quarantines_and_retries(void)
{
    fixture f;
    seen s;
    ss_error err = error_init();
    poison_init(&f);
    fixture_put_types(&f, "ok reject stubborn ok");
    CHECK_INT(fixture_run(&f), 0);
    state *st = fixture_state(&f);
    REQUIRE(st);
    int rows = 0;
    CHECK_INT(state_rows(st, 0, false, count_row, &rows, &err), 0);
    CHECK_INT(rows, 2);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 2);
    /* Marked ones come again, with their flag; what is refused again stays. */
    CHECK_INT(state_mark(st, 0, true, &err), 2);
    fixture_start(&f);
    (void)kill(f.pid, SIGUSR1);
    for (int i = 0; i < 5000; i++) {
        rows = 0;
        (void)state_rows(st, 0, false, count_row, &rows, &err);
        int marked = 0;
        (void)state_rows(st, 0, true, count_row, &marked, &err);
        if (rows == 1 && marked == 0)
            break;
        usleep(1000);
    }
    CHECK_INT(rows, 1);
    CHECK_INT(fixture_stop(&f), 0);
    state_close(st);
    read_seen(&f, &s);
    CHECK_INT(s.times[3], 2);
    CHECK(s.flags[3] & SS_RECORD_QUARANTINE);
    b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 1);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 3);
    st = fixture_state(&f);
    CHECK_INT(state_drop(st, 2, &err), 1);
    state_close(st);
    fixture_fini(&f);
}

static void pauses(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    (void)snprintf(f.host, sizeof f.host,
                   "\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},"
                   "\"retry\":{\"base_ms\":1,\"max_ms\":600},\"deadline_ms\":1000,\"drain_ms\":2000");
    fixture_put_types(&f, "pause");
    fixture_start(&f);
    bool paused = false;
    for (int i = 0; i < 3000 && !paused; i++, usleep(1000))
        paused = atomic_load(&f.board->processes[2].paused) != 0;
    CHECK(paused);
    CHECK_INT(fixture_cursor(&f), 0);
    CHECK(fixture_until_cursor(&f, 1));
    CHECK_INT(atomic_load(&f.board->processes[2].paused), 0);
    CHECK_INT(fixture_stop(&f), 0);
    read_seen(&f, &s);
    CHECK_INT(s.times[1], 2);
    fixture_fini(&f);
}

static void finds_the_poison(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    fixture_put_types(
        &f,
        "ok ok ok ok ok ok ok ok ok ok ok ok ok crash ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok");
    int deaths = fixture_run(&f);
    CHECK(deaths >= 2 && deaths <= 9);
    read_seen(&f, &s);
    for (uint64_t i = 1; i <= f.last_seq; i++)
        CHECK(s.times[i] >= 1);
    CHECK_INT(s.times[14], deaths);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 1);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 31);
    fixture_fini(&f);
}

static void two_poisons(void)
{
    fixture f;
    poison_init(&f);
    fixture_put_types(&f, "crash ok ok ok ok ok ok crash");
    CHECK(fixture_run(&f) >= 4);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 2);
    fixture_fini(&f);
}

static void deadline(void)
{
    fixture f;
    poison_init(&f);
    (void)snprintf(f.host, sizeof f.host,
                   "\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},"
                   "\"retry\":{\"base_ms\":1,\"max_ms\":5},\"deadline_ms\":100,\"drain_ms\":2000");
    fixture_put_types(&f, "ok hang");
    fixture_start(&f);
    int status = fixture_reap(&f);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == DELIVERY_DEADLINE);
    CHECK_INT(fixture_run(&f), 2); /* once more as a whole, then by itself */
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 1);
    fixture_fini(&f);
}

static void fatal_starts_anew(void)
{
    fixture f;
    poison_init(&f);
    fixture_put_types(&f, "ok fatal ok");
    CHECK_INT(fixture_run(&f), 1);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
}

static void filters(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    (void)snprintf(f.host, sizeof f.host,
                   "\"receivers\":[\"matomo\"],\"types\":[\"ok\"],\"apps\":[\"1\",\"2\"],"
                   "\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},\"drain_ms\":2000");
    const fixture_record records[] = {
        {"matomo", "1", "ok", "{}", 0, false},     {"game", "1", "ok", "{}", 0, false},
        {"matomo", "3", "ok", "{}", 0, false},     {"matomo", "2", "ok", "{}", 0, false},
        {"matomo", "2", "reject", "{}", 0, false}, {"game", "9", "crash", "{}", 0, false},
    };
    fixture_put(&f, records, 6);
    CHECK_INT(fixture_run(&f), 0);
    read_seen(&f, &s);
    CHECK(s.times[1] == 1 && s.times[4] == 1 && s.times[2] + s.times[3] + s.times[5] + s.times[6] == 0);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_FILTERED], 4);
    fixture_fini(&f);
}

static void views(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    (void)snprintf(
        f.host, sizeof f.host,
        "\"view\":\"upper\",\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},\"drain_ms\":2000");
    (void)snprintf(f.views, sizeof f.views,
                   "[{\"receiver\":\"matomo\",\"path\":\"%.3000s/tests/contract/plugin_view_receiver.so\"}]",
                   f.build);
    const fixture_record records[] = {{"matomo", "1", "ok", "{\"a\":1}", 0, false},
                                      {"matomo", "1", "ok", "bad", 0, false},
                                      {"game", "1", "ok", "{\"a\":2}", 0, false},
                                      {"matomo", "1", "ok", "{\"b\":3}", 0, false}};
    fixture_put(&f, records, 4);
    CHECK_INT(fixture_run(&f), 0);
    read_seen(&f, &s);
    CHECK_STR(s.body[1], "{\"A\":1}");
    CHECK_STR(s.body[4], "{\"B\":3}");
    CHECK(s.times[2] == 0 && s.times[3] == 0);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 2);
    fixture_fini(&f);
}

static void starts_latest(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    (void)snprintf(f.host, sizeof f.host,
                   "\"start\":\"latest\",\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},"
                   "\"drain_ms\":2000");
    fixture_put_types(&f, "ok ok ok");
    fixture_start(&f);
    CHECK(fixture_until_cursor(&f, 3));
    fixture_put_types(&f, "ok ok");
    CHECK(fixture_until_cursor(&f, 5));
    CHECK_INT(fixture_stop(&f), 0);
    read_seen(&f, &s);
    CHECK(s.times[3] == 0 && s.times[4] == 1 && s.times[5] == 1);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
}

static void refuses_bad_plugin(void)
{
    fixture f;
    poison_init(&f);
    (void)snprintf(f.plugin, sizeof f.plugin, "%s/none.so", f.dir);
    fixture_start(&f);
    int status = fixture_wait(&f);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == DELIVERY_REFUSED);
    fixture_fini(&f);
}

/* Killed at random moments: nothing is left out, the ledger balances. */
static void survives_kills(void)
{
    fixture f;
    seen s;
    poison_init(&f);
    srand(1);
    for (int i = 0; i < 20; i++) {
        fixture_put_types(&f, "ok ok retry ok reject ok ok ok ok ok");
        fixture_start(&f);
        usleep((useconds_t)(rand() % 20000));
        (void)kill(f.pid, SIGKILL);
        (void)fixture_reap(&f);
    }
    CHECK_INT(fixture_run(&f), 0);
    read_seen(&f, &s);
    for (uint64_t i = 1; i <= f.last_seq; i++)
        CHECK(s.times[i] >= 1);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 180);
    CHECK_INT(b.counts[OUTCOME_REJECTED], 20);
    fixture_fini(&f);
}

/* The same at each step of a commit: nothing is left out, nothing is counted twice. */
static void survives_each_fault_point(void)
{
#ifdef SS_FAULTS
    static const char *const points[] = {
        "state.before_begin",     "state.after_begin",      "state.before_commit",
        "state.inside_commit",    "state.after_commit",     "state.before_sync",
        "state.after_sync",       "delivery.positioned",    "delivery.before_deliver",
        "delivery.after_deliver", "delivery.before_commit", "delivery.after_commit"};
    for (size_t i = 0; i < sizeof points / sizeof *points && !check_failed; i++) {
        for (int passage = 1; passage <= 3; passage++) {
            fixture f;
            seen s;
            char fault[96], once[200];
            poison_init(&f);
            (void)snprintf(fault, sizeof fault, "%s:%d", points[i], passage);
            (void)snprintf(once, sizeof once, "%s/died", f.dir);
            (void)setenv("STREAMSTEAM_FAULT", fault, 1);
            (void)setenv("STREAMSTEAM_FAULT_ONCE", once, 1);
            fixture_put_types(&f, "ok retry reject ok");
            CHECK(fixture_run(&f) >= 0);
            fixture_put_types(&f, "ok reject retry ok");
            CHECK(fixture_run(&f) >= 0);
            read_seen(&f, &s);
            for (uint64_t n = 1; n <= f.last_seq; n++)
                CHECK(s.times[n] >= 1);
            fixture_balance b = fixture_ledger(&f);
            CHECK(b.all);
            CHECK_INT(b.counts[OUTCOME_DELIVERED], 6);
            CHECK_INT(b.counts[OUTCOME_REJECTED], 2);
            if (check_failed)
                printf("# at %s\n", fault);
            fixture_fini(&f);
        }
    }
    (void)unsetenv("STREAMSTEAM_FAULT");
#else
    printf("# fault points are only in with make FAULTS=1\n");
#endif
}

static const check_test tests[] = {
    TEST(delivers_all),
    TEST(follows_live),
    TEST(retries_only_what_failed),
    TEST(remembers_what_was_done),
    TEST(quarantines_and_retries),
    TEST(pauses),
    TEST(finds_the_poison),
    TEST(two_poisons),
    TEST(deadline),
    TEST(fatal_starts_anew),
    TEST(filters),
    TEST(views),
    TEST(starts_latest),
    TEST(refuses_bad_plugin),
    TEST(survives_kills),
    TEST(survives_each_fault_point),
};
CHECK_MAIN(tests)

/* state.db: what a commit stores comes back; what it must not do. */
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>

#include "core/delivery/state.h"
#include "tests/unit/check.h"

static char dir[128], path[160];

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(name);
}

static state *begin(void)
{
    ss_error err = {.struct_size = sizeof err};
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/ss-state-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        abort();
    (void)snprintf(path, sizeof path, "%s/modules/x/state.db", dir);
    state *s = state_open(path, &err);
    if (!s)
        printf("# %s\n", err.text);
    return s;
}

static void end(state *s)
{
    state_close(s);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const state_start start = {.journal_id = 0xfedcba9876543210u, .start_seq = 10};

static void comes_back(void)
{
    ss_error err = {.struct_size = sizeof err};
    state *s = begin();
    REQUIRE(s);
    CHECK(state_is_new(s));
    tally counts = {0};
    tally_add(&counts, tally_row_of(&counts, SS_LIT("matomo"), SS_LIT("1")), OUTCOME_DELIVERED, 5);
    CHECK_INT(state_begin(s, &start, &counts, &err), 0);
    ss_str blob = SS_LIT("a\0b");
    state_suspect suspect = {.from = 11, .through = 15, .crashes = 2};
    uint64_t done[] = {25, 22};
    ss_record record = {.seq = 24, .receiver = SS_LIT("matomo"), .app = SS_LIT("1"), .json = SS_LIT("{}")};
    state_reject reject = {.record = &record, .code = 9, .attempts = 1, .reason = SS_LIT("bad")};
    state_change change = {.cursor = 20,
                           .blob = &blob,
                           .counts = &counts,
                           .done = done,
                           .done_count = 2,
                           .done_set = true,
                           .rejects = &reject,
                           .reject_count = 1,
                           .suspect = &suspect};
    CHECK_INT(state_commit(s, &change, &err), 0);
    CHECK_INT(state_sync(s, &err), 0);
    state_close(s);
    s = state_open_existing(path, &err);
    REQUIRE(s);
    CHECK(!state_is_new(s));
    CHECK_INT(state_cursor(s), 20);
    CHECK(state_started(s).journal_id == start.journal_id && state_started(s).start_seq == 10);
    CHECK(ss_eq(state_blob(s), blob));
    CHECK_INT(state_suspected(s).crashes, 2);
    CHECK_INT(state_quarantine_count(s), 1);
    uint64_t *seqs;
    uint8_t *kinds;
    size_t n;
    CHECK_INT(state_skips(s, &seqs, &kinds, &n, &err), 0);
    CHECK_INT(n, 3);
    CHECK(n == 3 && seqs[0] == 22 && seqs[1] == 24 && seqs[2] == 25);
    CHECK(n == 3 && kinds[0] == OUTCOME_DELIVERED && kinds[1] == OUTCOME_REJECTED);
    free(seqs);
    free(kinds);
    CHECK_INT(state_drop(s, 24, &err), 0); /* the cursor has not passed it */
    tally_fini(&counts);
    end(s);
}

static void survives_a_kill_without_sync(void)
{
    ss_error err = {.struct_size = sizeof err};
    state *s = begin();
    REQUIRE(s);
    CHECK_INT(state_begin(s, &start, NULL, &err), 0);
    state_close(s);
    pid_t pid = fork();
    if (pid == 0) {
        s = state_open_existing(path, &err);
        for (uint64_t seq = 11; seq <= 500; seq++) {
            state_change change = {.cursor = seq};
            if (state_commit(s, &change, &err) != 0)
                _exit(1);
        }
        (void)kill(getpid(), SIGKILL);
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status));
    s = state_open_existing(path, &err);
    REQUIRE(s);
    CHECK_INT(state_cursor(s), 500);
    end(s);
}

static void refuses_damage(void)
{
    ss_error err = {.struct_size = sizeof err};
    state *s = begin();
    state_close(s);
    FILE *f = fopen(path, "r+");
    (void)fputs("this is no database at all", f);
    (void)fclose(f);
    s = state_open(path, &err);
    CHECK(s == NULL);
    CHECK_INT(err.code, SS_FATAL);
    CHECK(strstr(err.text, "state.db") != NULL);
    end(s);
}

static void no_file_for_verbs(void)
{
    ss_error err = {.struct_size = sizeof err};
    CHECK(state_open_existing("/tmp/there-is-no-such/state.db", &err) == NULL);
    CHECK(strstr(err.text, "No such file") != NULL);
}

static void trail_counts(void)
{
    tally t = {0};
    trail r;
    trail_init(&r, 100);
    uint32_t a = tally_row_of(&t, SS_LIT("m"), SS_LIT("1")), b = tally_row_of(&t, SS_LIT("m"), SS_LIT("2"));
    CHECK(trail_add(&r, 10, a, OUTCOME_DELIVERED));
    CHECK(trail_add(&r, 5, b, OUTCOME_FILTERED));
    CHECK(trail_add(&r, 10, a, OUTCOME_DELIVERED));
    CHECK(trail_reject(&r, 104, a));
    CHECK(trail_reject(&r, 120, a));
    trail_sum(&r, 112, &t);
    CHECK_INT(t.rows[a].counts[OUTCOME_DELIVERED], 9);
    CHECK_INT(t.rows[a].counts[OUTCOME_REJECTED], 1);
    CHECK_INT(t.rows[b].counts[OUTCOME_FILTERED], 2);
    tally_clear(&t);
    trail_drop(&r, 112);
    trail_sum(&r, 125, &t);
    CHECK_INT(t.rows[a].counts[OUTCOME_DELIVERED], 9);
    CHECK_INT(t.rows[a].counts[OUTCOME_REJECTED], 1);
    CHECK_INT(t.rows[b].counts[OUTCOME_FILTERED], 3);
    trail_drop(&r, 125);
    CHECK_INT(r.count, 0);
    for (uint32_t i = 0; i < 100000;
         i++) { /* bounded, also with more applications than are counted by name */
        char app[16];
        int n = snprintf(app, sizeof app, "%u", i);
        CHECK(tally_row_of(&t, SS_LIT("m"), ss_s(app, (size_t)n)) != UINT32_MAX);
    }
    CHECK(t.count <= TALLY_ROWS_MAX + 1);
    trail_fini(&r);
    tally_fini(&t);
}

static const check_test tests[] = {
    TEST(comes_back),   TEST(survives_a_kill_without_sync), TEST(refuses_damage), TEST(no_file_for_verbs),
    TEST(trail_counts),
};
CHECK_MAIN(tests)

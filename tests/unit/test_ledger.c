/* The books: retired segments, expired records, several applications, a module that began late; replay. */
#include "core/delivery/replay.h"
#include "tests/unit/delivery_fixture.h"

static void null_init(fixture *f)
{
    fixture_init(f);
    f->journal_bytes = 64 * 1024;
    (void)snprintf(f->plugin, sizeof f->plugin, "%.3000s/plugins/module-null.so", f->build);
    fixture_journal(f);
}

static void put_some(fixture *f, int count)
{
    static const char *const apps[] = {"1", "2", "shop", ""};
    static const char *const receivers[] = {"matomo", "matomo", "game"};
    char json[100][256];
    fixture_record records[100];
    for (int done = 0; done < count;) {
        uint32_t n = 0;
        for (; n < 100 && done < count; n++, done++) {
            (void)snprintf(json[n], sizeof json[n], "{\"n\":%d,\"pad\":\"%0150d\"}", done, done);
            records[n] = (fixture_record){
                .receiver = receivers[done % 3], .app = apps[done % 4], .type = "ok", .json = json[n]};
        }
        fixture_put(f, records, n);
    }
}

static void folds_retired_segments(void)
{
    fixture f;
    null_init(&f);
    fixture_start(&f);
    for (int i = 0; i < 20; i++) {
        put_some(&f, 300);
        CHECK(fixture_until_cursor(&f, f.last_seq));
    }
    /* The journal lets go of what is delivered and synced; wait for it. */
    for (int i = 0; i < 5000 && atomic_load(&f.board->journal.first_seq) < 3000; i++) {
        if (i % 1000 == 999)
            put_some(&f, 300);
        usleep(1000);
    }
    CHECK(atomic_load(&f.board->journal.first_seq) >= 3000);
    CHECK_INT(fixture_stop(&f), 0);
    tally accepted = {0};
    char journal[160];
    ss_error err = error_init();
    (void)snprintf(journal, sizeof journal, "%s/journal", f.dir);
    CHECK_INT(ledger_accepted(f.dir, journal, f.last_seq, &accepted, &err), 0);
    int64_t sum = 0;
    for (uint32_t i = 0; i < accepted.count; i++)
        sum += accepted.rows[i].counts[0];
    CHECK_INT(sum, f.last_seq);
    tally_fini(&accepted);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], f.last_seq);
    fixture_close_journal(&f);
    CHECK(fixture_ledger(&f).all); /* dead, too */
    fixture_fini(&f);
}

static void the_same_segment_twice(void)
{
    fixture f;
    ss_error err = error_init();
    fixture_init(&f);
    ledger *l = ledger_open(f.dir, &err);
    REQUIRE(l);
    journal_count counts[] = {{SS_LIT("matomo"), SS_LIT("1"), 7}, {SS_LIT("game"), SS_LIT(""), 3}};
    journal_segment_summary s = {
        .first_seq = 1, .last_seq = 10, .records = 10, .counts = counts, .count_count = 2};
    CHECK_INT(ledger_retire(l, &s), 0);
    CHECK_INT(ledger_retire(l, &s), 0);
    s = (journal_segment_summary){.first_seq = 11, .last_seq = 10};
    CHECK_INT(ledger_retire(l, &s), 0);
    tally accepted = {0};
    CHECK_INT(ledger_accepted(f.dir, f.dir, 10, &accepted, &err), 0);
    CHECK_INT(accepted.count, 2);
    CHECK_INT(accepted.rows[tally_row_of(&accepted, SS_LIT("matomo"), SS_LIT("1"))].counts[0], 7);
    tally_fini(&accepted);
    ledger_close(l);
    fixture_fini(&f);
}

static void counts_what_expired(void)
{
    fixture f;
    null_init(&f);
    put_some(&f, 50);
    fixture_start(&f);
    CHECK(fixture_until_cursor(&f, 50));
    CHECK_INT(fixture_stop(&f), 0);
    atomic_store(&f.board->journal.slots[0].max_bytes, 100 * 1024); /* pins no more than that */
    for (int i = 0; i < 20; i++)
        put_some(&f, 300);
    for (int i = 0; i < 5000 && atomic_load(&f.board->journal.first_seq) < 1000; i++) {
        if (i % 500 == 499)
            put_some(&f, 300);
        usleep(1000);
    }
    CHECK(atomic_load(&f.board->journal.first_seq) > 1000);
    CHECK_INT(fixture_run(&f), 0);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK(b.counts[OUTCOME_EXPIRED] > 900);
    CHECK_INT(b.counts[OUTCOME_EXPIRED] + b.counts[OUTCOME_DELIVERED], f.last_seq);
    CHECK_INT(atomic_load(&f.board->journal.slots[0].expired), b.counts[OUTCOME_EXPIRED]);
    fixture_fini(&f);
}

static void began_late(void)
{
    fixture f;
    null_init(&f);
    put_some(&f, 777);
    (void)snprintf(
        f.host, sizeof f.host,
        "\"start\":\"500\",\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},\"drain_ms\":5000");
    CHECK_INT(fixture_run(&f), 0);
    put_some(&f, 111);
    CHECK_INT(fixture_run(&f), 0);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 888 - 499);
    fixture_fini(&f);
}

static void sees_a_wrong_book(void)
{
    fixture f;
    ss_error err = error_init();
    null_init(&f);
    put_some(&f, 100);
    CHECK_INT(fixture_run(&f), 0);
    state *s = fixture_state(&f);
    REQUIRE(s);
    tally wrong = {0};
    tally_add(&wrong, tally_row_of(&wrong, SS_LIT("matomo"), SS_LIT("1")), OUTCOME_DELIVERED, 1);
    state_change change = {.cursor = 100, .counts = &wrong};
    CHECK_INT(state_commit(s, &change, &err), 0);
    CHECK(!fixture_ledger(&f).all);
    tally_add(&wrong, tally_row_of(&wrong, SS_LIT("matomo"), SS_LIT("1")), OUTCOME_DELIVERED, -2);
    tally_add(&wrong, tally_row_of(&wrong, SS_LIT("game"), SS_LIT("shop")), OUTCOME_DELIVERED, 0);
    tally_add(&wrong, tally_row_of(&wrong, SS_LIT("matomo"), SS_LIT("2")), OUTCOME_DELIVERED, 0);
    CHECK_INT(state_commit(s, &change, &err), 0); /* sum is 100 again: 1 - 1 */
    state_close(s);
    CHECK(fixture_ledger(&f).all);
    tally_fini(&wrong);
    fixture_fini(&f);
}

static void replays(void)
{
    fixture f;
    null_init(&f);
    (void)snprintf(f.plugin, sizeof f.plugin, "%.3000s/plugins/module-lake.so", f.build);
    (void)snprintf(f.options, sizeof f.options,
                   "\"path\":\"%s/"
                   "lake\",\"partition\":\"{receiver}\",\"compression\":\"gzip\",\"level\":1,\"roll\":{"
                   "\"bytes\":10000000,\"age\":60000}",
                   f.dir);
    /* Somebody still needs all of it: what every module is done with may be gone before it is replayed. */
    atomic_store(&f.board->journal.slots[1].synced_cursor, 0u);
    atomic_store(&f.board->journal.slots[1].used, 1u);
    put_some(&f, 1000);
    fixture_start(&f);
    CHECK_INT(fixture_stop(&f), 0); /* which seals */
    CHECK_INT(fixture_cursor(&f), 1000);
    buf blob;
    buf_init(&blob, 1 << 20);
    fixture_blob(&f, &blob);
    replay_summary summary;
    ss_error err = error_init();
    replay_options options = {.blob = ss_s(blob.ptr, blob.len), .from = 101, .through = 300};
    CHECK_INT(replay_run(&options, &summary, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_STR(summary.id, "101-300");
    CHECK_INT(summary.delivered, 200);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/lake/replay/101-300/matomo", f.dir);
    CHECK_INT(access(path, F_OK), 0);
    options.through = 5000;
    CHECK_INT(replay_run(&options, &summary, &err), -1);
    CHECK(strstr(err.text, "not a range") != NULL);
    CHECK(fixture_ledger(&f).all);
    buf_fini(&blob);
    fixture_fini(&f);
}

static const check_test tests[] = {
    TEST(folds_retired_segments), TEST(the_same_segment_twice),
    TEST(counts_what_expired),    TEST(began_late),
    TEST(sees_a_wrong_book),      TEST(replays),
};
CHECK_MAIN(tests)

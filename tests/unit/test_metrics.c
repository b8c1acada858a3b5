#include "core/observe/metrics.h"

#include <pthread.h>
#include <sys/mman.h>

#include "core/observe/health.h"
#include "tests/unit/check.h"

static board *new_board(void)
{
    int fd = board_create();
    board *b = fd < 0 ? NULL : board_map(fd);
    if (fd >= 0)
        (void)close(fd);
    if (b) {
        (void)snprintf(b->processes[1].name, BOARD_NAME_BYTES, "ingest");
        (void)snprintf(b->processes[2].name, BOARD_NAME_BYTES, "module lake");
    }
    return b;
}

static bool renders(board *b, const char *line)
{
    buf out;
    buf_init(&out, 4u * 1024 * 1024);
    metrics_render(b, &out);
    bool found = strstr(buf_text(&out), line) != NULL;
    if (!found)
        printf("# not found: %s", line);
    buf_fini(&out);
    return found;
}

static void nothing_counts_before_init(void)
{
    ss_metric *m = metrics_counter("early_total", "h", "");
    CHECK(m == NULL);
    metrics_add(m, 1);
    metrics_set(m, 1);
    CHECK(metrics_value(m) == 0);
}

static void same_name_is_same_series(void)
{
    board *b = new_board();
    REQUIRE(b);
    metrics_init(b, 1);
    ss_metric *a = metrics_counter("events_total", "Events", "receiver=\"matomo\"");
    REQUIRE(a);
    CHECK(metrics_counter("events_total", "Events", "receiver=\"matomo\"") == a);
    CHECK(metrics_counter("events_total", "Events", "receiver=\"game\"") != a);
    CHECK(metrics_gauge("events_total", "Events", "receiver=\"matomo\"") == NULL); /* it is a counter */
    metrics_add(a, 2);
    metrics_add(a, 0.5);
    metrics_add(a, -7); /* a counter never falls */
    CHECK(metrics_value(a) == 2.5);
    CHECK(renders(b, "streamsteam_events_total{process=\"ingest\",receiver=\"matomo\"} 2.5\n"));
    (void)munmap(b, sizeof *b);
}

static void counters_outlive_the_process(void)
{
    board *b = new_board();
    REQUIRE(b);
    metrics_init(b, 1);
    metrics_add(metrics_counter("events_total", "Events", ""), 41);
    metrics_set(metrics_gauge("connections", "Open", ""), 17);
    metrics_init(b, 1); /* as the next process does */
    metrics_add(metrics_counter("events_total", "Events", ""), 1);
    CHECK(renders(b, "streamsteam_events_total{process=\"ingest\"} 42\n"));
    CHECK(renders(b, "streamsteam_connections{process=\"ingest\"} 0\n"));
    metrics_forget(b, 1);
    CHECK(atomic_load(&b->metrics[1].count) == 0);
    (void)munmap(b, sizeof *b);
}

static void limits(void)
{
    board *b = new_board();
    REQUIRE(b);
    metrics_init(b, 1);
    char name[128];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    CHECK(metrics_counter(name, "h", "") == NULL);
    CHECK(metrics_counter("a", "h", name) != NULL || sizeof name > 120);
    CHECK(metrics_counter("", "h", "") == NULL);
    size_t made = 0;
    for (int i = 0; i < (int)BOARD_METRICS_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        made += metrics_counter(name, "h", "") != NULL;
    }
    CHECK_INT(made, BOARD_METRICS_MAX);
    (void)munmap(b, sizeof *b);
}

static void help_and_type_stand_once(void)
{
    board *b = new_board();
    REQUIRE(b);
    metrics_init(b, 1);
    (void)metrics_counter("zz_total", "line\nbreak \\", "");
    (void)metrics_counter("events_total", "Events", "receiver=\"b\"");
    (void)metrics_counter("aa_total", "Other", "");
    (void)metrics_counter("events_total", "Events", "receiver=\"a\"");
    metrics_init(b, 2);
    (void)metrics_counter("events_total", "Events", "");
    buf out;
    buf_init(&out, 1u << 20);
    metrics_render(b, &out);
    const char *text = buf_text(&out), *type = strstr(text, "# TYPE streamsteam_events_total counter\n");
    REQUIRE(type);
    CHECK(strstr(type + 1, "# TYPE streamsteam_events_total") == NULL);
    CHECK(strstr(type, "streamsteam_events_total{process=\"module lake\"} 0\n") != NULL);
    CHECK(strstr(text, "# HELP streamsteam_zz_total line\\nbreak \\\\\n") != NULL);
    buf_fini(&out);
    (void)munmap(b, sizeof *b);
}

static void page_figures(void)
{
    board *b = new_board();
    REQUIRE(b);
    atomic_store(&b->journal.durable_seq, 100);
    atomic_store(&b->journal.slots[0].used, 1u);
    atomic_store(&b->journal.slots[0].cursor, 60);
    atomic_store(&b->processes[1].pid, 7);
    atomic_store(&b->processes[1].ready, 1u);
    CHECK(renders(b, "streamsteam_module_lag_records{process=\"module lake\"} 40\n"));
    CHECK(renders(b, "streamsteam_journal_durable_seq 100\n"));
    CHECK(renders(b, "streamsteam_process_up{process=\"ingest\"} 1\n"));
    CHECK(renders(b, "streamsteam_process_up{process=\"module lake\"} 0\n"));
    buf why;
    buf_init(&why, 1024);
    CHECK(!health_ready(b, &why));
    atomic_store(&b->journal.state, (uint32_t)JOURNAL_OPEN);
    buf_reset(&why);
    CHECK(health_ready(b, &why));
    CHECK_STR(buf_text(&why), "ready");
    buf_fini(&why);
    (void)munmap(b, sizeof *b);
}

static void texts_become_valid_json(void)
{
    buf out;
    buf_init(&out, 1024);
    health_put_json(&out, ss_cstr("a\"\\\n\x01\xff\xc3\xa9\xed\xa0\x80"));
    CHECK_STR(buf_text(&out), "a\\\"\\\\\\n\\u0001\\ufffd\xc3\xa9\\ufffd\\ufffd\\ufffd");
    buf_fini(&out);
}

#define ADDS 20000

static void *add_many(void *arg)
{
    for (int i = 0; i < ADDS; i++)
        metrics_add(arg, 1);
    return metrics_counter("late_total", "h", "");
}

static void threads_lose_nothing(void)
{
    board *b = new_board();
    REQUIRE(b);
    metrics_init(b, 1);
    ss_metric *m = metrics_counter("events_total", "Events", "");
    pthread_t threads[4];
    void *late[4];
    for (int i = 0; i < 4; i++)
        (void)pthread_create(&threads[i], NULL, add_many, m);
    (void)renders(b, "streamsteam_events_total");
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], &late[i]);
    CHECK(metrics_value(m) == 4 * ADDS);
    CHECK(late[0] && late[0] == late[3]);
    (void)munmap(b, sizeof *b);
}

static const check_test tests[] = {
    TEST(nothing_counts_before_init),   TEST(same_name_is_same_series),
    TEST(counters_outlive_the_process), TEST(limits),
    TEST(help_and_type_stand_once),     TEST(page_figures),
    TEST(texts_become_valid_json),      TEST(threads_lose_nothing),
};
CHECK_MAIN(tests)

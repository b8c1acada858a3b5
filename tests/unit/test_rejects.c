#include "core/observe/rejects.h"

#include <pthread.h>
#include <sys/mman.h>

#include "core/base/clock.h"
#include "core/observe/metrics.h"
#include "tests/unit/check.h"

static board *new_board(void)
{
    int fd = board_create();
    board *b = fd < 0 ? NULL : board_map(fd);
    if (fd >= 0)
        (void)close(fd);
    if (b)
        metrics_init(b, 1);
    return b;
}

static void one_line(void)
{
    board *b = new_board();
    REQUIRE(b);
    rejects_add(b, "matomo", "no_site", ss_cstr("idsite \"x\" \xff"), ss_cstr("127.0.0.1"), 1795317844123456);
    uint64_t from = 0;
    buf out;
    buf_init(&out, 1u << 20);
    CHECK(rejects_read(b, &from, &out) > 0);
    CHECK_STR(buf_text(&out),
              "{\"time\":\"2026-11-22T03:24:04.123Z\",\"receiver\":\"matomo\",\"code\":\"no_site\","
              "\"client_ip\":\"127.0.0.1\",\"text\":\"idsite \\\"x\\\" \\ufffd\"}\n");
    buf_reset(&out);
    CHECK_INT(rejects_read(b, &from, &out), 0);
    CHECK(metrics_value(
              metrics_counter("inputs_rejected_total", "", "receiver=\"matomo\",code=\"no_site\"")) == 1);
    buf_fini(&out);
    (void)munmap(b, sizeof *b);
}

static void only_so_many_a_second_but_all_are_counted(void)
{
    board *b = new_board();
    REQUIRE(b);
    int64_t began = clock_mono_us();
    for (int i = 0; i < 1000; i++)
        rejects_add(b, "r", "c\"\\", ss_cstr("t"), ss_cstr(""), 0);
    int64_t seconds = (clock_mono_us() - began) / 1000000 + 1;
    uint64_t from = 0;
    buf out;
    buf_init(&out, 1u << 20);
    (void)rejects_read(b, &from, &out);
    size_t lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.ptr[i] == '\n';
    CHECK(lines >= REJECTS_LINES_PER_SECOND && lines <= (size_t)(seconds + 1) * REJECTS_LINES_PER_SECOND);
    CHECK(metrics_value(metrics_counter("inputs_rejected_total", "", "receiver=\"r\",code=\"c__\"")) == 1000);
    buf_fini(&out);
    (void)munmap(b, sizeof *b);
}

static void the_longest_line_fits(void)
{
    board *b = new_board();
    REQUIRE(b);
    char text[8192];
    memset(text, 1, sizeof text); /* each byte becomes six */
    text[sizeof text - 1] = '\0';
    rejects_add(b, text, text, ss_s(text, sizeof text - 1), ss_s(text, sizeof text - 1), 0);
    uint64_t from = 0;
    buf out;
    buf_init(&out, 1u << 20);
    CHECK(rejects_read(b, &from, &out) > 1000);
    CHECK(out.len <= REJECTS_LINE_MAX);
    buf_fini(&out);
    (void)munmap(b, sizeof *b);
}

/* As if thousands of lines had been written: the ring turns several times. */
static void put_raw(board *b, unsigned number)
{
    char line[200];
    int len = snprintf(line, sizeof line, "{\"n\":%u,\"fill\":\"%0150d\"}\n", number, 0);
    uint64_t head = atomic_load(&b->rejects.head);
    for (int i = 0; i < len; i++)
        b->rejects.bytes[(head + (unsigned)i) % BOARD_REJECTS_BYTES] = line[i];
    atomic_store(&b->rejects.head, head + (unsigned)len);
}

static void a_slow_reader_gets_whole_lines(void)
{
    board *b = new_board();
    REQUIRE(b);
    for (unsigned i = 0; i < 5000; i++)
        put_raw(b, i);
    uint64_t from = 10;
    buf out;
    buf_init(&out, 1u << 20);
    size_t n = rejects_read(b, &from, &out);
    CHECK(n > BOARD_REJECTS_BYTES / 2 && n < BOARD_REJECTS_BYTES);
    CHECK(strncmp(out.ptr, "{\"n\":", 5) == 0 && out.ptr[out.len - 1] == '\n');
    CHECK(strstr(buf_text(&out), "{\"n\":4999,") != NULL);
    CHECK(from == atomic_load(&b->rejects.head));
    buf_fini(&out);
    (void)munmap(b, sizeof *b);
}

static _Atomic int writing;

static void *write_many(void *arg)
{
    char text[200];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 3000; i++)
        rejects_add(arg, "r", "c", ss_s(text, sizeof text), ss_cstr("::1"), i);
    (void)atomic_fetch_sub(&writing, 1);
    return NULL;
}

static void writers_and_a_reader(void)
{
    board *b = new_board();
    REQUIRE(b);
    pthread_t threads[3];
    atomic_store(&writing, 3);
    for (int i = 0; i < 3; i++)
        (void)pthread_create(&threads[i], NULL, write_many, b);
    uint64_t from = 0;
    buf out;
    buf_init(&out, 8u << 20);
    while (atomic_load(&writing) > 0)
        (void)rejects_read(b, &from, &out);
    (void)rejects_read(b, &from, &out);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    bool whole = out.len > 0;
    for (const char *p = out.ptr; whole && p < out.ptr + out.len; p = strchr(p, '\n') + 1)
        whole = strncmp(p, "{\"time\":", 8) == 0;
    CHECK(whole);
    buf_fini(&out);
    (void)munmap(b, sizeof *b);
}

static const check_test tests[] = {
    TEST(one_line),
    TEST(only_so_many_a_second_but_all_are_counted),
    TEST(the_longest_line_fits),
    TEST(a_slow_reader_gets_whole_lines),
    TEST(writers_and_a_reader),
};
CHECK_MAIN(tests)

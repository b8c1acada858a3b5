/* The reader: its buffer, places to start at, damage of every kind, and the disk's refusals as readers see
   them. fdatasync and pwritev are replaced below, so that the disk can be told to fail. */
#include "tests/unit/journal_fixture.h"

#include <sys/syscall.h>
#include <sys/uio.h>

static _Atomic int sync_error, write_error; /* errno to fail with once per count */
static _Atomic int sync_failures, write_failures;

static bool fails(_Atomic int *count)
{
    int left = atomic_load(count);
    while (left > 0 && !atomic_compare_exchange_weak(count, &left, left - 1))
        ;
    return left > 0;
}

/* A segment, not a spare that the keeper prepares at the same time. */
static bool is_segment(int fd)
{
    char link[64], path[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path);
    return len > 4 && memcmp(path + len - 4, ".seg", 4) == 0;
}

int fdatasync(int fd)
{
    if (is_segment(fd) && fails(&sync_failures)) {
        errno = atomic_load(&sync_error);
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    if (fails(&write_failures)) {
        errno = atomic_load(&write_error);
        return -1;
    }
    return syscall(SYS_pwritev, fd, iov, count, at, 0);
}

/* Submits without expecting anything of the number. */
static bool append_refused(fixture *f, uint64_t first, uint64_t last)
{
    fixture_batch b;
    fixture_batch_init(&b);
    for (uint64_t n = first; n <= last; n++)
        fixture_batch_add(&b, f->source, n + 5000, n == last); /* other contents: must never be seen */
    fixture_batch_submit(f, &b);
    bool refused = !fixture_batch_wait(&b) && b.refused == 1;
    fixture_batch_fini(&b);
    return refused;
}

/* After a failed sync the page cache shows frames that may not be on disk: neither a reader nor a recovery
   may take them, although they are whole and their numbers are used again. */
static void failed_sync_hides_its_frames(void)
{
    fixture f;
    char copy[PATH_MAX];
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 10));
    ss_error err = error_init();
    journal_item item;
    journal_reader *r = journal_reader_open(f.dir, 0, 0, &err);
    for (uint64_t n = 1; n <= 10; n++)
        REQUIRE(journal_reader_next(r, 10, &item, &err) == JOURNAL_READ_RECORD);
    CHECK(journal_reader_next(r, 10, &item, &err) == JOURNAL_READ_END);
    for (int round = 0; round < 3; round++) {
        uint64_t next = f.board->durable_seq + 1;
        atomic_store(&sync_error, EIO);
        atomic_store(&sync_failures, 1);
        CHECK(append_refused(&f, next, next + 6));
        CHECK_INT(f.board->durable_seq, next - 1);
        CHECK(fixture_append(&f, next, next + 4));
        for (uint64_t n = next; n <= next + 4; n++) {
            REQUIRE(journal_reader_next(r, next + 4, &item, &err) == JOURNAL_READ_RECORD);
            CHECK(item.record.seq == n && fixture_same(&item.record, n));
        }
        journal_reader_release(r);
    }
    journal_reader_close(r);
    journal_stats stats;
    journal_read_stats(f.writer, &stats);
    CHECK_INT(stats.failed_syncs, 3);
    CHECK_INT(stats.refused_records, 21);
    fixture_join(copy, f.root, "copy");
    fixture_copy_dir(f.dir, copy);
    uint64_t last = f.board->durable_seq;
    fixture_close(&f);
    const char *dirs[] = {f.dir, copy};
    for (int i = 0; i < 2; i++) {
        f.options.dir = dirs[i];
        REQUIRE(fixture_open(&f));
        CHECK_INT(f.board->durable_seq, last);
        fixture_close(&f);
        fixture_seen seen = fixture_read(dirs[i], 0, last, 3);
        CHECK_INT(seen.records, last);
        CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    }
    fixture_fini(&f);
}

/* The failure is the last thing that happens: the next process obeys the head of the segment that followed.
 */
static void failed_sync_then_crash(void)
{
    fixture f;
    char copy[PATH_MAX];
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 10));
    atomic_store(&sync_error, EIO);
    atomic_store(&sync_failures, 1);
    CHECK(append_refused(&f, 11, 14));
    CHECK(fixture_append(&f, 11, 11));
    fixture_join(copy, f.root, "copy");
    fixture_copy_dir(f.dir, copy);
    fixture_close(&f);
    f.options.dir = copy;
    REQUIRE(fixture_open(&f));
    CHECK_INT(f.board->durable_seq, 11);
    CHECK(fixture_append(&f, 12, 20));
    fixture_seen seen = fixture_read(copy, 0, 20, 3);
    CHECK_INT(seen.records, 20);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    fixture_close(&f);
    fixture_fini(&f);
}

static bool ready_within(fixture *f, int ms)
{
    for (int i = 0; i < ms / 10 && !journal_ready(f->writer); i++)
        (void)journal_wait(f->board, 9, UINT64_MAX, 10);
    return journal_ready(f->writer);
}

static void full_disk_and_back(void)
{
    fixture f;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 10));
    atomic_store(&write_error, ENOSPC);
    atomic_store(&write_failures, 1);
    CHECK(append_refused(&f, 11, 12));
    CHECK(!journal_ready(f.writer));
    CHECK_INT(f.board->state, JOURNAL_FULL);
    CHECK(append_refused(&f, 11, 12)); /* at once, without a try */
    CHECK(ready_within(&f, 10000));
    CHECK_INT(f.board->state, JOURNAL_OPEN);
    CHECK(fixture_append(&f, 11, 20));
    fixture_seen seen = fixture_read(f.dir, 0, 20, 3);
    CHECK_INT(seen.records, 20);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    fixture_close(&f);
    fixture_fini(&f);
}

/* ---- the buffer ---- */

static void buffer_full_until_released(void)
{
    fixture f;
    fixture_init(&f);
    f.options.segment_bytes = 16 * 1024 * 1024;
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    uint64_t n = 1;
    for (; n < 40000; n += 4000)
        REQUIRE(fixture_append(&f, n, n + 3999));
    n--;
    ss_error err = error_init();
    journal_item item;
    journal_reader *r = journal_reader_open(f.dir, 0, 1, &err);
    REQUIRE(r != NULL);
    enum { HELD_MAX = 50000 };
    ss_record *held = calloc(HELD_MAX, sizeof *held);
    size_t count = 0, fulls = 0;
    uint64_t next = 1;
    for (;;) {
        enum journal_read what = journal_reader_next(r, n, &item, &err);
        if (what == JOURNAL_READ_RECORD) {
            REQUIRE(item.record.seq == next++ && count < HELD_MAX);
            held[count++] = item.record;
            continue;
        }
        REQUIRE(what == JOURNAL_READ_FULL || what == JOURNAL_READ_END);
        for (size_t i = 0; i < count; i++) /* all slices are valid until release */
            REQUIRE(fixture_same(&held[i], held[i].seq));
        CHECK(journal_reader_next(r, n, &item, &err) == what);
        journal_reader_release(r);
        count = 0;
        if (what == JOURNAL_READ_END)
            break;
        fulls++;
    }
    CHECK_INT(next, n + 1);
    CHECK(fulls > 1);
    free(held);
    journal_reader_close(r);
    fixture_close(&f);
    fixture_fini(&f);
}

/* The limit is below what is there; what lies behind it was not looked at, so that it may change. */
static void follows_the_limit(void)
{
    fixture f;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    ss_error err = error_init();
    journal_item item;
    journal_reader *r = journal_reader_open(f.dir, 0, 0, &err),
                   *open_end = journal_reader_open(f.dir, 0, 0, &err);
    REQUIRE(r && open_end);
    CHECK(journal_reader_next(r, 0, &item, &err) == JOURNAL_READ_END);
    CHECK(journal_reader_next(open_end, UINT64_MAX, &item, &err) == JOURNAL_READ_END);
    uint64_t seen = 0;
    for (uint64_t n = 1; n <= 600; n++) {
        REQUIRE(fixture_append(&f, n, n));
        uint64_t limit = n - n % 3;
        while (journal_reader_next(r, limit, &item, &err) == JOURNAL_READ_RECORD)
            REQUIRE(item.record.seq == ++seen && item.record.seq <= limit &&
                    fixture_same(&item.record, seen));
        CHECK_INT(seen, limit);
        journal_reader_release(r);
        REQUIRE(journal_reader_next(open_end, UINT64_MAX, &item, &err) == JOURNAL_READ_RECORD);
        REQUIRE(item.record.seq == n);
        REQUIRE(journal_reader_next(open_end, UINT64_MAX, &item, &err) == JOURNAL_READ_END);
        journal_reader_release(open_end);
    }
    journal_reader_close(r);
    journal_reader_close(open_end);
    fixture_close(&f);
    fixture_fini(&f);
}

static void no_journal_is_an_error(void)
{
    ss_error err = error_init();
    CHECK(journal_reader_open("/nowhere/journal", 0, 0, &err) == NULL);
    CHECK(strstr(err.text, "/nowhere/journal") != NULL);
}

/* ---- damage ---- */

/* Many kinds of damage at once, in a journal that is being written to: everything delivered is right, what is
   missing is counted, and nothing is counted twice. */
static void random_damage(void)
{
    uint32_t random = 12345;
    for (int round = 0; round < 150 && !check_failed; round++) {
        fixture f;
        char path[PATH_MAX];
        fixture_init_in_memory(&f);
        fixture_pin(&f, 0, 0);
        REQUIRE(fixture_open(&f));
        for (uint64_t n = 1; n <= 300; n += 6)
            REQUIRE(fixture_append(&f, n, n + 5));
        for (int hit = 0; hit < 6; hit++) {
            random = random * 1664525u + 1013904223u;
            fixture_segment_path(f.dir, 1 + (random >> 8) % 3, path);
            int fd = open(path, O_RDWR | O_CLOEXEC);
            unsigned char junk[2000];
            memset(junk, (int)(random >> 16), sizeof junk);
            size_t len = 1 + (random >> 20) % (random % 3 ? 8 : sizeof junk);
            if (fd < 0)
                continue;
            REQUIRE(file_pwrite_all(fd, junk, len, (off_t)(8192 + (random >> 4) % 20000)) == 0);
            (void)close(fd);
        }
        uint64_t last = 300;
        fixture_seen seen = fixture_read(f.dir, 0, last, 7);
        CHECK_INT(seen.records + seen.damaged, last);
        CHECK_INT(seen.wrong + seen.gap + seen.errors, 0);
        REQUIRE(fixture_append(&f, 301, 310)); /* behind the damage it goes on */
        seen = fixture_read(f.dir, 0, 310, 7);
        CHECK_INT(seen.records + seen.damaged, 310);
        CHECK_INT(seen.wrong + seen.gap + seen.errors, 0);
        fixture_close(&f);
        seen = fixture_read(f.dir, 0, 310, 7);
        CHECK_INT(seen.records + seen.damaged, 310);
        CHECK_INT(seen.wrong + seen.gap + seen.errors, 0);
        fixture_fini(&f);
    }
}

/* A reader that follows meets damage in the newest frames, and goes on when more comes. */
static void damage_at_the_end_while_following(void)
{
    fixture f;
    char path[PATH_MAX];
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    ss_error err = error_init();
    journal_item item;
    journal_reader *r = journal_reader_open(f.dir, 0, 0, &err);
    REQUIRE(fixture_append(&f, 1, 2));
    REQUIRE(journal_reader_next(r, 2, &item, &err) == JOURNAL_READ_RECORD);
    REQUIRE(journal_reader_next(r, 2, &item, &err) == JOURNAL_READ_RECORD);
    struct stat st;
    buf b;
    buf_init(&b, 1u << 26);
    fixture_segment_path(f.dir, 1, path);
    REQUIRE(fixture_append(&f, 3, 5));
    REQUIRE(stat(path, &st) == 0 && file_read(path, &b) == 0);
    const char *hit = memmem(b.ptr, b.len, "{\"n\":3", 6);
    REQUIRE(hit != NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char junk[700] = {0};
    REQUIRE(fd >= 0 && file_pwrite_all(fd, junk, 600, hit - b.ptr - 100) == 0); /* the frame's head, too */
    (void)close(fd);
    uint64_t damaged = 0, records = 0;
    enum journal_read what;
    while ((what = journal_reader_next(r, 5, &item, &err)) != JOURNAL_READ_END) {
        REQUIRE(what == JOURNAL_READ_DAMAGED || what == JOURNAL_READ_RECORD);
        *(what == JOURNAL_READ_RECORD ? &records : &damaged) += item.through - item.from + 1;
    }
    CHECK(damaged >= 1 && damaged + records == 3);
    journal_reader_release(r);
    REQUIRE(fixture_append(&f, 6, 9));
    for (uint64_t n = 6; n <= 9; n++) {
        REQUIRE(journal_reader_next(r, 9, &item, &err) == JOURNAL_READ_RECORD);
        CHECK(item.record.seq == n && fixture_same(&item.record, n));
    }
    CHECK(journal_reader_next(r, 9, &item, &err) == JOURNAL_READ_END);
    journal_reader_close(r);
    buf_fini(&b);
    fixture_close(&f);
    fixture_fini(&f);
}

static int count_records(void *arg, const journal_segment_summary *s)
{
    uint64_t *sum = arg;
    sum[0] += s->records;
    for (size_t i = 0; i < s->count_count; i++)
        sum[1] += s->counts[i].records;
    return 0;
}

static void summaries_and_last_seq(void)
{
    fixture f;
    ss_error err = error_init();
    uint64_t first, last, sum[2] = {0};
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    for (uint64_t n = 1; n <= 900; n += 3)
        REQUIRE(fixture_append(&f, n, n + 2));
    CHECK_INT(journal_last_seq(f.dir, &first, &last, &err), 0);
    CHECK(first == 1 && last == 900);
    CHECK_INT(journal_summaries(f.dir, count_records, sum, &err), 0);
    CHECK_INT(sum[0], 900);
    CHECK_INT(sum[1], 900);
    fixture_close(&f);
    CHECK_INT(journal_last_seq(f.dir, &first, &last, &err), 0);
    CHECK(first == 1 && last == 900);
    fixture_fini(&f);
}

static const check_test tests[] = {
    TEST(failed_sync_hides_its_frames),
    TEST(failed_sync_then_crash),
    TEST(full_disk_and_back),
    TEST(buffer_full_until_released),
    TEST(follows_the_limit),
    TEST(no_journal_is_an_error),
    TEST(random_damage),
    TEST(damage_at_the_end_while_following),
    TEST(summaries_and_last_seq),
};
CHECK_MAIN(tests)

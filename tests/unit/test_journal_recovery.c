/* Crashes, torn tails, damage: what was acknowledged is there afterwards, what is not there is counted. */
#include "tests/unit/journal_fixture.h"

#include "core/journal/scan.h"

#define MODEL_STEPS 400
#define MODEL_SEEDS 6

/* Opens the journal of dir with a board of its own, reads what it says is durable, and closes it. */
typedef struct reopened {
    uint64_t durable, first;
    fixture_seen seen;
} reopened;

static reopened reopen(const char *dir, uint64_t append)
{
    reopened r = {0};
    fixture f;
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    f.options.dir = dir;
    if (fixture_open(&f)) {
        r.durable = atomic_load(&f.board->durable_seq);
        r.first = atomic_load(&f.board->first_seq);
        r.seen = fixture_read(dir, 0, r.durable, 4);
        if (append > 0)
            CHECK(fixture_append(&f, r.durable + 1, r.durable + append));
        fixture_close(&f);
    } else {
        r.seen.errors = 1;
    }
    fixture_fini(&f);
    return r;
}

static void put_byte(const char *path, uint64_t offset, unsigned char mask)
{
    unsigned char byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || pread(fd, &byte, 1, (off_t)offset) != 1)
        abort();
    byte ^= mask;
    if (pwrite(fd, &byte, 1, (off_t)offset) != 1)
        abort();
    (void)close(fd);
}

/* Where the records of a segment begin and end (its footer says it, or a scan). */
static uint64_t end_of(const char *path, uint64_t id)
{
    journal_segment_head head;
    scan_result found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || segment_head_read(fd, id, &head) != SEGMENT_HEAD_OK ||
        scan_segment(fd, &head, SCAN_NO_BOUND, NULL, NULL, NULL, &found) != 0)
        abort();
    (void)close(fd);
    return found.end_offset;
}

static void empty_directory_and_restart_without_records(void)
{
    fixture f;
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    for (int i = 0; i < 5; i++) {
        REQUIRE(fixture_open(&f));
        fixture_close(&f);
    }
    CHECK_INT(fixture_count_files(f.dir, ".seg"), 1); /* an empty one is replaced, not added */
    REQUIRE(fixture_open(&f));
    CHECK(fixture_append(&f, 1, 2));
    fixture_close(&f);
    fixture_fini(&f);
}

/* A copy of the directory while the writer is still open is what a crash leaves. */
static void crash_keeps_everything_acknowledged(void)
{
    fixture f;
    char copy[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    uint64_t n = 1;
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k <= i % 9; k++, n++)
            REQUIRE(fixture_append(&f, n, n));
        char name[32];
        (void)snprintf(name, sizeof name, "copy%d", i);
        fixture_join(copy, f.root, name);
        fixture_copy_dir(f.dir, copy);
        reopened r = reopen(copy, 3);
        CHECK_INT(r.durable, n - 1);
        CHECK_INT(r.seen.records, n - 1);
        CHECK_INT(r.seen.wrong + r.seen.damaged + r.seen.gap + r.seen.errors, 0);
        r = reopen(copy, 0);
        CHECK_INT(r.seen.records, n + 2);
        CHECK_INT(r.seen.wrong + r.seen.damaged + r.seen.gap + r.seen.errors, 0);
        fixture_remove_tree(copy);
    }
    fixture_close(&f);
    fixture_fini(&f);
}

/* The last frame ends at every possible byte; before it, what was in the recycled file. */
static void torn_tail_at_every_offset(void)
{
    fixture f;
    char copy[PATH_MAX], path[PATH_MAX], copied[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 5));
    fixture_segment_path(f.dir, 1, path);
    uint64_t before = end_of(path, 1);
    REQUIRE(fixture_append(&f, 6, 9));
    uint64_t after = end_of(path, 1);
    REQUIRE(after > before);
    fixture_join(copy, f.root, "copy");
    for (uint64_t keep = before; keep <= after; keep++) {
        for (int filler = 0; filler < 2; filler++) {
            fixture_copy_dir(f.dir, copy);
            fixture_segment_path(copy, 1, copied);
            char *junk = malloc((size_t)(after - keep) + 64);
            memset(junk, filler ? 0xa5 : 0, (size_t)(after - keep) + 64);
            int fd = open(copied, O_RDWR | O_CLOEXEC);
            REQUIRE(fd >= 0 && file_pwrite_all(fd, junk, (size_t)(after - keep) + 64, (off_t)keep) == 0);
            (void)close(fd);
            free(junk);
            reopened r = reopen(copy, 2);
            /* All or nothing; once every record is whole, a damaged trailer costs nothing. */
            CHECK(r.durable == 5 || (r.durable == 9 && keep + sizeof(journal_frame_trailer) >= after - 7));
            CHECK(keep < after || r.durable == 9);
            CHECK_INT(r.seen.records, r.durable);
            CHECK_INT(r.seen.wrong + r.seen.damaged + r.seen.gap + r.seen.errors, 0);
            fixture_remove_tree(copy);
            if (check_failed) {
                printf("# keep %" PRIu64 " of %" PRIu64 "..%" PRIu64 "\n", keep, before, after);
                return;
            }
        }
    }
    fixture_close(&f);
    fixture_fini(&f);
}

/* One flipped byte anywhere costs at most the record that it hits; whatever is missing is counted. Once in a
   journal that was closed, once in one that crashed. */
static void flipped_byte(bool crashed, bool one_commit)
{
    fixture f;
    char copy[PATH_MAX], path[PATH_MAX], copied[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    if (!one_commit) {
        REQUIRE(fixture_append(&f, 1, 3));
        REQUIRE(fixture_append(&f, 4, 4));
    }
    fixture_segment_path(f.dir, 1, path);
    uint64_t last = one_commit ? 3 : 8, last_request = one_commit ? 3 : 4;
    uint64_t before_last = end_of(path, 1);
    REQUIRE(fixture_append(&f, one_commit ? 1 : 5, last));
    uint64_t end = end_of(path, 1);
    if (!crashed)
        fixture_close(&f);
    fixture_join(copy, f.root, "copy");
    for (uint64_t at = 0; at < end + 200; at = at == 192 ? 4096 : at == 4096 + 192 ? 8192 : at + 1) {
        fixture_copy_dir(f.dir, copy);
        fixture_segment_path(copy, 1, copied);
        struct stat st;
        REQUIRE(stat(copied, &st) == 0);
        if (at < (uint64_t)st.st_size)
            put_byte(copied, at, (unsigned char)(1u << (at % 8)));
        fixture_seen dead = fixture_read(copy, 0, last, 100);
        CHECK(dead.damaged <= 1 && dead.records + dead.damaged == last);
        CHECK_INT(dead.wrong + dead.gap + dead.errors, 0);
        reopened r = reopen(copy, 2);
        CHECK_INT(r.durable, last);
        /* Nothing proves that the last commit was synced: its request is there, or it is not. */
        bool whole_request = crashed && (r.seen.damaged == 0 || r.seen.damaged == last_request);
        CHECK(whole_request || r.seen.damaged <= 1);
        CHECK(!(crashed && at >= before_last && r.seen.damaged == 1));
        CHECK_INT(r.seen.records + r.seen.damaged, last);
        CHECK_INT(r.seen.wrong + r.seen.gap + r.seen.errors, 0);
        fixture_remove_tree(copy);
        if (check_failed) {
            printf("# byte %" PRIu64 " of %" PRIu64 "\n", at, end);
            break;
        }
    }
    if (crashed)
        fixture_close(&f);
    fixture_fini(&f);
}

static void flipped_byte_in_a_closed_journal(void)
{
    flipped_byte(false, false);
}

static void flipped_byte_after_a_crash(void)
{
    flipped_byte(true, false);
}

static void flipped_byte_in_the_only_commit(void)
{
    flipped_byte(true, true);
}

/* Where the line of event `number` stands in the file. */
static uint64_t line_of(const char *path, uint64_t number)
{
    char needle[48];
    int len = snprintf(needle, sizeof needle, "{\"n\":%" PRIu64 ",", number);
    buf b;
    buf_init(&b, 16u * 1024 * 1024);
    if (file_read(path, &b) != 0)
        abort();
    const char *hit = memmem(b.ptr, b.len, needle, (size_t)len);
    if (!hit)
        abort();
    uint64_t at = (uint64_t)(hit - b.ptr);
    buf_fini(&b);
    return at;
}

/* Event `victim` is damaged: which are there after a restart? One bit each, bit 1 for event 1. */
static unsigned survivors(const char *dir, const char *copy, uint64_t victim, uint64_t limit)
{
    char path[PATH_MAX];
    unsigned there = 0;
    ss_error err = error_init();
    journal_item item;
    fixture_copy_dir(dir, copy);
    fixture_segment_path(copy, 1, path);
    put_byte(path, line_of(path, victim), 1);
    reopened r = reopen(copy, 0);
    CHECK_INT(r.durable, limit);
    CHECK_INT(r.seen.records + r.seen.damaged, limit);
    CHECK_INT(r.seen.wrong + r.seen.gap + r.seen.errors, 0);
    uint64_t seen = r.seen.records;
    r = reopen(copy, 2); /* and the same after another one */
    CHECK_INT(r.seen.records, seen);
    journal_reader *reader = journal_reader_open(copy, 0, 0, &err);
    enum journal_read what;
    while (reader && (what = journal_reader_next(reader, limit, &item, &err)) != JOURNAL_READ_END) {
        CHECK(what == JOURNAL_READ_RECORD || what == JOURNAL_READ_DAMAGED);
        there |= what == JOURNAL_READ_RECORD ? 1u << item.from : 0u;
    }
    journal_reader_close(reader);
    fixture_remove_tree(copy);
    return there;
}

/* A frame of the requests 3, 4-6, 7, 8-9, of which one record did not reach the disk. As long as nothing was
   committed behind it, that request is not there at all, and the others are; later only the record is lost.
 */
static void requests_are_there_whole_or_not_at_all(void)
{
    static const uint64_t request_of[10] = {0, 0, 0, 3, 4, 4, 4, 7, 8, 8};
    fixture f;
    fixture_batch b;
    char copy[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 2));
    fixture_batch_init(&b);
    for (uint64_t n = 3; n <= 9; n++)
        fixture_batch_add(&b, f.source, n, n == 9 || request_of[n + 1] != request_of[n]);
    fixture_batch_submit(&f, &b);
    REQUIRE(fixture_batch_wait(&b));
    fixture_batch_fini(&b);
    fixture_join(copy, f.root, "copy");
    for (uint64_t victim = 3; victim <= 9; victim++) {
        unsigned expected = 0;
        for (uint64_t n = 1; n <= 9; n++)
            expected |= request_of[n] != request_of[victim] ? 1u << n : 0u;
        CHECK_INT(survivors(f.dir, copy, victim, 9), expected);
    }
    REQUIRE(fixture_append(&f, 10, 10));
    for (uint64_t victim = 3; victim <= 9; victim++)
        CHECK_INT(survivors(f.dir, copy, victim, 10), 0x7feu & ~(1u << victim));
    fixture_close(&f);
    fixture_fini(&f);
}

/* A frame in the middle that says that it is the footer, whatever made it: locator and footer know better. */
static void false_footer_in_the_middle(void)
{
    fixture f;
    char path[PATH_MAX];
    journal_frame_head h;
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 3));
    fixture_segment_path(f.dir, 1, path);
    uint64_t at = end_of(path, 1);
    REQUIRE(fixture_append(&f, 4, 4));
    REQUIRE(fixture_append(&f, 5, 6));
    fixture_close(&f);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0 && file_pread_all(fd, &h, sizeof h, (off_t)at) == (ssize_t)sizeof h);
    h.type = JOURNAL_FRAME_FOOTER;
    h.crc = FORMAT_CRC_OF(&h);
    REQUIRE(file_pwrite_all(fd, &h, sizeof h, (off_t)at) == 0);
    (void)close(fd);
    fixture_seen dead = fixture_read(f.dir, 0, 6, 1);
    CHECK_INT(dead.records, 5);
    CHECK_INT(dead.damaged, 1);
    CHECK_INT(dead.wrong + dead.gap + dead.errors, 0);
    reopened r = reopen(f.dir, 2);
    CHECK_INT(r.durable, 6);
    CHECK_INT(r.seen.records, 5);
    CHECK_INT(r.seen.damaged, 1);
    CHECK_INT(r.seen.wrong + r.seen.gap + r.seen.errors, 0);
    fixture_fini(&f);
}

static uint64_t make_segments(fixture *f, int count)
{
    uint64_t n = 1;
    char path[PATH_MAX];
    for (;; n++) {
        if (!fixture_append(f, n, n))
            abort();
        fixture_segment_path(f->dir, (uint64_t)count, path);
        if (access(path, F_OK) == 0)
            return n;
    }
}

typedef struct segment_range {
    uint64_t id, first, last;
} segment_range;

static int find_range(void *arg, const journal_segment_summary *s)
{
    segment_range *range = arg;
    if (s->segment_id == range->id) {
        range->first = s->first_seq;
        range->last = s->last_seq;
    }
    return 0;
}

/* A whole segment lost, in the middle or at the front; unreadable or missing. */
static void lost_segments(void)
{
    ss_error err = error_init();
    for (int kind = 0; kind < 4; kind++) {
        fixture f;
        char path[PATH_MAX];
        fixture_init_in_memory(&f);
        fixture_pin(&f, 0, 0);
        REQUIRE(fixture_open(&f));
        uint64_t n = make_segments(&f, 5);
        fixture_close(&f);
        segment_range range = {.id = kind % 2 ? 3 : 1};
        CHECK_INT(journal_summaries(f.dir, find_range, &range, &err), 0);
        uint64_t lost = range.last - range.first + 1;
        fixture_segment_path(f.dir, range.id, path);
        if (kind < 2)
            REQUIRE(truncate(path, 100) == 0 && truncate(path, 20000) == 0);
        else
            REQUIRE(unlink(path) == 0);
        reopened r = reopen(f.dir, 5);
        CHECK_INT(r.durable, n);
        CHECK_INT(r.seen.records, n - lost);
        CHECK_INT(kind == 2 ? r.seen.gap : r.seen.damaged, lost); /* gone at the front looks like expired */
        CHECK_INT(r.seen.wrong + r.seen.errors, 0);
        fixture_fini(&f);
    }
}

/* Nobody knows how many records the last segment held: their numbers are not given out again. */
static void lost_last_segment(void)
{
    fixture f;
    char path[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    uint64_t n = make_segments(&f, 3);
    fixture_close(&f);
    fixture_segment_path(f.dir, 3, path);
    REQUIRE(truncate(path, 0) == 0 && truncate(path, 20000) == 0);
    reopened r = reopen(f.dir, 0);
    CHECK(r.durable >= n);
    CHECK(r.seen.damaged >= 1);
    CHECK_INT(r.seen.records + r.seen.damaged, r.durable);
    CHECK_INT(r.seen.wrong + r.seen.gap + r.seen.errors, 0);
    fixture_fini(&f);
}

static void both_heads_damaged(void)
{
    fixture f;
    char path[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    uint64_t n = make_segments(&f, 4);
    fixture_close(&f);
    for (uint64_t id = 2; id <= 4; id += 2) {
        fixture_segment_path(f.dir, id, path);
        put_byte(path, 20, 1);
        put_byte(path, 4096 + 20, 1);
    }
    reopened r = reopen(f.dir, 3);
    CHECK_INT(r.durable, n);
    CHECK_INT(r.seen.records, n);
    CHECK_INT(r.seen.wrong + r.seen.damaged + r.seen.gap + r.seen.errors, 0);
    fixture_fini(&f);
}

/* The board remembers what was published; a directory that is behind it must not give the numbers again. */
static void published_numbers_are_not_reused(void)
{
    fixture f;
    char copy[PATH_MAX];
    fixture_init_in_memory(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 10));
    fixture_join(copy, f.root, "copy");
    fixture_copy_dir(f.dir, copy);
    REQUIRE(fixture_append(&f, 11, 30));
    fixture_close(&f);
    f.options.dir = copy; /* an old backup under the same server */
    REQUIRE(fixture_open(&f));
    CHECK_INT(f.board->durable_seq, 30);
    CHECK(fixture_append(&f, 31, 33));
    fixture_seen seen = fixture_read(copy, 0, 33, 1);
    CHECK_INT(seen.records, 13);
    CHECK_INT(seen.damaged, 20);
    CHECK_INT(seen.wrong + seen.gap + seen.errors, 0);
    fixture_close(&f);
    fixture_fini(&f);
}

/* ---- the model: random actions against a count of what must be there ---- */

typedef struct model {
    fixture f;
    uint64_t next;    /* the next number */
    uint64_t damaged; /* records that we damaged */
    uint32_t random;
    int copies;
} model;

static uint32_t draw(model *m, uint32_t below)
{
    m->random = m->random * 1664525u + 1013904223u;
    return (m->random >> 8) % below;
}

static void model_append(model *m)
{
    uint64_t last = m->next + draw(m, 12);
    CHECK(fixture_append(&m->f, m->next, last));
    m->next = last + 1;
}

/* The copy goes on as the journal, after garbage was written behind its end. */
static void model_crash(model *m)
{
    char copy[PATH_MAX], name[32], path[PATH_MAX];
    (void)snprintf(name, sizeof name, "crash%d", m->copies++);
    fixture_join(copy, m->f.root, name);
    fixture_copy_dir(m->f.dir, copy);
    fixture_close(&m->f);
    fixture_remove_tree(m->f.dir);
    REQUIRE(rename(copy, m->f.dir) == 0);
    segment_list list;
    int dirfd = open(m->f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(dirfd >= 0 && segment_list_read(dirfd, &list) == 0 && list.count > 0);
    uint64_t id = list.ids[list.count - 1];
    segment_list_free(&list);
    (void)close(dirfd);
    fixture_segment_path(m->f.dir, id, path);
    unsigned char junk[100];
    memset(junk, (int)draw(m, 256), sizeof junk);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0 && file_pwrite_all(fd, junk, draw(m, sizeof junk), (off_t)end_of(path, id)) == 0);
    (void)close(fd);
    REQUIRE(fixture_open(&m->f));
    CHECK_INT(atomic_load(&m->f.board->durable_seq), m->next - 1);
}

static void model_reopen(model *m)
{
    fixture_close(&m->f);
    REQUIRE(fixture_open(&m->f));
    CHECK_INT(atomic_load(&m->f.board->durable_seq), m->next - 1);
}

/* Flips one byte of a record's line in a random place of the newest segment that has records. */
static void model_damage(model *m)
{
    char path[PATH_MAX];
    ss_error err = error_init();
    uint64_t first = atomic_load(&m->f.board->first_seq);
    if (m->next <= first + 2 || draw(m, 3) != 0)
        return;
    uint64_t victim = m->next - 1;
    segment_list list;
    int dirfd = open(m->f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(dirfd >= 0 && segment_list_read(dirfd, &list) == 0);
    uint64_t id = list.ids[list.count - 1];
    segment_list_free(&list);
    (void)close(dirfd);
    fixture_segment_path(m->f.dir, id, path);
    char needle[48];
    int len = snprintf(needle, sizeof needle, "{\"n\":%" PRIu64 ",", victim);
    buf b;
    buf_init(&b, 16u * 1024 * 1024);
    REQUIRE(file_read(path, &b) == 0);
    const char *hit = memmem(b.ptr, b.len, needle, (size_t)len);
    if (hit) {
        put_byte(path, (uint64_t)(hit - b.ptr) + 1, 4);
        m->damaged++;
        /* So that the next damage hits another record. */
        CHECK(fixture_append(&m->f, m->next, m->next));
        m->next++;
    }
    buf_fini(&b);
    (void)err;
}

static void model_check(model *m, uint64_t after)
{
    fixture_seen seen = fixture_read(m->f.dir, after, m->next - 1, 1 + draw(m, 40));
    CHECK_INT(seen.wrong + seen.errors, 0);
    CHECK_INT(seen.records + seen.damaged + seen.gap, m->next - 1 - after);
    CHECK(seen.damaged <= m->damaged);
    if (after == 0 && seen.gap == 0)
        CHECK_INT(seen.damaged, m->damaged);
}

static void model_retire(model *m)
{
    atomic_store(&m->f.board->slots[0].synced_cursor, m->next / 2);
}

static void random_actions_against_a_model(void)
{
    for (uint32_t seed = 1; seed <= MODEL_SEEDS && !check_failed; seed++) {
        model m = {.next = 1, .random = seed};
        fixture_init_in_memory(&m.f);
        fixture_pin(&m.f, 0, 0);
        REQUIRE(fixture_open(&m.f));
        for (int i = 0; i < MODEL_STEPS && !check_failed; i++) {
            uint32_t what = draw(&m, 100);
            if (what < 80)
                model_append(&m);
            else if (what < 86)
                model_reopen(&m);
            else if (what < 90)
                model_crash(&m);
            else if (what < 94)
                model_damage(&m);
            else if (what < 95 && seed % 2)
                model_retire(&m);
            else
                model_check(&m, draw(&m, 2) ? 0 : draw(&m, (uint32_t)m.next));
        }
        if (check_failed)
            printf("# seed %u\n", seed);
        fixture_close(&m.f);
        model_check(&m, 0);
        fixture_fini(&m.f);
    }
}

static const check_test tests[] = {
    TEST(empty_directory_and_restart_without_records),
    TEST(crash_keeps_everything_acknowledged),
    TEST(torn_tail_at_every_offset),
    TEST(flipped_byte_in_a_closed_journal),
    TEST(flipped_byte_after_a_crash),
    TEST(flipped_byte_in_the_only_commit),
    TEST(requests_are_there_whole_or_not_at_all),
    TEST(false_footer_in_the_middle),
    TEST(lost_segments),
    TEST(lost_last_segment),
    TEST(both_heads_damaged),
    TEST(published_numbers_are_not_reused),
    TEST(random_actions_against_a_model),
};
CHECK_MAIN(tests)

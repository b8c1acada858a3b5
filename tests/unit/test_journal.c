/* The writer as its callers see it: numbers, notifications, segments, retention, limits, wake-ups. */
#include "tests/unit/journal_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static void crc_of_all_implementations(void)
{
    unsigned char bytes[300];
    CHECK_INT(journal_crc32c(0, "123456789", 9), 0xE3069283u);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + 7);
    for (size_t from = 0; from < 9; from++) {
        for (size_t len = 0; from + len <= sizeof bytes; len++) {
            uint32_t crc = journal_crc32c(5, bytes + from, len);
            CHECK(crc == journal_crc32c_plain(5, bytes + from, len));
            CHECK(crc == journal_crc32c_table(5, bytes + from, len));
            CHECK(crc == journal_crc32c(journal_crc32c(5, bytes + from, len / 3), bytes + from + len / 3,
                                        len - len / 3));
        }
    }
}

static void appends_and_reads(void)
{
    fixture f;
    fixture_init(&f);
    REQUIRE(fixture_open(&f));
    CHECK_INT(f.board->state, JOURNAL_OPEN);
    CHECK(journal_ready(f.writer));
    CHECK(fixture_append(&f, 1, 1));
    CHECK(fixture_append(&f, 2, 40));
    CHECK_INT(f.board->durable_seq, 40);
    fixture_seen seen = fixture_read(f.dir, 0, 40, 1);
    CHECK_INT(seen.records, 40);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    seen = fixture_read(f.dir, 17, 30, 5);
    CHECK_INT(seen.records, 13);
    CHECK_INT(seen.wrong, 0);
    fixture_close(&f);
    CHECK_INT(f.board->state, JOURNAL_CLOSED);
    fixture_fini(&f);
}

static void modes_and_id(void)
{
    fixture f;
    struct stat st;
    char path[PATH_MAX];
    fixture_init(&f);
    REQUIRE(fixture_open(&f));
    uint64_t id = f.board->journal_id;
    CHECK(id != 0);
    CHECK(stat(f.dir, &st) == 0 && (st.st_mode & 0777) == 0700);
    fixture_segment_path(f.dir, 1, path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    fixture_close(&f);
    fixture_join(path, f.dir, "id");
    CHECK(unlink(path) == 0);
    REQUIRE(fixture_open(&f)); /* found again in the newest segment */
    CHECK(f.board->journal_id == id);
    fixture_close(&f);
    fixture_fini(&f);
}

static void many_segments_and_reopen(void)
{
    fixture f;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    uint64_t n = 1;
    for (int round = 0; round < 4; round++) {
        REQUIRE(fixture_open(&f));
        for (int i = 0; i < 60; i++, n += 7)
            REQUIRE(fixture_append(&f, n, n + 6));
        fixture_close(&f);
    }
    CHECK(fixture_count_files(f.dir, ".seg") > 8);
    fixture_seen seen = fixture_read(f.dir, 0, n - 1, 3);
    CHECK_INT(seen.records, n - 1);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    for (uint64_t after = 0; after < n; after += 97) {
        seen = fixture_read(f.dir, after, UINT64_MAX, 50);
        CHECK_INT(seen.records, n - 1 - after);
        CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    }
    fixture_fini(&f);
}

/* A batch larger than a frame: several frames, each request in one; all are notified once. */
static void large_batch(void)
{
    fixture f;
    fixture_batch b;
    fixture_init(&f);
    f.options.segment_bytes = 1024 * 1024;
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    fixture_batch_init(&b);
    b.batch.wants_written = 1;
    uint64_t n = 1;
    for (; b.records.len < 9u * 1024 * 1024; n++)
        fixture_batch_add(&b, f.source, n, n % 1000 == 0);
    fixture_batch_submit(&f, &b);
    CHECK(fixture_batch_wait(&b));
    CHECK_INT(b.written, 1);
    CHECK_INT(b.synced, 1);
    fixture_batch_fini(&b);
    CHECK(fixture_append(&f, n, n + 3));
    fixture_seen seen = fixture_read(f.dir, 0, n + 3, UINT_MAX);
    CHECK_INT(seen.records, n + 3);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    fixture_close(&f);
    fixture_fini(&f);
}

static void malformed_batches_are_refused(void)
{
    fixture f;
    fixture_init(&f);
    REQUIRE(fixture_open(&f));
    for (int kind = 0; kind < 4; kind++) {
        fixture_batch b;
        fixture_batch_init(&b);
        fixture_batch_add(&b, kind == 3 ? 999 : f.source, 1, true);
        journal_record_head *h = (journal_record_head *)(void *)b.records.ptr;
        if (kind == 0)
            h->length += 8;
        else if (kind == 1)
            h->json_len = UINT32_MAX;
        else if (kind == 2)
            b.batch.count = 5;
        fixture_batch_submit(&f, &b);
        CHECK(!fixture_batch_wait(&b));
        CHECK_INT(b.refused, 1);
        fixture_batch_fini(&b);
    }
    CHECK(fixture_append(&f, 1, 3));
    fixture_close(&f);
    fixture_fini(&f);
}

static void positions_survive(void)
{
    fixture f;
    char got[64];
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    uint64_t n = 1;
    for (int round = 0; round < 3; round++) {
        REQUIRE(fixture_open(&f));
        if (round > 0) {
            size_t len = journal_position(f.writer, ss_cstr("kafka/0"), got, sizeof got);
            CHECK(len > 0 && strtoull(got, NULL, 10) == n - 1);
            CHECK_INT(journal_position(f.writer, ss_cstr("kafka/1"), got, sizeof got), 5);
        }
        CHECK_INT(journal_position(f.writer, ss_cstr("none"), got, sizeof got), 0);
        for (int i = 0; i < 300; i++, n++) { /* over several segments */
            fixture_batch b;
            char text[32];
            int len = snprintf(text, sizeof text, "%" PRIu64, n);
            fixture_batch_init(&b);
            fixture_batch_add(&b, f.source, n, true);
            journal_place place = {i == 0 ? ss_cstr("kafka/1") : ss_cstr("kafka/0"),
                                   i == 0 ? ss_cstr("fixed") : ss_s(text, (size_t)len + 1)};
            b.batch.places = &place;
            b.batch.place_count = 1;
            fixture_batch_submit(&f, &b);
            REQUIRE(fixture_batch_wait(&b));
            fixture_batch_fini(&b);
        }
        fixture_close(&f);
    }
    fixture_fini(&f);
}

typedef struct places_seen {
    int count;
    char text[256];
} places_seen;

static void see_place(void *arg, const journal_place *place)
{
    places_seen *seen = arg;
    seen->count++;
    size_t len = strlen(seen->text);
    (void)snprintf(seen->text + len, sizeof seen->text - len, "%.*s=%.*s ", (int)place->source.len,
                   place->source.ptr, (int)place->position.len, place->position.ptr);
}

static bool store_places(fixture *f, const journal_place *places, uint32_t count, int records)
{
    fixture_batch b;
    fixture_batch_init(&b);
    for (int i = 0; i < records; i++)
        fixture_batch_add(&b, f->source, (uint64_t)i, true);
    b.batch.places = places;
    b.batch.place_count = count;
    fixture_batch_submit(f, &b);
    bool stored = fixture_batch_wait(&b);
    fixture_batch_fini(&b);
    return stored;
}

/* A group that emitted nothing moves its source on all the same; an empty value takes a source out. */
static void places_alone_survive(void)
{
    fixture f;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    const journal_place first[] = {
        {ss_cstr("k/a"), ss_cstr("1")}, {ss_cstr("k/b"), ss_cstr("2")}, {ss_cstr("x"), ss_cstr("9")}};
    const journal_place second[] = {{ss_cstr("k/a"), ss_cstr("3")}, {ss_cstr("k/b"), ss_s("", 0)}};
    CHECK(store_places(&f, first, 3, 0)); /* the first thing in the journal at all */
    CHECK(store_places(&f, NULL, 0, 2));
    CHECK(store_places(&f, second, 2, 0));
    CHECK(!store_places(&f, NULL, 0, 0)); /* nothing at all is malformed */
    for (int round = 0; round < 3; round++) {
        places_seen seen = {0};
        journal_positions(f.writer, ss_cstr("k/"), see_place, &seen);
        CHECK_STR(seen.text, "k/a=3 ");
        CHECK_INT(atomic_load(&f.board->durable_seq), 2);
        fixture_close(&f);
        REQUIRE(fixture_open(&f));
    }
    fixture_seen records = fixture_read(f.dir, 0, 2, 1);
    CHECK_INT(records.records, 2);
    fixture_close(&f);
    fixture_fini(&f);
}

static void places_are_bounded(void)
{
    static char names[JOURNAL_POSITIONS_MAX + 1][16];
    fixture f;
    fixture_init(&f);
    f.options.segment_bytes = 1024 * 1024;
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    for (uint32_t i = 0; i <= JOURNAL_POSITIONS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%u", i);
        journal_place place = {ss_cstr(names[i]), ss_cstr("1")};
        CHECK(journal_places_fit(f.writer, &place, 1) == (i < JOURNAL_POSITIONS_MAX));
        if (i < JOURNAL_POSITIONS_MAX)
            CHECK(store_places(&f, &place, 1, 0));
    }
    journal_place known = {ss_cstr("p7"), ss_cstr("2")};
    CHECK(journal_places_fit(f.writer, &known, 1));
    fixture_close(&f);
    REQUIRE(fixture_open(&f)); /* they stand in the next segment's beginning and in the footer */
    places_seen seen = {0};
    journal_positions(f.writer, ss_cstr("p"), see_place, &seen);
    CHECK_INT(seen.count, JOURNAL_POSITIONS_MAX);
    fixture_close(&f);
    fixture_fini(&f);
}

static void sources_keep_their_names(void)
{
    fixture f;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    journal_source game = {.name = ss_cstr("game"), .version = ss_cstr("2"), .schema_rev = 1};
    int id = journal_source_id(f.writer, &game);
    CHECK(id > 0 && id != f.source);
    CHECK_INT(journal_source_id(f.writer, &game), id);
    game.schema_rev = 2; /* after a reload */
    CHECK_INT(journal_source_id(f.writer, &game), id);
    fixture_batch b;
    fixture_batch_init(&b);
    fixture_batch_add(&b, id, 1, true);
    fixture_batch_submit(&f, &b);
    CHECK(fixture_batch_wait(&b));
    fixture_batch_fini(&b);
    ss_error err = error_init();
    journal_reader *r = journal_reader_open(f.dir, 0, 0, &err);
    journal_item item;
    REQUIRE(r != NULL);
    REQUIRE(journal_reader_next(r, 1, &item, &err) == JOURNAL_READ_RECORD);
    CHECK(ss_eq(item.record.receiver, ss_cstr("game")));
    CHECK_INT(item.record.schema_rev, 2);
    CHECK_INT(item.record_flags, JOURNAL_REQUEST_BEGIN | JOURNAL_REQUEST_END);
    CHECK(journal_reader_id(r) == f.board->journal_id);
    journal_reader_close(r);
    fixture_close(&f);
    fixture_fini(&f);
}

/* ---- retention ---- */

typedef struct retired {
    pthread_mutex_t lock;
    uint64_t next_segment, next_seq, records, counted, wrong;
    int refuse; /* so many times: "not now" */
    uint64_t calls;
} retired;

static int on_retire(void *arg, const journal_segment_summary *s)
{
    retired *r = arg;
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    r->calls++;
    if (r->refuse > 0) {
        r->refuse--;
        rc = -1;
    } else {
        r->wrong += s->segment_id != r->next_segment || s->first_seq != r->next_seq || s->damaged != 0 ||
                    s->records != s->last_seq - s->first_seq + 1 ||
                    s->event_min_us != (int64_t)(2000 + s->first_seq) ||
                    s->event_max_us != (int64_t)(2000 + s->last_seq);
        r->next_segment = s->segment_id + 1;
        r->next_seq = s->last_seq + 1;
        r->records += s->records;
        for (size_t i = 0; i < s->count_count; i++) {
            r->wrong += !ss_eq(s->counts[i].receiver, ss_cstr("matomo"));
            r->counted += s->counts[i].records;
        }
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* Waits (by appending) until the condition holds. */
static bool append_until(fixture *f, uint64_t *n, const _Atomic uint64_t *value, uint64_t least)
{
    for (int i = 0; i < 4000 && atomic_load(value) < least; i++, (*n)++)
        if (!fixture_append(f, *n, *n))
            return false;
    return atomic_load(value) >= least;
}

static void retention_follows_the_cursors(void)
{
    fixture f;
    retired r = {.lock = PTHREAD_MUTEX_INITIALIZER, .next_segment = 1, .next_seq = 1, .refuse = 2};
    uint64_t n = 1;
    fixture_init(&f);
    f.options.retire = on_retire;
    f.options.retire_arg = &r;
    fixture_pin(&f, 3, 0);
    fixture_pin(&f, 5, UINT64_MAX);
    REQUIRE(fixture_open(&f));
    for (; n <= 1500; n++)
        REQUIRE(fixture_append(&f, n, n));
    CHECK_INT(f.board->first_seq, 1);
    atomic_store(&f.board->slots[5].synced_cursor, 1000);
    atomic_store(&f.board->slots[3].synced_cursor, 700);
    CHECK(append_until(&f, &n, &f.board->first_seq, 400));
    uint64_t first = f.board->first_seq;
    CHECK(first > 1 && first <= 701);
    fixture_close(&f);
    CHECK_INT(r.wrong, 0);
    CHECK_INT(r.records, first - 1);
    CHECK_INT(r.counted, r.records);
    fixture_seen seen = fixture_read(f.dir, 0, n - 1, 1);
    CHECK_INT(seen.gap, first - 1);
    CHECK_INT(seen.records, n - first);
    CHECK_INT(seen.wrong + seen.damaged + seen.errors, 0);
    fixture_fini(&f);
}

static void max_bytes_of_a_module_unpins(void)
{
    fixture f;
    uint64_t n = 1;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    atomic_store(&f.board->slots[0].max_bytes, 3 * FIXTURE_SEGMENT_BYTES);
    REQUIRE(fixture_open(&f));
    CHECK(append_until(&f, &n, &f.board->first_seq, 500));
    CHECK(fixture_count_files(f.dir, ".seg") >= 4); /* what is within max_bytes stays */
    fixture_close(&f);
    fixture_fini(&f);
}

static void retain_keeps_delivered_ones(void)
{
    fixture f;
    fixture_init(&f);
    f.options.retain_ms = INT64_C(1) << 50; /* the records carry times of 1970 */
    REQUIRE(fixture_open(&f));
    for (uint64_t n = 1; n <= 1000; n++)
        REQUIRE(fixture_append(&f, n, n));
    fixture_close(&f);
    CHECK_INT(f.board->first_seq, 1);
    fixture_fini(&f);
}

/* Recycled files are full of old frames; nothing of them may ever be seen. */
static void recycling_shows_nothing_old(void)
{
    fixture f;
    uint64_t n = 1;
    fixture_init(&f);
    REQUIRE(fixture_open(&f));
    ss_error err = error_init();
    journal_reader *r = journal_reader_open(f.dir, 0, 0, &err);
    journal_item item;
    uint64_t next = 1, records = 0, gap = 0;
    REQUIRE(r != NULL);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 20; i++, n++)
            REQUIRE(fixture_append(&f, n, n));
        if (round % 17 != 0) /* often far behind, so that it is overtaken */
            continue;
        while (next < n) {
            enum journal_read what = journal_reader_next(r, n - 1, &item, &err);
            REQUIRE(what == JOURNAL_READ_RECORD || what == JOURNAL_READ_GAP || what == JOURNAL_READ_FULL);
            if (what == JOURNAL_READ_RECORD) {
                REQUIRE(item.record.seq == next && fixture_same(&item.record, next));
                records++;
                next++;
            } else if (what == JOURNAL_READ_GAP) {
                REQUIRE(item.from == next);
                gap += item.through - item.from + 1;
                next = item.through + 1;
            }
            if (records % 10 == 0)
                journal_reader_release(r);
        }
    }
    CHECK(gap > 0 && records > 0);
    journal_reader_close(r);
    fixture_close(&f);
    fixture_fini(&f);
}

static void full_at_max_bytes(void)
{
    fixture f;
    uint64_t n = 1;
    fixture_init(&f);
    f.options.max_bytes = 6 * FIXTURE_SEGMENT_BYTES;
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    for (; n < 20000 && journal_ready(f.writer); n++)
        REQUIRE(fixture_append(&f, n, n));
    CHECK(!journal_ready(f.writer));
    CHECK_INT(f.board->state, JOURNAL_FULL);
    atomic_store(&f.board->slots[0].synced_cursor, n - 1);
    for (int i = 0; i < 500 && !journal_ready(f.writer); i++)
        (void)journal_wait(f.board, 0, UINT64_MAX, 10); /* the keeper looks once a second */
    CHECK(journal_ready(f.writer));
    CHECK_INT(f.board->state, JOURNAL_OPEN);
    CHECK(fixture_append(&f, n, n));
    fixture_close(&f);
    fixture_fini(&f);
}

/* In one pass: between two, a spare may be finished, and count twice. */
static size_t whole_spares(const fixture *f)
{
    size_t count = 0;
    DIR *d = opendir(f->dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        count += strstr(e->d_name, "spare-") && !strstr(e->d_name, ".new");
    if (d)
        (void)closedir(d);
    return count;
}

static void spares_are_kept_and_found(void)
{
    fixture f;
    fixture_init(&f);
    REQUIRE(fixture_open(&f));
    for (int i = 0; i < 500 && whole_spares(&f) < 2; i++)
        (void)journal_wait(f.board, 0, UINT64_MAX, 10);
    fixture_close(&f);
    CHECK_INT(fixture_count_files(f.dir, "spare-"), 2);
    CHECK_INT(fixture_count_files(f.dir, ".new"), 0);
    REQUIRE(fixture_open(&f));
    CHECK(fixture_append(&f, 1, 1));
    fixture_close(&f);
    CHECK(fixture_count_files(f.dir, "spare-") <= 2);
    fixture_fini(&f);
}

/* ---- refusals ---- */

static void replaced_descriptor_is_noticed(void)
{
    fixture f;
    char path[PATH_MAX];
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 10));
    fixture_segment_path(f.dir, 1, path);
    struct stat want, st;
    REQUIRE(stat(path, &want) == 0);
    int victim = -1;
    for (int fd = 3; fd < 200 && victim < 0; fd++)
        if (fstat(fd, &st) == 0 && st.st_ino == want.st_ino && st.st_dev == want.st_dev)
            victim = fd;
    REQUIRE(victim >= 0);
    char other[PATH_MAX];
    fixture_join(other, f.root, "innocent");
    int fd = open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && dup2(fd, victim) == victim);
    CHECK(!fixture_append(&f, 11, 12)); /* refused, and nothing is in the other file */
    CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
    CHECK(fixture_append(&f, 11, 20));
    fixture_close(&f);
    fixture_seen seen = fixture_read(f.dir, 0, 20, 1);
    CHECK_INT(seen.records, 20);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    fixture_fini(&f);
}

/* A write beyond RLIMIT_FSIZE fails with EFBIG: as good as any broken disk. */
static void failed_writes_are_refused(void)
{
    fixture f;
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    REQUIRE(fixture_open(&f));
    REQUIRE(fixture_append(&f, 1, 10));
    struct rlimit limit = {10000, RLIM_INFINITY};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(!fixture_append(&f, 11, 200));
    CHECK(!fixture_append(&f, 11, 200));
    CHECK(!journal_ready(f.writer));
    CHECK_INT(f.board->state, JOURNAL_FAILED);
    CHECK_INT(f.board->durable_seq, 10);
    limit.rlim_cur = RLIM_INFINITY;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int i = 0; i < 500 && !journal_ready(f.writer); i++)
        (void)journal_wait(f.board, 0, UINT64_MAX, 10);
    CHECK(journal_ready(f.writer));
    CHECK(fixture_append(&f, 11, 40));
    fixture_close(&f);
    REQUIRE(fixture_open(&f));
    CHECK(fixture_append(&f, 41, 50));
    fixture_close(&f);
    fixture_seen seen = fixture_read(f.dir, 0, 50, 1);
    CHECK_INT(seen.records, 50);
    CHECK_INT(seen.wrong + seen.damaged + seen.gap + seen.errors, 0);
    fixture_fini(&f);
}

static void queue_limit(void)
{
    fixture f;
    fixture_init(&f);
    f.options.queue_bytes = 1;
    f.options.sync_delay_us = 20000;
    REQUIRE(fixture_open(&f));
    fixture_batch b;
    fixture_batch_init(&b);
    fixture_batch_add(&b, f.source, 1, true);
    CHECK(journal_ready(f.writer));
    fixture_batch_submit(&f, &b);
    CHECK(!journal_ready(f.writer));
    CHECK(fixture_batch_wait(&b));
    fixture_close(&f);
    fixture_batch_fini(&b);
    fixture_fini(&f);
}

/* ---- threads ---- */

#define THREADS    3
#define PER_THREAD 400
#define READERS    3

typedef struct submitter {
    fixture *f;
    uint64_t failures;
} submitter;

static void *submit_many(void *arg)
{
    submitter *s = arg;
    for (int i = 0; i < PER_THREAD; i++) {
        fixture_batch b;
        fixture_batch_init(&b);
        fixture_batch_add(&b, s->f->source, (uint64_t)i + 1, true);
        fixture_batch_add(&b, s->f->source, (uint64_t)i + 1, true);
        fixture_batch_submit(s->f, &b);
        s->failures += !fixture_batch_wait(&b);
        fixture_batch_fini(&b);
    }
    return NULL;
}

typedef struct follower {
    fixture *f;
    uint32_t slot;
    uint64_t records, wrong, through;
} follower;

static void *follow(void *arg)
{
    follower *w = arg;
    ss_error err = error_init();
    journal_reader *r = journal_reader_open(w->f->dir, 0, 0, &err);
    uint64_t next = 1, limit = 0;
    while (next <= w->through) {
        journal_item item;
        enum journal_read what = journal_reader_next(r, limit, &item, &err);
        if (what == JOURNAL_READ_RECORD) {
            w->wrong += item.record.seq != next;
            next = item.record.seq + 1;
            w->records++;
        } else if (what == JOURNAL_READ_END || what == JOURNAL_READ_FULL) {
            journal_reader_release(r);
            if (what == JOURNAL_READ_END)
                limit = journal_wait(w->f->board, w->slot, next, 5000);
            atomic_store(&w->f->board->slots[w->slot].synced_cursor, next - 1);
        } else {
            w->wrong++;
            break;
        }
    }
    journal_reader_close(r);
    return NULL;
}

static void many_threads(void)
{
    fixture f;
    fixture_init(&f);
    for (uint32_t i = 0; i < READERS; i++)
        fixture_pin(&f, i, 0);
    REQUIRE(fixture_open(&f));
    pthread_t threads[THREADS], readers[READERS];
    submitter s[THREADS];
    follower w[READERS];
    uint64_t total = 2 * (uint64_t)THREADS * PER_THREAD;
    for (uint32_t i = 0; i < READERS; i++) {
        w[i] = (follower){.f = &f, .slot = i, .through = total};
        REQUIRE(pthread_create(&readers[i], NULL, follow, &w[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        s[i] = (submitter){.f = &f};
        REQUIRE(pthread_create(&threads[i], NULL, submit_many, &s[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        CHECK_INT(s[i].failures, 0);
    }
    for (int i = 0; i < READERS; i++) {
        (void)pthread_join(readers[i], NULL);
        CHECK_INT(w[i].wrong, 0);
        CHECK_INT(w[i].records, total);
    }
    CHECK_INT(f.board->durable_seq, total);
    fixture_close(&f);
    fixture_fini(&f);
}

static void *wait_long(void *arg)
{
    journal_board *board = arg;
    return (void *)(uintptr_t)journal_wait(board, 7, 100, -1);
}

static void waits_and_pokes(void)
{
    fixture f;
    pthread_t thread;
    void *got;
    fixture_init(&f);
    CHECK_INT(journal_wait(f.board, 7, 0, -1), 0);
    CHECK_INT(journal_wait(f.board, 7, 1, 20), 0); /* the time-out */
    journal_poke(f.board, 7);
    CHECK_INT(journal_wait(f.board, 7, 1, -1), 0); /* a poke ends the next wait */
    REQUIRE(pthread_create(&thread, NULL, wait_long, f.board) == 0);
    journal_publish(f.board, 5); /* not yet */
    journal_publish(f.board, 100);
    (void)pthread_join(thread, &got);
    CHECK_INT((uintptr_t)got, 100);
    atomic_store(&f.board->durable_seq, 1);
    REQUIRE(pthread_create(&thread, NULL, wait_long, f.board) == 0);
    journal_poke(f.board, 7);
    (void)pthread_join(thread, &got);
    CHECK_INT((uintptr_t)got, 1);
    fixture_fini(&f);
}

typedef struct second_writer {
    fixture *f;
    _Atomic uint32_t opened;
    journal_board board;
} second_writer;

static void *open_second(void *arg)
{
    second_writer *s = arg;
    ss_error err = error_init();
    journal_writer *w = journal_open(&s->f->options, &s->board, &err);
    atomic_store(&s->opened, 1);
    journal_close(w);
    return NULL;
}

static void second_writer_waits_for_the_lock(void)
{
    fixture f;
    pthread_t thread;
    second_writer *second = aligned_alloc(_Alignof(second_writer), sizeof *second);
    fixture_init(&f);
    fixture_pin(&f, 0, 0);
    memset(second, 0, sizeof *second);
    second->f = &f;
    atomic_store(&second->board.slots[0].used, 1);
    REQUIRE(fixture_open(&f));
    REQUIRE(pthread_create(&thread, NULL, open_second, second) == 0);
    for (uint64_t n = 1; n <= 100; n++)
        CHECK(fixture_append(&f, n, n));
    CHECK_INT(atomic_load(&second->opened), 0);
    fixture_close(&f);
    (void)pthread_join(thread, NULL);
    CHECK_INT(atomic_load(&second->opened), 1);
    CHECK_INT(second->board.durable_seq, 100);
    fixture_seen seen = fixture_read(f.dir, 0, 100, 1);
    CHECK_INT(seen.records, 100);
    CHECK_INT(seen.wrong, 0);
    free(second);
    fixture_fini(&f);
}

static const check_test tests[] = {
    TEST(crc_of_all_implementations),
    TEST(appends_and_reads),
    TEST(modes_and_id),
    TEST(many_segments_and_reopen),
    TEST(large_batch),
    TEST(malformed_batches_are_refused),
    TEST(positions_survive),
    TEST(places_alone_survive),
    TEST(places_are_bounded),
    TEST(sources_keep_their_names),
    TEST(retention_follows_the_cursors),
    TEST(max_bytes_of_a_module_unpins),
    TEST(retain_keeps_delivered_ones),
    TEST(recycling_shows_nothing_old),
    TEST(full_at_max_bytes),
    TEST(spares_are_kept_and_found),
    TEST(replaced_descriptor_is_noticed),
    TEST(failed_writes_are_refused),
    TEST(queue_limit),
    TEST(many_threads),
    TEST(waits_and_pokes),
    TEST(second_writer_waits_for_the_lock),
};
CHECK_MAIN(tests)

// with: receivers/matomo/visits.c receivers/matomo/visit_*.c receivers/matomo/zone.c
/* The memory of visits by itself: bounds, torn entries, other sizes, many threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "receivers/matomo/visits.h"
#include "tests/unit/check.h"

#define NOW     1764559445
#define THREADS 8

/* ---- a host of nothing but memory: one file, which another size makes anew ---- */

typedef struct memory {
    void *file, *former;
    size_t size;
    atomic_ullong random;
} memory;

static void *host_state_file(void *self, const char *name, size_t size, ss_error *err)
{
    memory *m = self;
    (void)name, (void)err;
    if (m->size != size) {
        free(m->former);
        m->former = m->file; /* who uses it goes on with it */
        m->file = aligned_alloc(64, (size + 63) / 64 * 64);
        if (!m->file)
            abort();
        memset(m->file, 0, size);
        m->size = size;
    }
    return m->file;
}

static void host_random(void *self, void *out, size_t len)
{
    memory *m = self;
    uint64_t n = (atomic_fetch_add(&m->random, 1) + 1) * 0x9E3779B97F4A7C15u;
    memcpy(out, &n, len < sizeof n ? len : sizeof n);
}

typedef struct fixture {
    memory memory;
    ss_host host;
    visits *v;
} fixture;

static const visit_rules rules = {.length_s = 1800, .campaign_begins = true};

static visits *make(fixture *f, uint32_t remember)
{
    ss_error err = {.struct_size = sizeof err};
    visits *v = visits_new(&f->host, remember, rules, &err);
    if (!v)
        abort();
    return v;
}

static void open_store(fixture *f, uint32_t remember)
{
    *f = (fixture){.memory = {.file = NULL}};
    f->host = (ss_host){.struct_size = sizeof f->host,
                        .self = &f->memory,
                        .state_file = host_state_file,
                        .random = host_random};
    f->v = make(f, remember);
}

static void close_store(fixture *f)
{
    visits_free(f->v);
    free(f->memory.file);
    free(f->memory.former);
}

/* ---- hits ---- */

static zone_change utc_change = {.at_s = INT64_MIN, .offset_s = 0};
static const zone utc = {.name = "UTC", .changes = &utc_change, .count = 1};

static uint64_t fingerprint(const void *of)
{
    return *(const uint64_t *)of;
}

static visit_hit hit_of(uint64_t visitor, const uint64_t *config, int64_t at_s)
{
    return (visit_hit){.site = 1,
                       .zone = &utc,
                       .visitor = visitor,
                       .fingerprint = fingerprint,
                       .of = config,
                       .known = true,
                       .at_s = at_s,
                       .now_s = at_s};
}

static visit_answer take(visits *v, uint64_t visitor, int64_t at_s)
{
    visit_answer out;
    uint64_t config = hash_mix(visitor, 7); /* a client of its own */
    visit_hit hit = hit_of(visitor, &config, at_s);
    CHECK(visits_take(v, &hit, &out));
    return out;
}

/* ---- bounds ---- */

static void as_large_as_said(void)
{
    CHECK(visit_table_bytes(100000) <= 92 * 100000 + 4096);
    CHECK(visit_table_bytes(VISITS_MAX) < (size_t)1 << 30); /* what a state file may have */
    CHECK(visit_table_bytes(1) > 0);
}

static void the_oldest_makes_room(void)
{
    enum { ROOM = 16, VISITORS = 400 };
    fixture f;
    open_store(&f, ROOM);
    uint64_t ids[VISITORS];
    for (uint64_t i = 0; i < VISITORS; i++)
        ids[i] = take(f.v, i, NOW + (int64_t)i).id;
    size_t known = 0;
    CHECK(take(f.v, VISITORS - 1, NOW + VISITORS).id == ids[VISITORS - 1]);
    CHECK(take(f.v, VISITORS - 2, NOW + VISITORS).id == ids[VISITORS - 2]);
    for (uint64_t i = VISITORS - ROOM; i < VISITORS; i++) { /* each bucket keeps its eight latest */
        uint64_t config = 1;
        visit_answer out;
        visit_hit hit = hit_of(i, &config, NOW + VISITORS);
        hit.ping = true; /* looks without making room */
        known += visits_take(f.v, &hit, &out) && out.id == ids[i];
    }
    CHECK(known >= ROOM / 2);
    CHECK_INT(take(f.v, 0, NOW + VISITORS).created, true);
    close_store(&f);
}

/* A clock that was ten years ahead for a while: what it left makes room first. */
static void a_wrong_clock(void)
{
    fixture f;
    open_store(&f, 16);
    for (uint64_t i = 0; i < 200; i++) {
        (void)take(f.v, i, NOW + 10 * 365 * 86400);
        (void)visits_mark(f.v, hash_mix(i, 3), 1, NOW + 10 * 365 * 86400);
    }
    uint64_t ids[4], keys[4] = {hash_mix(1000, 3), hash_mix(1001, 3), hash_mix(1002, 3), hash_mix(1003, 3)};
    for (uint64_t i = 0; i < 4; i++) {
        ids[i] = take(f.v, 1000 + i, NOW + (int64_t)i).id;
        CHECK_INT(visits_mark(f.v, keys[i], 1, NOW + (int64_t)i), MARK_FIRST);
    }
    for (uint64_t i = 0; i < 4; i++) {
        CHECK(take(f.v, 1000 + i, NOW + 10).id == ids[i]);
        CHECK_INT(visits_mark(f.v, keys[i], 1, NOW + 10), MARK_REPEAT);
    }
    close_store(&f);
}

static void ten_thousand_hits(void)
{
    fixture f;
    open_store(&f, 16);
    uint64_t first = take(f.v, 1, NOW).id;
    for (uint32_t i = 1; i < VISIT_HITS_MAX; i++)
        CHECK(take(f.v, 1, NOW).id == first);
    CHECK(take(f.v, 1, NOW).created);
    close_store(&f);
}

static void marks_are_bounded(void)
{
    fixture f;
    open_store(&f, 160); /* 40 marks */
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t key = hash_mix(i, 3);
        CHECK_INT(visits_mark(f.v, key, (uint32_t)i, NOW + (int64_t)i), MARK_FIRST);
        CHECK_INT(visits_mark(f.v, key, (uint32_t)i, NOW + (int64_t)i), i ? MARK_REPEAT : MARK_TAKEN);
        CHECK_INT(visits_mark(f.v, key, (uint32_t)i + 1, NOW + (int64_t)i), MARK_TAKEN);
        CHECK_INT(visits_mark(f.v, key, 0, NOW + (int64_t)i), MARK_TAKEN);
    }
    visits_unmark(f.v, hash_mix(4999, 3));
    CHECK_INT(visits_mark(f.v, hash_mix(4999, 3), 1, NOW), MARK_FIRST);
    close_store(&f);
}

static void undone(void)
{
    fixture f;
    open_store(&f, 16);
    uint64_t config = 5;
    visit_hit hit = hit_of(1, &config, NOW);
    visit_answer first, second;
    CHECK(visits_take(f.v, &hit, &first));
    visits_undo(f.v, &hit, &first);
    CHECK(visits_take(f.v, &hit, &second) && second.created && second.id != first.id);
    CHECK(take(f.v, 1, NOW + 1).id == second.id);
    visits_undo(f.v, &hit, &second); /* somebody else has joined: it stays */
    CHECK(take(f.v, 1, NOW + 2).id == second.id);
    close_store(&f);
}

/* ---- damage ---- */

static void any_torn_byte(void)
{
    fixture f;
    open_store(&f, 16);
    visit_table t;
    visit_table_open(&t, f.memory.file, 16, 0);
    visit_place p = visit_place_at(&t, 42, 1);
    for (size_t i = 0; i < sizeof(visit); i++) {
        uint64_t id = take(f.v, 42, NOW).id;
        for (uint32_t s = 0; s < VISIT_SLOTS; s++)
            if (t.visits[p.bucket].slot[s].id == id)
                ((unsigned char *)&t.visits[p.bucket].slot[s])[i] ^= 0x10;
        visit_answer out = take(f.v, 42, NOW);
        CHECK(out.created && out.id != id);
    }
    for (size_t i = 0; i < sizeof(visit_mark); i++) {
        uint64_t key = hash_mix(i, 9);
        CHECK_INT(visits_mark(f.v, key, 1, NOW), MARK_FIRST);
        for (uint32_t b = 0; b < t.mark_count; b++)
            for (uint32_t s = 0; s < MARK_SLOTS; s++)
                if (mark_key(&t.marks[b].slot[s]) == key)
                    ((unsigned char *)&t.marks[b].slot[s])[i] ^= 0x10;
        CHECK_INT(visits_mark(f.v, key, 1, NOW), MARK_FIRST);
    }
    close_store(&f);
}

static void another_file(void)
{
    fixture f;
    open_store(&f, 160);
    uint64_t id = take(f.v, 1, NOW).id;
    visits_free(f.v);
    f.v = make(&f, 160);
    CHECK(take(f.v, 1, NOW).id == id);
    visits_free(f.v);
    memset(f.memory.file, 0x5A, f.memory.size); /* of another version, say */
    f.v = make(&f, 160);
    CHECK(take(f.v, 1, NOW).created);
    memset((char *)f.memory.file + 64, 0x5A, f.memory.size - 64); /* under its hands */
    for (uint64_t i = 0; i < 100; i++)
        CHECK(take(f.v, i, NOW + 1).created);
    close_store(&f);
}

/* ---- reload ---- */

static void reload_of_the_same_size(void)
{
    fixture f;
    open_store(&f, 160);
    uint64_t id = take(f.v, 1, NOW).id;
    visits *next = make(&f, 160);
    visits_adopt(next, f.v);
    uint64_t other = take(f.v, 2, NOW).id; /* both are in use for a moment */
    CHECK(take(next, 2, NOW + 1).id == other);
    CHECK(take(next, 1, NOW + 1).id == id);
    visits_free(f.v);
    CHECK(take(next, 2, NOW + 2).id == other);
    f.v = next;
    close_store(&f);
}

static void reload_of_another_size(void)
{
    static const uint32_t sizes[][2] = {{160, 1600}, {1600, 400}};
    for (size_t i = 0; i < 2; i++) {
        enum { VISITORS = 40 };
        fixture f;
        uint64_t ids[VISITORS];
        open_store(&f, sizes[i][0]);
        uint64_t salt = visits_salt(f.v);
        for (uint64_t n = 0; n < VISITORS; n++)
            ids[n] = take(f.v, n, NOW).id;
        CHECK_INT(visits_mark(f.v, 77, 1, NOW), MARK_FIRST);
        visits *next = make(&f, sizes[i][1]);
        visits_adopt(next, f.v);
        CHECK(visits_salt(next) == salt);
        uint64_t late = take(f.v, 1000, NOW).id; /* begun in the old one, after the new one took over */
        visits_free(f.v);
        for (uint64_t n = 0; n < VISITORS; n++)
            CHECK(take(next, n, NOW + 1).id == ids[n]);
        CHECK(take(next, 1000, NOW + 1).id == late);
        CHECK_INT(visits_mark(next, 77, 2, NOW), MARK_TAKEN);
        uint64_t config = hash_mix(3, 7); /* its fingerprint leads to it, too */
        visit_hit hit = hit_of(5555, &config, NOW + 2);
        visit_answer out;
        CHECK(visits_take(next, &hit, &out) && out.id == ids[3]);
        f.v = next;
        close_store(&f);
    }
}

static void reload_called_off(void)
{
    fixture f;
    open_store(&f, 160);
    uint64_t id = take(f.v, 1, NOW).id;
    visits *next = make(&f, 1600);
    visits_adopt(next, f.v);
    visits_free(next);
    CHECK(take(f.v, 1, NOW + 1).id == id);
    close_store(&f);
}

/* ---- threads ---- */

#define CLIENTS 600u /* per kind: with an id, without one */

static struct {
    fixture f;
    _Atomic(visits *) use;
    atomic_uint created[2 * CLIENTS], first_marks[CLIENTS], wrong, passes;
    atomic_ullong id[2 * CLIENTS];
} race;

static void race_hit(uint32_t client, uint64_t made)
{
    bool known = client < CLIENTS;
    uint64_t config = hash_mix(client, 11);
    visit_hit hit = hit_of(known ? client : made, &config, NOW);
    visit_answer out;
    hit.known = known;
    if (!visits_take(atomic_load(&race.use), &hit, &out)) {
        (void)atomic_fetch_add(&race.wrong, 1);
        return;
    }
    unsigned long long none = 0;
    if (!atomic_compare_exchange_strong(&race.id[client], &none, out.id) && none != out.id)
        (void)atomic_fetch_add(&race.wrong, 1);
    (void)atomic_fetch_add(&race.created[client], out.created);
}

static void *race_run(void *arg)
{
    uint32_t thread = *(const uint32_t *)arg;
    for (uint32_t pass = 0; pass < 3; pass++) {
        for (uint32_t i = 0; i < 2 * CLIENTS; i++) {
            uint32_t client = (i * 7 + (thread % 2) * CLIENTS) % (2 * CLIENTS);
            race_hit(client, hash_mix(thread * 100000 + pass * 10000 + i, 13));
            uint64_t key = hash_mix(client % CLIENTS, 17);
            if (visits_mark(atomic_load(&race.use), key, thread + 1, NOW) == MARK_FIRST)
                (void)atomic_fetch_add(&race.first_marks[client % CLIENTS], 1);
        }
        (void)atomic_fetch_add(&race.passes, 1);
    }
    return NULL;
}

/* Eight threads, the same clients: each has one visit, each mark one owner; reloads in between. */
static void eight_threads(void)
{
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];
    visits *made[8] = {NULL};
    size_t count = 0;
    open_store(&race.f, 20000);
    atomic_store(&race.use, race.f.v);
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&threads[i], NULL, race_run, &numbers[i]) == 0);
    }
    while (atomic_load(&race.passes) < 2 * THREADS && count < 8) {
        visits *next = make(&race.f, 20000);
        visits_adopt(next, atomic_load(&race.use));
        made[count++] = atomic_exchange(&race.use, next);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < count; i++)
        visits_free(made[i]);
    race.f.v = atomic_load(&race.use);
    CHECK_INT(atomic_load(&race.wrong), 0);
    for (uint32_t i = 0; i < 2 * CLIENTS; i++)
        CHECK_INT(atomic_load(&race.created[i]), 1);
    for (uint32_t i = 0; i < CLIENTS; i++)
        CHECK_INT(atomic_load(&race.first_marks[i]), 1);
    close_store(&race.f);
}

static const check_test tests[] = {
    TEST(as_large_as_said),       TEST(the_oldest_makes_room), TEST(a_wrong_clock),
    TEST(ten_thousand_hits),      TEST(marks_are_bounded),     TEST(undone),
    TEST(any_torn_byte),          TEST(another_file),          TEST(reload_of_the_same_size),
    TEST(reload_of_another_size), TEST(reload_called_off),     TEST(eight_threads)};
CHECK_MAIN(tests)

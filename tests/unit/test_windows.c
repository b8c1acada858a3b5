/* Windows from inside: aggregates, filters, and the whole engine against tests/lib/windows_reference.py: with
   `stream OPTIONS FILE` as arguments it is the driver of tests/scenario/test_windows.py, one event a line in,
   documents out. */
// with: modules/windows/*.c
// libs: -lm
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/windows_fixture.h"

#define KEY ((hash_key){1, 2})

/* ---- helpers ---- */

static path_value value_of(const char *json, paths *p, uint32_t slot)
{
    const ss_record r = {.json = ss_cstr(json)};
    paths_read(p, &r);
    const path_value *v = paths_get(p, slot);
    return v ? *v : (path_value){.kind = JSON_NONE};
}

typedef struct bench {
    paths p;
    uint32_t slot;
    aggregate_spec spec;
    aggregate a;
    int64_t bytes;
    uint64_t count;
} bench;

static void bench_init(bench *b, enum aggregate_kind kind)
{
    ss_error err = {.struct_size = sizeof err};
    *b = (bench){.spec = {.kind = kind, .q = 0.5, .k = 3}};
    paths_init(&b->p);
    b->slot = b->spec.slot = paths_add(&b->p, SS_LIT("v"), &err);
}

static enum aggregate_result feed(bench *b, const char *json, size_t room)
{
    char line[256];
    (void)snprintf(line, sizeof line, "{\"v\":%s}", json);
    path_value v = value_of(line, &b->p, b->slot);
    b->count++;
    return aggregate_add(&b->spec, &b->a, v.kind ? &v : NULL, KEY, room, &b->bytes);
}

static void feed_number(bench *b, double x)
{
    char text[64];
    text[json_put_double(text, x)] = '\0';
    CHECK_INT(feed(b, text, 1 << 20), AGGREGATE_TAKEN);
}

static double result(const bench *b)
{
    return aggregate_value(&b->spec, &b->a, b->count);
}

static void bench_fini(bench *b)
{
    aggregate_free(&b->spec, &b->a);
    paths_fini(&b->p);
}

/* ---- aggregates ---- */

static void numbers(void)
{
    static const enum aggregate_kind kinds[] = {AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX, AGGREGATE_AVG};
    static const double want[] = {0.6, 0.1, 0.3, 0.2};
    for (int i = 0; i < 4; i++) {
        bench b;
        bench_init(&b, kinds[i]);
        feed_number(&b, 0.1);
        feed_number(&b, 0.2);
        feed_number(&b, 0.3);
        CHECK_INT(feed(&b, "\"12\"", 1000), AGGREGATE_NO_VALUE);
        CHECK_INT(feed(&b, "1e999", 1000), AGGREGATE_NO_VALUE);
        CHECK_INT(feed(&b, "null", 1000), AGGREGATE_NO_VALUE);
        CHECK(fabs(result(&b) - want[i]) < 1e-15);
        bench_fini(&b);
    }
    bench b;
    bench_init(&b, AGGREGATE_SUM); /* what rounding loses is kept */
    feed_number(&b, 1e16);
    for (int i = 0; i < 1000; i++)
        feed_number(&b, 1);
    feed_number(&b, -1e16);
    CHECK(fabs(result(&b) - 1000) < 1e-9);
    bench_fini(&b);
}

static void distinct(void)
{
    for (int n = 1; n <= 100000; n *= 10) {
        for (int approximate = 0; approximate < 2; approximate++) {
            bench b;
            bench_init(&b, approximate ? AGGREGATE_APPROXIMATE : AGGREGATE_DISTINCT);
            for (int i = 0; i < n * 2; i++) {
                char text[32];
                (void)snprintf(text, sizeof text, "\"u%d\"", i % n);
                (void)feed(&b, text, 64u << 20);
            }
            double error = fabs(result(&b) - n) / n;
            CHECK(approximate && n > (int)AGGREGATE_HLL_EXACT ? error < 0.06 : error <= 0);
            if (approximate)
                CHECK(b.bytes <= 16384);
            CHECK_INT(b.bytes, aggregate_bytes(&b.spec, &b.a));
            bench_fini(&b);
        }
    }
}

static void distinct_without_room(void)
{
    bench b;
    int said = 0;
    bench_init(&b, AGGREGATE_DISTINCT);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%d", i);
        said += feed(&b, text, b.bytes < 4096 ? 4096 - (size_t)b.bytes : 0) == AGGREGATE_NO_ROOM;
    }
    CHECK(said > 0);
    CHECK(fabs(result(&b) - 10000) < 600);
    bench_fini(&b);
}

static int by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void quantiles(void)
{
    enum { N = 20000 };
    static double all[N];
    uint64_t random = 42;
    for (int round = 0; round < 5; round++) {
        bench b;
        bench_init(&b, AGGREGATE_QUANTILE);
        b.spec.q = round * 0.25;
        for (int i = 0; i < N; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            double x = exp((double)(random >> 40) / (1 << 24) * 12 - 4) * (random & 64 ? 1 : -1);
            all[i] = x;
            feed_number(&b, x);
        }
        qsort(all, N, sizeof *all, by_size);
        double want = all[(int)(b.spec.q * (N - 1))];
        CHECK(fabs(result(&b) - want) <= fabs(want) * 0.0101);
        bench_fini(&b);
    }
}

static void top_values(void)
{
    bench b;
    buf out;
    bench_init(&b, AGGREGATE_TOP);
    buf_init(&out, 65536);
    for (int i = 0; i < 2000; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "\"%s\"", i % 2 ? "a" : i % 3 ? "b\\\"" : i % 5 ? "c" : "rare");
        (void)feed(&b, text, 1 << 20);
        (void)snprintf(text, sizeof text, "\"once%d\"", i);
        if (i % 4 == 0)
            (void)feed(&b, text, 1 << 20);
    }
    aggregate_put(&b.spec, &b.a, b.count, &out);
    CHECK(strncmp(buf_text(&out), "[{\"value\":\"a\",\"count\":1000},{\"value\":\"b\\\"\",\"count\":666}",
                  54) == 0);
    CHECK_INT(b.bytes, aggregate_bytes(&b.spec, &b.a));
    buf_fini(&out);
    bench_fini(&b);
}

/* ---- filters ---- */

static bool passes(const char *condition, const char *line)
{
    static paths p;
    filter f;
    ss_error err = {.struct_size = sizeof err};
    paths_init(&p);
    if (!filter_compile(&f, &p, ss_cstr(condition), &err)) {
        printf("# %s: %s\n", condition, err.text);
        return false;
    }
    const ss_record r = {.json = ss_cstr(line), .type = SS_LIT("login")};
    paths_read(&p, &r);
    bool ok = filter_passes(&f, &p);
    filter_free(&f);
    paths_fini(&p);
    return ok;
}

static void filters(void)
{
    const char *line =
        "{\"a\":\"x\\u0041\",\"n\":5.0,\"o\":{\"p\":null,\"q\":{\"r\":true}},\"l\":[1,{\"n\":7}],\"n\":6}";
    static const char *const yes[] = {"{}",
                                      "{\"a\":\"xA\"}",
                                      "{\"n\":6}",
                                      "{\"n\":{\"gt\":5,\"le\":6}}",
                                      "{\"o.q.r\":true}",
                                      "{\"a\":{\"prefix\":\"x\"}}",
                                      "{\"a\":[\"y\",\"xA\"]}",
                                      "{\"o.p\":null}",
                                      "{\"o.p\":{\"exists\":false}}",
                                      "{\"o.q\":{\"exists\":true}}",
                                      "{\"or\":[{\"a\":\"no\"},{\"n\":6}]}",
                                      "{\"not\":{\"n\":7}}",
                                      "{\"@type\":\"login\"}",
                                      "{\"and\":[{\"n\":6},{\"a\":\"xA\"}]}",
                                      "{\"$.n\":{\"in\":[1,6]}}"};
    static const char *const no[] = {"{\"a\":\"x\"}",      "{\"n\":5}",
                                     "{\"n\":{\"lt\":6}}", "{\"o.q.r\":false}",
                                     "{\"l.n\":7}",        "{\"a\":{\"prefix\":\"A\"}}",
                                     "{\"a\":[]}",         "{\"missing\":{\"exists\":true}}",
                                     "{\"n\":\"6\"}",      "{\"a\":{\"gt\":1}}",
                                     "{\"or\":[]}",        "{\"not\":{\"n\":6}}"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!passes(yes[i], line))
            CHECK_STR("does not pass", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (passes(no[i], line))
            CHECK_STR("passes", no[i]);
    static const char *const wrong[] = {"[]",
                                        "{\"a\":{\"gt\":\"x\"}}",
                                        "{\"a\":{\"like\":1}}",
                                        "{\"a..b\":1}",
                                        "{\"or\":{}}",
                                        "{\"a\":{\"in\":3}}",
                                        "{\"@nothing\":1}",
                                        "{\"a\":[[1]]}",
                                        "{\"a\":1",
                                        ""};
    for (size_t i = 0; wrong[i][0]; i++) {
        static paths p;
        filter f;
        ss_error err = {.struct_size = sizeof err};
        paths_init(&p);
        if (filter_compile(&f, &p, ss_cstr(wrong[i]), &err) || !err.text[0])
            CHECK_STR("compiles, or without a word", wrong[i]);
        paths_fini(&p);
    }
}

/* ---- the engine ---- */

static testkit *kit(const char *options)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    if (testkit_error(k)[0])
        printf("# %s\n", testkit_error(k));
    return k;
}

static bool take(windows *w, uint64_t seq, int64_t receive_ms, int64_t event_ms, const char *app,
                 const char *json)
{
    const ss_record r = {.seq = seq,
                         .receive_us = receive_ms * 1000,
                         .event_us = event_ms * 1000,
                         .receiver = SS_LIT("game"),
                         .app = ss_cstr(app),
                         .json = ss_cstr(json)};
    return engine_take(&w->engine, &r);
}

static const char one_count[] =
    "{\"metrics\":[{\"name\":\"n\",\"by\":{\"V\":\"v\"},\"max_groups\":3}],\"delay\":\"5s\"}";

static void groups_past_the_limit_are_other(void)
{
    testkit *k = kit(one_count);
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    for (uint64_t i = 0; i < 10; i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "{\"v\":%u}", (unsigned)i);
        CHECK(take(w, i + 1, 1000, 1000, "a", json));
    }
    CHECK(take(w, 11, 65000, 65000, "a", "{}")); /* 60 s + 5 s: done */
    CHECK_INT(w->fresh.count, 4);
    CHECK_INT(w->states[0].other, 7);
    outbox_walk walk = outbox_begin(&w->fresh);
    outbox_item item;
    bool found = false;
    while (outbox_next(&walk, &item))
        found |= memmem(item.body.ptr, item.body.len, "\"METRIC_UNIT_VALUE_INT\":7", 25) != NULL &&
                 memmem(item.body.ptr, item.body.len, "\"V\":\"__other__\"", 15) != NULL;
    CHECK(found);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void memory_is_bounded(void)
{
    testkit *k =
        kit("{\"metrics\":[{\"name\":\"n\",\"by\":{\"V\":\"v\"},\"memory\":\"1MiB\",\"dedupe\":\"id\"}]}");
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    uint64_t counted = 0;
    for (uint64_t i = 0; i < 50000; i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "{\"v\":%u,\"id\":\"x%u\"}", (unsigned)i, (unsigned)i);
        CHECK(take(w, i + 1, 1000, 1000, "a", json));
    }
    CHECK(w->states[0].bytes <= 1100000);
    CHECK(w->states[0].other > 0 && w->states[0].undeduped > 0);
    for (const group *g = w->engine.scopes[0].windows->first; g; g = g->next)
        counted += g->count;
    CHECK_INT(counted, 50000);
    testkit_free(k);
}

static void a_wrong_clock_closes_nobodys_windows(void)
{
    testkit *k = kit(one_count);
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    int64_t now = 1700000040000;
    CHECK(take(w, 1, now, now, "a", "{}"));
    CHECK(take(w, 2, now, now + 1800000, "a", "{}")); /* half an hour ahead */
    CHECK_INT(w->fresh.count, 0);
    CHECK(take(w, 3, now, now, "a", "{}"));
    CHECK_INT(w->states[0].late, 0);
    CHECK(take(w, 4, now, now + 86400000, "a", "{}")); /* further than `ahead` */
    CHECK_INT(w->states[0].future, 1);
    CHECK(engine_clock(&w->engine, (now + 70000) * 1000));
    CHECK_INT(w->fresh.count, 1);
    CHECK(engine_clock(&w->engine, (now - 70000) * 1000)); /* it jumps back: nothing opens again */
    CHECK(take(w, 5, now + 1000, now, "a", "{}"));
    CHECK_INT(w->states[0].late, 1);
    testkit_free(k);
}

static void options_are_checked(void)
{
    static const char *const wrong[] = {
        "{\"metrics\":[{\"name\":\"n\",\"value\":\"sum\"}]}",
        "{\"metrics\":[{\"name\":\"n\",\"of\":\"x\"}]}",
        "{\"metrics\":[{\"name\":\"n\",\"every\":\"7s\"}]}",
        "{\"metrics\":[{\"name\":\"n\",\"size\":\"1d\",\"every\":\"1s\"}]}",
        "{\"metrics\":[{\"name\":\"n\"},{\"name\":\"n\"}]}",
        "{\"metrics\":[{\"name\":\"n\",\"filter\":{\"a\":{\"x\":1}}}]}",
        "{\"metrics\":[{\"name\":\"n\",\"having\":{\"x\":1}}]}",
        "{\"metrics\":[{\"name\":\"n\",\"document\":{\"A\":\"{by.X}\"}}]}",
        "{\"metrics\":[{\"name\":\"n\",\"by\":{\"A\":\"a..b\"}}]}",
        "{\"metrics\":[{\"name\":\"n\",\"value\":\"quantile\",\"of\":\"x\",\"quantile\":1.5}]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), wrong[i]);
        if (testkit_instance(k) || !testkit_error(k)[0])
            CHECK_STR("is taken", wrong[i]);
        testkit_free(k);
    }
}

static void free_documents(void)
{
    testkit *k = kit("{\"metrics\":[{\"name\":\"n\",\"by\":{\"V\":\"v\"},\"value\":\"avg\",\"of\":\"x\"}],"
                     "\"document\":{\"when\":\"{start}\",\"what\":\"{name} of "
                     "{by.V}\",\"v\":\"{value}\",\"by\":\"{by.V}\",\"until\":\"<{end}>\"}}");
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    CHECK(take(w, 1, 1000, 1000, "a", "{\"v\":\"q\\\"\",\"x\":1}"));
    CHECK(take(w, 2, 1000, 1500, "a", "{\"v\":\"q\\\"\",\"x\":2}"));
    CHECK(take(w, 3, 66000, 66000, "a", "{\"v\":1,\"x\":2}"));
    outbox_walk walk = outbox_begin(&w->fresh);
    outbox_item item;
    REQUIRE(outbox_next(&walk, &item));
    char text[512];
    (void)snprintf(text, sizeof text, "%.*s", (int)item.body.len, item.body.ptr);
    CHECK_STR(text, "{\"when\":\"1970-01-01T00:00:00Z\",\"what\":\"n of "
                    "q\\\"\",\"v\":1.5,\"by\":\"q\\\"\",\"until\":\"<1970-01-01T00:01:00Z>\"}");
    testkit_free(k);
}

static void values_inside_a_text_are_escaped(void)
{
    testkit *k = kit("{\"metrics\":[{\"name\":\"n\",\"by\":{\"O\":\"o\"},\"value\":\"top\",\"of\":\"v\"}],"
                     "\"document\":{\"text\":\"{by.O}: {value}\",\"o\":\"{by.O}\"}}");
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    CHECK(take(w, 1, 1000, 1000, "a", "{\"v\":\"x\\\"\",\"o\":{\"p\":[1,\"q\"]}}"));
    CHECK(take(w, 2, 66000, 66000, "a", "{\"v\":\"y\"}"));
    outbox_walk walk = outbox_begin(&w->fresh);
    outbox_item item;
    REQUIRE(outbox_next(&walk, &item));
    CHECK(json_valid(item.body));
    char text[512];
    (void)snprintf(text, sizeof text, "%.*s", (int)item.body.len, item.body.ptr);
    CHECK_STR(text,
              "{\"text\":\"{\\\"p\\\":[1,\\\"q\\\"]}: [{\\\"value\\\":\\\"x\\\\\\\"\\\",\\\"count\\\":1}]\","
              "\"o\":{\"p\":[1,\"q\"]}}");
    testkit_free(k);
}

/* ---- what was saved ---- */

static void settle(windows *w) /* an engine without windows */
{
    engine_fini(&w->engine);
    memset(w->states, 0, w->metric_count * sizeof *w->states);
    engine_init(&w->engine, &w->settings, &w->paths, w->metrics, w->metric_count, w->states);
    outbox_clear(&w->plan);
}

/* The bytes of a saved state; to be freed. */
static char *saved(windows *w, size_t *len)
{
    char path[] = "/tmp/test-windows-XXXXXX";
    uint64_t sum;
    ss_error err = {.struct_size = sizeof err};
    int fd = mkstemp(path);
    FILE *in = fd >= 0 && save_write(path, &w->engine, &w->fresh, &sum, &err) ? fopen(path, "rb") : NULL;
    char *bytes = malloc(1 << 20);
    *len = in && bytes ? fread(bytes, 1, 1 << 20, in) : 0;
    if (in)
        (void)fclose(in);
    if (fd >= 0)
        (void)close(fd);
    (void)unlink(path);
    return bytes;
}

static void saved_windows_are_not_believed(void)
{
    testkit *k = kit(WINDOWS_FIXTURE_OPTIONS);
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    CHECK(windows_fixture_events(w, 0, 300));
    CHECK(w->fresh.count > 0 && w->states[0].other > 0);
    size_t len = 0;
    char *bytes = saved(w, &len);
    uint64_t left_out = 0, groups = w->states[0].groups, held = w->states[6].bytes;
    REQUIRE(bytes && len > 1000 && len < 1 << 20);
    settle(w);
    CHECK(!save_take(ss_s(bytes, len), &w->engine, &w->plan, &left_out));
    CHECK_INT(left_out, 0);
    CHECK_INT(w->states[0].groups, groups);
    CHECK_INT(w->states[6].bytes, held);
    for (size_t cut = 0; cut < len; cut += cut < 500 ? 1 : 211) { /* as a crash of the machine leaves it */
        settle(w);
        const char *problem = save_take(ss_s(bytes, cut), &w->engine, &w->plan, &left_out);
        if (!problem)
            CHECK_INT(cut, len);
    }
    uint64_t refused = 0;
    for (size_t i = 0; i < len; i += 29) { /* without its checksum: it may be taken, but nothing breaks */
        char before = bytes[i];
        bytes[i] = (char)(before ^ (i % 2 ? 0xff : 0x40));
        settle(w);
        const char *problem = save_take(ss_s(bytes, len), &w->engine, &w->plan, &left_out);
        refused += problem != NULL;
        if (!problem && i % 7 == 0) {
            w->engine.seq = 0;
            CHECK(windows_fixture_events(w, 100, 20) && engine_revise(&w->engine));
        }
        bytes[i] = before;
    }
    CHECK(refused > 20);
    settle(w);
    free(bytes);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void a_damaged_file_is_refused_with_its_name(void)
{
    char path[] = "/tmp/test-windows-XXXXXX";
    uint64_t sum = 0, left_out = 0;
    ss_error err = {.struct_size = sizeof err};
    testkit *k = kit(WINDOWS_FIXTURE_OPTIONS);
    windows *w = windows_fixture_start(k, "", "", 0);
    int fd = mkstemp(path);
    REQUIRE(w && fd >= 0);
    CHECK(windows_fixture_events(w, 0, 300));
    CHECK(save_write(path, &w->engine, &w->fresh, &sum, &err));
    settle(w);
    CHECK(save_read(path, sum, &w->engine, &w->plan, &left_out, &err));
    settle(w);
    FILE *file = fopen(path, "r+b");
    REQUIRE(file);
    CHECK(fseek(file, 777, SEEK_SET) == 0 && fputc('!', file) == '!' && fputc('?', file) == '?');
    (void)fclose(file);
    CHECK(!save_read(path, sum, &w->engine, &w->plan, &left_out, &err));
    CHECK(strstr(err.text, path) && strstr(err.text, "not the one that was written"));
    (void)unlink(path);
    err.text[0] = '\0';
    CHECK(!save_read(path, sum, &w->engine, &w->plan, &left_out, &err));
    CHECK(strstr(err.text, "No such file"));
    (void)close(fd);
    testkit_free(k);
}

static void another_kind_of_watermark_begins_anew(void)
{
    testkit *k = kit(WINDOWS_FIXTURE_OPTIONS);
    windows *w = windows_fixture_start(k, "", "", 0);
    REQUIRE(w);
    CHECK(windows_fixture_events(w, 0, 300));
    size_t len = 0;
    char *bytes = saved(w, &len);
    uint64_t left_out = 0;
    REQUIRE(bytes);
    w->settings.by_stream = true;
    settle(w);
    CHECK(!save_take(ss_s(bytes, len), &w->engine, &w->plan, &left_out));
    CHECK(left_out > 0);
    CHECK_INT(w->engine.window_count, 0);
    CHECK(w->plan.count > 0); /* what was said is handed over in any case */
    CHECK(windows_fixture_events(w, 300, 10));
    CHECK(w->engine.window_count > 0);
    CHECK_INT(w->engine.scope_count, 1);
    free(bytes);
    testkit_free(k);
}

/* ---- the driver ---- */

static char last_state[256], last_position[64];

static void print_passed(testkit *k, size_t *from)
{
    for (; *from < testkit_passed_count(k); (*from)++)
        printf("%s %s\n", testkit_passed_at(k, *from).text, testkit_passed_at(k, *from).raw);
}

static void learn(testkit *k)
{
    size_t len, n = testkit_commit_count(k);
    if (n) {
        const char *state = testkit_commit_state(k, n - 1, &len);
        (void)snprintf(last_state, sizeof last_state, "%.*s", (int)len, state);
    }
    n = testkit_position_count(k);
    if (n)
        (void)snprintf(last_position, sizeof last_position, "%s", testkit_position(k, n - 1));
}

static void hold_everything(windows *w)
{
    w->engine.set.hold = true;
    w->engine.set.hold_from_us = INT64_MIN / 2;
    w->engine.set.hold_to_us = w->engine.set.hold_end_us = INT64_MAX / 2;
}

/* Lines: "E seq receive_us event_us app json" one event, "C us" the clock, "S" a round, "K" a crash and a new
   instance, which reads again from the last save. held: as a backfill does it, at the end and at once. */
static int drive(const char *options, const char *path, bool held)
{
    testkit *k = kit(options);
    windows *w = windows_fixture_start(k, "", "", 0);
    uint64_t open = 0;
    if (w && held)
        hold_everything(w);
    FILE *in = fopen(path, "r");
    static char line[65536], app[256];
    size_t printed = 0;
    uint64_t seq, saved = 0;
    long again = 0;
    int64_t receive, event;
    if (!in || !w)
        return 2;
    while (fgets(line, sizeof line, in)) {
        int at = 0;
        ss_error err = {.struct_size = sizeof err};
        if (line[0] == 'E' && sscanf(line + 2, "%" SCNu64 " %" SCNd64 " %" SCNd64 " %255s %n", &seq, &receive,
                                     &event, app, &at) == 4) {
            line[strcspn(line, "\n")] = '\0';
            const ss_record r = {.seq = seq,
                                 .receive_us = receive,
                                 .event_us = event,
                                 .receiver = SS_LIT("game"),
                                 .app = ss_cstr(app),
                                 .json = ss_cstr(line + 2 + at)};
            if (!engine_take(&w->engine, &r))
                return 3;
        } else if (line[0] == 'C' && sscanf(line + 2, "%" SCNd64, &receive) == 1) {
            if (!engine_clock(&w->engine, receive))
                return 3;
        } else if (line[0] == 'S') {
            if (windows_round(w, true, &err) != SS_OK)
                return 4;
            learn(k);
            saved = w->saved_seq;
            again = ftell(in);
        } else if (line[0] == 'K') {
            learn(k);
            testkit_restart(k, false);
            w = windows_fixture_start(k, last_state, last_position, saved);
            if (!w)
                return 5;
            long here = ftell(in);
            if (here > again) { /* each K works once */
                FILE *more = fopen(path, "r");
                (void)fseek(more, again, SEEK_SET);
                while (ftell(more) < here && fgets(line, sizeof line, more)) {
                    if (line[0] == 'E' && sscanf(line + 2, "%" SCNu64 " %" SCNd64 " %" SCNd64 " %255s %n",
                                                 &seq, &receive, &event, app, &at) == 4) {
                        line[strcspn(line, "\n")] = '\0';
                        const ss_record r = {.seq = seq,
                                             .receive_us = receive,
                                             .event_us = event,
                                             .receiver = SS_LIT("game"),
                                             .app = ss_cstr(app),
                                             .json = ss_cstr(line + 2 + at)};
                        if (!engine_take(&w->engine, &r))
                            return 3;
                    } else if (line[0] == 'C' && sscanf(line + 2, "%" SCNd64, &receive) == 1 &&
                               !engine_clock(&w->engine, receive)) {
                        return 3;
                    }
                }
                (void)fclose(more);
            }
        }
        print_passed(k, &printed);
    }
    ss_error err = {.struct_size = sizeof err};
    if (held && !engine_hand_over(&w->engine, NULL, &open))
        return 3;
    if (windows_round(w, true, &err) != SS_OK)
        return 4;
    print_passed(k, &printed);
    for (uint32_t i = 0; i < w->metric_count; i++)
        printf("= %s late %" PRIu64 " duplicates %" PRIu64 "\n", w->metrics[i].name, w->states[i].late,
               w->states[i].duplicates);
    (void)fclose(in);
    testkit_free(k);
    return 0;
}

static const check_test tests[] = {
    TEST(numbers),
    TEST(distinct),
    TEST(distinct_without_room),
    TEST(quantiles),
    TEST(top_values),
    TEST(filters),
    TEST(groups_past_the_limit_are_other),
    TEST(memory_is_bounded),
    TEST(a_wrong_clock_closes_nobodys_windows),
    TEST(options_are_checked),
    TEST(free_documents),
    TEST(values_inside_a_text_are_escaped),
    TEST(saved_windows_are_not_believed),
    TEST(a_damaged_file_is_refused_with_its_name),
    TEST(another_kind_of_watermark_begins_anew),
};

int main(int argc, char **argv)
{
    if (argc == 4 && (strcmp(argv[1], "stream") == 0 || strcmp(argv[1], "hold") == 0))
        return drive(argv[2], argv[3], argv[1][0] == 'h');
    return check_main(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}

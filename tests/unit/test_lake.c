/* The lake from the journal to sealed files: exactly the lines that were stored, in the right folders,
   whatever happens in between. */
// with: plugins/common/layout.c modules/lake/gz.c modules/lake/failure.c modules/lake/plan.c
#include <dirent.h>
#include <zlib.h>

#include "modules/lake/failure.h"
#include "modules/lake/gz.h"
#include "modules/lake/plan.h"
#include "plugins/common/layout.h"
#include "tests/unit/delivery_fixture.h"

#define LINES_MAX 20000

typedef struct lines {
    int times[LINES_MAX];
    int files, manifests, temporaries, total, bad;
    uint64_t manifest_count, manifest_lines;
} lines;

static lines found; /* nftw has no argument */
static char expect_dir[256];

static void lake_init(fixture *f, const char *options)
{
    fixture_init(f);
    (void)snprintf(f->plugin, sizeof f->plugin, "%.3000s/plugins/module-lake.so", f->build);
    (void)snprintf(f->options, sizeof f->options,
                   "\"path\":\"%s/lake\",\"partition\":\"{receiver}/year=%%Y/month=%%m/day=%%d/"
                   "\",\"compression\":\"gzip\",\"level\":1,"
                   "\"roll\":{%s}",
                   f->dir, options ? options : "\"bytes\":4096,\"age\":60000");
    fixture_journal(f);
}

/* Each line is {"n":N,...}; counts each N. */
static void read_lines(const char *path)
{
    gzFile in = gzopen(path, "rb");
    char line[8192];
    while (in && gzgets(in, line, sizeof line)) {
        int n = -1;
        if (sscanf(line, "{\"n\":%d", &n) == 1 && n > 0 && n < LINES_MAX && line[strlen(line) - 1] == '\n')
            found.times[n]++;
        else
            found.bad++;
        found.total++;
    }
    int code = 0;
    if (!in || (gzerror(in, &code), code != Z_OK))
        found.bad++;
    if (in)
        (void)gzclose(in);
}

static void read_manifest(const char *path)
{
    char text[65536];
    FILE *in = fopen(path, "r");
    size_t len = in ? fread(text, 1, sizeof text - 1, in) : 0;
    text[len] = '\0';
    if (in)
        (void)fclose(in);
    const char *count = strstr(text, "\"count\":");
    found.manifest_count += count ? strtoull(count + 8, NULL, 10) : 0;
    found.manifests++;
    for (const char *p = text; (p = strstr(p, "\"path\":\"")) != NULL;
         p++) { /* each object is there, with its CRC */
        char object[1024], crc_text[16] = "";
        (void)snprintf(object, sizeof object, "%s/lake/%.*s", expect_dir, (int)strcspn(p + 8, "\""), p + 8);
        const char *crc = strstr(p, "\"crc32\":\"");
        (void)snprintf(crc_text, sizeof crc_text, "%.8s", crc ? crc + 9 : "");
        gzFile packed = gzopen(object, "rb");
        char line[8192];
        uLong sum = crc32(0, NULL, 0);
        while (packed && gzgets(packed, line, sizeof line)) {
            sum = crc32(sum, (const Bytef *)line, (uInt)strlen(line));
            found.manifest_lines++;
        }
        if (!packed || strtoul(crc_text, NULL, 16) != sum)
            found.bad++;
        if (packed)
            (void)gzclose(packed);
    }
}

static int look_at(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    const char *name = path + ftw->base;
    if (type != FTW_F)
        return 0;
    if (strstr(path, "/_manifest/"))
        read_manifest(path);
    else if (strstr(name, ".ndjson"))
        found.files++, read_lines(path);
    else
        found.temporaries++;
    return 0;
}

static const lines *look(const fixture *f)
{
    char path[256];
    memset(&found, 0, sizeof found);
    (void)snprintf(expect_dir, sizeof expect_dir, "%s", f->dir);
    (void)snprintf(path, sizeof path, "%s/lake", f->dir);
    (void)nftw(path, look_at, 16, FTW_PHYS);
    return &found;
}

static void check_exact(const fixture *f, int n)
{
    const lines *l = look(f);
    int wrong = 0;
    for (int i = 1; i <= n; i++)
        wrong += l->times[i] != 1;
    CHECK_INT(wrong, 0);
    CHECK_INT(l->total, n);
    CHECK_INT(l->bad, 0);
    CHECK_INT(l->temporaries, 0);
    CHECK_INT(l->manifest_count, n);
    CHECK_INT(l->manifest_lines, n);
}

static void put_many(fixture *f, int count, const char *const *apps, int app_count, int64_t day_us)
{
    enum { GROUP = 100 };
    fixture_record records[GROUP];
    char json[GROUP][160];
    for (int done = 0; done < count;) {
        uint32_t n = 0;
        for (; n < GROUP && done < count; n++, done++) {
            unsigned long long number = (unsigned long long)f->last_seq + n + 1;
            (void)snprintf(
                json[n], sizeof json[n],
                "{\"n\":%llu,\"site_id\":\"1\",\"page_view_url\":\"https://example.org/shop/%llu?x=%llu\"}",
                number, number % 97, number * 2654435761u % 1000);
            records[n] = (fixture_record){.receiver = "matomo",
                                          .app = apps[number % (unsigned)app_count],
                                          .type = "page_view",
                                          .json = json[n]};
            records[n].failed = number % 7 == 0 && strstr(f->options, "\"errors\"");
            records[n].event_us = day_us ? clock_now_us() - (int64_t)(number % 5) * day_us : 0;
        }
        fixture_put(f, records, n);
    }
}

static const char *const one_app[] = {"1"};

static void stop(fixture *f)
{
    int status = fixture_stop(f);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void all_lines_once(void)
{
    fixture f;
    lake_init(&f, NULL);
    put_many(&f, 1000, one_app, 1, 86400000000);
    fixture_start(&f);
    CHECK(fixture_until_cursor(&f, 900));
    stop(&f); /* which seals the rest */
    CHECK_INT(fixture_cursor(&f), 1000);
    check_exact(&f, 1000);
    CHECK(found.manifests >= 15);
    fixture_balance b = fixture_ledger(&f);
    CHECK(b.all);
    CHECK_INT(b.counts[OUTCOME_DELIVERED], 1000);
    fixture_fini(&f);
}

static void rolls_by_age(void)
{
    fixture f;
    lake_init(&f, "\"bytes\":100000000,\"age\":200");
    fixture_start(&f);
    put_many(&f, 10, one_app, 1, 0);
    CHECK(fixture_until_cursor(&f, 10));
    check_exact(&f, 10);
    put_many(&f, 10, one_app, 1, 0);
    CHECK(fixture_until_cursor(&f, 20));
    stop(&f);
    check_exact(&f, 20);
    fixture_fini(&f);
}

static void uncompressed(void)
{
    fixture f;
    lake_init(&f, NULL);
    char *at = strstr(f.options, "\"gzip\"");
    memcpy(at, "\"none\"", 6);
    put_many(&f, 300, one_app, 1, 0);
    fixture_start(&f);
    CHECK(fixture_until_cursor(&f, 250));
    stop(&f);
    check_exact(&f, 300);
    fixture_fini(&f);
}

static void spills_many_partitions(void)
{
    enum { APPS = 200 };
    fixture f;
    char names[APPS][16];
    const char *apps[APPS];
    for (int i = 0; i < APPS; i++) {
        (void)snprintf(names[i], sizeof names[i], "app/%d", i);
        apps[i] = names[i];
    }
    lake_init(&f, "\"bytes\":10000000,\"age\":60000");
    (void)snprintf(
        f.options, sizeof f.options,
        "\"path\":\"%s/lake\",\"partition\":\"app={app}/%%Y\",\"compression\":\"gzip\",\"level\":2,"
        "\"roll\":{\"bytes\":10000000,\"age\":60000}",
        f.dir);
    put_many(&f, 3000, apps, APPS, 0);
    fixture_start(&f);
    stop(&f);
    check_exact(&f, 3000);
    CHECK_INT(found.files, APPS);
    CHECK_INT(found.manifests, 1);
    fixture_fini(&f);
}

/* Dies at the n-th passage of each point, for every n until the point is not reached any more. */
static void survives_each_fault_point(void)
{
#ifdef SS_FAULTS
    static const char *const points[] = {"lake.chunk_written",
                                         "lake.before_plan",
                                         "lake.after_plan",
                                         "lake.before_sync",
                                         "lake.after_sync",
                                         "lake.before_rename",
                                         "lake.after_rename",
                                         "lake.after_dir_sync",
                                         "lake.before_manifest",
                                         "lake.manifest_synced",
                                         "lake.manifest_renamed",
                                         "lake.after_manifest",
                                         "lake.before_commit",
                                         "lake.after_commit",
                                         "state.before_begin",
                                         "state.after_begin",
                                         "state.before_commit",
                                         "state.inside_commit",
                                         "state.after_commit",
                                         "state.before_sync",
                                         "state.after_sync",
                                         "delivery.positioned",
                                         "delivery.before_deliver",
                                         "delivery.after_deliver",
                                         "delivery.before_module_commit",
                                         "delivery.after_module_commit",
                                         "delivery.before_flush"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        bool died = true;
        for (int passage = 1; died && passage <= 12; passage += passage < 4 ? 1 : 4) {
            fixture f;
            char fault[96], once[200];
            lake_init(&f, "\"bytes\":3000,\"age\":60000");
            (void)strcat(f.options, ",\"errors\":\"errors/{type}\""); /* failed records among them */
            (void)snprintf(fault, sizeof fault, "%s:%d", points[i], passage);
            (void)snprintf(once, sizeof once, "%s/died", f.dir);
            (void)setenv("STREAMSTEAM_FAULT", fault, 1);
            (void)setenv("STREAMSTEAM_FAULT_ONCE", once, 1);
            put_many(&f, 150, one_app, 1, 86400000000);
            fixture_start(&f);
            int status = fixture_stop(&f);
            died = WIFSIGNALED(status);
            if (died) {
                fixture_start(&f);
                stop(&f);
            }
            CHECK_INT(fixture_cursor(&f), 150);
            check_exact(&f, 150);
            CHECK(fixture_ledger(&f).all);
            if (check_failed) {
                printf("# at %s\n", fault);
                fixture_fini(&f);
                return;
            }
            fixture_fini(&f);
        }
    }
    (void)unsetenv("STREAMSTEAM_FAULT");
#else
    printf("# fault points are only in with make FAULTS=1\n");
#endif
}

static void survives_random_kills(void)
{
    fixture f;
    lake_init(&f, "\"bytes\":20000,\"age\":60000");
    srand(2);
    for (int i = 0; i < 40; i++) {
        put_many(&f, 100, one_app, 1, 86400000000);
        fixture_start(&f);
        usleep((useconds_t)(rand() % 25000));
        (void)kill(f.pid, SIGKILL);
        (void)fixture_reap(&f);
    }
    fixture_start(&f);
    stop(&f);
    check_exact(&f, 4000);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
}

/* A plan is done again with the settings that it was made with; the new ones hold from the next cut on. */
static void keeps_the_plans_settings(void)
{
#ifdef SS_FAULTS
    fixture f;
    char once[200], path[256];
    lake_init(&f, "\"bytes\":3000,\"age\":60000");
    (void)snprintf(once, sizeof once, "%s/died", f.dir);
    (void)setenv("STREAMSTEAM_FAULT", "lake.after_rename:1", 1);
    (void)setenv("STREAMSTEAM_FAULT_ONCE", once, 1);
    put_many(&f, 150, one_app, 1, 86400000000);
    fixture_start(&f);
    CHECK(WIFSIGNALED(fixture_reap(&f)));
    (void)unsetenv("STREAMSTEAM_FAULT");
    (void)snprintf(f.options, sizeof f.options,
                   "\"path\":\"%s/lake/second\",\"partition\":\"x\",\"compression\":\"none\",\"level\":1,"
                   "\"roll\":{\"bytes\":100000,\"age\":60000}",
                   f.dir);
    (void)snprintf(
        f.host, sizeof f.host,
        "\"apps\":[\"2\"],\"batch\":{\"records\":50,\"bytes\":1000000,\"linger_ms\":0},\"drain_ms\":5000");
    put_many(&f, 10, (const char *const[]){"2"}, 1, 0);
    fixture_start(&f);
    CHECK(fixture_until_cursor(&f, 30));
    stop(&f);
    const lines *l = look(&f);
    CHECK(l->times[1] == 1 && l->times[20] == 1); /* the planned cut, though app 1 is filtered now */
    CHECK_INT(l->times[149], 0);
    CHECK_INT(l->times[155], 1);
    CHECK_INT(l->temporaries, 0);
    (void)snprintf(path, sizeof path, "%s/lake/second/x", f.dir);
    CHECK_INT(access(path, F_OK), 0);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
#endif
}

static void folders(void)
{
    layout l;
    char dir[LAYOUT_DIR_MAX];
    ss_error err = {.struct_size = sizeof err};
    ss_record r = {.receive_us = 1795317840123456,
                   .event_us = 1795317840123456,
                   .receiver = SS_LIT("matomo"),
                   .app = SS_LIT("../a b"),
                   .type = SS_LIT("")};
    CHECK(layout_compile(&l, "partition", SS_LIT("{receiver}/year=%Y/month=%m/day=%d/"), &err));
    (void)layout_dir(&l, &r, dir);
    CHECK_STR(dir, "matomo/year=2026/month=11/day=22/");
    CHECK(layout_compile(&l, "partition", SS_LIT("events/enriched/%Y/%m/%d/%H"), &err));
    (void)layout_dir(&l, &r, dir);
    CHECK_STR(dir, "events/enriched/2026/11/22/03/");
    CHECK(layout_compile(&l, "partition", SS_LIT("{app}/{type}/"), &err));
    (void)layout_dir(&l, &r, dir);
    CHECK_STR(dir, "%2E.%2Fa%20b/_/");
    r.event_us = r.receive_us - 21LL * 366 * 86400 * 1000000;
    CHECK(layout_time_us(&r) == r.receive_us);
    r.event_us = r.receive_us + 2LL * 86400 * 1000000;
    CHECK(layout_time_us(&r) == r.receive_us);
    r.event_us = r.receive_us - 30LL * 86400 * 1000000;
    CHECK(layout_time_us(&r) == r.event_us);
    CHECK(layout_compile(&l, "partition", SS_LIT(""), &err));
    CHECK_INT(layout_dir(&l, &r, dir), 0);
    CHECK(!layout_compile(&l, "partition", SS_LIT("/abs"), &err));
    CHECK(!layout_compile(&l, "partition", SS_LIT("a/../b"), &err));
    CHECK(!layout_compile(&l, "partition", SS_LIT("%Q"), &err));
    CHECK(!layout_compile(&l, "partition", SS_LIT("{site}"), &err));
    CHECK(!layout_compile(&l, "partition", SS_LIT("{app"), &err));
    CHECK(!layout_compile(&l, "partition", SS_LIT("{app}{type}"), &err));
    CHECK(!layout_compile(&l, "partition", SS_LIT("x%"), &err));
    char long_app[600];
    memset(long_app, 'a', sizeof long_app);
    r.app = ss_s(long_app, sizeof long_app);
    CHECK(layout_compile(&l, "partition", SS_LIT("{app}"), &err));
    size_t len = layout_dir(&l, &r, dir);
    CHECK(len <= LAYOUT_VALUE_MAX + 1);
    char other[LAYOUT_DIR_MAX];
    long_app[599] = 'b';
    (void)layout_dir(&l, &r, other);
    CHECK(strcmp(dir, other) != 0);
}

static void folders_by_arrival(void)
{
    layout l;
    char dir[LAYOUT_DIR_MAX], key[LAYOUT_KEY_MAX], other[LAYOUT_KEY_MAX];
    ss_error err = {.struct_size = sizeof err};
    ss_record r = {.receive_us = 1795317840123456, .event_us = 1737658977000000};
    REQUIRE(layout_compile(&l, "partition", SS_LIT("%Y/%m/%d/"), &err));
    (void)layout_dir(&l, &r, dir);
    CHECK_STR(dir, "2025/01/23/");
    size_t len = layout_key(&l, &r, key);
    l.by_receive = true;
    (void)layout_dir(&l, &r, dir);
    CHECK_STR(dir, "2026/11/22/");
    CHECK(layout_key(&l, &r, other) == len && memcmp(key, other, len) != 0);
    CHECK(!layout_compile(&l, "errors", SS_LIT("%Q"), &err));
    CHECK(strncmp(err.text, "errors: ", 8) == 0);
}

static void times_that_can_be_used(void)
{
    static const struct {
        const char *line;
        bool usable;
    } cases[] = {
        {"{\"t\":1737658977}", true},
        {"{\"a\":{\"t\":null},\"t\":-1.5e3}", true},
        {"{\"t\":\"2025-01-23 19:02:57\"}", true},
        {"{\"\\u0074\":1}", true},
        {"{\"t\":null}", false},
        {"{\"t\":\"\"}", false},
        {"{\"t\":[1]}", false},
        {"{\"t\":{\"t\":1}}", false},
        {"{\"t\":true}", false},
        {"{\"a\":{\"t\":1}}", false},
        {"{}", false},
        {"[1]", false},
        {"{\"t\":", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool usable = failure_time_usable(ss_cstr(cases[i].line), "t");
        if (usable != cases[i].usable)
            printf("# %s\n", cases[i].line);
        CHECK(usable == cases[i].usable);
    }
}

static void failures_repeat_byte_for_byte(void)
{
    ss_record r = {.receive_us = 1795317840123456,
                   .event_us = 5,
                   .json = SS_LIT("{\"t\":null}"),
                   .body = SS_LIT("body"),
                   .type = SS_LIT("login"),
                   .flags = SS_RECORD_RETRIED};
    ss_record one, two;
    char *a = NULL, *b = NULL;
    REQUIRE(failure_of(&r, "a \"field\"", &one, &a) && failure_of(&r, "a \"field\"", &two, &b));
    CHECK(ss_eq(one.body, two.body) && ss_eq(one.json, one.body));
    CHECK(one.flags == (SS_RECORD_RETRIED | SS_RECORD_FAILED) && one.event_us == r.receive_us);
    CHECK(ss_eq(one.type, SS_LIT("metadata-extraction-failed")));
    char text[1024];
    (void)snprintf(text, sizeof text, "%.*s", (int)one.json.len, one.json.ptr);
    CHECK(strstr(text, "\"arrivalTimestamp\":1795317840123,") != NULL);
    CHECK(strstr(text, "\"errorMessage\":\"a \\\"field\\\" is absent") != NULL);
    CHECK(strstr(text, "\"rawData\":\"Ym9keQ==\"}") != NULL);
    free(a);
    free(b);
}

static void plans_come_back(void)
{
    static cut c = {.a = 7, .b = 19};
    static cut_settings back;
    char text[PLAN_MAX];
    uint64_t a = 0, b = 0;
    c.settings = (cut_settings){.path = "/some where/lake",
                                .partition = "a=b/%Y",
                                .errors = "e/{type}/",
                                .time_field = "event_timestamp",
                                .gzip = true,
                                .by_receive = true,
                                .bad_time = true,
                                .level = 3};
    size_t len = plan_write(&c, text);
    REQUIRE(len > 0 && plan_read(ss_s(text, len), &back, &a, &b));
    CHECK(a == 7 && b == 19 && memcmp(&back, &c.settings, sizeof back) == 0);
    static const char old[] = "lake1\na=1\nb=2\ngzip=1\nlevel=2\npartition=x\npath=/p\n";
    REQUIRE(plan_read(SS_LIT(old), &back, &a, &b)); /* written before there were failed records */
    CHECK(a == 1 && b == 2 && back.level == 2 && !back.by_receive && !back.bad_time);
    CHECK_STR(back.errors, "");
    CHECK(!plan_read(SS_LIT("lake2\na=1\nb=2\ngzip=1\nlevel=2\npartition=x\npath=/p\n"), &back, &a, &b));
    CHECK(!plan_read(SS_LIT("lake4\n"), &back, &a, &b));
    c.settings.parquet = true; /* which versions that know lines alone must not take for theirs */
    c.settings.columnar = (parquet_settings){.compression = "snappy", .row_group = 4096};
    len = plan_write(&c, text);
    REQUIRE(len > 0 && plan_read(ss_s(text, len), &back, &a, &b));
    CHECK(memcmp(&back, &c.settings, sizeof back) == 0 && memcmp(text, "lake3\n", 6) == 0);
    CHECK(!plan_read(SS_LIT("lake3\na=1\nb=2\ngzip=1\nlevel=2\npartition=x\npath=/p\nerrors=\ntime_field=\n"
                            "by_receive=0\nbad_time=0\n"),
                     &back, &a, &b));
    memset(c.settings.path, 'p', sizeof c.settings.path - 1);
    memset(c.settings.errors, 'e', sizeof c.settings.errors - 1);
    memset(c.settings.partition, 'q', sizeof c.settings.partition - 1);
    memset(c.settings.time_field, 't', sizeof c.settings.time_field - 1);
    len = plan_write(&c, text); /* the longest there can be */
    CHECK(len > 0 && plan_read(ss_s(text, len), &back, &a, &b));
}

/* Lines {"n":N} of failed records among the events: below errors, in the manifests, once, also after kills.
 */
static void failed_records(void)
{
    enum { GROUP = 100, ROUNDS = 10 };
    fixture f;
    lake_init(&f, "\"bytes\":2000,\"age\":60000");
    (void)snprintf(f.options + strlen(f.options), sizeof f.options - strlen(f.options),
                   ",\"errors\":\"errors/{type}\"");
    srand(3);
    for (int round = 0; round < ROUNDS; round++) {
        fixture_record records[GROUP];
        char json[GROUP][32];
        for (int i = 0; i < GROUP; i++) {
            (void)snprintf(json[i], sizeof json[i], "{\"n\":%d}", round * GROUP + i + 1);
            records[i] = (fixture_record){.receiver = "matomo",
                                          .app = "1",
                                          .json = json[i],
                                          .failed = i % 3 == 0,
                                          .type = i % 3 == 0 ? "processing-failed" : "page_view"};
        }
        fixture_put(&f, records, GROUP);
        fixture_start(&f);
        usleep((useconds_t)(rand() % 20000));
        (void)kill(f.pid, SIGKILL);
        (void)fixture_reap(&f);
    }
    fixture_start(&f);
    stop(&f);
    check_exact(&f, ROUNDS * GROUP);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/lake/errors/processing-failed", f.dir);
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    if (dir)
        (void)closedir(dir);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
}

static void leaves_failed_records_out(void)
{
    fixture f;
    lake_init(&f, NULL); /* without errors: as off */
    fixture_record record = {
        .receiver = "matomo", .app = "1", .type = "x-failed", .json = "{\"n\":1}", .failed = true};
    fixture_put(&f, &record, 1);
    fixture_start(&f);
    CHECK(fixture_until_cursor(&f, 1)); /* though no cut moves it */
    put_many(&f, 10, one_app, 1, 0);
    fixture_put(&f, &record, 1);
    stop(&f);
    CHECK_INT(fixture_cursor(&f), 12);
    const lines *l = look(&f);
    CHECK(l->total == 10 && l->bad == 0 && l->times[1] == 0);
    CHECK(fixture_ledger(&f).all);
    fixture_fini(&f);
}

static void gzip_pieces(void)
{
    for (int level = 1; level <= 3; level++) {
        char path[] = "/tmp/ss-gz-XXXXXX", buffer[100000], back[100000];
        int fd = mkstemp(path);
        FILE *out = fdopen(fd, "w");
        gz *g = gz_new(level);
        char header[200], trailer[GZ_TRAILER_BYTES];
        uint32_t crc = 0;
        uint64_t total = 0;
        (void)fwrite(header, 1, gz_put_header(header, "a comment"), out);
        for (size_t i = 0; i < sizeof buffer; i++)
            buffer[i] = (char)(i < 50000 ? "abcdefgh"[i % 7] : rand());
        for (size_t at = 0, len = 1; at < sizeof buffer; at += len, len = len * 3 + 1) {
            if (len > sizeof buffer - at)
                len = sizeof buffer - at;
            const char *bytes;
            ssize_t n = gz_chunk(g, buffer + at, len, &bytes);
            REQUIRE(n > 0);
            (void)fwrite(bytes, 1, (size_t)n, out);
            crc = gz_crc(crc, buffer + at, len);
            total += len;
        }
        gz_put_trailer(trailer, crc, total);
        (void)fwrite(trailer, 1, sizeof trailer, out);
        (void)fclose(out);
        gz_free(g);
        gzFile in = gzopen(path, "rb");
        CHECK_INT(gzread(in, back, sizeof back), (int)sizeof back);
        CHECK(memcmp(back, buffer, sizeof back) == 0);
        CHECK_INT(gzread(in, back, 1), 0);
        CHECK_INT(gzclose(in), Z_OK);
        (void)unlink(path);
    }
}

static const check_test tests[] = {
    TEST(folders),
    TEST(folders_by_arrival),
    TEST(times_that_can_be_used),
    TEST(failures_repeat_byte_for_byte),
    TEST(plans_come_back),
    TEST(failed_records),
    TEST(leaves_failed_records_out),
    TEST(gzip_pieces),
    TEST(all_lines_once),
    TEST(rolls_by_age),
    TEST(uncompressed),
    TEST(spills_many_partitions),
    TEST(survives_each_fault_point),
    TEST(survives_random_kills),
    TEST(keeps_the_plans_settings),
};
CHECK_MAIN(tests)

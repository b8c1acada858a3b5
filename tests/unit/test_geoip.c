/* The enricher geoip over small databases that tests/lib/mmdb.py writes, and over the public test databases
   where STREAMSTEAM_TESTDATA (or ../shared/data) has them. */
// with: enrichers/geoip/geoip.c enrichers/geoip/sources.c enrichers/geoip/atlas.c enrichers/geoip/database.c
// with: enrichers/geoip/location.c
// libs: -lmaxminddb
#include <pthread.h>
#include <sys/stat.h>

#include "enrichers/geoip/atlas.h"
#include "enrichers/geoip/guard.h"
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

static const ss_field fields[] = {{"ip", SS_FIELD_STRING, 0, "ip", NULL},
                                  {"other", SS_FIELD_STRING, 0, "ip", NULL},
                                  {"geo_info.city", SS_FIELD_STRING, 0, "said by the client", NULL},
                                  {"geo_info.region", SS_FIELD_STRING, 0, "said by the client", NULL},
                                  {"geo_info.country", SS_FIELD_STRING, 0, "said by the client", NULL},
                                  {"geo_info.loc.longitude", SS_FIELD_DOUBLE, 0, "said by the client", NULL},
                                  {"geo_info.loc.latitude", SS_FIELD_DOUBLE, 0, "said by the client", NULL},
                                  {"geo_info.ip", SS_FIELD_STRING, 0, "of another geoip", NULL},
                                  {NULL, 0, 0, NULL, NULL}};

/* LeakSanitizer: the library leaks a little where the metadata that it refuses are damaged. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}

/* ---- files ---- */

static char dir[64];

static void set_up(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/streamsteam-geoip-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
}

static void tear_down(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* A database of these networks, put in its place by a rename as update tools do. */
static void make(const char *name, const char *networks)
{
    char command[256];
    (void)snprintf(command, sizeof command, "python3 tests/lib/mmdb.py %s.new && mv %s.new %s", in_dir(name),
                   in_dir(name), in_dir(name));
    FILE *out = popen(command, "w");
    CHECK(out != NULL);
    if (out)
        (void)fprintf(out, "{\"type\":\"%s\",\"networks\":%s}", name, networks);
    CHECK(out && pclose(out) == 0);
}

static testkit *open_kit(const char *options)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    return k;
}

/* With one database of that name. */
static testkit *open_one(const char *name)
{
    char options[256];
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"reload\":\"10s\"}", in_dir(name));
    return open_kit(options);
}

static void expect(testkit *k, const char *values, const char *geo_info)
{
    char want[1024];
    const char *line = testkit_enrich(k, fields, values);
    const char *got = line ? strstr(line, "\"geo_info\":") : NULL;
    (void)snprintf(want, sizeof want, "\"geo_info\":%s}", geo_info);
    CHECK_STR(got, want);
    CHECK_STR(testkit_problems(k), "");
}

#define NESTED                                                                                               \
    "{\"city\":{\"names\":{\"de\":\"Genf\",\"en\":\"Geneva\"}},\"continent\":{\"code\":\"EU\",\"names\":{"   \
    "\"en\":\"Europe\"}},"                                                                                   \
    "\"country\":{\"iso_code\":\"CH\",\"names\":{\"de\":\"Schweiz\",\"en\":\"Switzerland\"}},\"location\":{" \
    "\"latitude\":46.2,"                                                                                     \
    "\"longitude\":6.15,\"time_zone\":\"Europe/"                                                             \
    "Zurich\"},\"postal\":{\"code\":\"1200\"},\"subdivisions\":[{\"iso_code\":\"GE\","                       \
    "\"names\":{\"de\":\"Genf (Kanton)\",\"en\":\"Geneva (canton)\"}}]}"

/* ---- tests ---- */

/* Every shape of record that databases in the wild have. */
static void shapes(void)
{
    static const struct {
        const char *record, *geo_info;
    } rows[] = {
        {NESTED, "{\"city\":\"Geneva\",\"region\":\"Geneva "
                 "(canton)\",\"country\":\"CH\",\"ip\":\"192.0.2.7\",\"postal\":\"1200\","
                 "\"timezone\":\"Europe/"
                 "Zurich\",\"region_code\":\"GE\",\"country_name\":\"Switzerland\",\"continent\":\"EU\","
                 "\"loc\":{\"longitude\":6.15,\"latitude\":46.2}}"},
        {"{\"country_code\":\"DE\"}", "{\"country\":\"DE\",\"ip\":\"192.0.2.7\"}"},
        {"{\"city\":\"Bonn\",\"country_code\":\"DE\",\"latitude\":50.5,\"longitude\":7.5,\"postcode\":"
         "\"53111\",\"state1\":\"NRW\","
         "\"timezone\":\"Europe/Berlin\"}",
         "{\"city\":\"Bonn\",\"region\":\"NRW\",\"country\":\"DE\",\"ip\":\"192.0.2.7\",\"postal\":\"53111\","
         "\"timezone\":"
         "\"Europe/Berlin\",\"loc\":{\"longitude\":7.5,\"latitude\":50.5}}"},
        {"{\"country\":\"DE\",\"country_name\":\"Germany\",\"continent\":\"EU\",\"asn\":\"AS64496\",\"as_"
         "name\":\"Example\"}",
         "{\"country\":\"DE\",\"ip\":\"192.0.2.7\",\"org\":\"AS64496 "
         "Example\",\"country_name\":\"Germany\",\"continent\":\"EU\","
         "\"asn\":64496}"},
        {"{\"autonomous_system_number\":15169,\"autonomous_system_organization\":\"Google LLC\"}",
         "{\"ip\":\"192.0.2.7\",\"org\":\"AS15169 Google LLC\",\"asn\":15169}"},
        {"{\"autonomous_system_number\":15169}", "{\"ip\":\"192.0.2.7\",\"org\":\"AS15169\",\"asn\":15169}"},
        {"{\"organization\":\"X\"}", "{\"ip\":\"192.0.2.7\",\"org\":\"X\"}"},
        {"{\"lat\":\"1.5\",\"lng\":\"-2.5\"}",
         "{\"ip\":\"192.0.2.7\",\"loc\":{\"longitude\":-2.5,\"latitude\":1.5}}"},
        {"{\"latitude\":91.0,\"longitude\":1.0}", "{\"ip\":\"192.0.2.7\"}"},
        {"{\"latitude\":\"x\",\"longitude\":1.0}", "{\"ip\":\"192.0.2.7\"}"},
        {"{\"latitude\":1.0}", "{\"ip\":\"192.0.2.7\"}"},
        {"{\"country\":{\"iso_code\":17},\"city\":[\"a\"],\"postal\":1.5}", "{\"ip\":\"192.0.2.7\"}"},
        {"{}", "{\"ip\":\"192.0.2.7\"}"},
        {"\"text\"", "{\"ip\":\"192.0.2.7\"}"},
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    static char networks[ROWS * 600];
    size_t len = 0;
    for (size_t i = 0; i < ROWS; i++)
        len += (size_t)snprintf(networks + len, sizeof networks - len, "%c\"192.0.%zu.0/24\":%s",
                                i ? ',' : '{', i + 2, rows[i].record);
    (void)snprintf(networks + len, sizeof networks - len, "}");
    set_up();
    make("a", networks);
    testkit *k = open_one("a");
    for (size_t i = 0; i < 2 * ROWS; i++) { /* read, then from the cache */
        char values[64], want[512], ip[32];
        const char *row = rows[i % ROWS].geo_info, *place = strstr(row, "192.0.2.7");
        (void)snprintf(ip, sizeof ip, "192.0.%zu.7", i % ROWS + 2);
        (void)snprintf(values, sizeof values, "{\"ip\":\"%s\"}", ip);
        (void)snprintf(want, sizeof want, "%.*s%s%s", (int)(place - row), row, ip,
                       place + strlen("192.0.2.7"));
        expect(k, values, want);
    }
    testkit_free(k);
    tear_down();
}

static void languages(void)
{
    set_up();
    make("a", "{\"192.0.2.0/24\":" NESTED "}");
    char options[256];
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"language\":\"de\"}", in_dir("a"));
    testkit *k = open_kit(options);
    CHECK(strstr(testkit_enrich(k, fields, "{\"ip\":\"192.0.2.7\"}"),
                 "\"city\":\"Genf\",\"region\":\"Genf (Kanton)\""));
    testkit_free(k);
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"language\":\"xx\"}", in_dir("a"));
    k = open_kit(options);
    CHECK(strstr(testkit_enrich(k, fields, "{\"ip\":\"192.0.2.7\"}"),
                 "\"city\":\"Geneva\",\"region\":\"Geneva (canton)\""));
    testkit_free(k);
    tear_down();
}

static void addresses(void)
{
    set_up();
    make("a", "{\"192.0.2.0/24\":{\"country_code\":\"DE\"},\"2001:db8::/"
              "32\":{\"country_code\":\"FR\"},\"10.1.0.0/16\":"
              "{\"city\":\"Office\"}}");
    testkit *k = open_one("a");
    expect(k, "{\"ip\":\"2001:db8::5\"}", "{\"country\":\"FR\",\"ip\":\"2001:db8::5\"}");
    expect(k, "{\"ip\":\"::ffff:192.0.2.9\"}", "{\"country\":\"DE\",\"ip\":\"::ffff:192.0.2.9\"}");
    expect(k, "{\"ip\":\"10.1.2.3\"}",
           "{\"city\":\"Office\",\"ip\":\"10.1.2.3\"}"); /* a database of one's own network */
    static const char *const unknown[] = {
        "127.0.0.1", "10.2.0.1",        "192.168.1.1", "::1",      "fe80::1", "203.0.113.1",
        "0.0.0.0",   "255.255.255.255", "2001:db9::",  "nonsense", ""};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char values[64];
        (void)snprintf(values, sizeof values, "{\"ip\":\"%s\"}", unknown[i]);
        expect(k, values, "null");
    }
    expect(k, "{}", "null");
    expect(k, "{\"ip\":null}", "null");
    testkit_advance(k, 1000);
    CHECK(testkit_metric(k, "geoip_lookups_total", "result=\"found\"") == 3);
    CHECK(testkit_metric(k, "geoip_lookups_total", "result=\"unknown\"") == 13);
    CHECK(testkit_metric(k, "geoip_database_built_seconds", "file=\"a\"") == 1760000000);
    testkit_free(k);
    char options[256];
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"ip_field\":\"other\"}", in_dir("a"));
    k = open_kit(options);
    expect(k, "{\"ip\":\"10.1.2.3\",\"other\":\"192.0.2.1\"}", "{\"country\":\"DE\",\"ip\":\"192.0.2.1\"}");
    testkit_free(k);
    tear_down();
}

/* City here, network there; what the first one does not know comes from the next. */
static void several_databases(void)
{
    set_up();
    make("city", "{\"192.0.2.0/24\":" NESTED ",\"198.51.100.0/24\":{\"country_code\":\"DE\"}}");
    make(
        "asn",
        "{\"192.0.2.0/"
        "25\":{\"autonomous_system_number\":1,\"autonomous_system_organization\":\"One\"},\"203.0.113.0/24\":"
        "{\"autonomous_system_number\":2}}");
    make("more", "{\"198.51.100.0/24\":{\"country_code\":\"XX\",\"city\":\"Bonn\"}}");
    char options[512];
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"databases\":[\"%s\",\"%s\"]}",
                   in_dir("city"), in_dir("asn"), in_dir("more"));
    testkit *k = open_kit(options);
    for (int again = 0; again < 2; again++) {
        CHECK(strstr(testkit_enrich(k, fields, "{\"ip\":\"192.0.2.7\"}"), "\"city\":\"Geneva\""));
        CHECK(strstr(testkit_line(k, 0), "\"org\":\"AS1 One\""));
        CHECK(!strstr(testkit_enrich(k, fields, "{\"ip\":\"192.0.2.200\"}"), "\"org\""));
        expect(k, "{\"ip\":\"203.0.113.9\"}", "{\"ip\":\"203.0.113.9\",\"org\":\"AS2\",\"asn\":2}");
        expect(k, "{\"ip\":\"198.51.100.1\"}",
               "{\"city\":\"Bonn\",\"country\":\"DE\",\"ip\":\"198.51.100.1\"}");
    }
    testkit_free(k);
    tear_down();
}

static void the_client_may_say(void)
{
    set_up();
    make("a", "{\"192.0.2.0/24\":" NESTED "}");
    testkit *k = open_one("a");
    expect(k, "{\"ip\":\"192.0.2.7\",\"geo_info.country\":\"FR\",\"geo_info.city\":\"Lyon\"}",
           "{\"city\":\"Lyon\",\"country\":\"FR\",\"ip\":\"192.0.2.7\"}");
    expect(k,
           "{\"ip\":\"192.0.2.7\",\"geo_info.country\":\"CH\",\"geo_info.city\":\"Carouge\",\"geo_info.loc."
           "latitude\":1.5}",
           "{\"city\":\"Carouge\",\"region\":\"Geneva "
           "(canton)\",\"country\":\"CH\",\"ip\":\"192.0.2.7\",\"postal\":\"1200\","
           "\"timezone\":\"Europe/"
           "Zurich\",\"region_code\":\"GE\",\"country_name\":\"Switzerland\",\"continent\":\"EU\",\"loc\":{"
           "\"latitude\":1.5}}");
    expect(k, "{\"ip\":\"127.0.0.1\",\"geo_info.country\":\"FR\"}", "{\"country\":\"FR\",\"ip\":null}");
    expect(k, "{\"ip\":\"10.0.0.1\",\"geo_info.ip\":\"10.0.0.1\",\"geo_info.city\":\"Office\"}",
           "{\"city\":\"Office\",\"ip\":\"10.0.0.1\"}"); /* of another geoip before this one */
    testkit_free(k);
    tear_down();
}

static void refused(const char *path, const char *why)
{
    char options[256];
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\"}", path);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK(testkit_instance(k) == NULL);
    CHECK(strstr(testkit_error(k), path) != NULL);
    CHECK(strstr(testkit_error(k), why) != NULL);
    if (check_failed)
        printf("# %s\n", testkit_error(k));
    testkit_free(k);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, len, f) == len);
    if (f)
        (void)fclose(f);
}

static size_t read_file(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t len = f ? fread(out, 1, size, f) : 0;
    if (f)
        (void)fclose(f);
    return len;
}

static void refuses(void)
{
    set_up();
    refused(in_dir("absent"), "No such file");
    refused(dir, "a file of 1 byte to 2 GiB");
    write_file(in_dir("empty"), "", 0);
    refused(in_dir("empty"), "a file of 1 byte");
    write_file(in_dir("text"), "hello", 5);
    refused(in_dir("text"), "metadata");
    testkit *k = testkit_new(ss_plugin_v0(), "{}");
    CHECK(testkit_instance(k) == NULL && strstr(testkit_error(k), "setup.sh geoip"));
    testkit_free(k);
    make("good", "{\"192.0.2.0/24\":{\"country_code\":\"DE\"}}");
    char options[256];
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"databases\":[\"%s\"]}", in_dir("good"),
                   in_dir("absent"));
    k = testkit_new(ss_plugin_v0(), options);
    CHECK(testkit_instance(k) == NULL && strstr(testkit_error(k), "absent: No such file"));
    testkit_free(k);
    tear_down();
}

/* Any byte changed, or cut anywhere: refused, or used without harm. */
static void damaged_anywhere(void)
{
    static char bytes[2048], broken[2048];
    set_up();
    make("a", "{\"192.0.2.0/24\":" NESTED ",\"0.0.0.0/2\":{\"latitude\":1.5,\"asn\":7}},\"ip_version\":4");
    size_t len = read_file(in_dir("a"), bytes, sizeof bytes), opened = 0;
    REQUIRE(len > 500 && len < sizeof bytes);
    char path[128], options[256];
    (void)snprintf(path, sizeof path, "%s", in_dir("b"));
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\",\"reload\":\"0s\"}", path);
    for (size_t at = 0; at < 2 * len; at += at < len ? 1 : 9) {
        memcpy(broken, bytes, len);
        if (at < len)
            broken[at] = (char)(broken[at] ^ (char)(at % 3 == 0 ? 0xFF : 1 << at % 8));
        write_file(path, broken, at < len ? len : at - len);
        testkit *k = testkit_new(ss_plugin_v0(), options);
        opened += testkit_instance(k) != NULL;
        CHECK(testkit_instance(k) || strstr(testkit_error(k), path));
        for (unsigned i = 0; i < 256 && testkit_instance(k); i += 16) {
            char values[64];
            (void)snprintf(values, sizeof values, "{\"ip\":\"%u.0.2.7\"}", i);
            (void)testkit_enrich(k, fields, values);
        }
        CHECK(testkit_metric(k, "geoip_damaged_total", "") == 0); /* found at the check, not later */
        testkit_free(k);
    }
    CHECK(opened > 0 && opened < len); /* a changed letter of a name is no damage */
    tear_down();
}

static void takes_new_files(void)
{
    static char bytes[8192];
    set_up();
    make("a", "{\"192.0.2.0/24\":{\"country_code\":\"DE\"}}");
    testkit *k = open_one("a");
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"DE\",\"ip\":\"192.0.2.7\"}");
    make("a", "{\"192.0.2.0/24\":{\"country_code\":\"FR\"}}");
    testkit_advance(k, 9000);
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"DE\",\"ip\":\"192.0.2.7\"}");
    testkit_advance(k, 1000);
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"FR\",\"ip\":\"192.0.2.7\"}");
    CHECK(testkit_metric(k, "geoip_reloads_total", "") == 1);
    /* Cut short in its place, as a copy over it begins: what was read stays whole. */
    size_t len = read_file(in_dir("a"), bytes, sizeof bytes);
    CHECK(truncate(in_dir("a"), 100) == 0);
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"FR\",\"ip\":\"192.0.2.7\"}");
    testkit_advance(k, 10000);
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"FR\",\"ip\":\"192.0.2.7\"}");
    CHECK(testkit_alarm(k, "database") && strstr(testkit_alarm(k, "database"), in_dir("a")));
    CHECK(testkit_metric(k, "geoip_reloads_total", "") == 1);
    write_file(in_dir("a"), bytes, len);
    testkit_advance(k, 10000);
    CHECK(testkit_alarm(k, "database") == NULL);
    CHECK(testkit_metric(k, "geoip_reloads_total", "") == 2);
    CHECK(unlink(in_dir("a")) == 0);
    testkit_advance(k, 10000);
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"FR\",\"ip\":\"192.0.2.7\"}");
    make("a", "{\"192.0.2.0/24\":{\"country_code\":\"IT\"}}");
    testkit_advance(k, 10000);
    expect(k, "{\"ip\":\"192.0.2.7\"}", "{\"country\":\"IT\",\"ip\":\"192.0.2.7\"}");
    testkit_free(k);
    tear_down();
}

static void one_of_two_is_new(void)
{
    set_up();
    make("a", "{\"192.0.2.0/24\":{\"country_code\":\"DE\"}}");
    make("b", "{\"192.0.2.0/24\":{\"asn\":1}}");
    char options[256];
    (void)snprintf(options, sizeof options,
                   "{\"database\":\"%s\",\"databases\":[\"%s\"],\"reload\":\"500ms\"}", in_dir("a"),
                   in_dir("b"));
    testkit *k = open_kit(options);
    write_file(in_dir("a"), "damaged", 7);
    make("b", "{\"192.0.2.0/24\":{\"asn\":2}}");
    testkit_advance(k, 500);
    expect(k, "{\"ip\":\"192.0.2.7\"}",
           "{\"country\":\"DE\",\"ip\":\"192.0.2.7\",\"org\":\"AS2\",\"asn\":2}");
    CHECK(testkit_alarm(k, "database") != NULL);
    make("a", "{\"192.0.2.0/24\":{\"country_code\":\"FR\"}}");
    testkit_advance(k, 500);
    expect(k, "{\"ip\":\"192.0.2.7\"}",
           "{\"country\":\"FR\",\"ip\":\"192.0.2.7\",\"org\":\"AS2\",\"asn\":2}");
    CHECK(testkit_alarm(k, "database") == NULL);
    testkit_free(k);
    tear_down();
}

/* ---- several threads: lookups while the databases are swapped ---- */

typedef struct race {
    atlas *_Atomic current;
    guard guard;
    atomic_bool stop;
    atomic_ulong lookups, wrong;
} race;

static void *look_up(void *arg)
{
    race *r = arg;
    ip_address ip;
    location l;
    char own;
    (void)ip_parse(SS_LIT("192.0.2.7"), &ip);
    while (!atomic_load(&r->stop)) {
        guard_slot *slot = guard_enter(&r->guard, &own);
        enum atlas_result result = atlas_find(atomic_load(&r->current), &ip, &l);
        guard_leave(slot);
        bool good = result == ATLAS_FOUND && ss_eq(location_get(&l, LOCATION_CITY), SS_LIT("Geneva"));
        (void)atomic_fetch_add(&r->wrong, good ? 0ul : 1ul);
        (void)atomic_fetch_add(&r->lookups, 1ul);
    }
    return NULL;
}

static void swaps_under_load(void)
{
    enum { THREADS = 3, SWAPS = 30 };
    static race r;
    pthread_t threads[THREADS];
    location_ways ways;
    ss_error err = {.struct_size = sizeof err};
    set_up();
    make("a", "{\"192.0.2.0/24\":" NESTED "}");
    location_ways_make(&ways, "en");
    const database *open = NULL;
    for (int i = 0; i <= SWAPS; i++) {
        database *d = database_open(in_dir("a"), &ways, &err);
        atlas *a = atlas_new(&ways), *before;
        REQUIRE(d && a);
        a->databases[a->count++] = d;
        before = atomic_exchange(&r.current, a);
        if (before) {
            guard_wait(&r.guard);
            atlas_free(before);
            database_close((database *)(uintptr_t)open);
        }
        open = d;
        for (int t = 0; i == 0 && t < THREADS; t++)
            REQUIRE(pthread_create(&threads[t], NULL, look_up, &r) == 0);
        for (unsigned long from = atomic_load(&r.lookups); atomic_load(&r.lookups) < from + 20;)
            (void)usleep(100);
    }
    atomic_store(&r.stop, true);
    for (int t = 0; t < THREADS; t++)
        (void)pthread_join(threads[t], NULL);
    CHECK(atomic_load(&r.wrong) == 0 && atomic_load(&r.lookups) >= 20ul * SWAPS);
    atlas_free(r.current);
    database_close((database *)(uintptr_t)open);
    tear_down();
}

/* ---- the public test databases ---- */

static bool public_file(const char *name, char path[512])
{
    const char *root = getenv("STREAMSTEAM_TESTDATA");
    (void)snprintf(path, 512, "%s/mmdb/%s", root ? root : "../shared/data", name);
    if (access(path, R_OK) == 0)
        return true;
    printf("# skipped: %s is not here\n", name);
    return false;
}

static void public_case(const char *name, const char *ip, const char *geo_info)
{
    char path[512], options[600], values[128];
    if (!public_file(name, path))
        return;
    (void)snprintf(options, sizeof options, "{\"database\":\"%s\"}", path);
    (void)snprintf(values, sizeof values, "{\"ip\":\"%s\"}", ip);
    testkit *k = open_kit(options);
    expect(k, values, geo_info);
    testkit_free(k);
}

static void public_databases(void)
{
    char path[512];
    public_case("GeoIP2-City-Test.mmdb", "81.2.69.142",
                "{\"city\":\"London\",\"region\":\"England\",\"country\":\"GB\",\"ip\":\"81.2.69.142\","
                "\"timezone\":\"Europe/London\","
                "\"region_code\":\"ENG\",\"country_name\":\"United "
                "Kingdom\",\"continent\":\"EU\",\"loc\":{\"longitude\":-0.0931,"
                "\"latitude\":51.5142}}");
    public_case("GeoIP2-City-Test.mmdb", "10.0.0.1", "null");
    public_case(
        "GeoIP2-Country-Test.mmdb", "2001:218::1",
        "{\"country\":\"JP\",\"ip\":\"2001:218::1\",\"country_name\":\"Japan\",\"continent\":\"AS\"}");
    public_case("GeoLite2-ASN-Test.mmdb", "1.128.0.1",
                "{\"ip\":\"1.128.0.1\",\"org\":\"AS1221 Telstra Pty Ltd\",\"asn\":1221}");
    static const char *const damaged[] = {"GeoIP2-City-Test-Broken-Double-Format.mmdb",
                                          "GeoIP2-City-Test-Invalid-Node-Count.mmdb",
                                          "MaxMind-DB-test-broken-pointers-24.mmdb"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        if (public_file(damaged[i], path))
            refused(path, "");
}

static const check_test tests[] = {
    TEST(shapes),
    TEST(languages),
    TEST(addresses),
    TEST(several_databases),
    TEST(the_client_may_say),
    TEST(refuses),
    TEST(damaged_anywhere),
    TEST(takes_new_files),
    TEST(one_of_two_is_new),
    TEST(swaps_under_load),
    TEST(public_databases),
};
CHECK_MAIN(tests)

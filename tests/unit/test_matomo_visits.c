// with: receivers/matomo/*.c -lpcre2-8
/* Visits of the Matomo receiver: sequences of hits, and which visit each of them belongs to. Every sequence
   runs as it is, with a restart between two hits, and with a reload between two hits. */
#include <stdint.h>

#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define STEPS_MAX 16
#define NAMES     26
#define MINUTE    60
#define HOUR      3600
#define DAY       86400
#define TOKEN     "\"tokens\":[{\"secret\":\"t0ken\",\"role\":\"superuser\"}]"
/* The clock of the testkit starts at 2025-12-01 03:24:05 UTC. */
#define MIDNIGHT (20 * HOUR + 35 * MINUTE + 55)

#define ID_A "&_id=aaaaaaaaaaaaaaaa"
#define ID_B "&_id=bbbbbbbbbbbbbbbb"

typedef struct step {
    int at_s;         /* since the start of the clock */
    const char *hit;  /* parameters besides idsite and rec */
    const char *want; /* "A+" begins visit A, "A" belongs to it, "A+/v" with visitor v; "-code": not stored */
    const char *ip;
    int cdt_s; /* not 0: the hit's own time, on the same scale */
} step;

typedef struct sequence {
    const char *name, *options;
    step steps[STEPS_MAX];
} sequence;

static const sequence sequences[] = {
    {"one id, one visit",
     NULL,
     {{0, ID_A, "A+", NULL, 0}, {60, ID_A, "A", NULL, 0}, {120, ID_A, "A", NULL, 0}}},
    {"half an hour without a hit",
     NULL,
     {{0, ID_A, "A+", NULL, 0}, {1799, ID_A, "A", NULL, 0}, {1799 + 1800, ID_A, "B+", NULL, 0}}},
    {"each hit moves the end",
     NULL,
     {{0, ID_A, "A+", NULL, 0},
      {1000, ID_A, "A", NULL, 0},
      {2000, ID_A, "A", NULL, 0},
      {3799, ID_A, "A", NULL, 0}}},
    {"another length",
     "{\"visit_standard_length\":\"60s\"}",
     {{0, ID_A, "A+", NULL, 0}, {59, ID_A, "A", NULL, 0}, {119, ID_A, "B+", NULL, 0}}},
    {"sites are apart",
     NULL,
     {{0, ID_A, "A+", NULL, 0}, {1, ID_A "&idsite=2", "B+", NULL, 0}, {2, ID_A, "A", NULL, 0}}},
    {"the client asks for a new one",
     NULL,
     {{0, ID_A, "A+", NULL, 0},
      {1, ID_A "&new_visit=1", "B+", NULL, 0},
      {2, ID_A, "B", NULL, 0},
      {3, ID_A "&new_visit=0", "B", NULL, 0}}},
    {"midnight, UTC",
     NULL,
     {{MIDNIGHT - 10, ID_A, "A+", NULL, 0},
      {MIDNIGHT - 1, ID_A, "A", NULL, 0},
      {MIDNIGHT, ID_A, "B+", NULL, 0}}},
    {"midnight elsewhere",
     "{\"timezone\":\"Asia/Tokyo\"}", /* 15:00 UTC */
     {{MIDNIGHT - 9 * HOUR - 10, ID_A, "A+", NULL, 0},
      {MIDNIGHT - 9 * HOUR, ID_A, "B+", NULL, 0},
      {MIDNIGHT - 9 * HOUR + 20, ID_A, "B", NULL, 0}}},
    {"midnight of the site",
     "{\"timezone\":\"Asia/Tokyo\",\"sites\":{\"1\":{},\"2\":{\"timezone\":\"UTC\"}}}",
     {{MIDNIGHT - 9 * HOUR - 10, ID_A, "A+", NULL, 0},
      {MIDNIGHT - 9 * HOUR - 10, ID_A "&idsite=2", "B+", NULL, 0},
      {MIDNIGHT - 9 * HOUR, ID_A, "C+", NULL, 0},
      {MIDNIGHT - 9 * HOUR, ID_A "&idsite=2", "B", NULL, 0}}},
    {"no id: by the fingerprint",
     NULL,
     {{0, "&ua=X", "A+/v", NULL, 0},
      {1799, "&ua=X", "A/v", NULL, 0},
      {1799 + 1800, "&ua=X", "B+/w", NULL, 0}}},
    {"other browsers, addresses, languages, plugins",
     NULL,
     {{0, "&ua=X", "A+/a", NULL, 0},
      {1, "&ua=Y", "B+/b", NULL, 0},
      {2, "&ua=X", "C+/c", "192.0.2.8", 0},
      {3, "&ua=X&lang=de", "D+/d", NULL, 0},
      {4, "&ua=X&pdf=1", "E+/e", NULL, 0},
      {5, "&ua=X&pdf=0", "A/a", NULL, 0},
      {6, "&ua=X", "C/c", "192.0.2.8", 0}}},
    {"the fingerprint of another site",
     NULL,
     {{0, "&ua=X", "A+/a", NULL, 0}, {1, "&ua=X&idsite=2", "B+/b", NULL, 0}}},
    {"an id that is new joins by the fingerprint",
     NULL,
     {{0, "&ua=X", "A+", NULL, 0},
      {60, "&ua=X" ID_A, "A", NULL, 0},
      {120, "&ua=X" ID_A, "A", NULL, 0},
      {180, "&ua=X", "A", NULL, 0}}},
    {"no id joins the visit of an id",
     NULL,
     {{0, "&ua=X" ID_A, "A+/a", NULL, 0}, {60, "&ua=X", "A/a", NULL, 0}}},
    {"a known id, however old, is not looked for by the fingerprint",
     NULL,
     {{0, "&ua=X" ID_A, "A+", NULL, 0},
      {5 * HOUR, "&ua=X" ID_B, "B+", NULL, 0},
      {5 * HOUR + 60, "&ua=X" ID_A, "C+", NULL, 0},
      {5 * HOUR + 61, "&ua=X" ID_B, "B", NULL, 0}}},
    {"trust_visitors_cookies: ids only",
     "{\"trust_visitors_cookies\":true}",
     {{0, "&ua=X", "A+", NULL, 0},
      {60, "&ua=X" ID_A, "B+", NULL, 0},
      {120, "&ua=X" ID_B, "C+", NULL, 0},
      {130, "&ua=X" ID_A, "B", NULL, 0}}},
    {"cid: by that id only",
     NULL,
     {{0, "&ua=X", "A+", NULL, 0},
      {1, "&ua=X&cid=cccccccccccccccc", "B+/c", NULL, 0},
      {2, "&ua=X&cid=cccccccccccccccc", "B/c", NULL, 0},
      {3, "&ua=Y&cid=cccccccccccccccc", "B/c", NULL, 0}}},
    {"cid and _id are one id",
     NULL,
     {{0, "&cid=aaaaaaaaaaaaaaaa", "A+/a", NULL, 0},
      {1, ID_A, "A/a", NULL, 0},
      {2, "&_id=AAAAAAAAAAAAAAAA", "A/a", NULL, 0}}},
    {"uid: another user is another visit",
     NULL,
     {{0, "&ua=X&uid=anna", "A+", NULL, 0},
      {1, "&ua=X&uid=bert", "B+", NULL, 0},
      {2, "&ua=X&uid=anna", "A", NULL, 0}}},
    {"uid: a visit without a user is taken over",
     NULL,
     {{0, "&ua=X", "A+", NULL, 0},
      {1, "&ua=X&uid=anna", "A", NULL, 0},
      {2, "&ua=X&uid=bert", "B+", NULL, 0},
      {3, "&ua=X&uid=anna", "A", NULL, 0}}},
    {"another campaign",
     NULL,
     {{0, ID_A "&mtm_campaign=one", "A+", NULL, 0},
      {1, ID_A, "A", NULL, 0},
      {2, ID_A "&mtm_campaign=ONE", "A", NULL, 0},
      {3, ID_A "&mtm_campaign=two", "B+", NULL, 0},
      {4, ID_A "&mtm_campaign=two&mtm_kwd=k", "C+", NULL, 0},
      {5, ID_A, "C", NULL, 0}}},
    {"a campaign after coming directly",
     NULL,
     {{0, ID_A, "A+", NULL, 0},
      {1, ID_A "&mtm_campaign=one", "A", NULL, 0},
      {2, ID_A "&mtm_campaign=two", "B+", NULL, 0}}},
    {"a campaign in the URL after a website",
     NULL,
     {{0, ID_A "&url=http://h/&urlref=http://x/", "A+", NULL, 0},
      {1, ID_A "&url=http://h/?utm_campaign=c", "B+", NULL, 0}}},
    {"campaigns do not matter",
     "{\"create_new_visit_when_campaign_changes\":false}",
     {{0, ID_A "&mtm_campaign=one", "A+", NULL, 0}, {3, ID_A "&mtm_campaign=two", "A", NULL, 0}}},
    {"websites do not matter",
     NULL,
     {{0, ID_A "&url=http://h/&urlref=http://x/", "A+", NULL, 0},
      {1, ID_A "&url=http://h/&urlref=http://y/", "A", NULL, 0}}},
    {"another website",
     "{\"create_new_visit_when_website_referrer_changes\":true}",
     {{0, ID_A "&url=http://h/&urlref=http://x/1", "A+", NULL, 0},
      {1, ID_A "&url=http://h/2&urlref=http://h/", "A", NULL, 0},
      {2, ID_A "&url=http://h/&urlref=http://x/2", "A", NULL, 0},
      {3, ID_A "&url=http://h/&urlref=http://y/", "B+", NULL, 0},
      {4, ID_A "&url=http://h/", "B", NULL, 0}}},
    {"heartbeats go on with a visit and begin none",
     NULL,
     {{0, ID_A "&ping=1", "-ping_without_visit", NULL, 0},
      {10, ID_A, "A+", NULL, 0},
      {1700, ID_A "&ping=1", "A", NULL, 0},
      {3400, ID_A, "A", NULL, 0},
      {3400 + 1800, ID_A "&ping=1", "-ping_without_visit", NULL, 0},
      {3400 + 1801, ID_A "&ping=1&new_visit=1", "-ping_without_visit", NULL, 0},
      {3400 + 1802, ID_A, "B+", NULL, 0},
      {3400 + 1803, ID_A "&ping=1&new_visit=1", "-ping_without_visit", NULL, 0}}},
    {"a heartbeat without an id",
     NULL,
     {{0, "&ua=X&ping=1", "-ping_without_visit", NULL, 0},
      {1, "&ua=X", "A+/a", NULL, 0},
      {2, "&ua=X&ping=1", "A/a", NULL, 0}}},
    {"hits that come late",
     "{" TOKEN "}", /* the second is older than the first, the fourth long before */
     {{7200, ID_A, "A+", NULL, 0},
      {7201, ID_A, "A", NULL, 7100},
      {7202, ID_A, "A", NULL, 5400},
      {7203, ID_A, "B+", NULL, 100},
      {7204, ID_A, "B", NULL, 200},
      {7205, ID_A, "A", NULL, 0},
      {7206, ID_A, "B", NULL, 50},
      {7207, ID_A, "A", NULL, 4000}}},
    {"an import of old hits beside living ones",
     "{" TOKEN "}",
     {{3 * DAY, ID_A, "A+", NULL, 0},
      {3 * DAY + 1, ID_A "&token_auth=t0ken", "B+", NULL, DAY},
      {3 * DAY + 2, ID_A "&token_auth=t0ken", "B", NULL, DAY + 1700},
      {3 * DAY + 3, ID_A "&token_auth=t0ken", "C+", NULL, DAY + 1700 + 1800},
      {3 * DAY + 4, ID_A, "A", NULL, 0}}},
    {"the same first hit once more",
     NULL,
     {{0, ID_A "&r=1&new_visit=1", "A+", NULL, 0},
      {1, ID_A "&r=1&new_visit=1", "A+", NULL, 0},
      {2, ID_A "&r=2", "A", NULL, 0},
      {3, ID_A "&r=1&new_visit=1", "A+", NULL, 0},
      {4, ID_A "&r=2", "A", NULL, 0}}},
    {"equal hits of a client without anything of its own",
     NULL,
     {{0, ID_A, "A+", NULL, 0},
      {1, ID_A, "A", NULL, 0},
      {2, ID_A "&new_visit=1", "B+", NULL, 0},
      {3, ID_A "&new_visit=1", "C+", NULL, 0}}},
    {"an order id is good for one order",
     NULL,
     {{0, ID_A "&idgoal=0&ec_id=o1", "A+", NULL, 0},
      {1, ID_A "&idgoal=0&ec_id=o1", "-order_repeated", NULL, 0},
      {2, ID_A "&idgoal=0&ec_id=o2", "A", NULL, 0},
      {3, ID_B "&ua=Y&idgoal=0&ec_id=o1", "-order_repeated", NULL, 0},
      {4, ID_B "&ua=Y&idsite=2&idgoal=0&ec_id=o1", "B+", NULL, 0},
      {5, ID_B "&ua=Y", "C+", NULL, 0},
      {6, ID_A "&idgoal=0", "A", NULL, 0},
      {7, ID_A "&idgoal=0", "A", NULL, 0}}},
    {"an order whose answer was lost is sent again",
     NULL,
     {{0, ID_A "&r=7&idgoal=0&ec_id=o1", "A+", NULL, 0},
      {1, ID_A "&r=7&idgoal=0&ec_id=o1", "A+", NULL, 0},
      {2, ID_A "&r=8&idgoal=0&ec_id=o1", "-order_repeated", NULL, 0}}},
    {"goals once in a visit",
     "{\"sites\":{\"1\":{\"goals\":[{\"id\":3},{\"id\":4,\"allow_multiple\":true}]}}}",
     {{0, ID_A "&idgoal=3", "A+", NULL, 0},
      {1, ID_A "&idgoal=3", "-goal_repeated", NULL, 0},
      {2, ID_A "&idgoal=4", "A", NULL, 0},
      {3, ID_A "&idgoal=4", "A", NULL, 0},
      {4, ID_A "&new_visit=1", "B+", NULL, 0},
      {5, ID_A "&idgoal=3", "B", NULL, 0},
      {6, ID_A "&idgoal=3&r=5", "-goal_repeated", NULL, 0}}},
    {"goals that are not configured are all taken",
     NULL,
     {{0, ID_A "&idgoal=3", "A+", NULL, 0}, {1, ID_A "&idgoal=3", "A", NULL, 0}}},
    {"hits of bots belong to no visit",
     NULL,
     {{0, ID_A "&recMode=1", "none", NULL, 0}, {1, ID_A, "A+", NULL, 0}}},
    {"no visits",
     "{\"visits\":0}",
     {{0, ID_A, "none", NULL, 0},
      {1, ID_A "&ping=1", "none", NULL, 0},
      {2, ID_A "&idgoal=0&ec_id=1", "none", NULL, 0},
      {3, ID_A "&idgoal=0&ec_id=1", "none", NULL, 0}}},
    {"what is no hit changes nothing",
     NULL,
     {{0, ID_A "&rec=0", "-no_rec", NULL, 0},
      {1, ID_A "&ping=1", "-ping_without_visit", NULL, 0},
      {2, ID_A "&e_c=+&e_a=a", "-blank_event", NULL, 0},
      {3, ID_A, "A+", NULL, 0}}},
};

static void close_kit(testkit *k)
{
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

enum { PLAIN, RESTART, RELOAD, MODES };

typedef struct seen { /* what the names of a sequence stand for */
    char visit[NAMES][20], visitor[NAMES][20];
} seen;

static bool judge(testkit *k, seen *s, const char *want)
{
    const char *code = testkit_reject_code(k, 0);
    if (*want == '-')
        return testkit_event_count(k) == 0 && code && strcmp(code, want + 1) == 0;
    const char *visit = testkit_event_count(k) == 1 ? testkit_value(k, 0, "visit_id") : NULL;
    if (strcmp(want, "none") == 0)
        return testkit_event_count(k) == 1 && !visit && !testkit_value(k, 0, "is_new_visit");
    if (!visit || strlen(visit) != 18)
        return false;
    int name = want[0] - 'A';
    bool is_new = want[1] == '+', fresh = s->visit[name][0] == '\0';
    if (fresh)
        memcpy(s->visit[name], visit, 19);
    for (int i = 0; i < NAMES; i++) /* no two names for one visit */
        if ((strcmp(s->visit[i], visit) == 0) != (i == name))
            return false;
    const char *visitor = strchr(want, '/');
    if (visitor) {
        char *known = s->visitor[visitor[1] - 'a'];
        if (!known[0])
            (void)snprintf(known, 20, "%s", testkit_value(k, 0, "visitor_id"));
        if (strcmp(known, testkit_value(k, 0, "visitor_id")) != 0)
            return false;
    }
    return strcmp(testkit_value(k, 0, "is_new_visit"), is_new ? "true" : "false") == 0;
}

static void take(testkit *k, const step *st)
{
    char target[600];
    int n = snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1%s", st->hit);
    if (st->cdt_s)
        (void)snprintf(target + n, sizeof target - (size_t)n, "&cdt=%lld",
                       (long long)(TESTKIT_EPOCH_US / 1000000 + st->cdt_s));
    testkit_set_time(k, TESTKIT_EPOCH_US + (int64_t)st->at_s * 1000000);
    (void)testkit_receive(k, &(testkit_request){.target = target, .client_ip = st->ip});
}

/* gap: before which hit it happens; 0: before every one. */
static void run(const sequence *q, int mode, int gap)
{
    seen s = {0};
    testkit *k = testkit_new(ss_plugin_v0(), q->options);
    CHECK_STR(testkit_error(k), "");
    for (int i = 0; i < STEPS_MAX && q->steps[i].hit; i++) {
        if (mode != PLAIN && i > 0 && (gap == 0 || gap == i))
            CHECK(testkit_restart(k, mode == RELOAD));
        take(k, &q->steps[i]);
        if (!judge(k, &s, q->steps[i].want)) {
            printf(
                "# %s, mode %d, gap %d, hit %d: want %s; %zu stored, visit %s, new %s, visitor %s, code %s\n",
                q->name, mode, gap, i, q->steps[i].want, testkit_event_count(k),
                testkit_value(k, 0, "visit_id"), testkit_value(k, 0, "is_new_visit"),
                testkit_value(k, 0, "visitor_id"), testkit_reject_code(k, 0));
            CHECK(false);
            break;
        }
        CHECK_INT(testkit_http(k) == 200 || testkit_http(k) == 400, 1);
    }
    close_kit(k);
}

static void run_all(int mode)
{
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        int hits = 0;
        while (hits < STEPS_MAX && sequences[i].steps[hits].hit)
            hits++;
        for (int gap = 0; gap < (mode == PLAIN ? 1 : hits); gap++)
            run(&sequences[i], mode, gap);
    }
}

static void plain(void)
{
    run_all(PLAIN);
}

static void with_restarts(void)
{
    run_all(RESTART);
}

static void with_reloads(void)
{
    run_all(RELOAD);
}

/* ---- answers that were never given ---- */

static void post(testkit *k, const char *body)
{
    (void)testkit_receive(k, &(testkit_request){.method = "POST", .target = "/matomo.php", .body = body});
}

static const char *field(testkit *k, size_t i, const char *name)
{
    const char *value = testkit_value(k, i, name);
    return value ? value : "(absent)";
}

/* The server could not take the hit: when it comes again it is the first one of its visit, and its order the
   first of its id. Of a client whose hits have nothing of their own, too. */
static void taken_back(void)
{
    static const char *const hits[] = {ID_A, ID_B "&r=1", "&ua=X", ID_A "&idgoal=0&ec_id=o1",
                                       ID_B "&idgoal=0&ec_id=o2&r=1"};
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), NULL);
        testkit_fail(k, TESTKIT_EMIT, 1);
        take(k, &(step){.at_s = 0, .hit = hits[i]});
        CHECK_INT(testkit_event_count(k), 0);
        take(k, &(step){.at_s = 5, .hit = hits[i]});
        REQUIRE(testkit_event_count(k) == 1);
        CHECK_STR(field(k, 0, "is_new_visit"), "true");
        close_kit(k);
    }
}

/* A bulk request that failed at its third item, or whose events did not reach the disk, is sent again whole:
   the same visits, with the same first hits, and nothing is taken for a repeated order. */
static void bulk_again(void)
{
    static const char body[] = "{\"requests\":[\"?idsite=1&rec=1&_id=aaaaaaaaaaaaaaaa&new_visit=1&r=1\","
                               "\"?idsite=1&rec=1&_id=aaaaaaaaaaaaaaaa&r=2&idgoal=0&ec_id=o1\","
                               "\"?idsite=1&rec=1&_id=aaaaaaaaaaaaaaaa&r=3\","
                               "\"?idsite=1&rec=1&_id=bbbbbbbbbbbbbbbb&ua=Y&r=4\"]}";
    for (uint32_t nth = 0; nth <= 4; nth++) { /* 0: it went well, only the answer was lost */
        testkit *k = testkit_new(ss_plugin_v0(), NULL);
        testkit_fail(k, TESTKIT_EMIT, nth);
        post(k, body);
        CHECK_INT(testkit_event_count(k), nth ? 0 : 4);
        testkit_advance(k, 20000);
        post(k, body);
        REQUIRE(testkit_event_count(k) == 4);
        char visit[20];
        (void)snprintf(visit, sizeof visit, "%s", field(k, 0, "visit_id"));
        for (size_t i = 0; i < 4; i++) {
            CHECK_STR(field(k, i, "is_new_visit"), i == 0 || i == 3 ? "true" : "false");
            CHECK_INT(strcmp(field(k, i, "visit_id"), visit) == 0, i < 3);
        }
        CHECK_STR(field(k, 1, "order_id"), "\"o1\"");
        close_kit(k);
    }
}

/* A repeated order that would begin a visit begins none. */
static void nothing_begun(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    take(k, &(step){.at_s = 0, .hit = ID_A "&idgoal=0&ec_id=o1"});
    take(k, &(step){.at_s = 2 * HOUR, .hit = ID_A "&idgoal=0&ec_id=o1"});
    CHECK_INT(testkit_event_count(k), 0);
    CHECK_STR(testkit_reject_code(k, 0), "order_repeated");
    CHECK_INT(testkit_http(k), 200);
    take(k, &(step){.at_s = 2 * HOUR + 1, .hit = ID_A});
    CHECK_STR(field(k, 0, "is_new_visit"), "true");
    close_kit(k);
}

static void cookie_follows_the_visit(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"third_party_cookie\":true}");
    CHECK_STR(testkit_error(k), "");
    take(k, &(step){.at_s = 0, .hit = "&ua=X"});
    char first[300];
    (void)snprintf(first, sizeof first, "%s", testkit_header(k, "Set-Cookie"));
    take(k, &(step){.at_s = 10, .hit = "&ua=X"});
    CHECK_STR(field(k, 0, "is_new_visit"), "false");
    size_t value = strcspn(first, ";"); /* the date behind it may differ */
    CHECK(strncmp(testkit_header(k, "Set-Cookie"), first, value + 1) == 0);
    close_kit(k);
}

static void no_room(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    testkit_fail(k, TESTKIT_STATE_FILE, 1);
    CHECK(!testkit_restart(k, true));
    CHECK(strstr(testkit_error(k), "state_file"));
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(), "{\"visits\":10000001}");
    CHECK(testkit_instance(k) == NULL);
    testkit_free(k);
}

static const check_test tests[] = {TEST(plain),
                                   TEST(with_restarts),
                                   TEST(with_reloads),
                                   TEST(taken_back),
                                   TEST(bulk_again),
                                   TEST(nothing_begun),
                                   TEST(cookie_follows_the_visit),
                                   TEST(no_room)};
CHECK_MAIN(tests)

/* Modules: batches, and a remote end that behaves as remote ends do. */
#include <stdlib.h>
#include <time.h>

#include "plugins/sdk/verify/inside.h"

#define RECORDS  20u
#define ROUNDS   12 /* deliveries until everything must be through */
#define DRAIN_MS 2000
#define GRACE_MS 3000

/* ---- records ---- */

static void add_record(testkit *k, unsigned number)
{
    char json[512];
    (void)snprintf(json, sizeof json,
                   "{\"event_id\":\"verify-%04u\",\"received_at\":\"2025-12-01T03:24:05.000Z\",\"event_"
                   "type\":\"pageview\","
                   "\"site_id\":\"1\",\"page_view_url\":\"http://example.org/"
                   "\\u00e4?n=%u\",\"revenue\":1.5,\"note\":\"%.*s\"}",
                   number, number, (int)(number % 60),
                   "................................................................");
    testkit_add_record(k, "matomo", "1", "pageview", json);
}

static const char *status_name(uint32_t status)
{
    static const char *const names[] = {"no verdict", "OK", "RETRY", "REJECT", "PENDING"};
    return status < sizeof names / sizeof *names ? names[status] : "a status that the contract does not know";
}

static void judge_batch(testkit *k, int32_t rc, uint32_t count, const char *what)
{
    if (rc < SS_OK || rc > SS_LIMIT)
        verify_fail("%s: deliver() returned %d, which is no ss_status", what, rc);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t status = testkit_record_status(k, i);
        const char *text = testkit_record_text(k, i);
        if (status > SS_RECORD_REJECT)
            verify_fail("%s: record %u got %s", what, i, status_name(status));
        if (status == SS_RECORD_UNSET && rc == SS_OK)
            verify_fail("%s: deliver() returned SS_OK and record %u has no verdict: ss_mark() each one", what,
                        i);
        if (status == SS_RECORD_REJECT && (!text || !*text))
            verify_fail(
                "%s: record %u was rejected without a reason: use host->result(), the quarantine shows it",
                what, i);
    }
    if (rc == SS_PAUSE && !testkit_error(k)[0])
        verify_fail("%s: SS_PAUSE without a sentence in ss_error: it becomes the alarm's text", what);
}

void check_verdicts(const verify_subject *s)
{
    static const uint32_t sizes[] = {1, 7, 50, 1};
    testkit *k = verify_open(s);
    if (!k)
        return;
    (void)testkit_start(k, 0, NULL);
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        uint32_t count = sizes[n], most = s->plugin->module->max_records;
        count = most && count > most ? most : count;
        for (uint32_t i = 0; i < count; i++)
            add_record(k, i);
        verify_step("deliver() of %u records", count);
        judge_batch(k, testkit_deliver(k), count, "a batch");
    }
    verify_close(k);
}

/* ---- a scripted remote end ---- */

typedef struct script {
    const char *name;
    testkit_step first; /* what the first requests get; then all is well */
    bool unknown;       /* nobody can know whether the first ones arrived: twice is allowed */
} script;

static const script scripts[] = {
    {"all is well", {.status = 200, .body = "{}"}, false},
    {"429 with Retry-After, then well", {.status = 429, .headers = "Retry-After: 1\n", .times = 2}, false},
    {"500, then well", {.status = 500, .body = "oops", .times = 2}, false},
    {"503, then well", {.status = 503, .times = 3}, false},
    {"closed without an answer, then well", {.act = TESTKIT_CLOSE, .times = 2}, true},
    {"an answer that is cut in the middle, then well",
     {.act = TESTKIT_CUT, .status = 200, .body = "{\"status\":\"all of it was stored\"}"},
     true},
    {"a slow answer", {.act = TESTKIT_SLOW, .status = 200, .body = "{\"ok\":true}", .delay_ms = 20}, false},
};

static bool holds(const testkit_seen *seen, const char *marker)
{
    bool body = memmem(seen->body, seen->body_len, marker, strlen(marker)) != NULL;
    return body || strstr(seen->target, marker) != NULL;
}

/* How often each record stood in a request that the remote end took. */
static void count_arrivals(testkit_remote *r, const script *sc, size_t refused)
{
    size_t requests = testkit_remote_count(r);
    bool good_first = sc->first.act != TESTKIT_CLOSE && (sc->first.status < 300);
    for (unsigned n = 0; n < RECORDS; n++) {
        char marker[32];
        size_t arrived = 0;
        (void)snprintf(marker, sizeof marker, "verify-%04u", n);
        for (size_t i = good_first ? 0 : refused; i < requests; i++) {
            testkit_seen seen = testkit_remote_seen(r, i);
            arrived += holds(&seen, marker);
        }
        if (arrived == 0)
            verify_fail("%s: record %u is marked OK, and no request that the remote end took has it",
                        sc->name, n);
        if (arrived > 1 && !sc->unknown)
            verify_fail("%s: record %u arrived %zu times: send again only what the answer did not accept",
                        sc->name, n, arrived);
        if (arrived != 1)
            return; /* one example says it */
    }
}

/* Delivers until each record is OK; what comes back with RETRY is delivered again, as the host does. */
static bool deliver_all(testkit *k, const script *sc, uint32_t most)
{
    bool done[RECORDS] = {false};
    for (int round = 0; round < ROUNDS; round++) {
        unsigned sent[RECORDS], count = 0;
        for (unsigned i = 0; i < RECORDS && (most == 0 || count < most); i++)
            if (!done[i]) {
                sent[count++] = i;
                add_record(k, i);
            }
        if (count == 0)
            return true;
        verify_step("deliver() of %u records, remote end: %s", count, sc->name);
        int32_t rc = testkit_deliver(k);
        judge_batch(k, rc, count, sc->name);
        for (unsigned i = 0; i < count; i++) {
            uint32_t status = testkit_record_status(k, i);
            done[sent[i]] = status == SS_RECORD_OK;
            if (status == SS_RECORD_REJECT)
                verify_fail(
                    "%s: record %u was rejected (%s), though the trouble was the remote end's and passes",
                    sc->name, sent[i], testkit_record_text(k, i));
            if (status == SS_RECORD_REJECT)
                return false;
        }
        testkit_advance(k, 60000); /* its own timers and pauses run */
    }
    verify_fail("%s: after %d deliveries not every record is OK", sc->name, ROUNDS);
    return false;
}

static char *with_remote(const char *options, const char *url)
{
    size_t len = strlen(options), place = strlen(VERIFY_REMOTE), target = strlen(url);
    char *out = malloc(len * (target + 1) + 1), *to = out;
    for (const char *p = options; out && *p;) {
        if (strncmp(p, VERIFY_REMOTE, place) == 0) {
            memcpy(to, url, target);
            to += target;
            p += place;
        } else {
            *to++ = *p++;
        }
    }
    if (out)
        *to = '\0';
    return out;
}

static testkit *open_with(const verify_subject *s, testkit_remote *r, char **options)
{
    *options = with_remote(s->options, testkit_remote_url(r));
    if (!*options)
        return NULL;
    verify_subject local = *s;
    local.options = *options;
    return verify_open(&local);
}

static void run_script(const verify_subject *s, const script *sc)
{
    testkit_remote *r = testkit_remote_new();
    char *options = NULL;
    testkit *k = r ? open_with(s, r, &options) : NULL;
    size_t refused = sc->first.act == TESTKIT_ANSWER && sc->first.status < 300 ? 0
                     : sc->first.times                                         ? sc->first.times
                                                                               : 1;
    if (k) {
        testkit_remote_step(r, &sc->first);
        (void)testkit_start(k, 0, NULL);
        bool through = deliver_all(k, sc, s->plugin->module->max_records);
        if (s->plugin->module->flush)
            (void)testkit_flush(k);
        if (through && testkit_remote_count(r) == 0)
            verify_fail("every record is marked OK, and the remote end saw no request at all");
        else if (through)
            count_arrivals(r, sc, refused);
        verify_close(k);
    }
    free(options);
    if (r)
        testkit_remote_free(r);
}

static bool has_remote(const verify_subject *s)
{
    if (strstr(s->options, VERIFY_REMOTE))
        return true;
    verify_skip("no option of the example is ${env:STREAMSTEAM_REMOTE}: write the url of an HTTP end so, "
                "with a default "
                "(${env:STREAMSTEAM_REMOTE:-http://127.0.0.1:9000}), to have it tried");
    return false;
}

void check_remote(const verify_subject *s)
{
    if (!has_remote(s))
        return;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        run_script(s, &scripts[i]);
}

/* Wrong credentials, a wrong path: everything stays, and a person is told. */
void check_pause(const verify_subject *s)
{
    static const uint32_t statuses[] = {401, 403, 404};
    if (!has_remote(s))
        return;
    for (size_t n = 0; n < sizeof statuses / sizeof *statuses; n++) {
        testkit_remote *r = testkit_remote_new();
        char *options = NULL;
        testkit *k = r ? open_with(s, r, &options) : NULL;
        if (k) {
            testkit_step refuse = {.status = statuses[n], .times = 1000};
            testkit_remote_step(r, &refuse);
            (void)testkit_start(k, 0, NULL);
            for (unsigned i = 0; i < 5; i++)
                add_record(k, i);
            verify_step("deliver() to a remote end that answers %u", statuses[n]);
            int32_t rc = testkit_deliver(k);
            uint32_t gone = 0;
            for (uint32_t i = 0; i < 5; i++)
                gone += testkit_record_status(k, i) == SS_RECORD_OK ||
                        testkit_record_status(k, i) == SS_RECORD_REJECT;
            if (gone)
                verify_fail("the remote end answered %u and %u of 5 records are marked OK or REJECT: the "
                            "data is not to blame; "
                            "return SS_PAUSE with a sentence, everything stays and an alarm is raised",
                            statuses[n], gone);
            else if (rc != SS_PAUSE)
                verify_fail("the remote end answered %u and deliver() returned %d: SS_PAUSE raises the "
                            "alarm that somebody has to "
                            "look at credentials and address",
                            statuses[n], rc);
            verify_close(k);
        }
        free(options);
        if (r)
            testkit_remote_free(r);
    }
}

/* ---- the end ---- */

static int64_t mono_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void check_drain(const verify_subject *s)
{
    testkit *k = verify_open(s);
    if (!k)
        return;
    (void)testkit_start(k, 0, NULL);
    if (s->plugin->kind == SS_MODULE) {
        for (unsigned i = 0; i < 3; i++)
            add_record(k, i);
        verify_step("deliver() before the end");
        (void)testkit_deliver(k);
    }
    testkit_set_stopping(k, true);
    int64_t began = mono_ms(), deadline = testkit_host(k)->now_us(testkit_host(k)->self) + DRAIN_MS * 1000;
    ss_error err = {.struct_size = sizeof err};
    if (s->plugin->kind == SS_MODULE && s->plugin->module->flush) {
        verify_step("flush() with %d ms", DRAIN_MS);
        (void)s->plugin->module->flush(testkit_instance(k), deadline, &err);
    }
    if (s->plugin->drain) {
        verify_step("drain() with %d ms", DRAIN_MS);
        (void)s->plugin->drain(testkit_instance(k), deadline, &err);
    }
    if (mono_ms() - began > DRAIN_MS + GRACE_MS)
        verify_fail("flush() and drain() took %lld ms with a deadline of %d ms: what is not done by then "
                    "stays in the journal",
                    (long long)(mono_ms() - began), DRAIN_MS);
    verify_close(k);
}

/* Modules: batches and their verdicts, and the end. */
#include "plugins/sdk/verify/inside.h"

#define DRAIN_MS 2000
#define BATCHES  20 /* each size meets each answer of the remote end */
#define GRACE_MS 3000

/* ---- records ---- */

void verify_add_record(testkit *k, unsigned number)
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

void verify_judge_batch(testkit *k, int32_t rc, uint32_t count, const char *what)
{
    if (rc < SS_OK || rc > SS_LIMIT)
        verify_fail("%s: deliver() returned %d, which is no ss_status", what, rc);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t status = testkit_record_status(k, i);
        const char *text = testkit_record_text(k, i);
        if (status > SS_RECORD_REJECT)
            verify_fail("%s: record %u got %s", what, i, status_name(status));
        if (status == SS_RECORD_UNSET && rc == SS_OK) {
            verify_fail("%s: deliver() returned SS_OK and record %u has no verdict: ss_mark() each one", what,
                        i);
            break; /* one example says it */
        }
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
    testkit *k = verify_open_apart(s);
    if (!k)
        return;
    verify_start(k);
    for (size_t n = 0; n < BATCHES; n++) {
        uint32_t count = sizes[n % (sizeof sizes / sizeof *sizes)], most = s->plugin->module->max_records;
        count = most && count > most ? most : count;
        for (uint32_t i = 0; i < count; i++)
            verify_add_record(k, i);
        verify_step("deliver() of %u records", count);
        verify_judge_batch(k, testkit_deliver(k), count, "a batch");
    }
    verify_close(k);
}

void verify_deliver_once(testkit *k)
{
    for (unsigned i = 0; i < 5; i++)
        verify_add_record(k, i);
    (void)testkit_deliver(k);
}

/* ---- the end ---- */

void check_drain(const verify_subject *s)
{
    testkit *k = verify_open_apart(s);
    if (!k)
        return;
    verify_start(k);
    if (s->plugin->kind == SS_MODULE) {
        for (unsigned i = 0; i < 3; i++)
            verify_add_record(k, i);
        verify_step("deliver() before the end");
        (void)testkit_deliver(k);
    }
    testkit_set_stopping(k, true);
    testkit_run_clock(k);
    int64_t deadline = testkit_host(k)->now_us(testkit_host(k)->self) + DRAIN_MS * 1000;
    ss_error err = {.struct_size = sizeof err};
    if (s->plugin->kind == SS_MODULE && s->plugin->module->flush) {
        verify_step("flush() with %d ms", DRAIN_MS);
        verify_step_limit(DRAIN_MS + GRACE_MS);
        (void)s->plugin->module->flush(testkit_instance(k), deadline, &err);
    }
    if (s->plugin->drain) {
        verify_step("drain() with %d ms", DRAIN_MS);
        verify_step_limit(DRAIN_MS + GRACE_MS);
        (void)s->plugin->drain(testkit_instance(k), deadline, &err);
    }
    verify_close(k);
}

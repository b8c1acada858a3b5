/* Enrichers: events of every shape. */
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/verify/inside.h"

#define NTH_MAX 200u

/* Fields as web and game events have them, so that most enrichers find what they look for. */
static const ss_field fields[] = {
    {.name = "ip", .type = SS_FIELD_STRING, .doc = "The client's address."},
    {.name = "user_agent", .type = SS_FIELD_STRING, .doc = "The client's program."},
    {.name = "user_id", .type = SS_FIELD_STRING, .doc = "Who it was."},
    {.name = "page_view_url", .type = SS_FIELD_STRING, .doc = "Where it was."},
    {.name = "referral_url", .type = SS_FIELD_STRING, .doc = "Where it came from."},
    {.name = "event_datetime", .type = SS_FIELD_TIMESTAMP, .doc = "When it was."},
    {.name = "revenue", .type = SS_FIELD_DOUBLE, .doc = "What it brought."},
    {.name = "goal_id", .type = SS_FIELD_INT, .doc = "What it reached."},
    {.name = "is_ping", .type = SS_FIELD_BOOL, .doc = "A heartbeat."},
    {.name = "client_hints", .type = SS_FIELD_JSON, .doc = "What the browser says."},
    {.name = NULL}};

static const char *const events[] = {
    "{}",
    "{\"ip\":\"192.0.2.7\"}",
    "{\"ip\":\"2001:db8::1\",\"user_agent\":\"curl/8.0\"}",
    "{\"ip\":\"\",\"user_agent\":\"\",\"user_id\":\"\",\"page_view_url\":\"\"}",
    "{\"ip\":\"not an address\",\"user_agent\":\"\\u0000\\u0001\\u007f\"}",
    "{\"ip\":\"999.999.999.999\",\"page_view_url\":\"http://\"}",
    "{\"ip\":null,\"user_agent\":null,\"revenue\":null,\"client_hints\":null}",
    "{\"revenue\":1e308,\"goal_id\":-9223372036854775808,\"is_ping\":true,\"event_datetime\":0}",
    "{\"event_datetime\":-62135596800000000,\"client_hints\":{\"brands\":[]}}",
    "{\"client_hints\":[[[[[[[[]]]]]]]],\"user_agent\":\"\\ud83d\\ude00\"}",
    "{\"user_agent\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0 Safari/537.36\","
    "\"ip\":\"203.0.113.9\",\"referral_url\":\"https://example.org/?q=%ff\"}",
};

static void judge(testkit *k, const char *line, const char *event)
{
    if (line && !json_valid(ss_cstr(line)))
        verify_fail("the event %s became a line that is not JSON", event);
    if (!line && !testkit_error(k)[0])
        verify_fail("the event %s was dropped without a reason in ss_error: it is counted by that text",
                    event);
}

static bool is_own_field(const verify_subject *s, const char *name)
{
    for (size_t i = 0; s->plugin->fields; i++) {
        const void *at = (const char *)s->plugin->fields + i * s->plugin->field_size;
        const ss_field *f = at;
        if (!f->name)
            return false;
        if (strcmp(f->name, name) == 0)
            return true;
    }
    return false;
}

/* The field that it looks for, with each kind of value: it does not choose what receivers store there. */
static void try_field(testkit *k, const char *name)
{
    static const struct {
        uint32_t type;
        const char *value;
    } kinds[] = {{SS_FIELD_STRING, "\"text\""}, {SS_FIELD_STRING, "\"\""},      {SS_FIELD_STRING, "null"},
                 {SS_FIELD_INT, "1"},           {SS_FIELD_DOUBLE, "1.5"},       {SS_FIELD_BOOL, "true"},
                 {SS_FIELD_TIMESTAMP, "1"},     {SS_FIELD_JSON, "{\"a\":[1]}"}, {SS_FIELD_JSON, "[]"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const ss_field one[] = {{.name = name, .type = kinds[i].type, .doc = "What the enricher looks for."},
                                {.name = NULL}};
        char event[512];
        (void)snprintf(event, sizeof event, "{\"%.400s\":%s}", name, kinds[i].value);
        verify_step("enrich() of %.200s", event);
        judge(k, testkit_enrich(k, one, event), event);
    }
}

static void try_fields(const verify_subject *s)
{
    testkit *k = verify_open(s);
    for (size_t i = 0; k && testkit_field_ref(k, i); i++)
        if (*testkit_field_ref(k, i) && !is_own_field(s, testkit_field_ref(k, i)))
            try_field(k, testkit_field_ref(k, i));
    testkit_free(k); /* no verify_close(): into what type of field it writes is its configuration's affair */
}

void check_events(const verify_subject *s)
{
    testkit *k = verify_open(s);
    for (size_t i = 0; k && i < sizeof events / sizeof *events; i++) {
        verify_step("enrich() of %.200s", events[i]);
        judge(k, testkit_enrich(k, fields, events[i]), events[i]);
    }
    /* A receiver that has none of the fields. */
    static const ss_field other[] = {{.name = "other", .type = SS_FIELD_STRING, .doc = "Nothing it knows."},
                                     {.name = NULL}};
    if (k) {
        verify_step("enrich() of an event without any field that it looks for");
        judge(k, testkit_enrich(k, other, "{\"other\":\"x\"}"), "with unknown fields only");
        verify_close(k);
    }
    try_fields(s);
}

void verify_enrich_once(testkit *k)
{
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        (void)testkit_enrich(k, fields, events[i]);
}

void check_enrich_faults(const verify_subject *s)
{
    testkit *k = verify_open(s);
    for (size_t i = 0; k && i < sizeof events / sizeof *events; i++)
        for (uint32_t nth = 1; nth <= NTH_MAX; nth++) {
            uint32_t before = testkit_calls(k, TESTKIT_MEM);
            verify_step("enrich() of %.200s where mem() fails at call %u", events[i], nth);
            testkit_fail(k, TESTKIT_MEM, nth);
            bool kept = testkit_enrich(k, fields, events[i]) != NULL;
            testkit_fail(k, TESTKIT_MEM, 0);
            if (testkit_calls(k, TESTKIT_MEM) - before < nth)
                break;
            if (!kept && !testkit_error(k)[0])
                verify_fail("the event %s was dropped without a reason where mem() failed: keep it as it is",
                            events[i]);
        }
    if (k)
        verify_close(k);
}

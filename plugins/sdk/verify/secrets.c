/* Secrets of the configuration must not come out of a plugin by any door. */
#include <stdlib.h>

#include "plugins/sdk/verify/inside.h"

#define SECRET_LEN_MIN 6u /* shorter ones stand in ordinary words */

static void look(const char *text, const char *secret, const char *door)
{
    if (text && strstr(text, secret))
        verify_fail("a secret stands in %s: %.120s", door, text);
}

static void look_everywhere(testkit *k, const char *secret)
{
    for (size_t i = 0; i < testkit_log_count(k); i++)
        look(testkit_log(k, i, NULL), secret, "a log line");
    for (size_t i = 0; i < testkit_event_count(k); i++)
        look(testkit_line(k, i), secret, "a stored event");
    for (size_t i = 0; i < testkit_reject_count(k); i++)
        look(testkit_reject_text(k, i), secret, "the reason of a reject");
    look(testkit_error(k), secret, "an error text");
    look(testkit_body(k, NULL), secret, "an answer");
}

static void look_for_each(testkit *k, const char *secrets)
{
    while (*secrets) {
        char secret[512];
        size_t len = strcspn(secrets, "\n");
        (void)snprintf(secret, sizeof secret, "%.*s", (int)len, secrets);
        if (len >= SECRET_LEN_MIN)
            look_everywhere(k, secret);
        secrets += len + (secrets[len] == '\n');
    }
}

static void use(testkit *k, const verify_subject *s)
{
    (void)testkit_start(k, 0, NULL);
    if (s->plugin->kind == SS_RECEIVER && s->plugin->receiver->receive)
        (void)testkit_receive(k, &(testkit_request){.target = s->plugin->receiver->routes->path});
    if (s->plugin->kind == SS_MODULE) {
        testkit_add_record(k, "matomo", "1", "pageview", "{\"event_id\":\"1\"}");
        (void)testkit_deliver(k);
        for (uint32_t i = 0; i < 1; i++)
            look_for_each(k, testkit_record_text(k, i) ? s->secrets : "");
    }
}

void check_secrets(const verify_subject *s)
{
    if (!*s->secrets) {
        verify_skip("the example sets no secret option");
        return;
    }
    verify_step("create() with the example's secrets");
    testkit *k = testkit_new(s->plugin, s->options);
    look_for_each(k, s->secrets);
    if (testkit_instance(k))
        use(k, s);
    look_for_each(k, s->secrets);
    verify_close(k);
}

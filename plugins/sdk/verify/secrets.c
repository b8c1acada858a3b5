/* Secrets of the configuration must not come out of a plugin by any door. */
#include <stdlib.h>

#include "plugins/sdk/verify/inside.h"

#define DELIVERIES     6
#define SECRET_LEN_MIN 6u /* shorter ones stand in ordinary words */

static void look(const char *text, const char *secret, const char *door)
{
    const char *at = text ? strstr(text, secret) : NULL;
    if (at) /* and not in the checker's report, too */
        verify_fail("a secret stands in %s: %.*s***", door, (int)(at - text < 120 ? at - text : 120), text);
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
    look(testkit_record_text(k, 0), secret, "the reason of a record");
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
    verify_start(k);
    if (s->plugin->kind == SS_RECEIVER && s->plugin->receiver->receive)
        (void)testkit_receive(k, &(testkit_request){.target = s->plugin->receiver->routes->path});
    for (size_t i = 0; s->plugin->kind == SS_MODULE && i < DELIVERIES; i++) {
        verify_step("delivery %zu to a remote end that refuses", i + 1);
        testkit_add_record(k, "matomo", "1", "pageview", "{\"event_id\":\"1\"}");
        (void)testkit_deliver(k);
        look_for_each(k, s->secrets);
    }
}

void check_secrets(const verify_subject *s)
{
    if (!*s->secrets) {
        verify_skip("the example sets no secret option");
        return;
    }
    testkit_remote *r = s->plugin->kind == SS_MODULE && verify_has_remote(s) ? testkit_remote_new() : NULL;
    static const testkit_step steps[DELIVERIES] = {{.status = 401},      {.status = 403, .body = "no"},
                                                   {.status = 400},      {.status = 500},
                                                   {.act = TESTKIT_CUT}, {.act = TESTKIT_CLOSE}};
    for (size_t i = 0; r && i < DELIVERIES; i++)
        testkit_remote_step(r, &steps[i]);
    char *options = NULL;
    testkit *k = r ? verify_open_with(s, testkit_remote_url(r), &options) : verify_open(s);
    if (k) {
        look_for_each(k, s->secrets);
        use(k, s);
        look_for_each(k, s->secrets);
        verify_close(k);
    }
    free(options);
    if (r)
        testkit_remote_free(r);
}

/* The testkit's applications, failed inputs and messages: what a plugin's test sees is what the server does.
 */
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

static const ss_host *the_host;
static const ss_field fields[] = {
    {.name = "text", .type = SS_FIELD_STRING, .doc = "The text."},
    {.name = "count", .type = SS_FIELD_INT, .doc = "A number."},
    {.name = NULL},
};
static const ss_route routes[] = {{.path = "/{app}", .methods = "POST", .doc = "One text."}, {.path = NULL}};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)cfg, (void)err;
    the_host = host;
    *inst = (void *)(uintptr_t)host;
    return SS_OK;
}

static void destroy(void *inst)
{
    (void)inst;
}

/* "bad..." is no event, "worse" has a code that is no name, "twice..." is refused after something was stored.
 */
static int32_t take(ss_call *call, ss_str app, ss_str text, ss_error *err)
{
    if (text.len >= 3 && memcmp(text.ptr, "bad", 3) == 0)
        return the_host->failed(call, app, "not-good", SS_LIT("it is bad"), text);
    if (ss_eq(text, SS_LIT("worse")))
        return the_host->failed(call, app, "Not Good", SS_LIT(""), text);
    ss_event *event = the_host->event_new(call);
    if (!event)
        return SS_RETRY;
    ss_set_str(event, 0, text);
    ss_set_json(event, 1, SS_LIT("1.50"));
    event->aside = text;
    int32_t status = the_host->emit(call, event);
    return ss_eq(text, SS_LIT("twice")) ? ss_fail(err, SS_REJECT, "not twice") : status;
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    ss_app app = {.struct_size = sizeof app};
    (void)inst;
    int32_t status = the_host->app_check(request, request->path_params[0].value,
                                         SS_PROOF_KEY | SS_PROOF_SIGV4, 3, &app, err);
    response->status = status == SS_OK ? 200 : (uint32_t)(400 + status);
    return status == SS_OK ? take(request->call, app.name, request->body, err) : SS_REJECT;
}

static int32_t parse(void *inst, ss_call *call, const ss_message *message, ss_error *err)
{
    ss_app app = {.struct_size = sizeof app};
    (void)inst;
    return the_host->app_get(call, message->key, &app) == SS_OK
               ? take(call, app.id, message->body, err)
               : ss_fail(err, SS_REJECT, "no such application");
}

static int32_t render(const ss_record *record, const ss_sink *out, ss_error *err)
{
    (void)err;
    return out->write(out->self, record->aside.ptr, record->aside.len) == 0 ? SS_OK : SS_LIMIT;
}

static const ss_view views[] = {{"aside", "text/plain", "What was kept beside the line.", render},
                                {NULL, NULL, NULL, NULL}};
static const ss_receiver receiver = {.struct_size = sizeof receiver,
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .views = views,
                                     .receive = receive,
                                     .parse = parse};
static const ss_plugin plugin = {
    SS_PLUGIN_BEGIN(SS_RECEIVER), .name = "apps",   .version = "1",    .fields = fields,
    .receiver = &receiver,        .create = create, .destroy = destroy};

static int32_t post(testkit *k, const char *app, const char *key, const char *text)
{
    char target[64], headers[256];
    (void)snprintf(target, sizeof target, "/%s", app);
    (void)snprintf(headers, sizeof headers, "Authorization: %s\n", key);
    return testkit_receive(
        k, &(testkit_request){.method = "POST", .target = target, .headers = headers, .body = text});
}

static testkit *open_kit(void)
{
    testkit *k = testkit_new(&plugin, NULL);
    testkit_add_application(k, &(testkit_app){.id = "a", .name = "A game", .key = "key-a"});
    testkit_add_app(k, "key-b", "b");
    return k;
}

static void keys_open_their_application(void)
{
    testkit *none = testkit_new(&plugin, NULL), *k = open_kit();
    CHECK_INT(post(none, "a", "key-a", "x"), SS_REJECT);
    CHECK_INT(testkit_http(none), 400 + SS_DECLINE);
    CHECK_INT(post(k, "a", "key-a", "x"), SS_OK);
    CHECK_STR(testkit_value(k, 0, "text"), "\"x\"");
    CHECK_STR(testkit_value(k, 0, "count"), "1.50"); /* as it was written */
    CHECK_INT(testkit_view(k, 0, "aside"), SS_OK);
    CHECK_STR(testkit_said(k, NULL), "x");
    CHECK_INT(post(k, "b", "AWS4-HMAC-SHA256 Credential=key-b/20260101/r/s/aws4_request", "x"), SS_OK);
    CHECK_INT(testkit_checked_events(k), 6);
    const char *const wrong[] = {"key-b", "", "key-a ", "AWS4-HMAC-SHA256 Credential=key-ab/"};
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(post(k, "a", wrong[i], "x"), SS_REJECT);
        CHECK_INT(testkit_http(k), 400 + SS_REJECT);
    }
    CHECK_INT(the_host->app_auth(the_host->self, SS_LIT("key-b"), SS_LIT("b")), SS_OK);
    CHECK_INT(the_host->app_auth(the_host->self, SS_LIT("key-b"), SS_LIT("a")), SS_REJECT);
    testkit_throttle(k, 1500);
    CHECK_INT(post(k, "a", "key-a", "x"), SS_REJECT);
    CHECK_INT(testkit_http(k), 400 + SS_THROTTLE);
    testkit_throttle(k, 0);
    testkit_fail(k, TESTKIT_APP, 1);
    CHECK_INT(post(k, "a", "key-a", "x"), SS_REJECT);
    CHECK_INT(testkit_http(k), 400 + SS_RETRY);
    CHECK_INT(post(k, "a", "key-a", "x"), SS_OK);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(none);
    testkit_free(k);
}

static void failed_inputs_are_kept_with_their_request(void)
{
    testkit *k = open_kit();
    CHECK_INT(post(k, "a", "key-a", "bad one"), SS_OK);
    REQUIRE(testkit_failed_count(k) == 1);
    testkit_input f = testkit_failed_at(k, 0);
    CHECK_STR(f.app, "A game");
    CHECK_STR(f.code, "not-good");
    CHECK_STR(f.text, "it is bad");
    CHECK_STR(f.raw, "bad one");
    CHECK_INT(f.raw_len, 7);
    CHECK_STR(testkit_failed_at(k, 1).code, "");
    CHECK_INT(post(k, "a", "key-a", "fine"), SS_OK);
    CHECK_INT(testkit_failed_count(k), 0); /* of the last request */
    testkit_fail(k, TESTKIT_FAILED, 1);
    CHECK_INT(post(k, "a", "key-a", "bad one"), SS_RETRY);
    CHECK_INT(testkit_failed_count(k), 0);
    CHECK_STR(testkit_problems(k), "");
    (void)post(k, "a", "key-a", "worse");
    CHECK(strstr(testkit_problems(k), "the code \"Not Good\""));
    testkit_free(k);
}

static int32_t hand(testkit *k, const char *app, const char *text)
{
    return testkit_parse(k, &(ss_message){.body = ss_cstr(text), .key = ss_cstr(app), .id = SS_LIT("t/0/1")});
}

static void messages_are_parsed(void)
{
    testkit *k = open_kit();
    CHECK_INT(hand(k, "a", "x"), SS_OK);
    CHECK_STR(testkit_value(k, 0, "text"), "\"x\"");
    CHECK_INT(hand(k, "a", "bad"), SS_OK);
    CHECK_INT(testkit_failed_count(k), 1);
    CHECK_INT(testkit_event_count(k), 0);
    CHECK_INT(hand(k, "nobody", "x"), SS_REJECT); /* as the server keeps it */
    REQUIRE(testkit_failed_count(k) == 1);
    CHECK_STR(testkit_failed_at(k, 0).code, "processing-failed");
    CHECK_STR(testkit_failed_at(k, 0).text, "no such application");
    CHECK_STR(testkit_failed_at(k, 0).raw, "x");
    CHECK_INT(hand(k, "a", "twice"), SS_REJECT);
    CHECK_INT(testkit_event_count(k), 0);
    testkit_fail(k, TESTKIT_EMIT, 1);
    CHECK_INT(hand(k, "a", "x"), SS_RETRY);
    CHECK_INT(testkit_failed_count(k), 0);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void passed_messages_are_kept_when_committed(void)
{
    testkit *k = open_kit();
    ss_error err = {.struct_size = sizeof err};
    const ss_message message = {.struct_size = sizeof message, .body = SS_LIT("b\0c"), .id = SS_LIT("t/0/1")};
    ss_call *call = the_host->call_begin(the_host->self);
    CHECK_INT(the_host->pass(call, &message), SS_OK);
    testkit_fail(k, TESTKIT_COMMIT, 1);
    CHECK_INT(the_host->call_commit(the_host->self, call, SS_LIT("1"), &err), SS_RETRY);
    CHECK_INT(testkit_passed_count(k), 0);
    call = the_host->call_begin(the_host->self);
    CHECK_INT(the_host->pass(call, &message), SS_OK);
    CHECK_INT(the_host->call_commit(the_host->self, call, SS_LIT("1"), &err), SS_OK);
    REQUIRE(testkit_passed_count(k) == 1);
    CHECK_STR(testkit_passed_at(k, 0).text, "t/0/1");
    CHECK_INT(testkit_passed_at(k, 0).raw_len, 3);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static const check_test tests[] = {
    TEST(keys_open_their_application),
    TEST(failed_inputs_are_kept_with_their_request),
    TEST(messages_are_parsed),
    TEST(passed_messages_are_kept_when_committed),
};
CHECK_MAIN(tests)

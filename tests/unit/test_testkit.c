/* The testkit's own parts that hurt a plugin: allocations that fail, every fault in turn, the scripted remote
 * end. */
// with: -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=strdup -Wl,--wrap=strndup
#include "plugins/sdk/testkit/testkit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "core/pipeline/route.h"
#include "plugins/common/url.h"
#include "tests/unit/check.h"

/* ---- a receiver that copies the text once into memory of its own ---- */

typedef struct copier {
    const ss_host *host;
    char *prefix;
    bool careless; /* does not look at what malloc() says: it only counts it */
} copier;

static uint32_t bad_allocations;
static bool forget_the_reason;

static const ss_field fields[] = {
    {.name = "text", .type = SS_FIELD_STRING, .doc = "The text."},
    {.name = NULL},
};
static const ss_option options[] = {
    {.name = "careless", .type = SS_T_BOOL, .dflt = "false", .doc = "Does not look."},
    {.name = NULL},
};
static const ss_route routes[] = {{.path = "/copy", .methods = "GET"}, {.path = NULL}};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    copier *c = calloc(1, sizeof *c);
    char *prefix = c ? strdup(">") : NULL;
    if (!prefix) {
        free(c);
        return forget_the_reason ? SS_RETRY : ss_fail(err, SS_RETRY, "copy: out of memory");
    }
    *c = (copier){host, prefix, host->cfg_int(cfg, "careless") != 0};
    *inst = c;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(((copier *)inst)->prefix);
    free(inst);
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    copier *c = inst;
    char *grown = malloc(request->raw_query.len + 1), *more = grown ? realloc(grown, 4096) : NULL;
    int32_t status = SS_RETRY;
    ss_event *event = c->host->event_new(request->call);
    response->status = 200;
    if (!more && c->careless)
        bad_allocations++;
    if (event && (more || c->careless)) {
        ss_set_str(event, 0, request->raw_query);
        status = c->host->emit(request->call, event);
    }
    free(more ? more : grown);
    return status == SS_OK ? SS_OK : ss_fail(err, SS_RETRY, "copy: no room");
}

static const ss_receiver receiver = {.struct_size = sizeof receiver,
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .receive = receive};
static const ss_plugin plugin = {
    SS_PLUGIN_BEGIN(SS_RECEIVER), .name = "copy",   .version = "1",    .options = options, .fields = fields,
    .receiver = &receiver,        .create = create, .destroy = destroy};

static int32_t ask(testkit *k)
{
    return testkit_receive(k, &(testkit_request){.target = "/copy?text"});
}

static void the_nth_allocation_of_the_plugin_fails(void)
{
    testkit *k = testkit_new(&plugin, NULL);
    REQUIRE(testkit_instance(k));
    CHECK_INT(testkit_calls(k, TESTKIT_ALLOC),
              2); /* create(): calloc and strdup; the testkit's own do not count */
    CHECK_INT(ask(k), SS_OK);
    CHECK_INT(testkit_calls(k, TESTKIT_ALLOC), 4);
    testkit_fail(k, TESTKIT_ALLOC, 2);
    CHECK_INT(ask(k), SS_RETRY);
    CHECK_STR(testkit_error(k), "copy: no room");
    CHECK_INT(ask(k), SS_OK); /* once only */
    testkit_fail(k, TESTKIT_ALLOC, 2);
    CHECK(!testkit_restart(k, false));
    CHECK_STR(testkit_error(k), "copy: out of memory");
    void *own = malloc(10); /* outside of the plugin nothing fails */
    testkit_fail(k, TESTKIT_ALLOC, 1);
    free(own);
    own = malloc(10);
    CHECK(own != NULL);
    free(own);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static uint32_t runs, stored, failed_calls;

static void scenario(testkit *k)
{
    runs++;
    int32_t status = ask(k);
    stored += status == SS_OK && testkit_event_count(k) == 1;
    failed_calls += status != SS_OK;
}

static void torture_fails_each_call_once(void)
{
    CHECK_STR(testkit_torture(&plugin, NULL, scenario), "");
    /* One run without a fault; one past the last call for each of eleven kinds; event_new, emit and the four
       allocations fail once each, two of them in create(), so that the scenario is not played. */
    CHECK_INT(runs, 1 + 11 + 1 + 1 + 2);
    CHECK_INT(failed_calls, 4);
    CHECK_INT(stored, runs - failed_calls);
    bad_allocations = 0;
    CHECK_STR(testkit_torture(&plugin, "{\"careless\": true}", scenario), "");
    CHECK_INT(bad_allocations, 2);
}

static void torture_says_what_led_to_a_breach(void)
{
    forget_the_reason = true;
    CHECK_STR(testkit_torture(&plugin, NULL, scenario),
              "an allocation number 1 fails: create() failed without a reason");
    CHECK_STR(testkit_torture(&plugin, "{\"careful\": 1}", scenario),
              "create() fails where nothing else does: option careful: the plugin declares no such option");
}

/* ---- routes ---- */

static int32_t say_route(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    static char text[256];
    (void)inst, (void)err;
    int at = snprintf(text, sizeof text, "%.*s", (int)request->route.len, request->route.ptr);
    for (uint32_t i = 0; i < request->path_param_count; i++) {
        const ss_pair *p = &request->path_params[i];
        at += snprintf(text + at, sizeof text - (size_t)at, " %.*s=%.*s", (int)p->key.len, p->key.ptr,
                       (int)p->value.len, p->value.ptr);
    }
    response->status = 200;
    response->body = ss_cstr(text);
    return SS_OK;
}

/* The server's own table says the same. */
static void check_server(const route_table *table, const char *method, const char *target, const char *want)
{
    char path[64];
    route_walk walk;
    size_t len = url_decode_path(path, ss_s(target, strcspn(target, "?")));
    route_walk_start(&walk, table, ss_s(path, len), route_method_of(ss_cstr(method)));
    const route_entry *e = route_walk_next(&walk);
    REQUIRE(e);
    CHECK(strncmp(want, e->declared.ptr, e->declared.len) == 0);
    CHECK(want[e->declared.len] == ' ' || want[e->declared.len] == '\0');
}

static void the_route_is_the_one_that_the_server_would_choose(void)
{
    static const ss_route many[] = {
        {.path = "/", .methods = "*", .flags = SS_ROUTE_PREFIX},
        {.path = "/v1", .methods = "GET", .flags = SS_ROUTE_PREFIX},
        {.path = "/v1/{app}/events", .methods = "GET|POST"},
        {.path = "/v1/{app}/{kind}", .methods = "GET"},
        {.path = "/v1/own/events/", .methods = "POST"},
        {.path = NULL},
    };
    static const struct {
        const char *method, *target, *want;
    } cases[] = {
        {"GET", "/v1/shop/events?x=1", "/v1/{app}/events app=shop"},
        {"POST", "/v1/own/events", "/v1/own/events/"},
        {"GET", "/v1/own/events/", "/v1/{app}/events app=own"},
        {"GET", "/v1/a%20b/other", "/v1/{app}/{kind} app=a b kind=other"},
        {"GET", "/v1//events", "/v1"},
        {"GET", "/v1/a/events/more", "/v1"},
        {"GET", "/v1x", "/"},
        {"PUT", "/v1/a/events", "/"},
        {"GET", "/", "/"},
    };
    ss_receiver routed = receiver;
    routed.routes = many;
    routed.receive = say_route;
    ss_plugin named = plugin;
    named.receiver = &routed;
    testkit *k = testkit_new(&named, NULL);
    route_table *table = route_table_new();
    ss_error err = {.struct_size = sizeof err};
    for (const ss_route *r = many; r->path; r++)
        CHECK(route_add(table, ss_cstr(r->path), r->methods, r->flags, ss_cstr(r->path), NULL, &err));
    CHECK(route_table_seal(table, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(
            testkit_receive(k, &(testkit_request){.method = cases[i].method, .target = cases[i].target}),
            SS_OK);
        CHECK_STR(testkit_body(k, NULL), cases[i].want);
        check_server(table, cases[i].method, cases[i].target, cases[i].want);
    }
    route_table_free(table);
    routed.routes = routes;
    CHECK_INT(testkit_receive(k, &(testkit_request){.target = "/copyx"}), SS_DECLINE);
    CHECK_INT(testkit_receive(k, &(testkit_request){.method = "POST", .target = "/copy"}), SS_DECLINE);
    testkit_free(k);
}

/* ---- the rest of an instance's life ---- */

static int32_t fits(void *inst, ss_error *err)
{
    return ((copier *)inst)->careless ? ss_fail(err, SS_RETRY, "copy: careless") : SS_OK;
}

static int32_t last_words(void *inst, int64_t deadline_us, ss_error *err)
{
    const ss_host *host = ((copier *)inst)->host;
    if (!host->stopping(host->self) || deadline_us <= host->now_us(host->self))
        return ss_fail(err, SS_RETRY, "copy: nobody stops");
    return SS_OK;
}

static int32_t howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    (void)host, (void)cfg, (void)err;
    return out->write(out->self, "look ", 5) == 0 && out->write(out->self, "here", 4) == 0 ? SS_OK : SS_RETRY;
}

static int32_t mute(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    (void)host, (void)cfg, (void)out, (void)err;
    return SS_RETRY;
}

static int32_t short_form(const ss_record *record, const ss_sink *out, ss_error *err)
{
    (void)err;
    return out->write(out->self, record->json.ptr, record->json.len) == 0 &&
                   out->write(out->self, record->receiver.ptr, record->receiver.len) == 0
               ? SS_OK
               : SS_LIMIT;
}

/* Looks at its batch: the stride, and how far off the deadline is. */
static int64_t seen_left_us;

static int32_t measure(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    const ss_host *host = ((copier *)inst)->host;
    (void)err;
    CHECK(batch->record_size > sizeof(ss_record) && result->record_size > sizeof(ss_record_result));
    seen_left_us = batch->deadline_us - host->now_us(host->self);
    for (uint32_t i = 0; i < batch->count; i++)
        if (ss_eq(ss_record_at(batch, i)->json, SS_LIT("{\"a\":2}")))
            ss_mark(result, i, SS_RECORD_OK);
    host->log(host->self, SS_INFO, "measured");
    host->log(host->self, SS_INFO, "measured");
    return SS_OK;
}

static void batches_have_the_stride_of_a_newer_server_and_a_deadline(void)
{
    static const ss_module module = {.struct_size = sizeof module, .deliver = measure};
    ss_plugin whole = plugin;
    whole.kind = SS_MODULE;
    whole.receiver = NULL;
    whole.module = &module;
    testkit *k = testkit_new(&whole, NULL);
    REQUIRE(testkit_instance(k));
    for (int i = 1; i <= 3; i++) {
        char json[16];
        (void)snprintf(json, sizeof json, "{\"a\":%d}", i);
        testkit_add_record(k, "r", "1", "t", json);
    }
    testkit_set_deliver_ms(k, 1500);
    CHECK_INT(testkit_deliver(k), SS_OK);
    CHECK_INT(seen_left_us, 1500000);
    CHECK_INT(testkit_record_status(k, 1), SS_RECORD_OK);
    CHECK_INT(testkit_record_status(k, 2), SS_RECORD_UNSET);
    CHECK_STR(testkit_problems(k), "deliver() returned SS_OK without a word about record 0");
    CHECK_INT(testkit_log_count(k), 2);
    testkit_forget(k);
    CHECK_INT(testkit_log_count(k), 0);
    testkit_free(k);
}

static void a_clock_that_runs_moves_by_itself(void)
{
    testkit *k = testkit_new(&plugin, NULL);
    const ss_host *host = testkit_host(k);
    CHECK_INT(host->now_us(host->self), TESTKIT_EPOCH_US);
    testkit_run_clock(k);
    while (host->now_us(host->self) < TESTKIT_EPOCH_US + 2000)
        ; /* the test's own time-out ends it where the clock stands still */
    CHECK(host->now_us(host->self) >= TESTKIT_EPOCH_US + 2000);
    testkit_free(k);
}

static void an_instance_is_checked_drained_and_asked(void)
{
    static const ss_view views[] = {{.name = "short", .render = short_form}, {.name = NULL}};
    ss_receiver viewed = receiver;
    ss_plugin whole = plugin;
    viewed.views = views;
    whole.receiver = &viewed;
    whole.check = fits;
    whole.drain = last_words;
    whole.howto = howto;
    whole.setup = mute;
    testkit *k = testkit_new(&whole, "{\"careless\": true}");
    CHECK_INT(testkit_check(k), SS_RETRY);
    CHECK_STR(testkit_error(k), "copy: careless");
    CHECK_INT(testkit_health(k), SS_DECLINE); /* no module */
    CHECK_INT(testkit_verb(k, TESTKIT_TEARDOWN), SS_DECLINE);
    CHECK_STR(testkit_said(k, NULL), "");
    CHECK_INT(testkit_verb(k, TESTKIT_HOWTO), SS_OK);
    size_t len;
    CHECK_STR(testkit_said(k, &len), "look here");
    CHECK_INT(len, 9);
    CHECK_INT(ask(k), SS_OK);
    CHECK_INT(testkit_view(k, 0, "short"), SS_OK);
    CHECK_STR(testkit_said(k, NULL), "{\"text\":\"text\"}copy");
    CHECK_INT(testkit_view(k, 0, "long"), SS_DECLINE);
    CHECK_INT(testkit_view(k, 1, "short"), SS_DECLINE);
    CHECK_INT(testkit_drain(k), SS_OK);
    CHECK_STR(testkit_problems(k), "");
    CHECK_INT(testkit_verb(k, TESTKIT_SETUP), SS_RETRY);
    CHECK_STR(testkit_problems(k), "a verb failed without a reason");
    testkit_free(k);
}

/* ---- the remote end ---- */

static int dial(const testkit_remote *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(testkit_remote_port(r)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = 30};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Everything until the connection ends. */
static const char *hear(int fd)
{
    static char text[8192];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text - 1 && (n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    (void)close(fd);
    return text;
}

#define POST(body_length, body)                                                                              \
    "POST /put HTTP/1.1\r\nHost: x\r\nContent-Length: " body_length "\r\n\r\n" body

/* One request on a connection of its own, of which we say that no more will come. */
static const char *exchange(const testkit_remote *r, const char *request)
{
    int fd = dial(r);
    say(fd, request);
    (void)shutdown(fd, SHUT_WR);
    return hear(fd);
}

static void the_script_is_played_in_order(void)
{
    testkit_remote *r = testkit_remote_new();
    REQUIRE(r);
    testkit_remote_step(r,
                        &(testkit_step){.status = 429, .headers = "Retry-After: 7\nX-A: b", .body = "later"});
    testkit_remote_step(r, &(testkit_step){.body = "one", .times = 2});
    CHECK_STR(exchange(r, "HEAD / HTTP/1.1\r\n\r\n"), "HTTP/1.1 429 Scripted\r\nContent-Length: 5\r\n"
                                                      "Retry-After: 7\r\nX-A: b\r\n\r\n");
    testkit_remote_free(r);
    r = testkit_remote_new();
    REQUIRE(r);
    testkit_remote_step(r,
                        &(testkit_step){.status = 429, .headers = "Retry-After: 7\nX-A: b", .body = "later"});
    testkit_remote_step(r, &(testkit_step){.body = "one", .times = 2});
    testkit_remote_step(r, &(testkit_step){.act = TESTKIT_CUT, .body = "0123456789"});
    testkit_remote_step(r, &(testkit_step){.act = TESTKIT_CLOSE});
    static const char *const want[] = {
        "HTTP/1.1 429 Scripted\r\nContent-Length: 5\r\nRetry-After: 7\r\nX-A: b\r\n\r\nlater",
        "HTTP/1.1 200 Scripted\r\nContent-Length: 3\r\n\r\none",
        "HTTP/1.1 200 Scripted\r\nContent-Length: 3\r\n\r\none",
        "HTTP/1.1 200 Scripted\r\nContent-Length: 11\r\n\r\n01234",
        "",
        "HTTP/1.1 200 Scripted\r\nContent-Length: 0\r\n\r\n", /* the script is over */
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        CHECK_STR(exchange(r, POST("3", "abc")), want[i]);
    CHECK_INT(testkit_remote_count(r), 6);
    CHECK_STR(testkit_remote_seen(r, 0).method, "POST");
    CHECK_STR(testkit_remote_seen(r, 0).target, "/put");
    CHECK_STR(testkit_remote_seen(r, 5).headers, "Host: x\nContent-Length: 3\n");
    CHECK_STR(testkit_remote_seen(r, 5).body, "abc");
    CHECK_STR(testkit_remote_seen(r, 6).body, "");
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", testkit_remote_port(r));
    CHECK_STR(testkit_remote_url(r), url);
    testkit_remote_free(r);
}

/* Every second line failed, as batch APIs report it. */
static char *half_failed(void *arg, const testkit_seen *request)
{
    CHECK_STR(arg, "arg");
    char *out = calloc(1, 256);
    uint32_t line = 0;
    for (const char *p = request->body; *p; p += strcspn(p, "\n") + 1, line++)
        (void)strcat(out, line % 2 ? "failed " : "ok ");
    return out;
}

static void an_answer_can_be_made_from_the_request(void)
{
    testkit_remote *r = testkit_remote_new();
    REQUIRE(r);
    testkit_remote_step(r, &(testkit_step){.make = half_failed, .arg = "arg", .times = 2});
    CHECK_STR(strstr(exchange(r, POST("6", "a\nb\nc\n")), "\r\n\r\n"), "\r\n\r\nok failed ok ");
    CHECK_STR(
        strstr(exchange(r, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
                           "2\r\na\n\r\n2;x=y\r\nb\n\r\n0\r\n\r\n"),
               "HTTP/1.1 200"),
        "HTTP/1.1 200 Scripted\r\nContent-Length: 10\r\n\r\nok failed ");
    CHECK_STR(testkit_remote_seen(r, 1).body, "a\nb\n");
    CHECK_INT(testkit_remote_seen(r, 1).body_len, 4);
    testkit_remote_free(r);
}

static void one_connection_serves_many_requests(void)
{
    testkit_remote *r = testkit_remote_new();
    REQUIRE(r);
    int fd = dial(r);
    char answer[256];
    for (size_t i = 1; i <= 20; i++) {
        say(fd, POST("1", "x"));
        CHECK(testkit_remote_wait(r, i, 30000));
        CHECK(recv(fd, answer, sizeof answer, 0) > 0);
    }
    (void)close(fd);
    for (size_t i = 0; i < 200; i++) /* and more connections than it keeps at one time */
        CHECK_STR(exchange(r, POST("1", "y")), "HTTP/1.1 200 Scripted\r\nContent-Length: 0\r\n\r\n");
    CHECK_INT(testkit_remote_count(r), 220);
    testkit_remote_free(r);
}

static void who_asks_for_the_end_of_the_connection_gets_it(void)
{
    testkit_remote *r = testkit_remote_new();
    REQUIRE(r);
    int fd = dial(r);
    say(fd, "POST /put HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    CHECK_STR(hear(fd), "HTTP/1.1 200 Scripted\r\nContent-Length: 0\r\n\r\n"); /* not after the time-out */
    CHECK_INT(testkit_remote_count(r), 1);
    testkit_remote_free(r);
}

static void slow_and_hanging_answers_end_with_the_remote_end(void)
{
    testkit_remote *r = testkit_remote_new();
    REQUIRE(r);
    testkit_remote_step(r, &(testkit_step){.act = TESTKIT_SLOW, .body = "abc", .delay_ms = 1});
    testkit_remote_step(r, &(testkit_step){.act = TESTKIT_HANG});
    testkit_remote_step(r, &(testkit_step){.act = TESTKIT_SLOW, .body = "abcdef", .delay_ms = 3600000});
    testkit_remote_step(r, &(testkit_step){.act = TESTKIT_HANG});
    int slow = dial(r), gone = dial(r), never = dial(r), hang = dial(r), silent = dial(r);
    say(slow, POST("0", ""));
    CHECK(testkit_remote_wait(r, 1, 30000));
    char answer[256] = "";
    size_t len = 0;
    for (ssize_t n;
         !strstr(answer, "\r\n\r\nabc") && (n = recv(slow, answer + len, sizeof answer - 1 - len, 0)) > 0;)
        len += (size_t)n;
    CHECK_STR(answer, "HTTP/1.1 200 Scripted\r\nContent-Length: 3\r\n\r\nabc");
    say(gone, POST("0", ""));
    CHECK(testkit_remote_wait(r, 2, 30000));
    (void)close(gone); /* the client gives up */
    say(never, POST("0", ""));
    CHECK(testkit_remote_wait(r, 3, 30000));
    say(hang, POST("0", ""));
    say(silent, "POST /half a reque"); /* never whole */
    CHECK(testkit_remote_wait(r, 4, 30000));
    CHECK(!testkit_remote_wait(r, 5, 1));
    testkit_remote_free(r); /* waits for nobody */
    CHECK_STR(hear(hang), "");
    CHECK_STR(hear(silent), "");
    CHECK_STR(hear(never), "HTTP/1.1 200 Scripted\r\nContent-Length: 6\r\n\r\n");
    (void)close(slow);
}

static void nonsense_is_not_counted(void)
{
    testkit_remote *r = testkit_remote_new();
    REQUIRE(r);
    static const char *const wrong[] = {
        "",
        "\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / FTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_STR(exchange(r, wrong[i]), "");
    CHECK_INT(testkit_remote_count(r), 0);
    testkit_remote_free(r);
    testkit_remote_free(NULL);
}

static void texts_are_compared(void)
{
    CHECK(testkit_same("f", 1, "a", "a"));
    CHECK(testkit_same("f", 1, NULL, NULL));
    CHECK(!testkit_same("f", 1, "a", "b"));
    CHECK(!testkit_same("f", 1, NULL, "b"));
    CHECK(!testkit_same("f", 1, "a", NULL));
}

static const check_test tests[] = {
    TEST(the_nth_allocation_of_the_plugin_fails),
    TEST(torture_fails_each_call_once),
    TEST(torture_says_what_led_to_a_breach),
    TEST(the_route_is_the_one_that_the_server_would_choose),
    TEST(batches_have_the_stride_of_a_newer_server_and_a_deadline),
    TEST(a_clock_that_runs_moves_by_itself),
    TEST(an_instance_is_checked_drained_and_asked),
    TEST(the_script_is_played_in_order),
    TEST(an_answer_can_be_made_from_the_request),
    TEST(one_connection_serves_many_requests),
    TEST(who_asks_for_the_end_of_the_connection_gets_it),
    TEST(slow_and_hanging_answers_end_with_the_remote_end),
    TEST(nonsense_is_not_counted),
    TEST(texts_are_compared),
};
CHECK_MAIN(tests)

/* Receivers: requests as they come, as they should not come, and from several threads. */
#include <pthread.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/verify/inside.h"

#define THREADS      8
#define ROUNDS       50
#define BIG_BYTES    (1u << 20)
#define NTH_MAX      200u
#define REQUESTS_MAX 256u

/* ---- requests of a route ---- */

static const ss_route *route_at(const verify_subject *s, size_t i)
{
    const void *at = (const char *)s->plugin->receiver->routes + i * s->plugin->receiver->route_size;
    return at;
}

/* "/v1/{app}/events" -> "/v1/x/events" */
static void path_of(const ss_route *r, char out[512])
{
    size_t len = 0;
    for (const char *p = r->path; *p && len < 500; p++) {
        if (*p == '{') {
            out[len++] = 'x';
            p += strcspn(p, "}");
            if (!*p)
                break;
        } else {
            out[len++] = *p;
        }
    }
    if (r->flags & SS_ROUTE_PREFIX && len < 500)
        out[len++] = 'x';
    out[len] = '\0';
}

static const char *method_of(const ss_route *r, char out[32])
{
    size_t len = strcspn(r->methods, "|");
    (void)snprintf(out, 32, "%.*s", (int)(len < 31 ? len : 31),
                   strcmp(r->methods, "*") == 0 ? "GET" : r->methods);
    if (strcmp(r->methods, "*") == 0)
        out[3] = '\0';
    return out;
}

static void judge_answer(testkit *k, int32_t status, const char *what)
{
    uint32_t http = testkit_http(k);
    if (status < SS_OK || status > SS_LIMIT)
        verify_fail("%s: receive() returned %d, which is no ss_status", what, status);
    if ((status == SS_OK || status == SS_REJECT) && (http < 200 || http > 599))
        verify_fail("%s: the answer's status is %u", what, http);
    if (status == SS_OK && http >= 400 && testkit_event_count(k) > 0)
        verify_fail("%s: %zu events are stored and yet the answer is %u: the client will send them again",
                    what, testkit_event_count(k), http);
    if (status == SS_REJECT && http < 400)
        verify_fail("%s: SS_REJECT stores nothing, but the answer is %u: the client takes it as stored", what,
                    http);
    for (size_t i = 0; i < testkit_event_count(k); i++)
        if (!json_valid(ss_cstr(testkit_line(k, i))))
            verify_fail("%s: event %zu is not JSON", what, i);
}

static void ask(testkit *k, const testkit_request *r, const char *what)
{
    verify_step("receive() of %s %s, %s", r->method ? r->method : "GET", r->target, what);
    judge_answer(k, testkit_receive(k, r), what);
}

void check_requests(const verify_subject *s)
{
    testkit *k = s->plugin->receiver->receive ? verify_open(s) : NULL;
    if (!s->plugin->receiver->receive)
        verify_skip("it pulls: it has no routes");
    for (size_t i = 0; k && route_at(s, i)->path; i++) {
        const ss_route *r = route_at(s, i);
        char path[512], method[32];
        path_of(r, path);
        ask(k, &(testkit_request){.method = method_of(r, method), .target = path}, "a bare request");
        if (!r->doc || !*r->doc)
            verify_fail("route %s has no doc", r->path);
    }
    if (k)
        verify_close(k);
}

/* ---- hostile ones ---- */

typedef struct odd {
    const char *what, *query, *headers, *body;
    size_t body_len;
} odd;

static const odd odds[] = {
    {"an empty query", "?", NULL, NULL, 0},
    {"a query of separators", "?&&==&=&;;", NULL, NULL, 0},
    {"broken percent signs", "?a=%&b=%4&c=%zz&%=1", NULL, NULL, 0},
    {"NUL in the query", "?a=%00&%00=b&idsite=%001", NULL, NULL, 0},
    {"invalid UTF-8", "?a=%ff%fe&b=%c3&c=%ed%a0%80&d=%f8%88%80%80%80", NULL, NULL, 0},
    {"the same name many times", "?a=1&a=2&a=3&a[]=4&a[x]=5", NULL, NULL, 0},
    {"an empty JSON object", "", "Content-Type: application/json\n", "{}", 0},
    {"an empty JSON array", "", "Content-Type: application/json\n", "[]", 0},
    {"truncated JSON", "", "Content-Type: application/json\n", "{\"requests\":[\"?a=1\",{\"b\":", 0},
    {"JSON null", "", "Content-Type: application/json\n", "null", 0},
    {"a JSON string", "", "Content-Type: application/json\n", "\"text\"", 0},
    {"huge numbers", "", "Content-Type: application/json\n",
     "{\"a\":1e999999,\"b\":-1e-999999,\"c\":123456789012345678901234567890}", 0},
    {"lone surrogates", "", "Content-Type: application/json\n", "{\"a\":\"\\ud800\",\"\\udc00\":1}", 0},
    {"duplicate keys", "", "Content-Type: application/json\n", "{\"a\":1,\"a\":2,\"a\":{\"a\":[]}}", 0},
    {"a NUL in the body", "", "Content-Type: application/json\n", "{\"a\":\"x\0y\"}", 11},
    {"bytes that are no text", "", "Content-Type: application/octet-stream\n", "\x00\x01\xfe\xff\x80\x7f", 6},
    {"a form", "", "Content-Type: application/x-www-form-urlencoded\n", "a=1&b=%00%ff&c", 0},
    {"a form without a boundary", "", "Content-Type: multipart/form-data\n", "--x\r\n\r\n", 0},
    {"a broken multipart form", "", "Content-Type: multipart/form-data; boundary=x\n",
     "--x\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--x", 0},
    {"odd headers", "",
     "Origin: null\nAuthorization: \nCookie: ;;=;a=\nContent-Type: ;;;\nX-Forwarded-For: ,,\n", "x", 0},
};

static char *filled(const char *before, char c, size_t count, const char *after)
{
    size_t b = strlen(before), a = strlen(after);
    char *text = malloc(b + count + a + 1);
    if (!text)
        return NULL;
    memcpy(text, before, b);
    memset(text + b, c, count);
    memcpy(text + b + count, after, a + 1);
    return text;
}

static void ask_odd(testkit *k, const char *method, const char *path, const odd *o)
{
    char target[2048];
    (void)snprintf(target, sizeof target, "%.500s%.1500s", path, o->query ? o->query : "");
    ask(k,
        &(testkit_request){.method = method,
                           .target = target,
                           .headers = o->headers,
                           .body = o->body,
                           .body_len = o->body_len},
        o->what);
}

static void ask_big(testkit *k, const char *method, const char *path)
{
    char *value = filled("a=", 'x', BIG_BYTES, ""), *deep = filled("", '[', BIG_BYTES, "");
    char *string = filled("{\"a\":\"", 'x', BIG_BYTES, "\"}"), *pairs = filled("", '&', BIG_BYTES, "");
    const char *json = "Content-Type: application/json\n";
    if (value && deep && string && pairs) {
        ask(k, &(testkit_request){.method = method, .target = path, .raw_query = ss_cstr(value)},
            "a query value of 1 MiB");
        ask(k, &(testkit_request){.method = method, .target = path, .raw_query = ss_cstr(pairs)},
            "a million empty pairs");
        ask(k, &(testkit_request){.method = method, .target = path, .headers = json, .body = deep},
            "a million open brackets");
        ask(k, &(testkit_request){.method = method, .target = path, .headers = json, .body = string},
            "a JSON string of 1 MiB");
    }
    free(value);
    free(deep);
    free(string);
    free(pairs);
}

void check_hostile_requests(const verify_subject *s)
{
    testkit *k = s->plugin->receiver->receive ? verify_open(s) : NULL;
    if (!s->plugin->receiver->receive)
        verify_skip("it pulls: it has no routes");
    for (size_t i = 0; k && route_at(s, i)->path; i++) {
        char path[512], method[32];
        path_of(route_at(s, i), path);
        method_of(route_at(s, i), method);
        for (size_t n = 0; n < sizeof odds / sizeof *odds; n++)
            ask_odd(k, method, path, &odds[n]);
        ask_big(k, method, path);
    }
    if (k)
        verify_close(k);
}

/* ---- what the host refuses ---- */

static const struct {
    enum testkit_fault what;
    const char *name;
} faults[] = {{TESTKIT_EMIT, "emit()"}, {TESTKIT_EVENT_NEW, "event_new()"}, {TESTKIT_MEM, "mem()"}};

/* Requests of which something is likely to be stored: with the example's options, and as others send it. */
static const odd likely[] = {
    {"a GET",
     "?idsite=1&rec=1&url=http%3A%2F%2Fexample.org%2F&action_name=x&event=x&name=x&value=1&type=x&id=1", NULL,
     NULL, 0},
    {"a JSON object", "", "Content-Type: application/json\n",
     "{\"event\":\"x\",\"name\":\"x\",\"type\":\"x\",\"value\":1,\"id\":\"1\"}", 0},
    {"a JSON array", "", "Content-Type: application/json\n",
     "[{\"event\":\"x\",\"name\":\"x\",\"type\":\"x\",\"value\":1}]", 0},
    {"a bulk", "", "Content-Type: application/json\n",
     "{\"requests\":[\"?idsite=1&rec=1\",\"?idsite=1&rec=1\"]}", 0},
    {"a form", "", "Content-Type: application/x-www-form-urlencoded\n",
     "idsite=1&rec=1&event=x&name=x&value=1", 0},
};

static void refuse_each(testkit *k, const char *method, const char *path, const odd *o, size_t wanted,
                        size_t fault)
{
    for (uint32_t nth = 1; nth <= NTH_MAX; nth++) {
        uint32_t before = testkit_calls(k, faults[fault].what);
        char target[2048];
        (void)snprintf(target, sizeof target, "%.500s%.1500s", path, o->query);
        verify_step("receive() of %s where %s fails at call %u", o->what, faults[fault].name, nth);
        testkit_fail(k, faults[fault].what, nth);
        int32_t status = testkit_receive(
            k,
            &(testkit_request){.method = method, .target = target, .headers = o->headers, .body = o->body});
        testkit_fail(k, faults[fault].what, 0);
        if (testkit_calls(k, faults[fault].what) - before < nth)
            return;
        if (status == SS_OK && testkit_http(k) < 300 && testkit_event_count(k) < wanted)
            verify_fail(
                "%s on %s: %s failed at call %u, %zu of %zu events are stored, and the answer is %u: what "
                "emit() did not take must not be acknowledged; return SS_RETRY",
                o->what, path, faults[fault].name, nth, testkit_event_count(k), wanted, testkit_http(k));
    }
}

void check_refused_events(const verify_subject *s)
{
    testkit *k = s->plugin->receiver->receive ? verify_open(s) : NULL;
    size_t stored = 0;
    for (size_t i = 0; k && route_at(s, i)->path; i++) {
        char path[512], method[32];
        path_of(route_at(s, i), path);
        method_of(route_at(s, i), method);
        for (size_t n = 0; n < sizeof likely / sizeof *likely; n++) {
            const char *with =
                likely[n].body && strcmp(method, "GET") == 0 && strcmp(route_at(s, i)->methods, "GET") != 0
                    ? "POST"
                    : method;
            ask_odd(k, with, path, &likely[n]);
            size_t wanted = testkit_event_count(k);
            stored += wanted;
            for (size_t f = 0; wanted && f < sizeof faults / sizeof *faults; f++)
                refuse_each(k, with, path, &likely[n], wanted, f);
        }
    }
    if (k && stored == 0)
        verify_skip(
            "no request of the checker's was stored by this receiver, so that nothing could be refused");
    if (k)
        verify_close(k);
}

/* ---- threads ---- */

typedef struct worker {
    pthread_t thread;
    testkit *kit;
    const verify_subject *subject;
} worker;

void verify_receive_once(testkit *k, const verify_subject *s)
{
    for (size_t i = 0; s->plugin->receiver->receive && route_at(s, i)->path; i++) {
        char path[512], method[32];
        path_of(route_at(s, i), path);
        method_of(route_at(s, i), method);
        for (size_t n = 0; n < sizeof likely / sizeof *likely; n++) {
            char target[2048];
            (void)snprintf(target, sizeof target, "%.500s%.1500s", path, likely[n].query);
            (void)testkit_receive(k, &(testkit_request){.method = likely[n].body ? "POST" : method,
                                                        .target = target,
                                                        .headers = likely[n].headers,
                                                        .body = likely[n].body});
        }
    }
}

static void receive_rounds(const worker *w)
{
    for (int round = 0; round < ROUNDS; round++)
        verify_receive_once(w->kit, w->subject);
}

static void enrich_rounds(const worker *w)
{
    static const ss_field own[] = {{.name = "ip", .type = SS_FIELD_STRING, .doc = "Address."},
                                   {.name = "user_agent", .type = SS_FIELD_STRING, .doc = "Browser."},
                                   {.name = NULL}};
    for (int round = 0; round < ROUNDS * 10; round++)
        (void)testkit_enrich(w->kit, own,
                             "{\"ip\":\"192.0.2.7\",\"user_agent\":\"Mozilla/5.0 (X11; Linux)\"}");
}

static void *work(void *arg)
{
    const worker *w = arg;
    if (w->subject->plugin->kind == SS_RECEIVER)
        receive_rounds(w);
    else
        enrich_rounds(w);
    return NULL;
}

void check_threads(const verify_subject *s)
{
    if (s->plugin->kind == SS_RECEIVER && !s->plugin->receiver->receive) {
        verify_skip("it pulls, on one thread");
        return;
    }
    testkit *k = verify_open(s);
    worker workers[THREADS] = {0};
    size_t started = 0;
    if (!k)
        return;
    verify_start(k);
    verify_step("%d threads with one instance", THREADS);
    for (; started < THREADS; started++) {
        workers[started] = (worker){.kit = testkit_twin(k), .subject = s};
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
            break;
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        verify_close(workers[i].kit);
    }
    verify_close(k);
}

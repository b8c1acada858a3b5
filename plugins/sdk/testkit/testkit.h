/* The testkit: a host in plain memory for tests of plugins. Nothing listens, nothing sleeps, the clock stands
   still until the test moves it, and every piece of memory that the host lends is an allocation of its own,
   so that AddressSanitizer sees each byte that a plugin reads or writes beside it, and each use after its
   time.

       testkit *k = testkit_new(ss_plugin_v0(), "{\"require_rec\": false}");
       testkit_receive(k, &(testkit_request){.method = "GET", .target = "/matomo.php?idsite=1&rec=1"});
       testkit_http(k)          == 200
       testkit_value(k, 0, "site_id")    "\"1\""
       testkit_problems(k)      ""  (what the plugin did against the contract)
       testkit_free(k);

   Link with libstreamsteam-testkit.a and libstreamsteam-common.a. Not thread-safe, the remote end apart;
   every function may be called with the clock at any time. */
#ifndef STREAMSTEAM_TESTKIT_H
#define STREAMSTEAM_TESTKIT_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct testkit testkit;

#define TESTKIT_EPOCH_US 1764559445000000 /* 2025-12-01T03:24:05Z: where the clock stands at first */

/* Checks the descriptor, reads the options (JSON, NULL = none) against the option table with its defaults,
   and calls create(). Where that fails the reason is in testkit_error() and every later call does nothing. */
testkit *testkit_new(const ss_plugin *plugin, const char *options_json);
/* start(), with a position or state as a restarted instance gets them. */
int32_t testkit_start(testkit *k, uint64_t seq, const char *state);
/* As after a crash or a reload: destroys the instance and makes a new one; state files, the data directory
   and the clock stay. adopt: the new one is made first and takes over with adopt(). */
bool testkit_restart(testkit *k, bool adopt);
/* drain(), with stopping() true from then on. These return SS_DECLINE where the plugin has no such call. */
int32_t testkit_drain(testkit *k);
int32_t testkit_check(testkit *k);
int32_t testkit_health(testkit *k); /* modules */
void testkit_free(testkit *k);

/* For tests with several threads: another testkit over the same instance. Each thread uses one of its own for
   testkit_receive() and testkit_enrich(); what the instance logs and counts goes to the first one. Free the
   twins before it. */
testkit *testkit_twin(testkit *k);

/* The verbs of a module's life, and what they wrote for the person (testkit_said()). */
enum testkit_verb { TESTKIT_SETUP = 1, TESTKIT_TEARDOWN = 2, TESTKIT_HOWTO = 3 };
int32_t testkit_verb(testkit *k, enum testkit_verb verb);
const char *testkit_said(testkit *k, size_t *len); /* of the last verb or view; len may be NULL */

void *testkit_instance(testkit *k); /* NULL: create() failed */
const ss_host *testkit_host(testkit *k);
const ss_config *testkit_config(testkit *k);
const char *testkit_error(testkit *k);    /* the last ss_error that the plugin filled, "" where none   */
const char *testkit_problems(testkit *k); /* breaches of the contract, one a line; "" is what one wants */

void testkit_set_time(testkit *k, int64_t us);
void testkit_advance(testkit *k, int64_t ms); /* and runs the timers that fall due, in order */
void testkit_run_clock(
    testkit *k); /* from now on it runs as real time does: for deadlines and hanging ends */
void testkit_set_stopping(testkit *k, bool stopping);

/* ---- applications: what app_check(), app_get(), app_auth() and app_list() know; with none they decline ----
 */

typedef struct testkit_app {
    const char *id, *name; /* name: NULL = the id                                                          */
    const char *key;       /* what the Authorization header holds; signed requests name it as their access
                              key, and the signature itself is not looked at                               */
    uint32_t flags;        /* enum ss_app_flag                                                             */
} testkit_app;
void testkit_add_application(testkit *k, const testkit_app *app);
void testkit_add_app(testkit *k, const char *key, const char *app);
void testkit_throttle(testkit *k, int64_t retry_after_ms); /* app_check() says SS_THROTTLE; 0 ends it */
uint64_t testkit_checked_events(testkit *k);               /* that app_check() was told of, in all  */

/* ---- faults: the nth call (1 = the next) of that host function fails; 0 switches it off ---- */

enum testkit_fault {
    TESTKIT_MEM = 1,        /* NULL      */
    TESTKIT_EVENT_NEW = 2,  /* NULL      */
    TESTKIT_EMIT = 3,       /* SS_RETRY  */
    TESTKIT_COMMIT = 4,     /* SS_RETRY  */
    TESTKIT_CALL_BEGIN = 5, /* NULL      */
    TESTKIT_STATE_FILE = 6, /* NULL      */
    TESTKIT_SECRET = 7,     /* -1        */
    TESTKIT_METRIC = 8,     /* NULL      */
    /* NULL from malloc, calloc, realloc, strdup, strndup and new (std::nothrow) in a callback of the plugin.
       Needs the test linked with -Wl,--wrap=malloc and so on, as plugin.mk does; else no allocation is ever
       seen. */
    TESTKIT_ALLOC = 9,
    TESTKIT_APP = 10,    /* SS_RETRY from app_check() and app_get() */
    TESTKIT_FAILED = 11, /* SS_RETRY  */
    TESTKIT_FAULTS = 12
};
void testkit_fail(testkit *k, enum testkit_fault what, uint32_t nth);
/* testkit_new() with such a fault already during create(). */
testkit *testkit_new_failing(const ss_plugin *plugin, const char *options_json, enum testkit_fault what,
                             uint32_t nth);
uint32_t testkit_calls(testkit *k, enum testkit_fault what); /* so far: what a loop over nth needs */

/* Plays the scenario once with every single one of these calls failing, from create() on, each time with a
   new testkit: for each kind of fault the first, the second, ... until none is left. Returns "", or which
   fault led to a breach of the contract; text of the next call's. Leaks and wild accesses are the sanitizer's
   to see. */
const char *testkit_torture(const ss_plugin *plugin, const char *options_json, void (*scenario)(testkit *k));

/* True where the texts are the same (NULL = NULL); else prints both with the place. For tests without a
   harness of their own. */
bool testkit_same(const char *file, int line, const char *got, const char *want);

/* ---- receivers ---- */

typedef struct testkit_request {
    const char *method;  /* NULL = GET                                                     */
    const char *target;  /* "/path?query", percent-encoded as on the wire                  */
    const char *headers; /* "Name: value\nName: value\n", NULL = none                      */
    const char *body;    /* NULL = none                                                    */
    size_t body_len;     /* 0 = strlen(body)                                               */
    const char *client_ip, *scheme, *host; /* NULL = 192.0.2.7, http, localhost            */
    ss_str raw_query; /* used instead of the target's where ptr is set: any bytes       */
} testkit_request;

/* Calls receive() and keeps what it emitted where that returned SS_OK; returns its status. What a former
   call left (events, answer, rejects) is cleared first. The route is the one
   that the server would choose, with its path parameters; SS_DECLINE where none fits path and method. */
int32_t testkit_receive(testkit *k, const testkit_request *request);

uint32_t testkit_http(testkit *k); /* status of the answer */
const char *testkit_body(testkit *k, size_t *len);
const char *testkit_content_type(testkit *k);             /* "" = none                     */
const char *testkit_header(testkit *k, const char *name); /* of the answer; NULL = not set */

/* Events that were stored, in order. */
size_t testkit_event_count(testkit *k);
const char *testkit_line(testkit *k, size_t i);
/* A member of the stored line as JSON text ("\"a\"", "1", "null"), dots go into objects; NULL = absent. */
const char *testkit_value(testkit *k, size_t i, const char *path);
/* What goes into the record's header. */
typedef struct testkit_event {
    const char *app, *type, *id, *key;
    int64_t receive_us, event_us;
} testkit_event;
testkit_event testkit_event_at(testkit *k, size_t i);

/* The stored event i in another form, as a module with that `view:` gets it; the bytes are testkit_said(). */
int32_t testkit_view(testkit *k, size_t i, const char *view);

/* What failed() was given in the last request or message, where that was stored; and what parse() refused. */
typedef struct testkit_input {
    const char *app, *code, *text, *raw;
    size_t raw_len;
} testkit_input;
size_t testkit_failed_count(testkit *k);
testkit_input testkit_failed_at(testkit *k, size_t i);

/* parse() with a message; its events are those of testkit_line() and so on. SS_DECLINE: the receiver takes no
   messages. */
int32_t testkit_parse(testkit *k, const ss_message *message);

size_t testkit_reject_count(testkit *k);
const char *testkit_reject_code(testkit *k, size_t i);
const char *testkit_reject_text(testkit *k, size_t i);

/* ---- enrichers ---- */

/* An event with these fields and values (a flat JSON object; times as microseconds; "@app", "@type", "@id"
   and
   "@key" are the record's header) goes through enrich(); the line afterwards, or NULL where it was dropped.
   Borrowed until the next call; testkit_event_at(k, 0) has the header. */
const char *testkit_enrich(testkit *k, const ss_field *receiver_fields, const char *values_json);

/* The names that the instance gave to field_ref(), in order; NULL past the end. */
const char *testkit_field_ref(testkit *k, size_t i);

/* ---- modules ---- */

void testkit_add_record(testkit *k, const char *receiver, const char *app, const char *type,
                        const char *json);
/* deliver() with the records added since the last call; they are kept for testkit_record_status(). */
int32_t testkit_deliver(testkit *k);
void testkit_set_deliver_ms(testkit *k, uint32_t ms); /* how far off a batch's deadline is; at first 30 s */
int32_t testkit_flush(testkit *k);
uint32_t testkit_record_status(testkit *k, uint32_t i);
const char *testkit_record_text(testkit *k, uint32_t i);
int64_t testkit_retry_after_ms(testkit *k);
size_t testkit_commit_count(testkit *k);
uint64_t testkit_commit_seq(testkit *k, size_t i);
const char *testkit_commit_state(testkit *k, size_t i, size_t *len);

/* ---- pull receivers: call_commit() adds to the events above and to these ---- */

/* What was given to pass() in committed calls: text is the message's id, raw its body. */
size_t testkit_passed_count(testkit *k);
testkit_input testkit_passed_at(testkit *k, size_t i);
size_t testkit_position_count(testkit *k);
const char *testkit_position(testkit *k, size_t i);

/* ---- what was said ---- */

void testkit_forget(testkit *k); /* the logs, positions and commits so far: for tests of very many calls */

double testkit_metric(testkit *k, const char *name,
                      const char *labels); /* labels "" = none; 0 where absent */
size_t testkit_log_count(testkit *k);
const char *testkit_log(testkit *k, size_t i, int32_t *level); /* level may be NULL */
const char *testkit_alarm(testkit *k, const char *name);       /* NULL = not raised */

/* ---- a scripted remote end ----

   A small HTTP/1.1 server on the loopback, on a port that the system chooses, for modules that deliver by
   HTTP. Each request takes the script's next step; where no step is left the answer is an empty 200.

       testkit_remote *r = testkit_remote_new();
       testkit_step busy = {.act = TESTKIT_ANSWER, .status = 429, .headers = "Retry-After: 7\n"};
       testkit_remote_step(r, &busy);
       ... options with testkit_remote_url(r), testkit_deliver(k) ...
       testkit_remote_count(r)  == 1
       testkit_remote_free(r);

   Any thread may call these. */

typedef struct testkit_remote testkit_remote;

enum testkit_act {
    TESTKIT_ANSWER = 0, /* status, headers, body                                                  */
    TESTKIT_CUT = 1,    /* the same, but the connection ends in the middle of the body            */
    TESTKIT_SLOW = 2,   /* the same, a byte of the body every delay_ms                            */
    TESTKIT_HANG = 3,   /* no answer, until the client gives up or the remote end is freed        */
    TESTKIT_CLOSE = 4   /* no answer, the connection ends                                         */
};

typedef struct testkit_seen { /* one request as it came; borrowed until the remote end is freed */
    const char *method, *target, *headers; /* headers: "Name: value\n" a line                     */
    const char *body;                      /* chunks put together; a NUL follows it               */
    size_t body_len;
} testkit_seen;

typedef struct testkit_step {
    enum testkit_act act;
    uint32_t status;     /* 0 = 200                                                               */
    const char *headers; /* "Name: value\n" a line, NULL = none                                   */
    const char *body;    /* NULL = none                                                           */
    uint32_t delay_ms;
    uint32_t times; /* so many requests; 0 = 1                                                    */
    /* Or a body made from the request, where a protocol reports which half failed: a text from malloc(). Runs
       on the connection's thread. */
    char *(*make)(void *arg, const testkit_seen *request);
    void *arg;
} testkit_step;

testkit_remote *testkit_remote_new(void); /* NULL: no loopback, errno says why */
void testkit_remote_free(testkit_remote *r);
uint16_t testkit_remote_port(const testkit_remote *r);
const char *testkit_remote_url(const testkit_remote *r);               /* "http://127.0.0.1:PORT" */
void testkit_remote_step(testkit_remote *r, const testkit_step *step); /* appended; its texts are copied */
size_t testkit_remote_count(testkit_remote *r);                        /* requests that came whole       */
testkit_seen testkit_remote_seen(testkit_remote *r, size_t i);         /* texts are "" past the end      */
/* Waits until so many requests came; false after timeout_ms. */
bool testkit_remote_wait(testkit_remote *r, size_t count, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif

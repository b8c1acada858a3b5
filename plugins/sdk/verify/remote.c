/* Modules and a remote end that behaves as remote ends do. It speaks plain HTTP, and the bulk protocol of
   OpenSearch and Elasticsearch where a request is in that form. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "plugins/sdk/verify/inside.h"

#define RECORDS      20u
#define ROUNDS       12 /* deliveries until everything must be through */
#define DEADLINE_MS  4000
#define GRACE_MS     3000
#define STEPS_MAX    100000u
#define APART_ROUNDS 1000u
#define ITEM_BYTES   160u

/* ---- what it answers, and what it took ---- */

typedef struct ledger { /* of one script */
    pthread_mutex_t lock;
    unsigned taken[RECORDS];
} ledger;

typedef struct reply {
    ledger *to;
    bool half; /* takes every second item of a bulk */
} reply;

static void take(ledger *to, ss_str text)
{
    for (unsigned n = 0; n < RECORDS; n++) {
        char marker[32];
        (void)snprintf(marker, sizeof marker, "verify-%04u", n);
        to->taken[n] += memmem(text.ptr, text.len, marker, strlen(marker)) != NULL;
    }
}

static ss_str next_line(ss_str *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    ss_str line = ss_s(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
    size_t used = line.len + (end ? 1 : 0);
    *rest = ss_s(rest->ptr + used, rest->len - used);
    return line;
}

/* {"index":{...}}: the verb of an action; empty where it is none. */
static ss_str bulk_verb(ss_str line)
{
    static const char *const verbs[] = {"index", "create", "update"};
    const char *quote = line.len ? memchr(line.ptr, '"', line.len) : NULL;
    for (size_t i = 0; quote && line.ptr[0] == '{' && i < sizeof verbs / sizeof *verbs; i++) {
        size_t len = strlen(verbs[i]), left = line.len - (size_t)(quote + 1 - line.ptr);
        if (left > len && memcmp(quote + 1, verbs[i], len) == 0 && quote[1 + len] == '"')
            return ss_s(verbs[i], len);
    }
    return ss_s("", 0);
}

static size_t put_item(char *to, size_t i, ss_str verb, bool good)
{
    static const char full[] =
        "429,\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":\"queue is full\"}";
    return (size_t)snprintf(to, ITEM_BYTES, "%s{\"%.*s\":{\"status\":%s}}", i ? "," : "", (int)verb.len,
                            verb.ptr, good ? "201" : full);
}

static char *bulk_answer(const reply *r, ss_str body)
{
    size_t lines = 2, len = 0, items = 0;
    for (size_t i = 0; i < body.len; i++)
        lines += body.ptr[i] == '\n';
    char *out = malloc(64 + lines * ITEM_BYTES);
    if (!out)
        return NULL;
    len = (size_t)snprintf(out, 64, "{\"took\":1,\"errors\":%s,\"items\":[", r->half ? "true" : "false");
    for (; body.len > 0; items++) {
        ss_str action = next_line(&body), document = next_line(&body), verb = bulk_verb(action);
        if (verb.len == 0)
            break;
        bool good = !r->half || items % 2 == 0;
        if (good)
            take(r->to, ss_s(action.ptr, (size_t)(document.ptr + document.len - action.ptr)));
        len += put_item(out + len, items, verb, good);
    }
    (void)snprintf(out + len, ITEM_BYTES, "]}");
    return out;
}

/* On the connection's thread. */
static char *answer(void *arg, const testkit_seen *request)
{
    const reply *r = arg;
    ss_str body = ss_s(request->body, request->body_len), rest = body;
    (void)pthread_mutex_lock(&r->to->lock);
    bool bulk = bulk_verb(next_line(&rest)).len > 0;
    char *text = bulk ? bulk_answer(r, body) : strdup("{\"ok\":true}");
    if (!bulk) {
        take(r->to, body);
        take(r->to, ss_cstr(request->target));
    }
    (void)pthread_mutex_unlock(&r->to->lock);
    return text;
}

/* ---- scripts ---- */

typedef struct script {
    const char *name;
    testkit_step first; /* what the first requests get; then all is well                            */
    bool good, half;    /* the first are answered by answer()                                       */
    bool unknown;       /* nobody can know whether the first ones arrived: twice is allowed          */
} script;

static const script scripts[] = {
    {.name = "all is well", .good = true},
    {.name = "half of a bulk is refused for now, then well", .good = true, .half = true},
    {.name = "429 with Retry-After, then well",
     .first = {.status = 429, .headers = "Retry-After: 1\n", .times = 2}},
    {.name = "500, then well", .first = {.status = 500, .body = "oops", .times = 2}},
    {.name = "503, then well", .first = {.status = 503, .times = 3}},
    {.name = "closed without an answer, then well",
     .first = {.act = TESTKIT_CLOSE, .times = 2},
     .unknown = true},
    {.name = "an answer that is cut in the middle, then well",
     .first = {.act = TESTKIT_CUT},
     .good = true,
     .half = true,
     .unknown = true},
    {.name = "a slow answer", .first = {.act = TESTKIT_SLOW, .delay_ms = 2}, .good = true},
    {.name = "no answer until the deadline, then well", .first = {.act = TESTKIT_HANG}, .unknown = true},
};

static void judge_arrivals(const script *sc, const ledger *l)
{
    for (unsigned n = 0; n < RECORDS; n++) {
        if (l->taken[n] == 0)
            verify_fail("%s: record %u is marked OK, and the remote end did not take it", sc->name, n);
        if (l->taken[n] > 1 && !sc->unknown)
            verify_fail("%s: record %u arrived %u times: send again only what the answer did not accept",
                        sc->name, n, l->taken[n]);
        if (l->taken[n] != 1)
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
                verify_add_record(k, i);
            }
        if (count == 0)
            return true;
        verify_step("deliver() of %u records, remote end: %s", count, sc->name);
        verify_step_limit(DEADLINE_MS + GRACE_MS);
        int32_t rc = testkit_deliver(k);
        verify_judge_batch(k, rc, count, sc->name);
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
        verify_step("timers after a delivery, remote end: %s", sc->name);
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

testkit *verify_open_with(const verify_subject *s, const char *url, char **options)
{
    *options = with_remote(s->options, url);
    if (!*options)
        return NULL;
    verify_subject local = *s;
    local.options = *options;
    return verify_open(&local);
}

static void run_script(const verify_subject *s, const script *sc)
{
    ledger taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    reply first = {.to = &taken, .half = sc->half}, well = {.to = &taken};
    testkit_remote *r = testkit_remote_new();
    char *options = NULL;
    testkit *k = r ? verify_open_with(s, testkit_remote_url(r), &options) : NULL;
    if (k) {
        testkit_step begin = sc->first, then = {.make = answer, .arg = &well, .times = STEPS_MAX};
        begin.make = sc->good ? answer : NULL;
        begin.arg = &first;
        testkit_remote_step(r, &begin);
        testkit_remote_step(r, &then);
        testkit_run_clock(k);
        testkit_set_deliver_ms(k, DEADLINE_MS);
        verify_start(k);
        bool through = deliver_all(k, sc, s->plugin->module->max_records);
        if (s->plugin->module->flush)
            (void)testkit_flush(k);
        if (through && testkit_remote_count(r) == 0)
            verify_fail("every record is marked OK, and the remote end saw no request at all");
        else if (through)
            judge_arrivals(sc, &taken);
        verify_close(k);
    }
    free(options);
    if (r)
        testkit_remote_free(r);
}

bool verify_has_remote(const verify_subject *s)
{
    return strstr(s->options, VERIFY_REMOTE) != NULL;
}

static bool or_skip(const verify_subject *s)
{
    if (verify_has_remote(s))
        return true;
    verify_skip("no option of the example is ${env:STREAMSTEAM_REMOTE}: write the url of an HTTP end so, "
                "with a default "
                "(${env:STREAMSTEAM_REMOTE:-http://127.0.0.1:9000}), to have it tried");
    return false;
}

void check_remote(const verify_subject *s)
{
    if (!or_skip(s))
        return;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        run_script(s, &scripts[i]);
}

/* ---- in a process of its own, so that what the module leaves behind can be told from it ---- */

static void play_apart(int to_parent)
{
    static ledger taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    reply well = {.to = &taken};
    testkit_remote *r = testkit_remote_new();
    testkit_step steps[] = {{.make = answer, .arg = &well},
                            {.status = 503},
                            {.status = 401},
                            {.act = TESTKIT_CLOSE},
                            {.act = TESTKIT_CUT}};
    for (size_t i = 0; r && i < APART_ROUNDS * sizeof steps / sizeof *steps; i++)
        testkit_remote_step(r, &steps[i % (sizeof steps / sizeof *steps)]);
    const char *url = r ? testkit_remote_url(r) : "";
    (void)!write(to_parent, url, strlen(url) + 1);
    for (;;)
        (void)pause();
}

static pid_t remote_apart(char *url, size_t size)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            play_apart(ends[1]);
        _exit(1);
    }
    (void)close(ends[1]);
    ssize_t n = read(ends[0], url, size - 1);
    url[n > 0 ? n : 0] = '\0';
    (void)close(ends[0]);
    return pid;
}

testkit *verify_open_apart(const verify_subject *s)
{
    static char *options; /* the testkit's, until the check's process ends */
    char url[64];
    if (s->plugin->kind != SS_MODULE || !verify_has_remote(s))
        return verify_open(s);
    if (remote_apart(url, sizeof url) > 0 && *url)
        return verify_open_with(s, url, &options);
    verify_fail("there is no remote end on the loopback");
    return NULL;
}

/* Wrong credentials, a wrong path: everything stays, and a person is told. */
void check_pause(const verify_subject *s)
{
    static const uint32_t statuses[] = {401, 403, 404};
    if (!or_skip(s))
        return;
    for (size_t n = 0; n < sizeof statuses / sizeof *statuses; n++) {
        testkit_remote *r = testkit_remote_new();
        char *options = NULL;
        testkit *k = r ? verify_open_with(s, testkit_remote_url(r), &options) : NULL;
        if (k) {
            testkit_step refuse = {.status = statuses[n], .times = 1000};
            testkit_remote_step(r, &refuse);
            verify_start(k);
            for (unsigned i = 0; i < 5; i++)
                verify_add_record(k, i);
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

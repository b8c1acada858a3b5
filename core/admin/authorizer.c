#include "core/admin/authorizer_inside.h"

#include <stdlib.h>

#include "core/base/clock.h"

#define VALUE_MAX 1024u /* bytes of an Authorization header that may be a key; ours have 88 */

enum answer { ANSWER_ALLOW = 1, ANSWER_UNKNOWN, ANSWER_OTHER, ANSWER_DISABLED };

/* ---- life ------------------------------------------------------------------------------------- */

static bool start_thread(authorizer *a, ss_error *err)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&a->work, NULL);
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int rc = pthread_create(&a->thread, NULL, authorizer_follow, a);
    if (rc == 0)
        (void)pthread_setname_np(a->thread, "applications");
    else
        (void)ss_fail(err, SS_LIMIT, "the thread that reads the application store: %s", strerror(rc));
    return rc == 0;
}

static void release(authorizer *a)
{
    authorizer_view_free(atomic_load(&a->view));
    verdicts_free(a->verdicts);
    limits_free(a->limits);
    free(a);
}

authorizer *authorizer_new(database *db, const authorizer_options *options, ss_error *err)
{
    authorizer *a = aligned_alloc(64, sizeof *a);
    if (!a) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for applications");
        return NULL;
    }
    memset((void *)a, 0, sizeof *a);
    a->db = db;
    a->options = *options;
    a->verdicts = verdicts_new();
    a->limits = limits_new();
    if (!a->verdicts || !a->limits)
        (void)ss_fail(err, SS_LIMIT, "out of memory for applications");
    else if (start_thread(a, err))
        return a;
    release(a);
    return NULL;
}

void authorizer_free(authorizer *a)
{
    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    a->stop = true;
    (void)pthread_cond_broadcast(&a->wake);
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->thread, NULL);
    (void)pthread_mutex_lock(&a->work);
    authorizer_flush(a);
    (void)pthread_mutex_unlock(&a->work);
    (void)pthread_cond_destroy(&a->wake);
    (void)pthread_mutex_destroy(&a->lock);
    (void)pthread_mutex_destroy(&a->work);
    release(a);
}

void authorizer_set_signature(authorizer *a, authorizer_signature signature)
{
    a->signature = signature;
}

void authorizer_on_change(authorizer *a, void (*changed)(void *arg, const database_change *change), void *arg)
{
    (void)pthread_mutex_lock(&a->work);
    a->changed = changed;
    a->changed_arg = arg;
    (void)pthread_mutex_unlock(&a->work);
}

bool authorizer_wait(authorizer *a, int64_t timeout_ms)
{
    int64_t until = clock_mono_us() + timeout_ms * 1000;
    struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
    (void)pthread_mutex_lock(&a->lock);
    while (!a->tried && pthread_cond_timedwait(&a->wake, &a->lock, &at) == 0)
        ;
    (void)pthread_mutex_unlock(&a->lock);
    return atomic_load(&a->view) != NULL;
}

void authorizer_read_stats(authorizer *a, authorizer_stats *out)
{
    *out = (authorizer_stats){.apps = atomic_load(&a->apps),
                              .keys = atomic_load(&a->keys),
                              .bytes = atomic_load(&a->bytes) + sizeof *a + verdicts_bytes() + limits_bytes(),
                              .loads = atomic_load(&a->loads),
                              .changes = atomic_load(&a->changes)};
    for (size_t i = 0; i < GATE_PLACES; i++) {
        out->hits += atomic_load_explicit(&a->counts[i].hits, memory_order_relaxed);
        out->misses += atomic_load_explicit(&a->counts[i].misses, memory_order_relaxed);
    }
}

/* ---- the answer to a key ---------------------------------------------------------------------- */

static enum answer look_up(const authorizer_view *v, const directory_app *app, ss_str value,
                           store_limits *limits, key16 *hash)
{
    *hash = key_hash_bytes(&v->salt, value);
    switch (directory_find_key(v->directory, *hash, app->slot, limits)) {
    case DIRECTORY_ALLOWED:
        return ANSWER_ALLOW;
    case DIRECTORY_OTHER:
        return ANSWER_OTHER;
    case DIRECTORY_DISABLED:
        return ANSWER_DISABLED;
    default:
        return ANSWER_UNKNOWN;
    }
}

/* From the cache where there is one. limits and hash only where the caller needs them: then the directory is
   asked in any case. */
static enum answer answer_of(authorizer *a, const authorizer_view *v, unsigned place,
                             const directory_app *app, ss_str value, store_limits *limits, key16 *hash)
{
    int64_t now_ms = clock_us(CLOCK_MONOTONIC_COARSE) / 1000;
    uint64_t generation =
        a->options.seed_cache ? 0 : atomic_load_explicit(&a->generation, memory_order_acquire);
    key16 question = {0, 0};
    enum answer cached = 0;
    if (a->options.ttl_ms > 0) {
        question = verdicts_question(a->verdicts, app->id, value);
        cached = (enum answer)verdicts_find(a->verdicts, question, generation, now_ms);
    }
    _Atomic uint64_t *count = cached ? &a->counts[place].hits : &a->counts[place].misses;
    (void)atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (cached && !limits)
        return cached;
    enum answer found = look_up(v, app, value, limits, hash);
    if (!cached && a->options.ttl_ms > 0)
        verdicts_put(a->verdicts, question, generation, found, now_ms + a->options.ttl_ms);
    return cached ? cached : found;
}

static int32_t refuse(enum answer answer, ss_error *err)
{
    static const char *const why[] = {
        [ANSWER_UNKNOWN] = "the key is not known",
        [ANSWER_OTHER] = "the key is of another application",
        [ANSWER_DISABLED] = "the key is disabled",
    };
    return ss_fail(err, SS_REJECT, "%s", why[answer]);
}

/* ---- limits ----------------------------------------------------------------------------------- */

static store_limits with_defaults(const store_limits *own, const store_limits *otherwise)
{
    return (store_limits){own->rate == STORE_LIMIT_DEFAULT ? otherwise->rate : own->rate,
                          own->burst == STORE_LIMIT_DEFAULT ? otherwise->burst : own->burst,
                          own->quota == STORE_LIMIT_DEFAULT ? otherwise->quota : own->quota};
}

static bool any(const store_limits *l)
{
    return l->rate > 0 || l->quota > 0;
}

/* hash: NULL without a key. */
static bool within_limits(authorizer *a, const directory_app *app, const store_limits *key, const key16 *hash,
                          uint32_t events, int64_t *retry_after_ms)
{
    store_limits of_app = with_defaults(&app->limits, &a->options.app_default);
    bool limited = any(&of_app);
    if (!limited && !hash)
        return true;
    int64_t now_us = clock_now_us();
    if (limited && !limits_take(a->limits, LIMITS_APP, app->id, &of_app, events, now_us, retry_after_ms))
        return false;
    store_limits of_key = hash ? with_defaults(key, &a->options.key_default) : (store_limits){0, 0, 0};
    if (!hash || !any(&of_key) ||
        limits_take(a->limits, LIMITS_KEY, *hash, &of_key, events, now_us, retry_after_ms))
        return true;
    if (limited)
        limits_give_back(a->limits, LIMITS_APP, app->id, events, now_us);
    return false;
}

/* ---- the calls of the contract ---------------------------------------------------------------- */

static void describe(const directory_app *app, ss_app *out, char *text)
{
    key16_put_uuid(app->id, text);
    out->flags = app->flags;
    out->id = ss_s(text, STORE_ID_SIZE - 1);
    memcpy(text + STORE_ID_SIZE, app->name.ptr, app->name.len);
    out->name = ss_s(text + STORE_ID_SIZE, app->name.len);
}

static bool find_app(const authorizer_view *v, ss_str id, directory_app *out)
{
    key16 parsed;
    return id.len == STORE_ID_SIZE - 1 && key16_parse(id, &parsed) &&
           directory_find_app(v->directory, parsed, out);
}

static bool starts_with(ss_str text, const char *start)
{
    size_t len = strlen(start);
    return text.len >= len && memcmp(text.ptr, start, len) == 0;
}

static bool has_signature(const ss_request *request, ss_str authorization)
{
    static const char presigned[] = "X-Amz-Signature=";
    if (authorization.len)
        return starts_with(authorization, "AWS4-");
    return request->raw_query.len &&
           memmem(request->raw_query.ptr, request->raw_query.len, presigned, sizeof presigned - 1) != NULL;
}

static int32_t check_key(authorizer *a, const authorizer_view *v, unsigned place, const directory_app *app,
                         ss_str value, uint32_t events, ss_app *out, ss_error *err)
{
    bool limited = any(&a->options.key_default) || directory_has_key_limits(v->directory);
    store_limits limits = {STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT, STORE_LIMIT_DEFAULT};
    key16 hash;
    if (value.len == 0)
        return ss_fail(err, SS_REJECT, "there is no Authorization header");
    if (value.len > VALUE_MAX)
        return refuse(ANSWER_UNKNOWN, err);
    enum answer answer = answer_of(a, v, place, app, value, limited ? &limits : NULL, &hash);
    if (answer != ANSWER_ALLOW)
        return refuse(answer, err);
    if (!within_limits(a, app, &limits, limited ? &hash : NULL, events, &out->retry_after_ms))
        return ss_fail(err, SS_THROTTLE, "the rate or the quota of the application or the key is used up");
    return SS_OK;
}

static int32_t check_signature(authorizer *a, const ss_request *request,
                               ss_str (*header)(const ss_request *request, const char *name), ss_str id,
                               const directory_app *app, uint32_t events, ss_app *out, ss_error *err)
{
    if (!a->signature.verify)
        return ss_fail(err, SS_REJECT, "no access keys are kept here that could verify a signature");
    int32_t status = a->signature.verify(a->signature.arg, request, header, id, err);
    if (status == SS_OK && !within_limits(a, app, NULL, NULL, events, &out->retry_after_ms))
        status = ss_fail(err, SS_THROTTLE, "the rate or the quota of the application is used up");
    return status;
}

int32_t authorizer_check(authorizer *a, const ss_request *request, ss_str authorization,
                         ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                         uint32_t proofs, uint32_t events, ss_app *out, char text[AUTHORIZER_TEXT_SIZE],
                         ss_error *err)
{
    directory_app found;
    unsigned place = gate_enter(&a->gate);
    const authorizer_view *v = atomic_load(&a->view);
    int32_t status;
    if (!v) {
        status = ss_fail(err, SS_RETRY, "the application store cannot be read now");
    } else if (!find_app(v, app, &found)) {
        status = ss_fail(err, SS_REJECT, "there is no such application");
    } else {
        describe(&found, out, text);
        if ((proofs & SS_PROOF_SIGV4) && has_signature(request, authorization))
            status = check_signature(a, request, header, app, &found, events, out, err);
        else if (proofs & SS_PROOF_KEY)
            status = check_key(a, v, place, &found, authorization, events, out, err);
        else
            status = ss_fail(err, SS_REJECT, "the request is not signed");
    }
    gate_leave(&a->gate, place);
    return status;
}

int32_t authorizer_get(authorizer *a, ss_str app, ss_app *out, char text[AUTHORIZER_TEXT_SIZE])
{
    directory_app found;
    unsigned place = gate_enter(&a->gate);
    const authorizer_view *v = atomic_load(&a->view);
    int32_t status = !v ? SS_RETRY : find_app(v, app, &found) ? SS_OK : SS_REJECT;
    if (status == SS_OK)
        describe(&found, out, text);
    gate_leave(&a->gate, place);
    return status;
}

int32_t authorizer_auth(authorizer *a, ss_str key, ss_str app)
{
    directory_app found;
    key16 hash;
    unsigned place = gate_enter(&a->gate);
    const authorizer_view *v = atomic_load(&a->view);
    int32_t status = v ? SS_REJECT : SS_RETRY;
    if (v && find_app(v, app, &found) && key.len && key.len <= VALUE_MAX &&
        answer_of(a, v, place, &found, key, NULL, &hash) == ANSWER_ALLOW)
        status = SS_OK;
    gate_leave(&a->gate, place);
    return status;
}

int32_t authorizer_list(authorizer *a, void (*visit)(void *arg, ss_str app, ss_str name), void *arg)
{
    directory_app app = {.slot = 0};
    char id[STORE_ID_SIZE];
    unsigned place = gate_enter(&a->gate);
    const authorizer_view *v = atomic_load(&a->view);
    while (v && directory_next_app(v->directory, app.slot, &app)) {
        key16_put_uuid(app.id, id);
        visit(arg, ss_cstr(id), app.name);
    }
    gate_leave(&a->gate, place);
    return v ? SS_OK : SS_RETRY;
}

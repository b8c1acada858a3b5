#include "core/server/applications.h"

#include <stdlib.h>

#include "core/admin/mirror.h"
#include "core/admin/options.h"
#include "core/base/log.h"
#include "core/observe/metrics.h"

#define FIRST_READING_MS 2000 /* that a start waits for; a million keys take about half of it */

struct applications {
    database *written, *followed; /* connections: one for changes, one for the authorizer */
    store *store;
    remote *changed, *read; /* store: dynamodb; one for changes, one that is read as a whole */
    authorizer *authorizer;
    ss_metric *alarm, *apps, *keys, *bytes, *hits, *misses;
    authorizer_stats seen;
};

_Static_assert(PIPELINE_APP_TEXT >= AUTHORIZER_TEXT_SIZE, "an application's id and name fit");

static void on_alarm(void *arg, const char *text)
{
    applications *a = arg;
    metrics_set(a->alarm, text ? 1 : 0);
    if (text)
        log_error("alarm applications: %s", text);
    else
        log_info("alarm applications is over");
}

static void register_metrics(applications *a)
{
    a->alarm = metrics_gauge("alarm", "1 while the alarm is raised.", "alarm=\"applications\"");
    a->apps = metrics_gauge("applications", "Applications in the store.", "");
    a->keys = metrics_gauge("application_keys", "Keys in the store.", "");
    a->bytes =
        metrics_gauge("applications_memory_bytes", "Memory of applications, keys and cached answers.", "");
    a->hits = metrics_counter("authorizer_hits_total", "Keys that were answered from the cache.", "");
    a->misses = metrics_counter("authorizer_misses_total", "Keys that had to be looked up.", "");
}

static enum store_status pull(void *arg, ss_error *err)
{
    applications *a = arg;
    return mirror_pull(a->read, a->written, err);
}

static bool open_remote(applications *a, const store_options *options, authorizer_options *o, ss_error *err)
{
    a->changed = remote_new(&options->remote);
    a->read = remote_new(&options->remote);
    if (!a->changed || !a->read)
        return ss_fail(err, SS_LIMIT, "out of memory for applications");
    store_set_remote(a->store, a->changed);
    o->pull = pull;
    o->pull_arg = a;
    o->pull_ms = options->pull_ms;
    return true;
}

static bool open_both(applications *a, const store_options *options, ss_error *err)
{
    database_options followed = options->database;
    followed.existing = true; /* a server that nobody has made applications for leaves no file */
    a->written = database_new(&options->database);
    a->followed = database_new(&followed);
    a->store = a->written ? store_new(a->written, options->hashed) : NULL;
    if (!a->followed || !a->store) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for applications");
        return false;
    }
    authorizer_options o = options->authorizer;
    if (options->has_remote && !open_remote(a, options, &o, err))
        return false;
    o.alarm = on_alarm;
    o.alarm_arg = a;
    a->authorizer = authorizer_new(a->followed, &o, err);
    if (a->authorizer)
        store_on_change(a->store, authorizer_refresh, a->authorizer);
    return a->authorizer != NULL;
}

applications *applications_open(const ss_config *blob, ss_error *err)
{
    store_options *options = malloc(sizeof *options);
    applications *a = calloc(1, sizeof *a);
    bool ok = options && a;
    if (!ok)
        (void)ss_fail(err, SS_LIMIT, "out of memory for applications");
    const ss_config *section = node_get(blob, "server.applications");
    ok = ok && store_options_read(options, section, node_str(blob, "data_dir").ptr, err);
    bool wanted = ok && section && !options->none;
    if (wanted) {
        register_metrics(a);
        wanted = open_both(a, options, err);
    }
    if (options)
        explicit_bzero(options, sizeof *options);
    free(options);
    if (wanted)
        return a;
    applications_close(a);
    return NULL;
}

void applications_close(applications *a)
{
    if (!a)
        return;
    authorizer_free(a->authorizer);
    store_free(a->store);
    remote_free(a->changed);
    remote_free(a->read);
    database_free(a->written);
    database_free(a->followed);
    free(a);
}

/* ---- what the pipeline asks ------------------------------------------------------------------- */

static int32_t check(void *self, const ss_request *request, ss_str authorization,
                     ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                     uint32_t proofs, uint32_t events, ss_app *out, char *text, ss_error *err)
{
    return authorizer_check(self, request, authorization, header, app, proofs, events, out, text, err);
}

static int32_t get(void *self, ss_str app, ss_app *out, char *text)
{
    return authorizer_get(self, app, out, text);
}

static int32_t auth(void *self, ss_str key, ss_str app)
{
    return authorizer_auth(self, key, app);
}

static int32_t list(void *self, void (*visit)(void *arg, ss_str app, ss_str name), void *arg)
{
    return authorizer_list(self, visit, arg);
}

void applications_lend(applications *a, pipeline *p)
{
    pipeline_lend_apps(
        p, &(pipeline_apps){.self = a->authorizer, .check = check, .get = get, .auth = auth, .list = list});
}

void applications_await(applications *a)
{
    (void)authorizer_wait(a->authorizer, FIRST_READING_MS);
}

static void add_rise(ss_metric *metric, uint64_t now, uint64_t before)
{
    if (now > before)
        metrics_add(metric, (double)(now - before));
}

void applications_publish(applications *a)
{
    authorizer_stats now;
    authorizer_read_stats(a->authorizer, &now);
    metrics_set(a->apps, (double)now.apps);
    metrics_set(a->keys, (double)now.keys);
    metrics_set(a->bytes, (double)now.bytes);
    add_rise(a->hits, now.hits, a->seen.hits);
    add_rise(a->misses, now.misses, a->seen.misses);
    a->seen = now;
}

store *applications_store(applications *a)
{
    return a->store;
}

authorizer *applications_authorizer(applications *a)
{
    return a->authorizer;
}

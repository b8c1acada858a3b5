/* host->app_check and its kin: the questions of receivers to the application store, which the server lends.
 */
#include "core/pipeline/internal.h"

void pipeline_lend_apps(pipeline *p, const pipeline_apps *apps)
{
    p->apps = *apps;
}

/* An ss_app of the plugin's size, filled from ours. */
static void hand_over(const ss_app *from, ss_app *to)
{
    if (SS_HAS(ss_app, to, retry_after_ms)) {
        to->flags = from->flags;
        to->id = from->id;
        to->name = from->name;
        to->retry_after_ms = from->retry_after_ms;
    }
}

/* Lives until the request, or the call, is over. */
static char *text_of(ss_call *call)
{
    return arena_take(&call->lane->request_arena, PIPELINE_APP_TEXT);
}

static int32_t app_check(const ss_request *request, ss_str app, uint32_t proofs, uint32_t events, ss_app *out,
                         ss_error *err)
{
    const pipeline_apps *apps = &request->call->lane->pipeline->apps;
    if (!apps->check)
        return ss_fail(err, SS_DECLINE, "no application store is configured: server.applications.store");
    char *text = text_of(request->call);
    if (!text)
        return ss_fail(err, SS_RETRY, "out of memory");
    ss_app found = {.struct_size = sizeof found};
    int32_t status = apps->check(apps->self, request, pipeline_header(request, "Authorization"),
                                 pipeline_header, app, proofs, events, &found, text, err);
    hand_over(&found, out);
    return status;
}

static int32_t app_get(ss_call *call, ss_str app, ss_app *out)
{
    const pipeline_apps *apps = &call->lane->pipeline->apps;
    char *text = apps->get ? text_of(call) : NULL;
    if (!text)
        return apps->get ? SS_RETRY : SS_DECLINE;
    ss_app found = {.struct_size = sizeof found};
    int32_t status = apps->get(apps->self, app, &found, text);
    hand_over(&found, out);
    return status;
}

static int32_t app_auth(void *self, ss_str key, ss_str app)
{
    const pipeline_apps *apps = &((pipeline_instance *)self)->pipeline->apps;
    return apps->auth ? apps->auth(apps->self, key, app) : SS_DECLINE;
}

static int32_t app_list(void *self, void (*visit)(void *arg, ss_str app, ss_str name), void *arg)
{
    const pipeline_apps *apps = &((pipeline_instance *)self)->pipeline->apps;
    return apps->list ? apps->list(apps->self, visit, arg) : SS_DECLINE;
}

void pipeline_apps_fill(ss_host *table)
{
    table->app_check = app_check;
    table->app_get = app_get;
    table->app_auth = app_auth;
    table->app_list = app_list;
}

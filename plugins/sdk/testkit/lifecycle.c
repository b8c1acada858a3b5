/* What happens to an instance beside its events: check, drain, health, the verbs, and the views of a
 * receiver. */
#include <stdlib.h>

#include "plugins/sdk/testkit/inside.h"

#define LIFECYCLE_MS   30000
#define SAID_BYTES_MAX (16u * 1024 * 1024)

static int32_t said_write(void *self, const char *bytes, size_t len)
{
    testkit *k = self;
    if (len > SAID_BYTES_MAX - k->said_len)
        return -1;
    k->said = kit_realloc(k->said, k->said_len + len + 1);
    if (len)
        memcpy(k->said + k->said_len, bytes, len);
    k->said_len += len;
    k->said[k->said_len] = '\0';
    return 0;
}

static ss_sink said_start(testkit *k)
{
    free(k->said);
    k->said = kit_alloc(1);
    k->said_len = 0;
    k->error = (ss_error){.struct_size = sizeof k->error};
    return (ss_sink){.struct_size = sizeof(ss_sink), .self = k, .write = said_write};
}

const char *testkit_said(testkit *k, size_t *len)
{
    if (len)
        *len = k->said_len;
    return k->said ? k->said : "";
}

int32_t testkit_verb(testkit *k, enum testkit_verb verb)
{
    const ss_plugin *p = k->plugin;
    int32_t (*call)(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err) =
        verb == TESTKIT_SETUP      ? p->setup
        : verb == TESTKIT_TEARDOWN ? p->teardown
                                   : p->howto;
    ss_sink out = said_start(k);
    if (!call)
        return SS_DECLINE;
    testkit *outer = kit_enter(k);
    int32_t status = call(&k->host, &k->config, &out, &k->error);
    (void)kit_enter(outer);
    if (status != SS_OK && !k->error.text[0])
        kit_problem(k, "a verb failed without a reason");
    return status;
}

int32_t testkit_check(testkit *k)
{
    if (!k->instance || !k->plugin->check)
        return SS_DECLINE;
    k->error = (ss_error){.struct_size = sizeof k->error};
    testkit *outer = kit_enter(k);
    int32_t status = k->plugin->check(k->instance, &k->error);
    (void)kit_enter(outer);
    return status;
}

int32_t testkit_health(testkit *k)
{
    if (!k->instance || !k->plugin->module || !k->plugin->module->health)
        return SS_DECLINE;
    k->error = (ss_error){.struct_size = sizeof k->error};
    testkit *outer = kit_enter(k);
    int32_t status = k->plugin->module->health(k->instance, &k->error);
    (void)kit_enter(outer);
    return status;
}

int32_t testkit_drain(testkit *k)
{
    if (!k->instance || !k->plugin->drain)
        return SS_DECLINE;
    k->error = (ss_error){.struct_size = sizeof k->error};
    k->stopping = true;
    testkit *outer = kit_enter(k);
    int32_t status = k->plugin->drain(k->instance, kit_now_us(k) + (int64_t)LIFECYCLE_MS * 1000, &k->error);
    (void)kit_enter(outer);
    return status;
}

static const ss_view *view_find(const testkit *k, const char *name)
{
    const ss_receiver *r = k->plugin->receiver;
    for (const ss_view *v = r ? r->views : NULL; v && v->name;
         v = (const ss_view *)(const void *)((const char *)v + r->view_size))
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

int32_t testkit_view(testkit *k, size_t i, const char *view)
{
    const ss_view *v = view_find(k, view);
    ss_sink out = said_start(k);
    if (!v || i >= k->events.count)
        return SS_DECLINE;
    const kit_stored *e = &k->events.items[i];
    ss_record record = {.seq = i + 1,
                        .receive_us = e->receive_us,
                        .event_us = e->event_us,
                        .receiver = k->host.instance,
                        .app = ss_cstr(e->app),
                        .type = ss_cstr(e->type),
                        .id = ss_cstr(e->id),
                        .key = ss_cstr(e->key),
                        .json = ss_cstr(e->line),
                        .body = ss_cstr(e->line),
                        .schema_rev = k->plugin->schema_rev,
                        .attempt = 1,
                        .aside = ss_s(e->aside, e->aside_len)};
    testkit *outer = kit_enter(k);
    int32_t status = v->render(&record, &out, &k->error);
    (void)kit_enter(outer);
    return status;
}

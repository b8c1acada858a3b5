/* Applications, messages of pull receivers, and inputs that cannot become events. */
#include <stdlib.h>

#include "plugins/sdk/testkit/inside.h"

#define SIGV4_SCHEME "AWS4-HMAC-SHA256 Credential="

/* ---- applications ---------------------------------------------------------------------------- */

void testkit_add_app(testkit *k, const char *key, const char *app)
{
    testkit_add_application(k, &(testkit_app){.key = key, .id = app});
}

void testkit_add_application(testkit *k, const testkit_app *app)
{
    k->apps = kit_realloc(k->apps, (k->app_count + 1) * sizeof *k->apps);
    k->apps[k->app_count++] = (kit_app){.key = kit_copy(ss_cstr(app->key)),
                                        .id = kit_copy(ss_cstr(app->id)),
                                        .name = kit_copy(ss_cstr(app->name ? app->name : app->id)),
                                        .flags = app->flags};
}

void testkit_throttle(testkit *k, int64_t retry_after_ms)
{
    k->throttle_ms = retry_after_ms;
}

uint64_t testkit_checked_events(testkit *k)
{
    return k->checked_events;
}

void kit_apps_free(testkit *k)
{
    for (size_t i = 0; i < k->app_count; i++) {
        free(k->apps[i].key);
        free(k->apps[i].id);
        free(k->apps[i].name);
    }
    free(k->apps);
}

static bool proves(const kit_app *app, ss_str header, uint32_t proofs)
{
    size_t scheme = strlen(SIGV4_SCHEME), key = strlen(app->key);
    if (proofs & SS_PROOF_KEY && ss_eq(header, ss_cstr(app->key)))
        return true;
    return proofs & SS_PROOF_SIGV4 && header.len > scheme + key &&
           memcmp(header.ptr, SIGV4_SCHEME, scheme) == 0 && memcmp(header.ptr + scheme, app->key, key) == 0 &&
           header.ptr[scheme + key] == '/';
}

static void app_fill(const kit_app *app, ss_app *out)
{
    uint32_t size = out->struct_size;
    *out = (ss_app){
        .struct_size = size, .flags = app->flags, .id = ss_cstr(app->id), .name = ss_cstr(app->name)};
}

static int32_t host_app_check(const ss_request *request, ss_str app, uint32_t proofs, uint32_t events,
                              ss_app *out, ss_error *err)
{
    testkit *k = request->call->kit;
    ss_str header = kit_header(request, "Authorization");
    if (out->struct_size < sizeof *out)
        kit_problem(k, "app_check(): out->struct_size is not set");
    if (kit_fault(k, TESTKIT_APP))
        return ss_fail(err, SS_RETRY, "the testkit was told that the store cannot be read");
    for (size_t i = 0; i < k->app_count; i++) {
        if (!ss_eq(app, ss_cstr(k->apps[i].id)) || !proves(&k->apps[i], header, proofs))
            continue;
        k->checked_events += events;
        app_fill(&k->apps[i], out);
        out->retry_after_ms = k->throttle_ms;
        return k->throttle_ms ? ss_fail(err, SS_THROTTLE, "the testkit was told to throttle") : SS_OK;
    }
    return k->app_count ? ss_fail(err, SS_REJECT, "no key of this application") : SS_DECLINE;
}

static int32_t host_app_get(ss_call *call, ss_str app, ss_app *out)
{
    testkit *k = call->kit;
    if (kit_fault(k, TESTKIT_APP))
        return SS_RETRY;
    for (size_t i = 0; i < k->app_count; i++)
        if (ss_eq(app, ss_cstr(k->apps[i].id))) {
            app_fill(&k->apps[i], out);
            return SS_OK;
        }
    return k->app_count ? SS_REJECT : SS_DECLINE;
}

static int32_t host_app_auth(void *self, ss_str key, ss_str app)
{
    const testkit *k = self;
    for (size_t i = 0; i < k->app_count; i++)
        if (ss_eq(key, ss_cstr(k->apps[i].key)) && ss_eq(app, ss_cstr(k->apps[i].id)))
            return SS_OK;
    return k->app_count ? SS_REJECT : SS_DECLINE;
}

static int32_t host_app_list(void *self, void (*visit)(void *arg, ss_str app, ss_str name), void *arg)
{
    const testkit *k = self;
    for (size_t i = 0; i < k->app_count; i++)
        visit(arg, ss_cstr(k->apps[i].id), ss_cstr(k->apps[i].name));
    return k->app_count ? SS_OK : SS_DECLINE;
}

/* ---- inputs that cannot become events, messages ---------------------------------------------- */

static void input_add(kit_inputs *list, ss_str app, const char *code, ss_str text, ss_str raw)
{
    list->items = kit_realloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = (kit_input){.app = kit_copy(app),
                                             .code = kit_copy(ss_cstr(code)),
                                             .text = kit_copy(text),
                                             .raw = kit_copy(raw),
                                             .raw_len = raw.len};
}

void kit_inputs_clear(kit_inputs *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].app);
        free(list->items[i].code);
        free(list->items[i].text);
        free(list->items[i].raw);
    }
    free(list->items);
    *list = (kit_inputs){0};
}

void kit_inputs_keep(kit_inputs *to, kit_inputs *from, bool keep)
{
    if (keep && from->count) {
        to->items = kit_realloc(to->items, (to->count + from->count) * sizeof *to->items);
        memcpy(to->items + to->count, from->items, from->count * sizeof *from->items);
        to->count += from->count;
        from->count = 0;
    }
    kit_inputs_clear(from);
}

static bool code_ok(const char *code)
{
    size_t len = strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= 64 && code[len] == '\0';
}

static int32_t host_failed(ss_call *call, ss_str app, const char *code, ss_str text, ss_str raw)
{
    testkit *k = call->kit;
    int32_t status = kit_fault(k, TESTKIT_FAILED) ? SS_RETRY : raw.len > KIT_FAILED_MAX ? SS_LIMIT : SS_OK;
    if (!code_ok(code))
        kit_problem(k, "failed(): the code \"%s\" is not up to 64 of a-z, 0-9 and '-'", code);
    if (kit_is_gone(k, text) || kit_is_gone(k, raw) || kit_is_gone(k, app))
        kit_problem(k, "failed(): memory after its time");
    if (status == SS_OK)
        input_add(&call->failed, app, code, text, raw);
    kit_event_close(call);
    return status;
}

static int32_t host_pass(ss_call *call, const ss_message *message)
{
    if (!call->pulled)
        kit_problem(call->kit, "pass() in a call that call_begin() did not make");
    input_add(&call->passed, ss_s("", 0), "", message->id, message->body);
    return SS_OK;
}

static testkit_input input_at(const kit_inputs *list, size_t i)
{
    if (i >= list->count)
        return (testkit_input){.app = "", .code = "", .text = "", .raw = ""};
    const kit_input *f = &list->items[i];
    return (testkit_input){
        .app = f->app, .code = f->code, .text = f->text, .raw = f->raw, .raw_len = f->raw_len};
}

size_t testkit_failed_count(testkit *k)
{
    return k->failed.count;
}

testkit_input testkit_failed_at(testkit *k, size_t i)
{
    return input_at(&k->failed, i);
}

size_t testkit_passed_count(testkit *k)
{
    return k->passed.count;
}

testkit_input testkit_passed_at(testkit *k, size_t i)
{
    return input_at(&k->passed, i);
}

/* An exact copy on the heap: reading past the message is an ASan report. */
int32_t testkit_parse(testkit *k, const ss_message *message)
{
    kit_events_clear(&k->events);
    kit_inputs_clear(&k->failed);
    k->error = (ss_error){.struct_size = sizeof k->error};
    const ss_receiver *r = k->plugin->receiver;
    if (!k->instance || !r || !SS_HAS(ss_receiver, r, parse) || !r->parse)
        return SS_DECLINE;
    ss_message own = *message;
    char *body = kit_exact(message->body);
    own.struct_size = sizeof own;
    own.body.ptr = body;
    ss_call call;
    kit_call_begin(k, &call, true);
    testkit *outer = kit_enter(k);
    int32_t status = r->parse(k->instance, &call, &own, &k->error);
    (void)kit_enter(outer);
    if (status != SS_OK)
        kit_events_clear(&call.events);
    if (status == SS_REJECT) {
        kit_inputs_clear(&call.failed);
        input_add(&call.failed, ss_s("", 0), "processing-failed", ss_cstr(k->error.text), own.body);
        if (!k->error.text[0])
            kit_problem(k, "parse() returned SS_REJECT without a reason");
    }
    kit_call_end(&call, status == SS_OK || status == SS_REJECT);
    kit_take_back(k, body, body, message->body.len);
    return status;
}

void kit_apps_lend(ss_host *host)
{
    host->app_auth = host_app_auth;
    host->app_list = host_app_list;
    host->app_check = host_app_check;
    host->app_get = host_app_get;
    host->failed = host_failed;
    host->pass = host_pass;
}

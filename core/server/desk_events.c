/* Signatures of events: judged on the event loops, by access keys in memory. */
#include "core/base/log.h"
#include "core/server/desk_inside.h"

typedef struct header_list {
    ss_pair pairs[DESK_HEADERS_MAX];
    size_t count;
    bool failed;
} header_list;

static void list_header(void *arg, ss_str name, ss_str value)
{
    header_list *l = arg;
    if (l->count < DESK_HEADERS_MAX)
        l->pairs[l->count++] = (ss_pair){name, value};
    else
        l->failed = true;
}

static int32_t judge(const desk *d, const signed_request *wire, int64_t now_us, ss_str app, ss_error *err)
{
    sigv4_claim claim;
    iam_key key;
    bool known;
    const char *reason;
    const signature_policy policy = {.region = node_str(d->blob, "server.applications.api.region"),
                                     .now_us = now_us,
                                     .skew_s =
                                         node_int(d->blob, "server.applications.api.clock_skew_ms") / 1000};
    enum signature_result result = signature_read(wire, &claim, &reason);
    if (result != SIGNATURE_GOOD)
        return ss_fail(err, SS_REJECT, "%s", reason);
    bool found = keyring_find(d->keys, claim.access_key, &key, &known);
    if (!known)
        return ss_fail(err, SS_RETRY, "the access keys were not read yet");
    result = signature_check(wire, &claim, found ? &key : NULL, &policy, &reason);
    bool allowed = result == SIGNATURE_GOOD && iam_allows(&key, IAM_EVENTS, app);
    iam_forget(&key);
    if (result != SIGNATURE_GOOD)
        return ss_fail(err, SS_REJECT, "access key %.*s: %s", (int)claim.access_key.len, claim.access_key.ptr,
                       reason);
    return allowed ? SS_OK
                   : ss_fail(err, SS_REJECT, "access key %.*s has no policy events:%.*s",
                             (int)claim.access_key.len, claim.access_key.ptr, (int)app.len, app.ptr);
}

/* request is the first member of the front end's: only requests come here, never messages of pull receivers.
 */
static int32_t verify(void *arg, const ss_request *request,
                      ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                      ss_error *err)
{
    (void)header;
    const pipeline_request *r = pipeline_request_of(request);
    header_list list = {.count = 0};
    if (!r)
        return ss_fail(err, SS_REJECT, "only requests can be signed");
    r->each_header(r, list_header, &list);
    if (list.failed)
        return ss_fail(err, SS_REJECT, "more than %u headers", DESK_HEADERS_MAX);
    const signed_request wire = {.method = request->method,
                                 .path = r->wire_path,
                                 .query = request->raw_query,
                                 .body = r->wire_body.ptr ? r->wire_body : request->body,
                                 .headers = list.pairs,
                                 .header_count = list.count};
    return judge(arg, &wire, request->received_us, app, err);
}

authorizer_signature desk_signature(desk *d)
{
    return (authorizer_signature){.arg = d, .verify = verify};
}

void desk_read_keys(desk *d)
{
    ss_error err = error_init();
    if (admin_has_store(d->store) && keyring_load(d->keys, store_database(d->store), &err) != STORE_OK)
        log_error("the access keys cannot be read, those known before go on to count: %s", err.text);
}

void desk_changed(void *arg, const database_change *change)
{
    if (change->kind.len == 0 || ss_eq(change->kind, SS_LIT("iam")))
        desk_read_keys(arg);
}

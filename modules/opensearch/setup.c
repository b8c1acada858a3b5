/* What the module makes in the cluster: index templates, the policy that deletes old indices, dashboards.
   Each carries a hash of what it was made of, so that a difference is found without comparing JSON that
   OpenSearch has rewritten. */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "modules/opensearch/dashboards.h"
#include "modules/opensearch/setup_bodies.h"
#include "plugins/common/json.h"

#define PATH_MAX_ 700u
#define NAME_MAX_ 300u
#define BOUNDARY  "streamsteam-saved-objects"

void setup_say(const ss_sink *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (out && n > 0)
        (void)out->write(out->self, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- asking ---- */

/* SS_OK: the answer is in answer; wants wire_end(call). */
static int32_t ask(opensearch *o, wire_call *call, const wire_request *r, wire_answer *answer, ss_error *err)
{
    char reason[WIRE_PROBLEM_MAX];
    uint32_t status = wire_ask(&o->wire, call, r, answer);
    if (status && status != 401 && status != 403)
        return SS_OK;
    wire_reason(answer, reason, sizeof reason);
    int32_t rc = status || answer->result == WIRE_WRONG ? SS_PAUSE : SS_RETRY;
    rc = status ? ss_fail(err, rc, "opensearch: %s %s: status %u: %.250s", r->method, r->path, status, reason)
                : ss_fail(err, rc, "opensearch: %s %s: %.250s", r->method, r->path, reason);
    wire_end(&o->wire, call);
    return rc;
}

static int32_t bad(opensearch *o, wire_call *call, const wire_request *r, const wire_answer *answer,
                   ss_error *err)
{
    char reason[WIRE_PROBLEM_MAX];
    wire_reason(answer, reason, sizeof reason);
    int32_t rc = ss_fail(err, answer->status >= 500 || answer->status == 429 ? SS_RETRY : SS_PAUSE,
                         "opensearch: %s %s: status %u: %.300s", r->method, r->path, answer->status, reason);
    wire_end(&o->wire, call);
    return rc;
}

static void template_name(const opensearch *o, ss_str receiver, char out[NAME_MAX_])
{
    (void)snprintf(out, NAME_MAX_, "streamsteam-%.*s-%.*s",
                   (int)(o->host->instance.len < 100 ? o->host->instance.len : 100), o->host->instance.ptr,
                   (int)(receiver.len < 100 ? receiver.len : 100), receiver.ptr);
    for (char *p = out; *p; p++) /* names of templates are lower case, and part of a path */
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + ('a' - 'A')) : strchr(" /%?#\\", *p) ? '_' : *p;
}

static bool holds(const wire_answer *answer, const char *hash)
{
    return answer->status == 200 && answer->body.len &&
           memmem(answer->body.ptr, answer->body.len, hash, SIGV4_HEX);
}

/* ---- templates ---- */

enum found { SAME, OTHER, NONE };

static int32_t look_at(opensearch *o, const char *path, const char *hash, enum found *found,
                       wire_answer *answer, wire_call *call, ss_error *err)
{
    const wire_request r = {.method = "GET", .path = path};
    int32_t rc = ask(o, call, &r, answer, err);
    if (rc != SS_OK)
        return rc;
    *found = holds(answer, hash) ? SAME : answer->status == 200 ? OTHER : NONE;
    return answer->status == 200 || answer->status == 404 || answer->status == 400
               ? SS_OK
               : bad(o, call, &r, answer, err);
}

static int32_t setup_template(opensearch *o, ss_str receiver, const ss_sink *out, ss_error *err)
{
    char name[NAME_MAX_], path[PATH_MAX_], hash[SIGV4_HEX + 1];
    grow body = {.limit = BODY_MAX};
    wire_call call = {.user = NULL};
    wire_answer answer;
    enum found found;
    template_name(o, receiver, name);
    (void)snprintf(path, sizeof path, "/_index_template/%s", name);
    if (!setup_template_body(o, receiver, &body, hash, err)) {
        grow_free(&body);
        return SS_REJECT;
    }
    int32_t rc = look_at(o, path, hash, &found, &answer, &call, err);
    if (rc == SS_OK) {
        wire_end(&o->wire, &call);
        const wire_request r = {.method = "PUT", .path = path, .body = grow_str(&body)};
        if (found != SAME && (rc = ask(o, &call, &r, &answer, err)) == SS_OK) {
            rc = answer.status == 200 ? SS_OK : bad(o, &call, &r, &answer, err);
            if (rc == SS_OK)
                wire_end(&o->wire, &call);
        }
    }
    if (rc == SS_OK)
        setup_say(out, "index template %s: %s\n", name,
                  found == SAME    ? "is there"
                  : found == OTHER ? "changed; indices that exist keep their mappings"
                                   : "made");
    grow_free(&body);
    grow_free(&call.packed);
    return rc;
}

/* ---- the policy ---- */

static bool number_of(ss_str body, const char *name, long long *out)
{
    json_scan s;
    json_value v, key;
    int64_t n;
    json_start(&s, body);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (!json_is(&key, name)) {
            (void)json_skip(&s, NULL);
            continue;
        }
        if (!json_read(&s, &v) || v.kind != JSON_NUMBER || !json_i64(v.text, &n))
            return false;
        *out = n;
        return true;
    }
    return false;
}

static void policy_path(const opensearch *o, char path[PATH_MAX_])
{
    char name[NAME_MAX_];
    template_name(o, SS_LIT("retain"), name);
    (void)snprintf(path, PATH_MAX_, "/_plugins/_ism/policies/%s", name);
}

static bool wants_policy(const opensearch *o)
{
    return o->host->cfg_int(o->cfg, "retain") > 0 && o->wire.kind != WIRE_AOSS;
}

static int32_t send_policy(opensearch *o, const char *path, const char *query, ss_str body, ss_error *err)
{
    wire_call call = {.user = NULL};
    wire_answer answer;
    const wire_request r = {.method = "PUT", .path = path, .query = query, .body = body};
    int32_t rc = ask(o, &call, &r, &answer, err);
    if (rc != SS_OK)
        return rc;
    if (answer.status >= 300)
        return bad(o, &call, &r, &answer, err);
    wire_end(&o->wire, &call);
    return SS_OK;
}

/* Without the plugin for it ("no handler found for uri") indices stay, which is said and is no failure. */
static int32_t setup_policy(opensearch *o, const ss_sink *out, ss_error *err)
{
    char path[PATH_MAX_], hash[SIGV4_HEX + 1], query[120] = "";
    grow body = {.limit = BODY_MAX};
    wire_call call = {.user = NULL};
    wire_answer answer;
    enum found found;
    long long seq = 0, term = 0;
    policy_path(o, path);
    setup_policy_body(o, &body, hash);
    int32_t rc = look_at(o, path, hash, &found, &answer, &call, err);
    if (rc == SS_OK) {
        bool missing = answer.status == 400 ||
                       (answer.status == 404 && memmem(answer.body.ptr, answer.body.len, "no handler", 10));
        if (found == OTHER && number_of(answer.body, "_seq_no", &seq) &&
            number_of(answer.body, "_primary_term", &term))
            (void)snprintf(query, sizeof query, "if_primary_term=%lld&if_seq_no=%lld", term, seq);
        wire_end(&o->wire, &call);
        if (missing)
            setup_say(out,
                      "retain: this cluster has no index state management: nothing deletes old indices\n");
        else if (found != SAME)
            rc = send_policy(o, path, *query ? query : NULL, grow_str(&body), err);
        if (rc == SS_OK && !missing)
            setup_say(out, "policy %s: %s\n", strrchr(path, '/') + 1,
                      found == SAME    ? "is there"
                      : found == OTHER ? "changed; indices that exist keep theirs"
                                       : "made");
    }
    grow_free(&body);
    grow_free(&call.packed);
    return rc;
}

/* ---- dashboards ---- */

static bool is_true(ss_str body, const char *name)
{
    json_scan s;
    json_value v, key;
    json_start(&s, body);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (json_is(&key, name))
            return json_read(&s, &v) && v.kind == JSON_TRUE;
        (void)json_skip(&s, NULL);
    }
    return false;
}

static int32_t import(opensearch *o, const char *url, ss_str objects, const ss_sink *out, ss_error *err)
{
    grow body = {.limit = DASHBOARDS_BYTES_MAX + 1024};
    wire_call call = {.user = NULL};
    wire_answer answer;
    (void)grow_puts(&body, "--" BOUNDARY
                           "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"s.ndjson\"\r\n"
                           "Content-Type: application/ndjson\r\n\r\n");
    (void)grow_put(&body, objects);
    (void)grow_puts(&body, "\r\n--" BOUNDARY "--\r\n");
    const wire_request r = {.method = "POST",
                            .host = url,
                            .path = "/api/saved_objects/_import",
                            .query = "overwrite=true",
                            .type = "multipart/form-data; boundary=" BOUNDARY,
                            .body = grow_str(&body)};
    int32_t rc = ask(o, &call, &r, &answer, err);
    if (rc == SS_OK) {
        bool good = answer.status == 200 && is_true(answer.body, "success");
        rc = good ? SS_OK : bad(o, &call, &r, &answer, err);
        if (good) {
            wire_end(&o->wire, &call);
            setup_say(out, "dashboards: imported into %s\n", url);
        }
    }
    grow_free(&body);
    return rc;
}

static int32_t save(const char *path, ss_str objects, const ss_sink *out, ss_error *err)
{
    char folder[PATH_MAX_ * 4];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash && slash > folder) { /* before the first start there is no data directory */
        *slash = '\0';
        (void)mkdir(folder, 0700);
    }
    FILE *file = fopen(path, "we");
    bool good = file && fwrite(objects.ptr, 1, objects.len, file) == objects.len;
    if (file && fclose(file) != 0)
        good = false;
    if (!good)
        return ss_fail(err, SS_REJECT,
                       "opensearch: %.300s cannot be written: set dashboards_file to a place that can", path);
    setup_say(out, "dashboards: written to %s; import it under Dashboards Management, Saved objects\n", path);
    return SS_OK;
}

static void url_of(const opensearch *o, char out[WIRE_URL_MAX])
{
    ss_str url = o->host->cfg_str(o->cfg, "dashboards_url");
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    (void)snprintf(out, WIRE_URL_MAX, "%.*s", (int)(url.len < WIRE_URL_MAX ? url.len : WIRE_URL_MAX - 1),
                   url.ptr);
}

static int32_t setup_dashboards(opensearch *o, const ss_config *sets, const ss_sink *out, ss_error *err)
{
    char url[WIRE_URL_MAX], pattern[TEMPLATE_TEXT_MAX], path[PATH_MAX_ * 4];
    grow objects = {.limit = DASHBOARDS_BYTES_MAX};
    url_of(o, url);
    names_pattern(&o->names, SS_LIT(OPENSEARCH_METRICS), pattern, sizeof pattern);
    ss_str file = o->host->cfg_str(o->cfg, "dashboards_file");
    (void)snprintf(path, sizeof path, "%.*s", (int)file.len, file.ptr);
    int32_t rc = SS_REJECT;
    if (dashboards_put(o->host, sets, o->host->instance, pattern, &objects, err))
        rc = *url ? import(o, url, grow_str(&objects), out, err) : save(path, grow_str(&objects), out, err);
    grow_free(&objects);
    return rc;
}

/* ---- all of it ---- */

int32_t setup_run(opensearch *o, const ss_sink *out, ss_error *err)
{
    const ss_host *h = o->host;
    const ss_config *list = h->cfg_get(o->cfg, "templates"), *sets = h->cfg_get(o->cfg, "dashboards");
    size_t count = list ? h->cfg_len(list) : 0;
    int32_t rc = SS_OK;
    if (count == 0)
        setup_say(out, "templates names no receiver: OpenSearch guesses the mappings of each new field\n");
    for (size_t i = 0; rc == SS_OK && i < count; i++)
        rc = setup_template(o, h->cfg_str(h->cfg_at(list, i), ""), out, err);
    if (rc == SS_OK && wants_policy(o))
        rc = setup_policy(o, out, err);
    if (rc == SS_OK && sets && h->cfg_len(sets) > 0)
        rc = setup_dashboards(o, sets, out, err);
    return rc;
}

typedef struct removing {
    opensearch *o;
    const ss_sink *out;
    ss_error *err;
    const char *url;
    int32_t rc;
} removing;

static void take_away(removing *r, const char *url, const char *path)
{
    wire_call call = {.user = NULL};
    wire_answer answer;
    const wire_request request = {.method = "DELETE", .host = url, .path = path};
    if (r->rc != SS_OK || (r->rc = ask(r->o, &call, &request, &answer, r->err)) != SS_OK)
        return;
    if (answer.status == 200 || answer.status == 404 || answer.status == 400) {
        setup_say(r->out, "%s: %s\n", path, answer.status == 200 ? "taken away" : "is not there");
        wire_end(&r->o->wire, &call);
    } else {
        r->rc = bad(r->o, &call, &request, &answer, r->err);
    }
}

static void take_object(void *arg, const dashboards_object *object)
{
    removing *r = arg;
    char path[PATH_MAX_];
    (void)snprintf(path, sizeof path, "/api/saved_objects/%s/%s", object->type, object->id);
    take_away(r, r->url, path);
}

int32_t setup_remove(opensearch *o, const ss_sink *out, ss_error *err)
{
    const ss_host *h = o->host;
    const ss_config *list = h->cfg_get(o->cfg, "templates"), *sets = h->cfg_get(o->cfg, "dashboards");
    size_t count = list ? h->cfg_len(list) : 0;
    char url[WIRE_URL_MAX], path[PATH_MAX_], name[NAME_MAX_];
    url_of(o, url);
    removing r = {.o = o, .out = out, .err = err, .url = url, .rc = SS_OK};
    if (*url && sets)
        dashboards_each(h, sets, h->instance, take_object, &r);
    if (wants_policy(o)) {
        policy_path(o, path);
        take_away(&r, NULL, path);
    }
    for (size_t i = 0; i < count; i++) {
        template_name(o, h->cfg_str(h->cfg_at(list, i), ""), name);
        (void)snprintf(path, sizeof path, "/_index_template/%s", name);
        take_away(&r, NULL, path);
    }
    if (r.rc == SS_OK)
        setup_say(out, "documents stay: delete the indices themselves where they are no longer wanted\n");
    return r.rc;
}

int32_t setup_drift(opensearch *o, char *text, size_t size, ss_error *err)
{
    const ss_host *h = o->host;
    const ss_config *list = h->cfg_get(o->cfg, "templates");
    size_t count = list ? h->cfg_len(list) : 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && !*text; i++) {
        char name[NAME_MAX_], path[PATH_MAX_], hash[SIGV4_HEX + 1];
        grow body = {.limit = BODY_MAX};
        wire_call call = {.user = NULL};
        wire_answer answer;
        enum found found;
        ss_str receiver = h->cfg_str(h->cfg_at(list, i), "");
        template_name(o, receiver, name);
        (void)snprintf(path, sizeof path, "/_index_template/%s", name);
        bool good = setup_template_body(o, receiver, &body, hash, err);
        grow_free(&body);
        int32_t rc = good ? look_at(o, path, hash, &found, &answer, &call, err) : SS_REJECT;
        if (rc != SS_OK)
            return rc;
        wire_end(&o->wire, &call);
        if (found != SAME)
            (void)snprintf(text, size, "the index template %s %s: run `streamsteam module setup %.*s`", name,
                           found == NONE ? "is not there" : "differs from the configuration",
                           (int)h->instance.len, h->instance.ptr);
    }
    return SS_OK;
}

#include "modules/spark/http.h"

#include "plugins/common/base64.h"

#define PASSWORD_MAX 512
#define AUTH_MAX     1024
#define SAID_MAX     160

bool http_copy(const ss_host *h, const ss_config *cfg, const char *option, char *out, size_t size)
{
    ss_str text = h->cfg_str(cfg, option);
    if (text.len >= size)
        return false;
    if (text.len)
        memcpy(out, text.ptr, text.len);
    while (text.len && out[text.len - 1] == '/')
        text.len--;
    out[text.len] = '\0';
    return true;
}

http_base *http_base_new(const spark_target *t, const ss_config *cfg, const char *url_option, ss_error *err)
{
    http_base *b = calloc(1, sizeof *b);
    const http_options options = {.user_agent = "streamsteam"};
    if (!b || !(b->client = http_client_new(&options)))
        return free(b), ss_fail(err, SS_RETRY, "no memory"), NULL;
    b->cfg = cfg;
    b->body.limit = 2 * JOB_ARGS_BYTES;
    if (http_copy(t->host, cfg, url_option, b->url, sizeof b->url) && b->url[0])
        return b;
    http_client_free(b->client);
    free(b);
    return ss_fail(err, SS_REJECT, "%s is missing: this target needs it", url_option), NULL;
}

void http_base_free(spark_target *t)
{
    http_base *b = t->self;
    http_client_free(b->client);
    grow_free(&b->body);
    free(b);
}

/* "Basic ..." of user and password; empty where there is no user. */
static void put_authorization(spark_target *t, char out[AUTH_MAX])
{
    http_base *b = t->self;
    char both[sizeof b->user + PASSWORD_MAX + 2];
    ss_error err = {.struct_size = sizeof err};
    out[0] = '\0';
    if (!b->user[0])
        return;
    int n = snprintf(both, sizeof both, "%s:", b->user);
    int64_t len = t->host->secret(t->host->self, b->cfg, b->secret, both + n, PASSWORD_MAX, &err);
    if (len >= 0) {
        memcpy(out, "Basic ", 6);
        size_t put = base64_put(out + 6, ss_s(both, (size_t)n + (size_t)len));
        out[6 + put] = '\0';
    }
    explicit_bzero(both, sizeof both);
}

http_call *http_ask(spark_target *t, const char *method, const char *base, const char *path, const grow *body)
{
    http_base *b = t->self;
    char url[2 * HTTP_URL_MAX + SPARK_EXT_MAX], authorization[AUTH_MAX];
    (void)snprintf(url, sizeof url, "%s%s", base, path);
    put_authorization(t, authorization);
    const ss_pair headers[] = {{.key = SS_LIT("Content-Type"), .value = SS_LIT("application/json")},
                               {.key = SS_LIT("X-Requested-By"), .value = SS_LIT("streamsteam")},
                               {.key = SS_LIT("Authorization"), .value = ss_cstr(authorization)}};
    const http_request request = {.method = method,
                                  .url = url,
                                  .headers = headers,
                                  .header_count = authorization[0] ? 3 : 2,
                                  .body = body ? grow_str(body) : ss_s("", 0),
                                  .timeout_ms = CALL_MS,
                                  .max_body = HTTP_ANSWER_MAX};
    http_call *call = http_start(b->client, &request);
    if (call)
        http_wait(b->client, call);
    explicit_bzero(authorization, sizeof authorization);
    return call;
}

/* What has left this machine may have been carried out, unless the answer says no. */
enum answer http_refused(spark_run *r, const char *who, const http_reply *reply)
{
    char text[SAID_MAX];
    if (reply->failure != HTTP_FINE)
        return run_says(r, reply->sent ? RUN_UNKNOWN : RUN_BUSY, "%s: %s", who, reply->problem);
    http_said(reply, text, sizeof text);
    if (reply->status == 401 || reply->status == 403 || reply->status == 404)
        return run_says(r, RUN_PAUSE, "%s answers %u: %s", who, reply->status, text);
    if (reply->status == 429 || reply->status == 503)
        return run_says(r, RUN_BUSY, "%s answers %u: %s", who, reply->status, text);
    return run_says(r, reply->status >= 500 ? RUN_UNKNOWN : RUN_FAILED, "%s answers %u: %s", who,
                    reply->status, text);
}

enum answer http_silent(spark_run *r, const char *who, const http_reply *reply)
{
    char text[SAID_MAX];
    if (reply->failure != HTTP_FINE)
        return run_says(r, RUN_UNKNOWN, "%s: %s", who, reply->problem);
    http_said(reply, text, sizeof text);
    return run_says(r, reply->status == 404 ? RUN_LOST : RUN_UNKNOWN, "%s answers %u: %s", who, reply->status,
                    text);
}

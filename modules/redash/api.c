#include "modules/redash/api.h"

#define KEY_MAX   256u
#define CALL_MS   20000
#define SAID_MAX  200u
#define PAGE_SIZE 100
#define PAGES_MAX 1000
#define URL_WHOLE (API_URL_MAX + API_PATH_MAX)

bool api_open(api *a, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    const http_options options = {.user_agent = "streamsteam"};
    ss_str url = host->cfg_str(cfg, "url");
    *a = (api){.host = host, .cfg = cfg};
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    if (url.len == 0 || url.len >= sizeof a->url)
        return ss_fail(err, SS_REJECT, "redash: url: say where Redash is, as http://redash:5000"), false;
    memcpy(a->url, url.ptr, url.len);
    (void)snprintf(a->tag, sizeof a->tag, "streamsteam-%.*s",
                   (int)(host->instance.len < 100 ? host->instance.len : 100), host->instance.ptr);
    a->client = http_client_new(&options);
    return a->client || (ss_fail(err, SS_RETRY, "redash: no memory"), false);
}

void api_close(api *a)
{
    http_call_free(a->call);
    http_client_free(a->client);
    a->call = NULL;
    a->client = NULL;
}

/* ---- asking ---- */

static bool put_key(api *a, char out[KEY_MAX + 8], ss_error *err)
{
    static const char scheme[] = "Key ";
    memcpy(out, scheme, sizeof scheme);
    int64_t len = a->host->secret(a->host->self, a->cfg, "api_key", out + sizeof scheme - 1, KEY_MAX, err);
    if (len > 0 && len < (int64_t)KEY_MAX)
        return true;
    if (len >= 0)
        (void)ss_fail(err, SS_REJECT,
                      "redash: api_key: an API key of an administrator (Redash: Edit Profile)");
    return false;
}

static int32_t judge(api *a, const char *method, const char *path, const http_reply *reply, ss_error *err)
{
    char text[SAID_MAX];
    if (reply->failure != HTTP_FINE) {
        bool hopeless = reply->failure == HTTP_TLS || reply->failure == HTTP_BROKEN;
        return ss_fail(err, hopeless ? SS_REJECT : SS_RETRY, "redash: %s %.200s%.200s: %.80s", method, a->url,
                       path, reply->problem);
    }
    a->answer = reply->body;
    if (reply->status / 100 == 2)
        return SS_OK;
    http_said(reply, text, sizeof text);
    /* Without a valid key Redash sends a browser to its login page, or says 404 for what may not be seen. */
    if (reply->status == 401 || reply->status == 403 || reply->status / 100 == 3)
        return ss_fail(err, SS_REJECT,
                       "redash: %s %.200s answers %u: %.200s; api_key must be the key of an administrator",
                       method, path, reply->status, text);
    bool again = reply->status >= 500 || reply->status == 429;
    return ss_fail(err,
                   reply->status == 404 ? SS_DECLINE
                   : again              ? SS_RETRY
                                        : SS_REJECT,
                   "redash: %s %.200s answers %u: %.200s", method, path, reply->status, text);
}

int32_t api_ask(api *a, const char *method, const char *path, const grow *body, ss_error *err)
{
    char url[URL_WHOLE], key[KEY_MAX + 8];
    http_call_free(a->call);
    a->call = NULL;
    if (body && body->full)
        return ss_fail(err, SS_REJECT, "redash: %s %.200s: the body is too large, or no memory", method,
                       path);
    if (!put_key(a, key, err))
        return SS_REJECT;
    (void)snprintf(url, sizeof url, "%s%s", a->url, path);
    const ss_pair headers[] = {{.key = SS_LIT("Authorization"), .value = ss_cstr(key)},
                               {.key = SS_LIT("Content-Type"), .value = SS_LIT("application/json")}};
    const http_request request = {.method = method,
                                  .url = url,
                                  .headers = headers,
                                  .header_count = body ? 2 : 1,
                                  .body = body ? grow_str(body) : ss_s("", 0),
                                  .timeout_ms = CALL_MS,
                                  .max_body = API_ANSWER_MAX};
    a->call = http_start(a->client, &request);
    explicit_bzero(key, sizeof key);
    if (!a->call)
        return ss_fail(err, SS_REJECT, "redash: api_key or url cannot be sent: no line breaks, please");
    http_wait(a->client, a->call);
    return judge(a, method, path, http_reply_of(a->call), err);
}

/* ---- lists ---- */

int32_t api_each_page(api *a, const char *path, bool (*visit)(void *arg, const api_item *i), void *arg,
                      ss_error *err)
{
    char page[API_PATH_MAX];
    for (int number = 1; number <= PAGES_MAX; number++) {
        int64_t count;
        (void)snprintf(page, sizeof page, "%s?page=%d&page_size=%d", path, number, PAGE_SIZE);
        int32_t rc = api_ask(a, "GET", page, NULL, err);
        if (rc != SS_OK)
            return rc;
        if (!api_read_count(a->answer, &count) || !api_each(a, a->answer, "results", visit, arg))
            return ss_fail(err, SS_REJECT, "redash: GET %.200s: the answer is not what Redash 10 gives",
                           page);
        if ((int64_t)number * PAGE_SIZE >= count)
            return SS_OK;
    }
    return ss_fail(err, SS_REJECT, "redash: %.200s has more than %d entries", path, PAGES_MAX * PAGE_SIZE);
}

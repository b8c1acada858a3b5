#include "modules/redash/api.h"

#define KEY_MAX   256u
#define CALL_MS   20000
#define SAID_MAX  200u
#define PAGE_SIZE 100
#define PAGES_MAX 1000
#define TEXT_MAX  (64u << 10)
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

static void said(const http_reply *reply, char out[SAID_MAX])
{
    size_t len = reply->body.len < SAID_MAX - 1 ? reply->body.len : SAID_MAX - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)reply->body.ptr[i] < ' ' ? ' ' : reply->body.ptr[i];
    out[len] = '\0';
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
    said(reply, text);
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

/* ---- reading ---- */

/* What is longer than out is cut. */
static void copy_text(char *out, size_t size, const json_value *v)
{
    char *whole = v->kind == JSON_STRING ? malloc(v->text.len + 1) : NULL;
    out[0] = '\0';
    if (!whole)
        return;
    size_t len = json_unescape(whole, v->text);
    len = len < size ? len : size - 1;
    memcpy(out, whole, len);
    out[len] = '\0';
    free(whole);
}

static bool read_text(json_scan *s, char *out, size_t size)
{
    json_value v;
    if (!json_read(s, &v))
        return false;
    copy_text(out, size, &v);
    return (v.kind != JSON_OBJECT && v.kind != JSON_ARRAY) || json_leave(s);
}

static bool read_id(json_scan *s, int64_t *out)
{
    json_value v;
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_NUMBER || !json_i64(v.text, out))
        *out = 0;
    return (v.kind != JSON_OBJECT && v.kind != JSON_ARRAY) || json_leave(s);
}

static bool read_tags(const api *a, json_scan *s, api_item *out)
{
    json_value v;
    char tag[API_NAME_MAX];
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_ARRAY)
        return v.kind != JSON_OBJECT || json_leave(s);
    while (json_item(s)) {
        if (!read_text(s, tag, sizeof tag))
            return false;
        out->tagged = true;
        out->ours = out->ours || strcmp(tag, a->tag) == 0;
    }
    return !s->problem;
}

/* A number that stands in an object under that name. */
static bool read_inside(json_scan *s, const char *name, int64_t *number)
{
    json_value v, key;
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_OBJECT)
        return v.kind != JSON_ARRAY || json_leave(s);
    while (json_member(s, &key))
        if (!(json_is(&key, name) ? read_id(s, number) : json_skip(s, NULL)))
            return false;
    return !s->problem;
}

static bool read_sql(json_scan *s, grow *sql)
{
    json_value v;
    if (!json_read(s, &v) || v.kind != JSON_STRING || !grow_room(sql, v.text.len + 1))
        return false;
    sql->len = json_unescape(sql->at, v.text);
    sql->at[sql->len] = '\0';
    return true;
}

static bool read_item(const api *a, json_scan *s, api_item *out, grow *sql)
{
    json_value v, key;
    *out = (api_item){.id = 0};
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        bool good = true;
        if (json_is(&key, "id"))
            good = read_id(s, &out->id);
        else if (json_is(&key, "data_source_id"))
            good = read_id(s, &out->source);
        else if (json_is(&key, "name"))
            good = read_text(s, out->name, sizeof out->name);
        else if (json_is(&key, "type"))
            good = read_text(s, out->type, sizeof out->type);
        else if (json_is(&key, "description"))
            good = read_text(s, out->description, sizeof out->description);
        else if (json_is(&key, "tags"))
            good = read_tags(a, s, out);
        else if (json_is(&key, "visualization")) /* of a widget */
            good = read_inside(s, "id", &out->visualization);
        else if (json_is(&key, "schedule"))
            good = read_inside(s, "interval", &out->interval_s);
        else if (sql && json_is(&key, "query"))
            good = read_sql(s, sql);
        else if (json_is(&key, "is_draft")) {
            good = json_read(s, &v);
            out->draft = v.kind == JSON_TRUE;
        } else {
            good = json_skip(s, NULL);
        }
        if (!good)
            return false;
    }
    return !s->problem;
}

bool api_read_item(const api *a, ss_str json, api_item *out, grow *sql)
{
    json_scan s;
    json_start(&s, json);
    return json_valid(json) && read_item(a, &s, out, sql) && out->id > 0;
}

static bool read_list(const api *a, json_scan *s, bool (*visit)(void *arg, const api_item *i), void *arg)
{
    json_value v;
    api_item item;
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!read_item(a, s, &item, NULL) || !visit(arg, &item))
            return false;
    return !s->problem;
}

bool api_each(const api *a, ss_str json, const char *name, bool (*visit)(void *arg, const api_item *i),
              void *arg)
{
    json_scan s;
    json_value v, key;
    bool good = json_valid(json), found = false;
    json_start(&s, json);
    if (!good || !name)
        return good && read_list(a, &s, visit, arg);
    good = json_read(&s, &v) && v.kind == JSON_OBJECT;
    while (good && json_member(&s, &key)) {
        bool wanted = json_is(&key, name);
        good = wanted ? read_list(a, &s, visit, arg) : json_skip(&s, NULL);
        found = found || wanted;
    }
    return good && found;
}

static bool read_count(ss_str json, int64_t *out)
{
    json_scan s;
    json_start(&s, json);
    *out = -1;
    return json_valid(json) && read_inside(&s, "count", out) && *out >= 0;
}

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
        if (!read_count(a->answer, &count) || !api_each(a, a->answer, "results", visit, arg))
            return ss_fail(err, SS_REJECT, "redash: GET %.200s: the answer is not what Redash 10 gives",
                           page);
        if ((int64_t)number * PAGE_SIZE >= count)
            return SS_OK;
    }
    return ss_fail(err, SS_REJECT, "redash: %.200s has more than %d entries", path, PAGES_MAX * PAGE_SIZE);
}

/* ---- writing ---- */

void api_put_text(grow *out, const char *before, ss_str text)
{
    (void)grow_puts(out, before);
    if (text.len > TEXT_MAX || !grow_room(out, json_escape_bound(text.len)))
        out->full = true;
    else
        out->len += json_put_string(out->at + out->len, text);
}

void api_put_number(grow *out, const char *before, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    (void)grow_puts(out, before);
    (void)grow_puts(out, text);
}

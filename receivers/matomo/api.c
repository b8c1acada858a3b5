#include "receivers/matomo/api.h"

#include "plugins/common/json.h"
#include "receivers/matomo/answer.h"
#include "receivers/matomo/lower.h"
#include "receivers/matomo/value.h"

#define HOST_MAX      256u /* bytes of a host that is asked for */
#define SITE_BYTES    192u /* of a site's object besides its texts */
#define MESSAGE_BYTES 512u

typedef struct api {
    const matomo *m;
    const ss_request *request;
    ss_response *response;
    const ss_pair *pairs;
    uint32_t pair_count;
    ss_str token;
} api;

bool api_is(const ss_request *request)
{
    return ss_eq(request->route, SS_LIT("/")) || ss_eq(request->route, SS_LIT("/index.php"));
}

/* The last one of that name, as everywhere with Matomo. */
static ss_str get(const api *a, const char *name)
{
    ss_str found = ss_s("", 0);
    for (uint32_t i = 0; i < a->pair_count; i++) {
        const ss_pair *pair =
            (const ss_pair *)(const void *)((const char *)a->pairs + (size_t)i * a->request->pair_size);
        if (ss_eq(pair->key, ss_cstr(name)))
            found = pair->value;
    }
    return found;
}

static int32_t answer(const api *a, ss_str json)
{
    static const ss_pair no_store[] = {{{"Cache-Control", 13}, {"no-store", 8}}};
    answer_json(a->response, 200, json);
    a->response->headers = no_store;
    a->response->header_count = 1;
    return SS_OK;
}

/* {"result":"error","message":"..."}: the importer shows the message. */
static int32_t refuse(const api *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int32_t refuse(const api *a, const char *format, ...)
{
    static const char open[] = "{\"result\":\"error\",\"message\":";
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *out = a->m->host->mem(a->request->call, sizeof open + json_escape_bound(strlen(text)) + 1);
    if (!out)
        return SS_RETRY;
    memcpy(out, open, sizeof open - 1);
    size_t len = sizeof open - 1;
    len += json_put_string(out + len, ss_cstr(text));
    out[len++] = '}';
    return answer(a, ss_s(out, len));
}

static int32_t refuse_token(const api *a)
{
    a->m->host->rejected(a->request->call, "api_token",
                         SS_LIT("token_auth is missing, or none of the receiver's tokens"));
    return refuse(a,
                  "token_auth is missing, or it is none of this receiver's tokens, or not for this website");
}

/* ---- a site as JSON ---- */

static bool has_address(const site *s)
{
    return s->url_count > 0;
}

static size_t site_bound(const site *s)
{
    return SITE_BYTES + json_escape_bound(s->name.len) + json_escape_bound(s->urls[0].text.len + 8) +
           json_escape_bound(s->timezone.len);
}

/* "example.org" and "*.example.org" are https://example.org; a URL stays what it is. */
static size_t put_address(char *out, ss_str text)
{
    char url[2 * HOST_MAX];
    if (memmem(text.ptr, text.len, "//", 2))
        return json_put_string(out, text);
    if (text.len > 2 && memcmp(text.ptr, "*.", 2) == 0)
        text = ss_s(text.ptr + 2, text.len - 2);
    int n = snprintf(url, sizeof url, "https://%.*s", (int)text.len, text.ptr);
    return json_put_string(out, ss_s(url, n < 0 ? 0 : (size_t)n < sizeof url ? (size_t)n : sizeof url - 1));
}

static size_t put_site(char *out, const site *s)
{
    size_t len = (size_t)sprintf(out, "{\"idsite\":%lld,\"name\":", (long long)s->id);
    len += json_put_string(out + len, s->name);
    len += (size_t)sprintf(out + len, ",\"main_url\":");
    len += put_address(out + len, s->urls[0].text);
    len += (size_t)sprintf(out + len, ",\"timezone\":");
    len += json_put_string(out + len, s->timezone);
    out[len++] = '}';
    return len;
}

/* ---- the methods ---- */

static int32_t get_site(const api *a)
{
    int64_t id = -1;
    if (!value_int(get(a, "idSite"), &id) || id < 0)
        return refuse(a, "idSite is missing or not a website id");
    if (!tokens_allow(&a->m->tokens, a->token, id))
        return refuse_token(a);
    const site *s = sites_find(&a->m->sites, id);
    if (!s)
        return refuse(a, "an unexpected website was found in the request: website id was set to '%lld'",
                      (long long)id);
    if (s->id < 0 || !has_address(s))
        return refuse(a,
                      "the address of website %lld is not known: name it in the configuration of receiver "
                      "%.*s, sites: {%lld: {hosts: [\"https://example.org\"]}}, and reload",
                      (long long)id, (int)a->m->host->instance.len, a->m->host->instance.ptr, (long long)id);
    char *out = a->m->host->mem(a->request->call, site_bound(s));
    return out ? answer(a, ss_s(out, put_site(out, s))) : SS_RETRY;
}

/* "www.Example.org:8080" and "https://www.example.org/x" to "www.example.org". */
static ss_str host_name(char out[HOST_MAX], ss_str url)
{
    const char *slashes = url.len ? memmem(url.ptr, url.len, "//", 2) : NULL;
    const char *from = slashes ? slashes + 2 : url.ptr;
    size_t left = (size_t)(url.ptr + url.len - from), len = 0;
    while (len < left && len < HOST_MAX && from[len] && !strchr(":/?#", from[len]))
        len++;
    if (len)
        memcpy(out, from, len);
    lower_ascii(out, len);
    return ss_s(out, len);
}

static int32_t find_sites(const api *a)
{
    const sites *all = &a->m->sites;
    char text[HOST_MAX];
    ss_str host = host_name(text, get(a, "url"));
    if (!tokens_allow(&a->m->tokens, a->token, -1))
        return refuse_token(a);
    char *out = a->m->host->mem(a->request->call, 2 + all->count * 40);
    if (!out)
        return SS_RETRY;
    size_t len = 0;
    out[len++] = '[';
    for (size_t i = 0; i < all->count && host.len; i++)
        if (site_has_url(&all->list[i], host, ss_s(NULL, 0)) &&
            tokens_allow(&a->m->tokens, a->token, all->list[i].id))
            len += (size_t)sprintf(out + len, "%s{\"idsite\":%lld}", len > 1 ? "," : "",
                                   (long long)all->list[i].id);
    out[len++] = ']';
    return answer(a, ss_s(out, len));
}

static int32_t all_sites(const api *a)
{
    const sites *all = &a->m->sites;
    size_t room = 2, len = 0;
    if (!tokens_superuser(&a->m->tokens, a->token))
        return refuse(a, "getAllSites needs a token whose role is superuser");
    for (size_t i = 0; i < all->count; i++)
        room += has_address(&all->list[i]) ? site_bound(&all->list[i]) : 0;
    char *out = a->m->host->mem(a->request->call, room);
    if (!out)
        return SS_RETRY;
    out[len++] = '{';
    for (size_t i = 0; i < all->count; i++) {
        const site *s = &all->list[i];
        if (!has_address(s))
            continue;
        len += (size_t)sprintf(out + len, "%s\"%lld\":", len > 1 ? "," : "", (long long)s->id);
        len += put_site(out + len, s);
    }
    out[len++] = '}';
    return answer(a, ss_s(out, len));
}

static int32_t add_site(const api *a)
{
    ss_str name = get(a, "siteName");
    return refuse(a,
                  "websites are not made here: add %.*s to the configuration of receiver %.*s, sites: {ID: "
                  "{hosts: [...]}}, and reload",
                  name.len < 100 ? (int)name.len : 100, name.ptr, (int)a->m->host->instance.len,
                  a->m->host->instance.ptr);
}

static int32_t create_token(const api *a)
{
    return refuse(a, "there are no logins here: use --token-auth with one of the receiver's tokens");
}

int32_t api_receive(const matomo *m, const ss_request *request, ss_response *response)
{
    static const struct {
        const char *name;
        int32_t (*call)(const api *a);
    } methods[] = {{"SitesManager.getSiteFromId", get_site},
                   {"SitesManager.getSitesIdFromSiteUrl", find_sites},
                   {"SitesManager.getAllSites", all_sites},
                   {"SitesManager.addSite", add_site},
                   {"UsersManager.createAppSpecificTokenAuth", create_token}};
    api a = {.m = m, .request = request, .response = response, .token = {"", 0}};
    a.pairs = m->host->query(request, &a.pair_count);
    if (!ss_eq(get(&a, "module"), SS_LIT("API")))
        return SS_DECLINE;
    a.token = get(&a, "token_auth");
    ss_str method = get(&a, "method");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (ss_eq(method, ss_cstr(methods[i].name)))
            return methods[i].call(&a);
    return refuse(&a, "the method '%.*s' is not available here", method.len < 100 ? (int)method.len : 100,
                  method.ptr);
}

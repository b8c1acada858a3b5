#include "receivers/matomo/answer.h"

#define HEADERS_MAX 6u

/* Monitoring tools look for the first sentence. */
static const char info[] =
    "This resource is part of Matomo. Keep full control of your data with the leading free and open source "
    "<a href='https://matomo.org' target='_blank' rel='noopener noreferrer nofollow'>web analytics & "
    "conversion "
    "optimisation platform</a>.<br>\nThis file is the endpoint for the Matomo tracking API. If you want to "
    "access the "
    "Matomo UI or use the Reporting API, please use <a href='index.php'>index.php</a> instead.\n";

static void put(ss_response *r, uint32_t status, ss_str type, ss_str body)
{
    r->status = status;
    r->content_type = type;
    r->body = body;
}

void answer_empty(ss_response *r)
{
    put(r, 204, ss_s("", 0), ss_s("", 0));
}

void answer_tracked(const matomo *m, ss_response *r, bool image)
{
    if (image)
        put(r, 200, m->pixel.type, m->pixel.bytes);
    else
        answer_empty(r);
}

void answer_invalid(const matomo *m, ss_response *r, bool image)
{
    if (image)
        put(r, 400, m->pixel.type, m->pixel.bytes);
    else
        answer_info(r, 400);
}

void answer_closed(const matomo *m, ss_response *r, bool image)
{
    answer_tracked(m, r, image);
    r->status = image ? 503 : 204;
}

void answer_info(ss_response *r, uint32_t status)
{
    put(r, status, SS_LIT("text/html; charset=utf-8"), ss_s(info, sizeof info - 1));
}

void answer_json(ss_response *r, uint32_t status, ss_str body)
{
    put(r, status, SS_LIT("application/json"), body);
}

static ss_pair *headers_take(const matomo *m, const ss_request *request)
{
    return m->host->mem(request->call, HEADERS_MAX * sizeof(ss_pair));
}

static bool domain_listed(const matomo *m, ss_str origin)
{
    for (size_t i = 0; i < m->cors_count; i++)
        if (ss_eq(m->cors[i], SS_LIT("*")) || ss_eq(m->cors[i], origin))
            return true;
    return false;
}

/* Tk and Set-Cookie; the number of headers put. false in *ok: no memory. */
static uint32_t put_browser(const matomo *m, const ss_request *request, const browser *seen, ss_pair *h,
                            bool *ok)
{
    uint32_t n = 0;
    size_t len = 0;
    bool set = seen->set_visitor[0] != '\0', https = ss_eq(request->scheme, SS_LIT("https"));
    if (seen->no_track)
        h[n++] = (ss_pair){SS_LIT("Tk"), SS_LIT("N")};
    if (!set && !(seen->no_track && seen->had_visitor_cookie))
        return n;
    char *text = m->host->mem(request->call, COOKIE_SET_MAX);
    *ok = text != NULL;
    if (text)
        len = set ? cookie_put_id(text, COOKIE_VISITOR_ID, ss_s(seen->set_visitor, VISITOR_ID_CHARS), https,
                                  request->received_us)
                  : cookie_put_removal(text, COOKIE_VISITOR_ID, https);
    h[n++] = (ss_pair){SS_LIT("Set-Cookie"), ss_s(text, len)};
    return n;
}

bool answer_headers(const matomo *m, const ss_request *request, const browser *seen, ss_response *r)
{
    /* A GET with nothing to allow has one header, always the same. */
    static const ss_pair no_store[] = {{{"Cache-Control", 13}, {"no-store", 8}}};
    bool get = ss_eq(request->method, SS_LIT("GET")), ok = true;
    ss_str origin = get && m->cors_count == 0 ? ss_s("", 0) : m->host->header(request, "Origin");
    bool cors = !get || (m->cors_count > 0 && domain_listed(m, origin));
    if (!cors && !seen->no_track && !seen->set_visitor[0]) {
        r->headers = no_store;
        r->header_count = 1;
        return true;
    }
    ss_pair *h = headers_take(m, request);
    uint32_t n = 0;
    if (!h)
        return false;
    if (cors) {
        h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Origin"), origin.len ? origin : SS_LIT("*")};
        h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Credentials"), SS_LIT("true")};
    }
    if (cors && get)
        h[n++] = (ss_pair){SS_LIT("Vary"), SS_LIT("Origin")};
    if (get)
        h[n++] = no_store[0];
    n += put_browser(m, request, seen, h + n, &ok);
    r->headers = h;
    r->header_count = n;
    return ok;
}

bool answer_preflight(const matomo *m, const ss_request *request, ss_response *r)
{
    ss_str headers = m->host->header(request, "Access-Control-Request-Headers");
    if (headers.len == 0 && m->host->header(request, "Access-Control-Request-Method").len == 0)
        return false;
    ss_str origin = m->host->header(request, "Origin");
    ss_pair *h = headers_take(m, request);
    uint32_t n = 0;
    answer_empty(r);
    if (!h)
        return true;
    /* With credentials a browser takes no asterisk: the origin and the headers are echoed. */
    h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Methods"), SS_LIT("GET, POST")};
    h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Headers"), headers.len ? headers : SS_LIT("*")};
    h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Origin"), origin.len ? origin : SS_LIT("*")};
    if (origin.len)
        h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Credentials"), SS_LIT("true")};
    r->headers = h;
    r->header_count = n;
    return true;
}

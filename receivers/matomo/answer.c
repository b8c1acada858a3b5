#include "receivers/matomo/answer.h"

#define HEADERS_MAX 4u

/* The very file that Matomo sends: some old clients compare it. */
static const char gif[43] =
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
    "\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02"
    "D\x01\x00;";

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

void answer_tracked(ss_response *r, bool image)
{
    if (image)
        put(r, 200, SS_LIT("image/gif"), ss_s(gif, sizeof gif));
    else
        put(r, 204, ss_s("", 0), ss_s("", 0));
}

void answer_invalid(ss_response *r, bool image)
{
    if (image)
        put(r, 400, SS_LIT("image/gif"), ss_s(gif, sizeof gif));
    else
        answer_info(r, 400);
}

void answer_info(ss_response *r, uint32_t status)
{
    put(r, status, SS_LIT("text/html; charset=utf-8"), ss_s(info, sizeof info - 1));
}

void answer_json(ss_response *r, ss_str body)
{
    put(r, 200, SS_LIT("application/json"), body);
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

bool answer_headers(const matomo *m, const ss_request *request, ss_response *r)
{
    /* A GET with nothing to allow has one header, always the same. */
    static const ss_pair no_store[] = {{{"Cache-Control", 13}, {"no-store", 8}}};
    bool get = ss_eq(request->method, SS_LIT("GET"));
    ss_str origin = get && m->cors_count == 0 ? ss_s("", 0) : m->host->header(request, "Origin");
    if (get && (m->cors_count == 0 || !domain_listed(m, origin))) {
        r->headers = no_store;
        r->header_count = 1;
        return true;
    }
    ss_pair *h = headers_take(m, request);
    uint32_t n = 0;
    if (!h)
        return false;
    h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Origin"), origin.len ? origin : SS_LIT("*")};
    h[n++] = (ss_pair){SS_LIT("Access-Control-Allow-Credentials"), SS_LIT("true")};
    if (get) {
        h[n++] = (ss_pair){SS_LIT("Vary"), SS_LIT("Origin")};
        h[n++] = no_store[0];
    }
    r->headers = h;
    r->header_count = n;
    return true;
}

bool answer_preflight(const matomo *m, const ss_request *request, ss_response *r)
{
    ss_str headers = m->host->header(request, "Access-Control-Request-Headers");
    if (headers.len == 0 && m->host->header(request, "Access-Control-Request-Method").len == 0)
        return false;
    ss_str origin = m->host->header(request, "Origin");
    ss_pair *h = headers_take(m, request);
    uint32_t n = 0;
    put(r, 204, ss_s("", 0), ss_s("", 0));
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

#include "receivers/matomo/browser.h"

#include <strings.h>

void browser_read_page(browser *h, const ss_host *host, const ss_request *request)
{
    if (h->page_read)
        return;
    h->page_read = true;
    h->accept_language = host->header(request, "Accept-Language");
    h->referer = host->header(request, "Referer");
}

static bool begins(ss_str text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && strncasecmp(text.ptr, word, len) == 0;
}

static bool is_prefetch(const ss_host *host, const ss_request *request)
{
    ss_str purpose = host->header(request, "X-Purpose");
    return begins(purpose, "preview") || begins(purpose, "instant") ||
           begins(host->header(request, "X-Moz"), "prefetch") ||
           begins(host->header(request, "Sec-Purpose"), "prefetch");
}

static bool wants_no_track(const browser_switches *on, const ss_host *host, const ss_request *request)
{
    if (on->respect_dnt &&
        (begins(host->header(request, "DNT"), "1") || begins(host->header(request, "X-Do-Not-Track"), "1")))
        return true;
    return on->respect_gpc && begins(host->header(request, "Sec-GPC"), "1");
}

static bool is_ignored(ss_str cookies)
{
    char text[COOKIE_VALUE_MAX];
    ss_str value;
    return cookie_find(cookies, SS_LIT(COOKIE_IGNORE), &value) && cookie_get(value, "ignore", text) == 1 &&
           text[0] == '*';
}

static void read_visitor(browser *h, ss_str cookies)
{
    char text[COOKIE_VALUE_MAX];
    ss_str value;
    h->had_visitor_cookie = cookie_find(cookies, SS_LIT(COOKIE_VISITOR_ID), &value);
    if (h->had_visitor_cookie && cookie_get(value, "0", text) == VISITOR_ID_CHARS)
        memcpy(h->cookie_visitor, text, VISITOR_ID_CHARS);
}

static void exclude(browser *h, const char *code, const char *why)
{
    h->excluded = code;
    h->excluded_why = why;
}

void browser_read_wishes(browser *h, const browser_switches *on, const ss_host *host,
                         const ss_request *request)
{
    if (h->wishes_read)
        return;
    h->wishes_read = true;
    ss_str cookies = host->header(request, "Cookie");
    if (cookies.len && on->third_party_cookie && !on->cookieless)
        read_visitor(h, cookies);
    if (cookies.len && is_ignored(cookies))
        exclude(h, "ignore_cookie", "the browser carries the cookie " COOKIE_IGNORE);
    else if (is_prefetch(host, request))
        exclude(h, "prefetch", "the browser only fetches the page ahead of a visit");
    else if ((h->no_track = wants_no_track(on, host, request)))
        exclude(h, "no_track", "the browser asks not to be tracked (respect_dnt, respect_gpc)");
}

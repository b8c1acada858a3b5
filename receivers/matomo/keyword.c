#include "receivers/matomo/keyword.h"

#include "plugins/common/url.h"
#include "receivers/matomo/value.h"

#define QUERY_MAX 4096u /* query and fragment of a referrer */
#define VALUE_MAX 1024u

/* "a=1", "#b=2" -> "a=1&b=2": some engines keep the keyword in the fragment. */
static ss_str whole_query(char out[QUERY_MAX], const url_parts *u)
{
    size_t len = 0;
    if (u->query.len + u->fragment.len + 1 > QUERY_MAX)
        return ss_s("", 0);
    if (u->query.len)
        memcpy(out, u->query.ptr, u->query.len);
    len = u->query.len;
    if (u->fragment.len) {
        out[len++] = '&';
        memcpy(out + len, u->fragment.ptr, u->fragment.len);
        len += u->fragment.len;
    }
    return ss_s(out, len);
}

static ss_str value_of(char out[VALUE_MAX], ss_str query, const char *name, bool *there)
{
    int64_t len = url_query_get(query, name, out, VALUE_MAX);
    *there = len >= 0;
    return value_trim(ss_s(out, len > 0 ? (size_t)len : 0));
}

/* Google's extended search: all words, any of them, the phrase, none of them. */
static size_t google_words(char out[VALUE_MAX], ss_str query)
{
    static const char *const names[] = {"as_q", "as_oq", "as_epq", "as_eq"};
    size_t put = 0;
    for (size_t i = 0; i < 4; i++) {
        char value[VALUE_MAX];
        bool there;
        ss_str text = value_of(value, query, names[i], &there);
        if (text.len == 0 || put + 4 * text.len + 4 > VALUE_MAX)
            continue;
        if (put)
            out[put++] = ' ';
        if (i >= 2)
            out[put++] = i == 2 ? '"' : '-';
        for (size_t c = 0; c < text.len; c++) {
            if (i == 1 && text.ptr[c] == ' ') {
                memcpy(out + put, " OR ", 4);
                put += 4;
            } else {
                out[put++] = text.ptr[c];
            }
        }
        if (i == 2)
            out[put++] = '"';
    }
    return put;
}

static ss_str google_name(ss_str query)
{
    char value[VALUE_MAX];
    bool there;
    ss_str menu = value_of(value, query, "tbm", &there);
    return ss_eq(menu, SS_LIT("isch"))   ? SS_LIT("Google Images")
           : ss_eq(menu, SS_LIT("vid"))  ? SS_LIT("Google Video")
           : ss_eq(menu, SS_LIT("shop")) ? SS_LIT("Google Shopping")
                                         : SS_LIT("Google");
}

/* false: no parameter of the engine is there. A parameter without a value is a search that hides its words.
 */
static bool by_params(const known_source *engine, ss_str url, ss_str query, char out[VALUE_MAX], ss_str *text)
{
    for (uint32_t i = 0; i < engine->param_count; i++) {
        const source_word *w = &engine->params[i];
        char name[64];
        bool there;
        if (w->regex) {
            ss_str part;
            if (!pattern_capture(w->regex, url, &part) || part.len > VALUE_MAX)
                continue;
            *text = value_trim(ss_s(out, url_decode_text(out, part)));
            return true;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)w->text.len, w->text.ptr);
        *text = value_of(out, query, name, &there);
        if (there)
            return true;
    }
    return false;
}

static bool is_hidden(const known_source *engine, const url_parts *u, ss_str query)
{
    char text[QUERY_MAX + URL_HOST_MAX];
    if (u->path.len + query.len + 1 > sizeof text)
        return false;
    size_t len = u->path.len;
    if (len)
        memcpy(text, u->path.ptr, len);
    if (query.len) {
        text[len++] = '?';
        memcpy(text + len, query.ptr, query.len);
        len += query.len;
    }
    for (uint32_t i = 0; i < engine->hidden_count; i++) {
        const source_word *w = &engine->hidden[i];
        if (w->regex ? pattern_matches(w->regex, ss_s(text, len)) : ss_eq(w->text, ss_s(text, len)))
            return true;
    }
    return false;
}

keyword keyword_read(const known_source *engine, ss_str url, const url_parts *u, texts *t)
{
    char joined[QUERY_MAX], value[VALUE_MAX];
    ss_str query = whole_query(joined, u), text = {"", 0};
    keyword k = {.name = engine->name, .text = ss_s("", 0)};
    bool google = ss_eq(engine->name, SS_LIT("Google"));
    if (google) {
        k.name = google_name(query);
        text = ss_s(value, google_words(value, query));
    }
    k.found = text.len > 0 || by_params(engine, url, query, value, &text);
    if (!k.found || text.len == 0)
        k.found |= is_hidden(engine, u, query);
    ss_str page = t->charset;
    t->charset = engine->charset; /* the engine's page is another than ours */
    k.text = text_take(t, text, TEXT_LOWER);
    t->charset = page;
    return k;
}

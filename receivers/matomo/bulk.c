#include "receivers/matomo/bulk.h"

#include "plugins/common/json.h"
#include "plugins/common/url.h"
#include "receivers/matomo/answer.h"
#include "receivers/matomo/hit.h"

#define ITEMS_CHUNK  256u
#define DIGITS_MAX   20u
#define ANSWER_BYTES 96u /* of the answer without the list of indices */

typedef struct item { /* as it stands in the body */
    ss_str text;      /* STRING: between the quotes; OBJECT: all of it */
    uint8_t kind;
    bool escaped;
} item;

typedef struct chunk {
    struct chunk *next;
    uint32_t count;
    item items[ITEMS_CHUNK];
} chunk;

typedef struct bulk {
    const matomo *m;
    const ss_request *request;
    hit_source source;
    chunk *first, *last;
    size_t item_count;
    bool no_answer; /* send_image: 0 */
    ss_str token;
    size_t tracked, invalid;
    int64_t *invalid_indices;
    bool denied; /* an item needs a token and has none */
} bulk;

bool bulk_is(ss_str body)
{
    /* Matomo looks for the quoted word at an offset above 0, in either kind of quotes. */
    return body.len > 1 && (memmem(body.ptr + 1, body.len - 1, "\"requests\"", 10) ||
                            memmem(body.ptr + 1, body.len - 1, "'requests'", 10));
}

/* Line breaks go out before parsing, inside strings, too. */
static bool without_breaks(const bulk *b, ss_str *body)
{
    if (!memchr(body->ptr, '\n', body->len) && !memchr(body->ptr, '\r', body->len))
        return true;
    char *copy = b->m->host->mem(b->request->call, body->len);
    size_t len = 0;
    if (!copy)
        return false;
    for (size_t i = 0; i < body->len; i++) {
        copy[len] = body->ptr[i];
        len += body->ptr[i] != '\n' && body->ptr[i] != '\r';
    }
    *body = ss_s(copy, len);
    return true;
}

static item *item_add(bulk *b)
{
    if (!b->last || b->last->count == ITEMS_CHUNK) {
        chunk *c = b->m->host->mem(b->request->call, sizeof *c);
        if (!c)
            return NULL;
        c->next = NULL;
        c->count = 0;
        *(b->last ? &b->last->next : &b->first) = c;
        b->last = c;
    }
    b->item_count++;
    return &b->last->items[b->last->count++];
}

/* Notes where the items are: the token that they need may stand behind them. */
static bool read_items(bulk *b, json_scan *s)
{
    json_value v;
    b->first = b->last = NULL; /* the key twice: the last one counts */
    b->item_count = 0;
    while (json_item(s)) {
        if (!json_read(s, &v))
            return true;
        const char *from = s->at - 1;
        if ((v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) && !json_leave(s))
            return true;
        item *i = item_add(b);
        if (!i)
            return false;
        *i = (item){.text = v.text, .kind = (uint8_t)v.kind, .escaped = v.escaped};
        if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
            i->text = ss_s(from, (size_t)(s->at - from));
    }
    return true;
}

/* A scalar's text, decoded; empty for others. */
static ss_str scalar(const bulk *b, const json_value *v)
{
    if (v->kind == JSON_STRING && v->escaped) {
        char *copy = b->m->host->mem(b->request->call, v->text.len);
        return copy ? ss_s(copy, json_unescape(copy, v->text)) : ss_s("", 0);
    }
    return v->kind == JSON_STRING || v->kind == JSON_NUMBER ? v->text : ss_s("", 0);
}

/* false: no memory. A body that is not JSON has no items. */
static bool read_body(bulk *b, ss_str body)
{
    json_scan s;
    json_value v, key;
    json_start(&s, body);
    if (json_read(&s, &v) && v.kind == JSON_OBJECT)
        while (json_member(&s, &key)) {
            bool requests = json_is(&key, "requests"), image = json_is(&key, "send_image");
            bool is_token = json_is(&key, "token_auth");
            if (!requests && !is_token && !image) {
                (void)json_skip(&s, NULL);
                continue;
            }
            if (!json_read(&s, &v))
                break;
            if (v.kind == JSON_ARRAY && requests) {
                if (!read_items(b, &s))
                    return false;
            } else if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) {
                (void)json_leave(&s);
            } else if (is_token) {
                b->token = scalar(b, &v);
            } else if (image) {
                b->no_answer = ss_eq(v.text, SS_LIT("0")) && (v.kind == JSON_STRING || v.kind == JSON_NUMBER);
            }
        }
    if (!json_finish(&s)) {
        b->m->host->rejected(b->request->call, "bulk_json", ss_cstr(s.problem));
        b->first = NULL;
        b->item_count = 0;
    }
    return true;
}

/* "?a=1" or "http://host/matomo.php?a=1#x": what is between the question mark and the hash. */
static bool query_of(ss_str text, ss_str *query)
{
    const char *mark = text.len ? memchr(text.ptr, '?', text.len) : NULL;
    const char *hash = text.len ? memchr(text.ptr, '#', text.len) : NULL;
    if (!mark || (hash && hash < mark))
        return false;
    const char *end = hash ? hash : text.ptr + text.len;
    *query = ss_s(mark + 1, (size_t)(end - mark - 1));
    return true;
}

/* An item's values are JSON scalars: numbers and text as they are, true is 1; others have no meaning. */
static void read_object(bulk *b, params *p, ss_str raw, char *out)
{
    json_scan s;
    json_value v, key;
    json_start(&s, raw);
    if (!json_read(&s, &v))
        return;
    while (json_member(&s, &key)) {
        ss_str name = key.text, value = ss_s("", 0);
        if (key.escaped) {
            name = ss_s(out, json_unescape(out, key.text));
            out += name.len;
        }
        if (!json_read(&s, &v))
            return;
        if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) {
            /* A list or an object where Matomo takes text: JSON parameters may come so. */
            const char *open = s.at - 1;
            if (!json_leave(&s))
                return;
            value = ss_s(open, (size_t)(s.at - open));
        } else if (v.kind == JSON_STRING && v.escaped) {
            value = ss_s(out, params_strip_nul(out, json_unescape(out, v.text)));
            out += value.len;
        } else if (v.kind == JSON_STRING || v.kind == JSON_NUMBER) {
            value = v.text;
        } else if (v.kind == JSON_TRUE) {
            value = SS_LIT("1");
        }
        params_put(p, &b->m->params, name, value);
    }
}

/* Fills p; false: this item is passed over as if it were not there. *ok false: no memory. */
static bool read_item(bulk *b, const item *i, params *p, bool *ok)
{
    ss_str query;
    *ok = true;
    params_clear(p);
    if (i->kind != JSON_STRING && i->kind != JSON_OBJECT)
        return true; /* null, [] and the like: an empty hit */
    char *copy = b->m->host->mem(b->request->call, i->text.len);
    if (!copy) {
        *ok = false;
        return false;
    }
    if (i->kind == JSON_OBJECT) {
        read_object(b, p, i->text, copy);
        return true;
    }
    /* The usual item is read where it lies; one with escapes in it is unescaped first, then decoded over
     * that. */
    ss_str text = i->text;
    if (i->escaped)
        text = ss_s(copy, params_strip_nul(copy, json_unescape(copy, i->text)));
    if (!query_of(text, &query)) {
        b->m->host->rejected(b->request->call, "bulk_no_query",
                             SS_LIT("a bulk item without a question mark holds no parameters"));
        return false;
    }
    params_read(p, &b->m->params, query, i->escaped ? NULL : copy);
    return true;
}

static bool take_item(bulk *b, const item *i, int64_t index)
{
    const ss_host *host = b->m->host;
    ss_event *event = host->event_new(b->request->call);
    params p;
    bool ok;
    if (!event)
        return false;
    if (!read_item(b, i, &p, &ok))
        return ok;
    enum hit_outcome outcome = HIT_EXCLUDED;
    if (p.count > 0) {
        b->source.bulk_index = index;
        outcome = hit_take(&b->source, &p, event);
    }
    if (outcome == HIT_INVALID) {
        b->invalid_indices[b->invalid] = (int64_t)(b->tracked + b->invalid);
        b->invalid++;
    } else {
        b->tracked++;
    }
    b->denied |= outcome == HIT_DENIED;
    return outcome != HIT_RETRY && !b->denied;
}

static bool answer(bulk *b, ss_response *r)
{
    if (b->no_answer) {
        answer_empty(r);
        return true;
    }
    bool indices = tokens_superuser(&b->m->tokens, b->token) && b->invalid > 0;
    char *out = b->m->host->mem(b->request->call, ANSWER_BYTES + b->invalid * (DIGITS_MAX + 1));
    if (!out)
        return false;
    size_t len = (size_t)sprintf(out, "{\"status\":\"success\",\"tracked\":%zu,\"invalid\":%zu", b->tracked,
                                 b->invalid);
    if (indices) {
        memcpy(out + len, ",\"invalid_indices\":", 19);
        len += 19;
        for (size_t i = 0; i < b->invalid; i++) {
            out[len++] = i ? ',' : '[';
            len += json_put_i64(out + len, b->invalid_indices[i]);
        }
        out[len++] = ']';
    }
    out[len++] = '}';
    answer_json(r, 200, ss_s(out, len));
    return true;
}

static bool prepare(bulk *b)
{
    ss_str body = b->request->body;
    if (!without_breaks(b, &body) || !read_body(b, body))
        return false;
    if (b->token.len == 0) { /* the request's own query is the fallback */
        char *copy = b->m->host->mem(b->request->call, b->request->raw_query.len);
        int64_t len =
            copy ? url_query_get(b->request->raw_query, "token_auth", copy, b->request->raw_query.len) : -1;
        if (len > 0)
            b->token = ss_s(copy, (size_t)len);
    }
    b->source.token = b->token;
    b->invalid_indices = b->m->host->mem(b->request->call, (b->item_count + 1) * sizeof *b->invalid_indices);
    return b->invalid_indices != NULL;
}

/* bulk_requests_require_authentication: Matomo's form of an error; nothing of the request is kept. */
static int32_t deny(ss_response *r)
{
    answer_json(r, 500, SS_LIT("{\"status\":\"error\",\"tracked\":0,\"invalid\":0}"));
    return SS_REJECT;
}

int32_t bulk_receive(const matomo *m, const ss_request *request, browser *seen, ss_response *response)
{
    bulk b = {.m = m,
              .request = request,
              .source = {.m = m,
                         .request = request,
                         .browser = seen,
                         .transport = SS_LIT("bulk"),
                         .must_authenticate = m->bulk_needs_token},
              .token = {"", 0}};
    if (!prepare(&b))
        return SS_RETRY;
    if (b.item_count > m->max_bulk_items) {
        m->host->rejected(request->call, "bulk_too_many",
                          SS_LIT("more items in one bulk request than max_bulk_items allows"));
        answer_info(response, 400);
        return SS_REJECT;
    }
    int64_t index = 0;
    for (const chunk *c = b.first; c; c = c->next)
        for (uint32_t i = 0; i < c->count; i++)
            if (!take_item(&b, &c->items[i], index++))
                return b.denied ? deny(response) : SS_RETRY;
    return answer(&b, response) ? SS_OK : SS_RETRY;
}

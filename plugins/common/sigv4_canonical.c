/* The canonical request: the one form that both ends build from what they see. */
#include <stdlib.h>
#include <strings.h>

#include "plugins/common/sigv4_inside.h"
#include "plugins/common/url.h"

#define SEGMENTS_MAX 512u

void sigv4_put(sigv4_text *t, ss_str bytes)
{
    if (t->full || bytes.len > t->size - t->len) {
        t->full = true;
        return;
    }
    if (bytes.len)
        memcpy(t->at + t->len, bytes.ptr, bytes.len);
    t->len += bytes.len;
}

bool sigv4_is(ss_str a, const char *name)
{
    return a.len == strlen(name) && strncasecmp(a.ptr, name, a.len) == 0;
}

static void put_encoded(sigv4_text *t, ss_str bytes)
{
    if (t->full || bytes.len > (t->size - t->len) / 3) {
        t->full = true;
        return;
    }
    t->len += url_encode(t->at + t->len, bytes);
}

/* ---- path ---- */

/* "/a/./b/../c//" -> segments a, c; a slash at the end stays. */
static size_t split_path(ss_str path, ss_str *segments, bool *trailing)
{
    size_t count = 0, at = 0;
    *trailing = false;
    while (at < path.len && count < SEGMENTS_MAX) {
        size_t end = at;
        while (end < path.len && path.ptr[end] != '/')
            end++;
        ss_str s = ss_s(path.ptr + at, end - at);
        bool up = ss_eq(s, SS_LIT("..")), dot = ss_eq(s, SS_LIT("."));
        if (up && count > 0)
            count--;
        else if (!up && !dot && s.len > 0)
            segments[count++] = s;
        *trailing = end < path.len || up || dot;
        at = end + 1;
    }
    return count;
}

static void put_segments(sigv4_text *out, ss_str path, bool encode)
{
    size_t from = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/')
            continue;
        ss_str s = ss_s(path.ptr + from, i - from);
        if (encode)
            put_encoded(out, s);
        else
            sigv4_put(out, s);
        if (i < path.len)
            sigv4_puts(out, "/");
        from = i + 1;
    }
}

static void put_path(sigv4_text *out, const sigv4_request *r)
{
    ss_str segments[SEGMENTS_MAX];
    bool trailing;
    if (r->path.len == 0) {
        sigv4_puts(out, "/");
        return;
    }
    if (r->flags & SIGV4_RAW_PATH) {
        put_segments(out, r->path, false);
        return;
    }
    if (r->flags & SIGV4_KEEP_PATH) {
        put_segments(out, r->path, true);
        return;
    }
    size_t count = split_path(r->path, segments, &trailing);
    for (size_t i = 0; i < count; i++) {
        sigv4_puts(out, "/");
        put_encoded(out, segments[i]);
    }
    if (trailing || count == 0)
        sigv4_puts(out, "/");
}

/* ---- query ---- */

typedef struct pair {
    ss_str key, value; /* encoded */
} pair;

static int compare_bytes(ss_str a, ss_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int rc = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return rc ? rc : (a.len > b.len) - (a.len < b.len);
}

static int compare_pairs(const void *x, const void *y)
{
    const pair *a = x, *b = y;
    int rc = compare_bytes(a->key, b->key);
    return rc ? rc : compare_bytes(a->value, b->value);
}

/* Decoded and encoded again: the wire may spell one byte in several ways. A plus is a plus. */
static ss_str respell(sigv4_text *scratch, ss_str raw)
{
    size_t from = scratch->len;
    if (scratch->full || raw.len * 4 > scratch->size - scratch->len) {
        scratch->full = true;
        return ss_s("", 0);
    }
    char *plain = scratch->at + scratch->size - raw.len; /* the end of the scratch memory is free still */
    size_t len = url_decode_path(plain, raw);
    scratch->len += url_encode(scratch->at + from, ss_s(plain, len));
    return ss_s(scratch->at + from, scratch->len - from);
}

static bool put_query(sigv4_text *out, const sigv4_request *r, const sigv4_plan *plan)
{
    pair pairs[SIGV4_PAIRS_MAX];
    char memory[SIGV4_CANONICAL_MAX / 2];
    sigv4_text scratch = {memory, 0, sizeof memory, false};
    size_t count = 0;
    url_pairs walk;
    url_pair p;
    url_pairs_start(&walk, r->query);
    while (url_pairs_next(&walk, &p)) {
        if ((plan->skip_pair.len && ss_eq(p.key, plan->skip_pair)) ||
            (plan->token_apart && ss_eq(p.key, SS_LIT("X-Amz-Security-Token"))))
            continue;
        if (count == SIGV4_PAIRS_MAX)
            return false;
        pairs[count].key = respell(&scratch, p.key);
        pairs[count++].value = respell(&scratch, p.value);
    }
    if (scratch.full)
        return false;
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < count; i++) {
        sigv4_puts(out, i ? "&" : "");
        sigv4_put(out, pairs[i].key);
        sigv4_puts(out, "=");
        sigv4_put(out, pairs[i].value);
    }
    return true;
}

/* ---- headers ---- */

static int compare_names(ss_str a, ss_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int rc = strncasecmp(a.ptr, b.ptr, len);
    return rc ? rc : (a.len > b.len) - (a.len < b.len);
}

bool sigv4_listed(ss_str list, ss_str name)
{
    size_t at = 0;
    while (at < list.len) {
        size_t end = at;
        while (end < list.len && list.ptr[end] != ';')
            end++;
        if (end - at == name.len && strncasecmp(list.ptr + at, name.ptr, name.len) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

static void put_lower(sigv4_text *out, ss_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32) : name.ptr[i];
        sigv4_put(out, ss_s(&c, 1));
    }
}

/* Without white space around, and one blank for each run of it within. */
static void put_value(sigv4_text *out, ss_str value)
{
    bool blank = false, any = false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            blank = any;
            continue;
        }
        if (blank)
            sigv4_puts(out, " ");
        blank = false;
        any = true;
        sigv4_put(out, ss_s(&c, 1));
    }
}

static bool put_headers(const sigv4_request *r, const sigv4_plan *plan, sigv4_text *out, sigv4_text *names)
{
    const ss_pair *sorted[SIGV4_HEADERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        const ss_pair *h = &r->headers[i];
        if (plan->signed_list.len ? !sigv4_listed(plan->signed_list, h->key)
                                  : sigv4_is(h->key, "authorization"))
            continue;
        if (count == SIGV4_HEADERS_MAX)
            return false;
        size_t place = count++;
        for (; place > 0 && compare_names(sorted[place - 1]->key, h->key) > 0; place--)
            sorted[place] = sorted[place - 1]; /* stable: values of one name keep their order */
        sorted[place] = h;
    }
    for (size_t i = 0; i < count; i++) {
        bool again = i > 0 && compare_names(sorted[i - 1]->key, sorted[i]->key) == 0;
        if (!again) {
            sigv4_puts(out, i ? "\n" : "");
            sigv4_puts(names, i ? ";" : "");
            put_lower(out, sorted[i]->key);
            put_lower(names, sorted[i]->key);
        }
        sigv4_puts(out, again ? "," : ":");
        put_value(out, sorted[i]->value);
    }
    sigv4_puts(out, "\n");
    return true;
}

bool sigv4_canonical(const sigv4_request *r, const sigv4_plan *plan, ss_str payload_hash, sigv4_text *out,
                     sigv4_text *names)
{
    sigv4_put(out, r->method);
    sigv4_puts(out, "\n");
    put_path(out, r);
    sigv4_puts(out, "\n");
    if (!put_query(out, r, plan))
        return false;
    sigv4_puts(out, "\n");
    if (!put_headers(r, plan, out, names))
        return false;
    sigv4_puts(out, "\n");
    sigv4_put(out, ss_s(names->at, names->len));
    sigv4_puts(out, "\n");
    sigv4_put(out, payload_hash);
    return !out->full && !names->full;
}

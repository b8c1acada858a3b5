#include "plugins/common/layout.h"

#include <time.h>

#define MINUTE_US 60000000LL
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)
#define BACK_US   (20 * 365 * DAY_US)
#define AHEAD_US  DAY_US

/* ---- compile
 * ----------------------------------------------------------------------------------------------- */

static bool add_part(layout *l, layout_part part, ss_error *err)
{
    if (l->count == LAYOUT_PARTS_MAX)
        return ss_fail(err, 0, "%s: more than %u parts; make it shorter", l->option, LAYOUT_PARTS_MAX);
    l->parts[l->count++] = part;
    return true;
}

static bool add_time(layout *l, char what, ss_error *err)
{
    int64_t us = what == 'H' ? HOUR_US : what == 'M' ? MINUTE_US : DAY_US;
    if (what == '\0' || !strchr("YmdHMj", what))
        return ss_fail(err, 0, "%s: %%%c is unknown; there are %%Y %%m %%d %%H %%M %%j", l->option,
                       what ? what : ' ');
    if (l->bucket_us == 0 || us < l->bucket_us)
        l->bucket_us = us;
    return add_part(l, (layout_part){.kind = LAYOUT_TIME, .time = what}, err);
}

static bool add_name(layout *l, const char *name, size_t len, ss_error *err)
{
    static const char *const names[] = {"receiver", "app", "type"};
    for (size_t i = 0; i < 3; i++) {
        if (strlen(names[i]) != len || memcmp(names[i], name, len) != 0)
            continue;
        l->receiver |= i == 0;
        l->app |= i == 1;
        l->type |= i == 2;
        return add_part(l, (layout_part){.kind = (enum layout_kind)(LAYOUT_RECEIVER + i)}, err);
    }
    return ss_fail(err, 0, "%s: {%.*s} is unknown; there are {receiver} {app} {type}", l->option, (int)len,
                   name);
}

static bool check_text(const layout *l, ss_error *err)
{
    const char *text = l->text;
    bool bad = text[0] == '/' || strstr(text, "//") || strncmp(text, "../", 3) == 0 ||
               strncmp(text, "./", 2) == 0 || strstr(text, "/../") || strstr(text, "/./");
    for (const char *p = text; *p; p++)
        bad |= (unsigned char)*p < 0x20;
    return !bad ||
           ss_fail(err, 0, "%s: '%s' must be a relative path without '..', '.', '//' and control characters",
                   l->option, text);
}

/* A path component holds 255 bytes, and a value may become LAYOUT_VALUE_MAX long. */
static bool check_lengths(const layout *l, ss_error *err)
{
    size_t component = 0, total = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const layout_part *p = &l->parts[i];
        size_t len = p->kind == LAYOUT_TEXT ? p->len : p->kind == LAYOUT_TIME ? 4 : LAYOUT_VALUE_MAX;
        total += len;
        const char *slash = p->kind == LAYOUT_TEXT ? memchr(l->text + p->at, '/', p->len) : NULL;
        size_t head = slash ? (size_t)(slash - (l->text + p->at)) : len;
        if (component + head > 255)
            return ss_fail(err, 0,
                           "%s: one folder's name may get longer than 255 bytes; put a '/' between the names",
                           l->option);
        const char *last = slash ? memrchr(l->text + p->at, '/', p->len) : NULL;
        component = last ? (size_t)(l->text + p->at + p->len - last - 1) : component + len;
    }
    return total + 2 <= LAYOUT_DIR_MAX ||
           ss_fail(err, 0, "%s: the path may get longer than %u bytes; use fewer names", l->option,
                   LAYOUT_DIR_MAX);
}

bool layout_compile(layout *l, const char *option, ss_str text, ss_error *err)
{
    *l = (layout){.count = 0, .option = option};
    if (text.len + 2 > sizeof l->text)
        return ss_fail(err, 0, "%s: longer than %u bytes", option, LAYOUT_TEMPLATE_MAX - 2);
    memcpy(l->text, text.ptr, text.len);
    if (text.len > 0 && text.ptr[text.len - 1] != '/')
        l->text[text.len] = '/';
    if (!check_text(l, err))
        return false;
    for (const char *p = l->text; *p;) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        size_t plain = strcspn(p, "%{");
        bool ok;
        if (plain > 0) {
            ok = add_part(
                l, (layout_part){.kind = LAYOUT_TEXT, .at = (uint16_t)(p - l->text), .len = (uint16_t)plain},
                err);
            p += plain;
        } else if (*p == '%') {
            ok = add_time(l, p[1], err);
            p += 2;
        } else {
            ok = close ? add_name(l, p + 1, (size_t)(close - p - 1), err)
                       : ss_fail(err, 0, "%s: a '{' without '}'", option);
            p = ok && close ? close + 1 : p;
        }
        if (!ok)
            return false;
    }
    return check_lengths(l, err);
}

/* ---- one record
 * -------------------------------------------------------------------------------------------- */

int64_t layout_time_us(const ss_record *r)
{
    bool sane = r->event_us >= r->receive_us - BACK_US && r->event_us <= r->receive_us + AHEAD_US;
    return sane ? r->event_us : r->receive_us;
}

static int64_t when_us(const layout *l, const ss_record *r)
{
    return l->by_receive ? r->receive_us : layout_time_us(r);
}

static size_t key_part(char *out, size_t at, ss_str s)
{
    size_t len = s.len < LAYOUT_KEY_MAX / 4 ? s.len : LAYOUT_KEY_MAX / 4;
    out[at] = (char)(len & 0xff);
    out[at + 1] = (char)(len >> 8);
    if (len)
        memcpy(out + at + 2, s.ptr, len);
    return at + 2 + len;
}

size_t layout_key(const layout *l, const ss_record *r, char out[LAYOUT_KEY_MAX])
{
    size_t at = 0;
    if (l->bucket_us) {
        int64_t us = when_us(l, r);
        int64_t bucket = us / l->bucket_us - (us % l->bucket_us < 0);
        memcpy(out, &bucket, sizeof bucket);
        at = sizeof bucket;
    }
    if (l->receiver)
        at = key_part(out, at, r->receiver);
    if (l->app)
        at = key_part(out, at, r->app);
    if (l->type)
        at = key_part(out, at, r->type);
    return at;
}

static bool is_plain(unsigned char c, size_t at)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '~')
        return true;
    return (c == '_' || c == '.') && at > 0; /* a name that begins with one of these is hidden from readers */
}

/* Percent-encoded; a value too long for a path component ends in a hash of all of it. */
static size_t put_value(char *out, ss_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = 0;
    if (s.len == 0) {
        out[0] = '_';
        return 1;
    }
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 1099511628211u;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (at + 3 > LAYOUT_VALUE_MAX - 17)
            return at + (size_t)snprintf(out + at, 18, "~%016llx", (unsigned long long)hash);
        if (is_plain(c, i)) {
            out[at++] = (char)c;
        } else {
            out[at++] = '%';
            out[at++] = hex[c >> 4];
            out[at++] = hex[c & 15];
        }
    }
    return at;
}

static size_t put_time(char *out, char what, const struct tm *tm)
{
    int value = what == 'Y'   ? tm->tm_year + 1900
                : what == 'm' ? tm->tm_mon + 1
                : what == 'd' ? tm->tm_mday
                : what == 'H' ? tm->tm_hour
                : what == 'M' ? tm->tm_min
                              : tm->tm_yday + 1;
    int digits = what == 'Y' ? 4 : what == 'j' ? 3 : 2;
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return (size_t)digits;
}

size_t layout_dir(const layout *l, const ss_record *r, char out[LAYOUT_DIR_MAX])
{
    int64_t us = when_us(l, r);
    time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    size_t at = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const layout_part *p = &l->parts[i];
        if (p->kind == LAYOUT_TEXT) {
            memcpy(out + at, l->text + p->at, p->len);
            at += p->len;
        } else if (p->kind == LAYOUT_TIME) {
            at += put_time(out + at, p->time, &tm);
        } else {
            at += put_value(out + at, p->kind == LAYOUT_RECEIVER ? r->receiver
                                      : p->kind == LAYOUT_APP    ? r->app
                                                                 : r->type);
        }
    }
    if (at > 0 && out[at - 1] != '/')
        out[at++] = '/';
    out[at] = '\0';
    return at;
}

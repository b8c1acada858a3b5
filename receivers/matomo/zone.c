#include "receivers/matomo/zone.h"

#include <stdlib.h>

#define ZONE_FOLDER    "/usr/share/zoneinfo"
#define FILE_BYTES_MAX 65536u
#define HEADER_BYTES   44u
#define CHANGES_MAX    4096u
#define RULE_YEARS     200 /* how far the rule for the time to come is written out */
#define OFFSET_MAX_S   (26 * 3600)

typedef struct bytes { /* of a file; reading past the end gives zeros and clears ok */
    const unsigned char *at, *end;
    bool ok;
} bytes;

static uint64_t take(bytes *b, size_t count)
{
    uint64_t value = 0;
    if ((size_t)(b->end - b->at) < count) {
        b->ok = false;
        b->at = b->end;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        value = value << 8 | *b->at++;
    return value;
}

static void pass(bytes *b, uint64_t count)
{
    if ((uint64_t)(b->end - b->at) < count) {
        b->ok = false;
        count = (uint64_t)(b->end - b->at);
    }
    b->at += count;
}

/* ---- the rule at the end of the file: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

typedef struct rule_day { /* when in each year the clocks change */
    char kind;            /* M, J (no 29 February), 0 (counted from 0) */
    int month, week, day;
    int64_t time_s; /* of the day, local */
} rule_day;

typedef struct rule {
    int64_t standard_s, summer_s; /* ahead of UTC */
    bool has_summer;
    rule_day begin, end;
} rule;

static bool rule_name(const char **at)
{
    const char *p = *at;
    if (*p == '<') {
        p = strchr(p, '>');
        if (!p)
            return false;
        p++;
    } else {
        while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
            p++;
    }
    bool some = p > *at;
    *at = p;
    return some;
}

/* [+-]h[h][:mm[:ss]] */
static bool rule_time(const char **at, int64_t *seconds)
{
    char *end;
    bool negative = **at == '-';
    *at += **at == '-' || **at == '+';
    if (**at < '0' || **at > '9')
        return false;
    int64_t s = strtol(*at, &end, 10) * 3600;
    for (int64_t unit = 60; *end == ':' && unit > 0; unit /= 60)
        s += strtol(end + 1, &end, 10) * unit;
    *at = end;
    *seconds = negative ? -s : s;
    return true;
}

static bool rule_when(const char **at, rule_day *d)
{
    char *end = (char *)(uintptr_t)*at;
    *d = (rule_day){.kind = '0', .time_s = 2 * 3600};
    if (**at == 'M') {
        d->kind = 'M';
        d->month = (int)strtol(*at + 1, &end, 10);
        d->week = *end == '.' ? (int)strtol(end + 1, &end, 10) : 0;
        d->day = *end == '.' ? (int)strtol(end + 1, &end, 10) : -1;
        if (d->month < 1 || d->month > 12 || d->week < 1 || d->week > 5 || d->day < 0 || d->day > 6)
            return false;
    } else {
        d->kind = **at == 'J' ? 'J' : '0';
        d->day = (int)strtol(*at + (**at == 'J'), &end, 10);
        if (end == *at || d->day < 0 || d->day > 366)
            return false;
    }
    *at = end;
    if (*end != '/')
        return true;
    ++*at;
    return rule_time(at, &d->time_s);
}

static bool rule_read(rule *r, const char *text)
{
    *r = (rule){0};
    if (!rule_name(&text) || !rule_time(&text, &r->standard_s))
        return false;
    r->standard_s = -r->standard_s; /* POSIX counts westwards */
    if (*text == '\0')
        return true;
    if (!rule_name(&text))
        return false;
    r->summer_s = r->standard_s + 3600;
    if (*text != ',') {
        if (!rule_time(&text, &r->summer_s))
            return false;
        r->summer_s = -r->summer_s;
    }
    r->has_summer = true;
    return *text++ == ',' && rule_when(&text, &r->begin) && *text++ == ',' && rule_when(&text, &r->end) &&
           *text == '\0';
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the first of January. */
static int64_t year_start(int64_t year)
{
    int64_t before = year - 1;
    return (year - 1970) * 365 + (before / 4 - before / 100 + before / 400) -
           (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t rule_moment(const rule_day *d, int64_t year, int64_t offset_before_s)
{
    static const int starts[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t day = year_start(year);
    if (d->kind == 'M') {
        int leap = is_leap(year) && d->month > 2, next_leap = is_leap(year) && d->month >= 2;
        int64_t first = day + starts[d->month - 1] + leap, after = day + starts[d->month] + next_leap;
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = first + (d->day - weekday + 7) % 7 + (int64_t)(d->week - 1) * 7;
        if (day >= after)
            day -= 7;
    } else if (d->kind == 'J') {
        day += d->day - 1 + (is_leap(year) && d->day >= 60);
    } else {
        day += d->day;
    }
    return day * ZONE_DAY_S + d->time_s - offset_before_s;
}

/* ---- the table ---- */

static bool add(zone *z, int64_t at_s, int64_t offset_s)
{
    if (z->count == CHANGES_MAX || offset_s < -OFFSET_MAX_S || offset_s > OFFSET_MAX_S ||
        (z->count && z->changes[z->count - 1].at_s >= at_s))
        return false;
    z->changes[z->count++] = (zone_change){at_s, (int32_t)offset_s};
    return true;
}

static bool add_years(zone *z, const rule *r)
{
    int64_t last_s = z->changes[z->count - 1].at_s, first = 1970;
    if (z->count > 1)
        while (year_start(first + 1) * ZONE_DAY_S <= last_s)
            first++;
    for (int64_t year = first; r->has_summer && year < first + RULE_YEARS; year++) {
        zone_change two[2] = {{rule_moment(&r->begin, year, r->standard_s), (int32_t)r->summer_s},
                              {rule_moment(&r->end, year, r->summer_s), (int32_t)r->standard_s}};
        bool swap = two[0].at_s > two[1].at_s; /* the southern half of the world */
        for (int i = 0; i < 2; i++) {
            zone_change c = two[swap ? 1 - i : i];
            if (c.at_s > last_s && !add(z, c.at_s, c.offset_s))
                return false;
        }
    }
    return true;
}

/* The block with 64-bit times, and the rule behind it. */
static bool read_block(zone *z, bytes *b, bool wide)
{
    uint64_t counts[6];           /* isutc, isstd, leap, time, type, char */
    if (take(b, 4) != 0x545A6966) /* "TZif" */
        return false;
    pass(b, 16);
    for (int i = 0; i < 6; i++)
        counts[i] = take(b, 4);
    uint64_t size = wide ? 8 : 4, times = counts[3], types = counts[4];
    if (!b->ok || times >= CHANGES_MAX || types == 0 || types > 256)
        return false;
    if (!wide) { /* passed over: what is behind it has all of it */
        pass(b, times * (size + 1) + types * 6 + counts[5] + counts[2] * (size + 4) + counts[1] + counts[0]);
        return b->ok;
    }
    bytes index = {b->at + times * size, b->end, true}, type = {b->at + times * (size + 1), b->end, true};
    if ((uint64_t)(b->end - b->at) < times * (size + 1) + types * 6)
        return false;
    bytes first = type;
    (void)add(z, INT64_MIN, (int32_t)(uint32_t)take(&first, 4));
    for (uint64_t i = 0; i < times; i++) {
        int64_t at_s = (int64_t)take(b, size);
        bytes one = type;
        uint64_t which = take(&index, 1);
        if (which >= types)
            return false;
        pass(&one, which * 6);
        if (at_s > INT64_MIN && !add(z, at_s, (int32_t)(uint32_t)take(&one, 4)))
            return false;
    }
    pass(b, times + types * 6 + counts[5] + counts[2] * (size + 4) + counts[1] + counts[0]);
    return b->ok;
}

static bool read_file(zone *z, const unsigned char *data, size_t len)
{
    bytes b = {data, data + len, true};
    char text[128];
    rule r;
    if (!read_block(z, &b, false) || !read_block(z, &b, true) || take(&b, 1) != '\n')
        return false;
    const unsigned char *end = memchr(b.at, '\n', (size_t)(b.end - b.at));
    if (!end || (size_t)(end - b.at) >= sizeof text)
        return false;
    memcpy(text, b.at, (size_t)(end - b.at));
    text[end - b.at] = '\0';
    return *text == '\0' || (rule_read(&r, text) && add_years(z, &r));
}

/* "UTC", "UTC+2", "UTC-3.5", "+05:30", "-0330": not in the database, or not under that name. */
static bool fixed_offset(const char *name, int32_t *offset_s)
{
    bool utc = strncmp(name, "UTC", 3) == 0 || strncmp(name, "GMT", 3) == 0;
    const char *p = utc ? name + 3 : name;
    char *end;
    *offset_s = 0;
    if (*p == '\0')
        return utc;
    if ((*p != '+' && *p != '-') || p[1] < '0' || p[1] > '9')
        return false;
    long hours = strtol(p + 1, &end, 10), minutes = 0;
    bool four = end - p == 5; /* hhmm */
    if (four) {
        minutes = hours % 100;
        hours /= 100;
    } else if (*end == ':') {
        minutes = strtol(end + 1, &end, 10);
    } else if (*end == '.') {
        minutes = end[1] == '5' ? 30 : end[1] == '7' ? 45 : end[1] == '2' ? 15 : 0;
        end += 1 + strspn(end + 1, "0123456789");
    }
    if (*end || hours > 14 || minutes < 0 || minutes > 59)
        return false;
    *offset_s = (int32_t)(hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);
    return true;
}

static bool name_safe(const char *name)
{
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
               strlen(name) &&
           name[0] != '/' && name[0] != '\0';
}

static bool load_named(zone *z, ss_error *err)
{
    char path[sizeof ZONE_FOLDER + ZONE_NAME_MAX + 1];
    (void)snprintf(path, sizeof path, ZONE_FOLDER "/%s", z->name);
    FILE *f = name_safe(z->name) ? fopen(path, "rbe") : NULL;
    if (!f) {
        (void)ss_fail(err, SS_REJECT,
                      "unknown time zone \"%s\": write a name such as Europe/Berlin (Debian's package tzdata "
                      "has them), UTC or UTC+2",
                      z->name);
        return false;
    }
    unsigned char *data = malloc(FILE_BYTES_MAX);
    size_t len = data ? fread(data, 1, FILE_BYTES_MAX, f) : 0;
    (void)fclose(f);
    bool ok = data && read_file(z, data, len);
    free(data);
    if (!ok)
        (void)ss_fail(err, SS_REJECT, "%s is no time zone file that can be read", path);
    return ok;
}

bool zone_load(zone *z, ss_str name, ss_error *err)
{
    int32_t offset_s;
    *z = (zone){0};
    if (name.len >= sizeof z->name || memchr(name.ptr, '\0', name.len)) {
        (void)ss_fail(err, SS_REJECT, "unknown time zone \"%.*s\"", (int)name.len, name.ptr);
        return false;
    }
    memcpy(z->name, name.ptr, name.len);
    z->changes = calloc(CHANGES_MAX, sizeof *z->changes);
    if (!z->changes) {
        (void)ss_fail(err, SS_LIMIT, "no memory for the time zones");
        return false;
    }
    bool ok = fixed_offset(z->name, &offset_s) ? add(z, INT64_MIN, offset_s) : load_named(z, err);
    if (!ok) {
        zone_free(z);
        return false;
    }
    zone_change *fitting = realloc(z->changes, z->count * sizeof *z->changes);
    if (fitting)
        z->changes = fitting;
    return true;
}

void zone_free(zone *z)
{
    free(z->changes);
    *z = (zone){0};
}

int32_t zone_offset(const zone *z, int64_t unix_s)
{
    size_t low = 0, high = z->count; /* changes[low] applies */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (z->changes[middle].at_s <= unix_s)
            low = middle;
        else
            high = middle;
    }
    return z->changes[low].offset_s;
}

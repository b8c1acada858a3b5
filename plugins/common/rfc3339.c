#include "plugins/common/rfc3339.h"

#define DATE_LEN   10u
#define STORED_MAX 38u
#define US         1000000
#define DAY_MIN    1440

typedef struct clock_time {
    int32_t hour, minute, second, micro, offset_min;
} clock_time;

static int32_t digits(const char *p, size_t count)
{
    int32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value;
}

static int32_t days_of(int32_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 (Hinnant's algorithm, years from March). */
static int64_t day_number(int32_t year, int32_t month, int32_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool read_date(ss_str text, int64_t *day)
{
    if (text.len != DATE_LEN || text.ptr[4] != '-' || text.ptr[7] != '-')
        return false;
    int32_t y = digits(text.ptr, 4), m = digits(text.ptr + 5, 2), d = digits(text.ptr + 8, 2);
    if (y < 0 || m < 1 || m > 12 || d < 1 || d > days_of(y, m))
        return false;
    *day = day_number(y, m, d);
    return true;
}

static bool read_offset(clock_time *t, const char *p, const char *end)
{
    if (end - p == 1 && (*p | 0x20) == 'z')
        return true;
    if (end - p != 6 || (*p != '+' && *p != '-') || p[3] != ':')
        return false;
    int32_t h = digits(p + 1, 2), m = digits(p + 4, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59)
        return false;
    t->offset_min = (h * 60 + m) * (*p == '-' ? -1 : 1);
    return true;
}

static bool read_time(ss_str text, clock_time *t)
{
    const char *p = text.ptr, *end = p + text.len;
    if (text.len < 9 || p[2] != ':' || p[5] != ':')
        return false;
    *t = (clock_time){.hour = digits(p, 2), .minute = digits(p + 3, 2), .second = digits(p + 6, 2)};
    p += 8;
    if (*p == '.') {
        const char *from = ++p;
        for (int32_t unit = US / 10; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
            t->micro += (*p - '0') * unit;
        if (p == from)
            return false;
    }
    if (t->hour < 0 || t->hour > 23 || t->minute < 0 || t->minute > 59 || t->second < 0 || t->second > 60 ||
        !read_offset(t, p, end))
        return false;
    int32_t utc = ((t->hour * 60 + t->minute - t->offset_min) % DAY_MIN + DAY_MIN) % DAY_MIN;
    return t->second < 60 || utc == DAY_MIN - 1;
}

bool rfc3339_date(ss_str text)
{
    int64_t day;
    return read_date(text, &day);
}

bool rfc3339_time(ss_str text)
{
    clock_time t;
    return read_time(text, &t);
}

bool rfc3339_date_time(ss_str text, int64_t *us)
{
    int64_t day;
    clock_time t;
    if (text.len <= DATE_LEN || (text.ptr[DATE_LEN] | 0x20) != 't' ||
        !read_date(ss_s(text.ptr, DATE_LEN), &day) ||
        !read_time(ss_s(text.ptr + DATE_LEN + 1, text.len - DATE_LEN - 1), &t))
        return false;
    if (us)
        *us = ((day * DAY_MIN + t.hour * 60 + t.minute - t.offset_min) * 60 + t.second) * US + t.micro;
    return true;
}

bool rfc3339_stored(ss_str text, int64_t *us)
{
    char copy[STORED_MAX + 1];
    if (text.len <= DATE_LEN || text.len > STORED_MAX)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[DATE_LEN] = 'T';
    size_t len = text.len;
    if (copy[len - 1] != 'Z')
        copy[len++] = 'Z';
    return rfc3339_date_time(ss_s(copy, len), us);
}

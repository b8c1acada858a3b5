#include "core/config/value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

/* Largest first, so that the text form finds the shortest one. */
static const unit sizes[] = {
    {"TiB", 1LL << 40}, {"TB", 1000000000000LL}, {"GiB", 1LL << 30}, {"GB", 1000000000LL}, {"MiB", 1LL << 20},
    {"MB", 1000000LL},  {"KiB", 1LL << 10},      {"kB", 1000LL},     {"KB", 1000LL},       {"B", 1LL},
    {NULL, 0}};
static const unit durations[] = {{"d", 86400000LL}, {"h", 3600000LL}, {"m", 60000LL},
                                 {"s", 1000LL},     {"ms", 1LL},      {NULL, 0}};

bool value_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!isdigit((unsigned char)*digits))
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *out = number;
    return errno == 0 && *end == '\0';
}

bool value_float(const char *text, double *out)
{
    if (strlen(text) > 64 || text[strspn(text, "+-.0123456789eE")] != '\0')
        return false;
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

bool value_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

/* A whole number, then one of the units; bare: what a number without a unit means, 0 = only 0 may go bare. */
static bool with_unit(const char *text, const unit *units, int64_t bare, int64_t *out)
{
    if (!isdigit((unsigned char)*text))
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0)
        return false;
    while (*end == ' ')
        end++;
    int64_t factor = *end == '\0' ? bare : 0;
    for (const unit *u = units; u->name; u++)
        if (strcmp(end, u->name) == 0)
            factor = u->factor;
    if (factor == 0 && !(number == 0 && *end == '\0'))
        return false;
    return !__builtin_mul_overflow((int64_t)number, factor, out);
}

bool value_size(const char *text, int64_t *bytes)
{
    return with_unit(text, sizes, 1, bytes);
}

bool value_duration(const char *text, int64_t *ms)
{
    return with_unit(text, durations, 0, ms);
}

bool value_url(const char *text)
{
    const char *p = text;
    if (!isalpha((unsigned char)*p))
        return false;
    while (isalnum((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.')
        p++;
    if (strncmp(p, "://", 3) != 0 || p[3] == '\0' || p[3] == '/')
        return false;
    for (p += 3; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    return true;
}

static const char *unit_text(int64_t number, const unit *units, const char *bare, char *out, size_t size)
{
    for (const unit *u = units; u->name && number > 0; u++)
        if (number % u->factor == 0) {
            (void)snprintf(out, size, "%lld%s", (long long)(number / u->factor),
                           u->factor == 1 ? bare : u->name);
            return out;
        }
    (void)snprintf(out, size, "%lld", (long long)number);
    return out;
}

const char *value_size_text(int64_t bytes, char *out, size_t size)
{
    return unit_text(bytes, sizes, "", out, size);
}

const char *value_duration_text(int64_t ms, char *out, size_t size)
{
    return unit_text(ms, durations, "ms", out, size);
}

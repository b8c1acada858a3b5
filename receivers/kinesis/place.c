/* A place as text, in the journal: "-" the beginning, "@MS" a time, "SEQ", "SEQ/N"; with a dot before it the
   shard is drained. */
#include <ctype.h>

#include "receivers/kinesis/kinesis.h"

static bool digits(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit((unsigned char)text.ptr[i]))
            return false;
    return text.len > 0;
}

static bool number(ss_str text, int64_t most, int64_t *out)
{
    int64_t value = 0;
    if (!digits(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        value = value * 10 + (text.ptr[i] - '0');
        if (value > most)
            return false;
    }
    *out = value;
    return true;
}

static bool read_sequence(place *p, ss_str text)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    ss_str sequence = ss_s(text.ptr, slash ? (size_t)(slash - text.ptr) : text.len);
    int64_t within = 0;
    if (!digits(sequence) || sequence.len > SEQUENCE_MAX)
        return false;
    if (slash && !number(ss_s(slash + 1, text.len - sequence.len - 1), UINT32_MAX, &within))
        return false;
    memcpy(p->sequence, sequence.ptr, sequence.len);
    p->sequence[sequence.len] = '\0';
    p->kind = slash ? PLACE_WITHIN : PLACE_AFTER;
    p->within = (uint32_t)within;
    return true;
}

bool place_read(place *p, ss_str text)
{
    *p = (place){.kind = PLACE_HORIZON};
    if (text.len && text.ptr[0] == '.') {
        p->drained = true;
        text = ss_s(text.ptr + 1, text.len - 1);
    }
    if (text.len == 0)
        return false;
    if (ss_eq(text, SS_LIT("-")))
        return true;
    if (text.ptr[0] != '@')
        return read_sequence(p, text);
    p->kind = PLACE_TIME;
    return number(ss_s(text.ptr + 1, text.len - 1), INT64_MAX / 20000, &p->time_ms);
}

size_t place_put(const place *p, char *out, size_t size)
{
    const char *dot = p->drained ? "." : "";
    int len = 0;
    switch (p->kind) {
    case PLACE_TIME:
        len = snprintf(out, size, "%s@%lld", dot, (long long)p->time_ms);
        break;
    case PLACE_AFTER:
        len = snprintf(out, size, "%s%s", dot, p->sequence);
        break;
    case PLACE_WITHIN:
        len = snprintf(out, size, "%s%s/%u", dot, p->sequence, p->within);
        break;
    default:
        len = snprintf(out, size, "%s-", dot);
    }
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

bool place_same(const place *a, const place *b)
{
    char x[SEQUENCE_MAX + 32], y[SEQUENCE_MAX + 32];
    size_t len = place_put(a, x, sizeof x);
    return a->kind != PLACE_LATEST && b->kind != PLACE_LATEST && len == place_put(b, y, sizeof y) &&
           memcmp(x, y, len) == 0;
}

#include "modules/windows/render.h"

#include <inttypes.h>
#include <time.h>

#define US_PER_S   1000000
#define TIME_BYTES 32u
#define VALUE_MAX  (1u << 20)

size_t render_id(const document *d, uint64_t journal_id, char out[RENDER_ID_MAX])
{
    static const hash_key key = {0x77696e646f7773u,
                                 0x6d657472696373u}; /* the same for every server: backfills, too */
    hash128 h = hash_bytes(key, d->group->key, d->group->key_len);
    if (d->app.len) /* the application has windows of its own, whether it is a dimension or not */
        h.a ^= hash_bytes(key, d->app.ptr, d->app.len).b;
    int n =
        snprintf(out, RENDER_ID_MAX, "%016" PRIx64 "-%s-%" PRId64 "-%016" PRIx64, journal_id, d->metric->name,
                 d->start_us / US_PER_S, h.a ^ (d->start_us % US_PER_S ? (uint64_t)d->start_us : 0));
    return n > 0 && (unsigned)n < RENDER_ID_MAX ? (size_t)n : 0;
}

static void put_time(buf *out, int64_t us)
{
    char text[TIME_BYTES];
    struct tm tm;
    time_t s = (time_t)(us / US_PER_S - (us % US_PER_S < 0));
    int64_t ms = (us - (int64_t)s * US_PER_S) / 1000;
    size_t len = gmtime_r(&s, &tm) ? strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    buf_add(out, text, len);
    if (ms)
        buf_addf(out, ".%03d", (int)ms);
    buf_adds(out, "Z");
}

static ss_str dimension(const group *g, uint32_t index)
{
    const char *at = g->key, *end = at + g->key_len;
    for (;; index--) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        if (index == 0)
            return ss_s(at, (size_t)(stop - at));
        at = stop < end ? stop + 1 : end;
    }
}

/* alone: a JSON value; else what stands inside a string. */
static void put_text(buf *out, ss_str text, bool alone)
{
    if (!buf_reserve(out, json_escape_bound(text.len)))
        return;
    char *to = out->ptr + out->len;
    size_t len = json_put_string(to, text);
    if (!alone) {
        len -= 2;
        memmove(to, to + 1, len);
    }
    out->len += len;
}

static void put_quoted(buf *out, bool alone)
{
    if (alone)
        buf_adds(out, "\"");
}

/* Texts as they are, everything else as its JSON. */
static void put_json(buf *out, ss_str json, bool alone)
{
    if (alone)
        buf_add(out, json.ptr, json.len);
    else if (json.len >= 2 && json.ptr[0] == '"')
        buf_add(out, json.ptr + 1, json.len - 2);
    else
        put_text(out, json, false);
}

static void put_value(const document *d, buf *out, bool alone)
{
    buf value;
    if (alone) {
        aggregate_put(&d->metric->aggregate, &d->group->aggregate, d->group->count, out);
        return;
    }
    buf_init(&value, VALUE_MAX);
    aggregate_put(&d->metric->aggregate, &d->group->aggregate, d->group->count, &value);
    put_text(out, buf_str(&value), false);
    out->failed |= value.failed;
    buf_fini(&value);
}

static void put_part(const document *d, const metric_part *part, bool alone, ss_str id, buf *out)
{
    const metric *m = d->metric;
    switch (part->kind) {
    case PART_TEXT:
        buf_adds(out, part->text);
        break;
    case PART_NAME:
        put_text(out, ss_cstr(m->name), alone);
        break;
    case PART_START:
    case PART_END:
        put_quoted(out, alone);
        put_time(out, d->start_us + (part->kind == PART_END ? m->size_us : 0));
        put_quoted(out, alone);
        break;
    case PART_VALUE:
        put_value(d, out, alone);
        break;
    case PART_COUNT:
        buf_addf(out, "%" PRIu64, d->group->count);
        break;
    case PART_UNIT:
        put_quoted(out, alone);
        buf_adds(out, m->unit);
        put_quoted(out, alone);
        break;
    case PART_APP:
        put_text(out, d->app, alone);
        break;
    case PART_VERSION:
        buf_addf(out, "%" PRIu64, d->group->version);
        break;
    case PART_ID:
        put_text(out, id, alone);
        break;
    case PART_BY:
        put_json(out, dimension(d->group, part->by), alone);
        break;
    case PART_NULL:
        buf_adds(out, "null");
        break;
    }
}

void render_document(const document *d, ss_str id, buf *out)
{
    const metric *m = d->metric;
    buf_adds(out, "{");
    for (uint32_t i = 0; i < m->member_count; i++) {
        const metric_member *member = &m->members[i];
        buf_addf(out, "%s\"%s\":", i ? "," : "", member->key);
        put_quoted(out, !member->alone);
        for (uint32_t k = 0; k < member->count; k++)
            put_part(d, &member->parts[k], member->alone, id, out);
        put_quoted(out, !member->alone);
    }
    buf_adds(out, "}");
}

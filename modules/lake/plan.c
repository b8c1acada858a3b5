#include "modules/lake/plan.h"

#include <stdlib.h>

#define PLAN_HEAD     "lake2\n"
#define PLAN_PARQUET  "lake3\n" /* so that a version that knows lines alone does not make lines of it */
#define PLAN_HEAD_OLD "lake1\n" /* without the keys behind `path`: their defaults are what it did */

size_t plan_write(const cut *c, char out[PLAN_MAX])
{
    const cut_settings *s = &c->settings;
    int n = snprintf(out, PLAN_MAX,
                     "%sa=%llu\nb=%llu\ngzip=%d\nlevel=%d\npartition=%s\npath=%s\n"
                     "errors=%s\nby_receive=%d\nbad_time=%d\ntime_field=%s\n",
                     s->parquet ? PLAN_PARQUET : PLAN_HEAD, (unsigned long long)c->a,
                     (unsigned long long)c->b, s->gzip, s->level, s->partition, s->path, s->errors,
                     s->by_receive, s->bad_time, s->time_field);
    if (s->parquet && n > 0 && (size_t)n < PLAN_MAX)
        n += snprintf(out + n, PLAN_MAX - (size_t)n, "columnar=%s\nrow_group=%u\n", s->columnar.compression,
                      s->columnar.row_group);
    return n > 0 && (size_t)n < PLAN_MAX ? (size_t)n : 0;
}

static bool value(ss_str state, const char *key, char *out, size_t size)
{
    size_t key_len = strlen(key);
    for (const char *p = state.ptr, *end = p + state.len; p < end;) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t len = line_end ? (size_t)(line_end - p) : (size_t)(end - p);
        if (len > key_len && memcmp(p, key, key_len) == 0 && p[key_len] == '=' && len - key_len - 1 < size) {
            memcpy(out, p + key_len + 1, len - key_len - 1);
            out[len - key_len - 1] = '\0';
            return true;
        }
        p += len + 1;
    }
    return false;
}

static bool number(ss_str state, const char *key, uint64_t *out)
{
    char text[24];
    if (!value(state, key, text, sizeof text))
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

static bool begins(ss_str state, const char *head)
{
    return state.len > strlen(head) && memcmp(state.ptr, head, strlen(head)) == 0;
}

static bool read_newer(ss_str state, cut_settings *s)
{
    uint64_t by_receive, bad_time;
    if (!value(state, "errors", s->errors, sizeof s->errors) ||
        !value(state, "time_field", s->time_field, sizeof s->time_field) ||
        !number(state, "by_receive", &by_receive) || !number(state, "bad_time", &bad_time))
        return false;
    s->by_receive = by_receive == 1;
    s->bad_time = bad_time == 1;
    return true;
}

static bool read_parquet(ss_str state, cut_settings *s)
{
    uint64_t row_group;
    s->parquet = value(state, "columnar", s->columnar.compression, sizeof s->columnar.compression) &&
                 number(state, "row_group", &row_group);
    s->columnar.row_group = s->parquet ? (uint32_t)row_group : 0;
    return s->parquet;
}

bool plan_read(ss_str state, cut_settings *s, uint64_t *a, uint64_t *b)
{
    uint64_t gzip, level;
    bool old = begins(state, PLAN_HEAD_OLD), parquet = begins(state, PLAN_PARQUET);
    *s = (cut_settings){.gzip = false};
    if (!old && !parquet && !begins(state, PLAN_HEAD))
        return false;
    if (!number(state, "a", a) || !number(state, "b", b) || !number(state, "gzip", &gzip) ||
        !number(state, "level", &level) || !value(state, "partition", s->partition, sizeof s->partition) ||
        !value(state, "path", s->path, sizeof s->path))
        return false;
    s->gzip = gzip == 1;
    s->level = (int)level;
    return old || (read_newer(state, s) && (!parquet || read_parquet(state, s)));
}

#include "modules/lake/manifest.h"

#include <time.h>

static void put_time(FILE *f, const char *name, int64_t us)
{
    char text[40];
    time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)fprintf(f, "\"%s\":\"%s.%03dZ\"", name, text, (int)((us - (int64_t)seconds * 1000000) / 1000));
}

static void manifest_part(FILE *f, const cut *c, const cut_part *p, const char *name)
{
    /* Directories hold what the template and the encoding of values allow; quotes come from the template. */
    (void)fputs("{\"path\":\"", f);
    for (const char *s = p->dir; *s; s++)
        (void)fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    (void)fprintf(f, "%s%s\",\"bytes\":%llu,\"raw_bytes\":%llu,\"count\":%llu,\"crc32\":\"%08x\",", name,
                  cut_extension(c, p), (unsigned long long)p->out_bytes, (unsigned long long)p->raw_bytes,
                  (unsigned long long)p->count, p->crc);
    put_time(f, "event_min", p->event_min_us);
    (void)fputc(',', f);
    put_time(f, "event_max", p->event_max_us);
    (void)fputs(p->errors ? ",\"errors\":true}" : "}", f);
}

void manifest_put(FILE *f, const cut *c, const char *name)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (size_t i = 0; i < c->part_count; i++) {
        if (c->parts[i]->count == 0)
            continue;
        min = c->parts[i]->event_min_us < min ? c->parts[i]->event_min_us : min;
        max = c->parts[i]->event_max_us > max ? c->parts[i]->event_max_us : max;
    }
    (void)fprintf(f,
                  "{\"version\":1,\"journal\":\"%016llx\",\"module\":\"%s\",\"from\":%llu,\"through\":%llu,"
                  "\"count\":%llu,"
                  "\"raw_bytes\":%llu,",
                  (unsigned long long)c->journal_id, c->module, (unsigned long long)c->a,
                  (unsigned long long)c->b, (unsigned long long)c->count, (unsigned long long)c->raw_bytes);
    put_time(f, "event_min", min);
    (void)fputc(',', f);
    put_time(f, "event_max", max);
    (void)fputs(",\"objects\":[", f);
    const char *between = "\n";
    for (size_t i = 0; i < c->part_count; i++) {
        if (c->parts[i]->count == 0)
            continue;
        (void)fputs(between, f);
        manifest_part(f, c, c->parts[i], name);
        between = ",\n";
    }
    (void)fputs("\n]}\n", f);
}

uint32_t manifest_crc(const cut *c)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < c->part_count; i++) {
        char line[64];
        int n = c->parts[i]->count ? snprintf(line, sizeof line, "%08x %llu\n", c->parts[i]->crc,
                                              (unsigned long long)c->parts[i]->count)
                                   : 0;
        crc = gz_crc(crc, line, n > 0 ? (size_t)n : 0);
    }
    return crc;
}

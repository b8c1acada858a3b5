#include "modules/lake/cut.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "modules/lake/failure.h"
#include "modules/lake/files.h"
#include "plugins/common/fault.h"

#define TMP_DIR      "_tmp"
#define MANIFEST_DIR "_manifest"
/* Fixed widths: it is written when the file is begun, and again when the numbers are known. */
#define COMMENT_FORMAT "journal=%016llx module=%s from=%020llu through=%020llu count=%020llu crc32=%08x"

static uint64_t hash_bytes(const char *p, size_t len)
{
    uint64_t h = 14695981039346656037u;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        h = (h ^ v) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    for (; len > 0; p++, len--)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    return h ^ h >> 29;
}

/* ---- directories known to be on disk --------------------------------------------------------------- */

static void forget_dirs(cut *c)
{
    for (size_t i = 0; i < CUT_SYNCED_DIRS; i++) {
        free(c->synced_dirs[i]);
        c->synced_dirs[i] = NULL;
    }
}

/* After a rename into dir: its entry, and once in a life all the way up to the lake's root. */
static int32_t sync_into(cut *c, const char *dir, ss_error *err)
{
    char **known = &c->synced_dirs[hash_bytes(dir, strlen(dir)) % CUT_SYNCED_DIRS];
    if (*known && strcmp(*known, dir) == 0)
        return files_sync_dir(dir, err);
    int32_t rc = files_sync_chain(dir, c->settings.path, err);
    if (rc != SS_OK)
        return rc;
    free(*known);
    *known = strdup(dir);
    return SS_OK;
}

/* ---- life
 * -------------------------------------------------------------------------------------------------- */

void cut_init(cut *c, const ss_host *host, uint64_t journal_id)
{
    memset(c, 0, sizeof *c);
    c->host = host;
    c->journal_id = journal_id;
    (void)snprintf(c->module, sizeof c->module, "%.*s", (int)host->instance.len, host->instance.ptr);
}

void cut_fini(cut *c)
{
    cut_clear(c);
    cut_rest(c);
    forget_dirs(c);
    free(c->parts);
    free(c->slots);
    c->parts = c->slots = NULL;
}

int32_t cut_settle(cut *c, const cut_settings *settings, ss_error *err)
{
    c->settings = *settings;
    if (!layout_compile(&c->layout, "partition", ss_cstr(settings->partition), err) ||
        !layout_compile(&c->errors, "errors", ss_cstr(settings->errors), err))
        return SS_REJECT;
    c->layout.by_receive = settings->by_receive;
    c->errors.by_receive = true;
    int n = snprintf(c->tmp_dir, sizeof c->tmp_dir, "%s/" TMP_DIR "/%016llx-%s/", settings->path,
                     (unsigned long long)c->journal_id, c->module);
    if (n < 0 || (size_t)n + 16 >= sizeof c->tmp_dir)
        return ss_fail(err, SS_REJECT, "lake: path '%.100s...' is too long", settings->path);
    int32_t rc = files_make_dirs(c->tmp_dir, err);
    if (rc != SS_OK)
        return rc;
    files_empty_dir(c->tmp_dir);
    forget_dirs(c);
    ss_error ignored = {.struct_size = sizeof ignored};
    rc = files_sync_chain(settings->path, NULL, &ignored);
    return rc == SS_FATAL ? ss_fail(err, rc, "%s", ignored.text) : SS_OK;
}

static void part_free(cut_part *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    free(p->lines);
    free(p->dir);
    free(p);
}

static void part_tmp(const cut *c, const cut_part *p, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%.*s%u.tmp", PATH_MAX - 16, c->tmp_dir, p->number);
}

void cut_clear(cut *c)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < c->part_count; i++) {
        part_tmp(c, c->parts[i], path);
        if (c->parts[i]->created && !c->parts[i]->published)
            (void)unlink(path);
        part_free(c->parts[i]);
    }
    for (size_t i = 0; i < CUT_ROUTES; i++) {
        free(c->routes[i].key);
        c->routes[i] = (cut_route){0};
    }
    if (c->slots)
        memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    c->part_count = c->open_count = 0;
    c->raw_bytes = c->count = c->ticks = c->failed = 0;
    c->manifest_done = false;
}

void cut_rest(cut *c)
{
    gz_free(c->gz);
    free(c->spare_lines);
    c->gz = NULL;
    c->spare_lines = NULL;
}

/* ---- writing one partition
 * --------------------------------------------------------------------------------- */

static size_t comment_put(const cut *c, uint64_t a, uint64_t b, uint64_t count, uint32_t crc,
                          char out[CUT_NAME_MAX])
{
    int n = snprintf(out, CUT_NAME_MAX, COMMENT_FORMAT, (unsigned long long)c->journal_id, c->module,
                     (unsigned long long)a, (unsigned long long)b, (unsigned long long)count, crc);
    return n > 0 ? (size_t)n : 0;
}

static int32_t part_open(cut *c, cut_part *p, ss_error *err)
{
    char path[PATH_MAX], comment[CUT_NAME_MAX], header[CUT_NAME_MAX + 16];
    if (p->fd >= 0)
        return SS_OK;
    part_tmp(c, p, path);
    p->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (p->out_bytes ? 0 : O_TRUNC), 0640);
    if (p->fd < 0)
        return ss_fail(err, SS_RETRY, "lake: cannot create %.300s: %s; check space and rights", path,
                       strerror(errno));
    p->created = true;
    if (p->out_bytes > 0 || !c->settings.gzip)
        return SS_OK;
    (void)comment_put(c, 0, 0, 0, 0, comment);
    size_t len = gz_put_header(header, comment);
    int32_t rc = files_write(p->fd, path, header, len, 0, err);
    if (rc == SS_OK) {
        p->out_bytes = len;
    } else { /* the next try begins with the header again */
        (void)close(p->fd);
        p->fd = -1;
    }
    return rc;
}

/* Write-back begins at once and is waited for a little later: the last sync has little to do, and the
   journal's syncs do not queue behind a mountain of ours. */
static void part_pace(cut_part *p)
{
    if (p->out_bytes - p->started_at < CUT_PACE_STEP_BYTES)
        return;
    (void)sync_file_range(p->fd, (off_t)p->started_at, (off_t)(p->out_bytes - p->started_at),
                          SYNC_FILE_RANGE_WRITE);
    uint64_t until = p->started_at;
    p->started_at = p->out_bytes;
    if (until - p->waited_at < CUT_PACE_BYTES)
        return;
    (void)sync_file_range(p->fd, (off_t)p->waited_at, (off_t)(until - p->waited_at),
                          SYNC_FILE_RANGE_WAIT_BEFORE);
    p->waited_at = until;
}

/* Compresses and writes what the buffer has. After a failure the same bytes are written to the same place. */
static int32_t part_flush(cut *c, cut_part *p, ss_error *err)
{
    if (p->lines_len == 0)
        return SS_OK;
    int32_t rc = part_open(c, p, err);
    if (rc != SS_OK)
        return rc;
    const char *bytes = p->lines;
    ssize_t len = (ssize_t)p->lines_len;
    if (c->settings.gzip) {
        if (!c->gz)
            c->gz = gz_new(c->settings.level);
        len = c->gz ? gz_chunk(c->gz, p->lines, p->lines_len, &bytes) : -1;
        if (len < 0)
            return ss_fail(err, SS_RETRY, "lake: out of memory for compressing");
    }
    char path[PATH_MAX];
    part_tmp(c, p, path);
    rc = files_write(p->fd, path, bytes, (size_t)len, p->out_bytes, err);
    if (rc != SS_OK)
        return rc;
    FAULT_POINT("lake.chunk_written");
    p->crc = gz_crc(p->crc, p->lines, p->lines_len);
    p->out_bytes += (uint64_t)len;
    p->lines_len = 0;
    part_pace(p);
    if (p->lines_size > 2 * CUT_CHUNK_BYTES) { /* one huge line is no reason to keep its room */
        free(p->lines);
        p->lines_size = CUT_FIRST_BYTES;
        p->lines = malloc(p->lines_size);
        p->lines_size = p->lines ? p->lines_size : 0;
    }
    return SS_OK;
}

/* One full-grown buffer is kept for the next partition: new memory costs more than what is written to it. */
static void lines_give_back(cut *c, cut_part *p)
{
    if (p->lines_size == CUT_CHUNK_BYTES && !c->spare_lines)
        c->spare_lines = p->lines;
    else
        free(p->lines);
    p->lines = NULL;
    p->lines_size = 0;
}

/* Gives buffer and descriptor back; the file is opened again when more comes. */
static int32_t part_spill(cut *c, cut_part *p, ss_error *err)
{
    int32_t rc = part_flush(c, p, err);
    if (rc != SS_OK)
        return rc;
    lines_give_back(c, p);
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
    for (size_t i = 0; i < c->open_count; i++)
        if (c->open[i] == p)
            c->open[i] = c->open[--c->open_count];
    return SS_OK;
}

/* A place among the open ones; the longest unused one has to go for it. */
static int32_t part_admit(cut *c, cut_part *p, ss_error *err)
{
    if (p->lines)
        return SS_OK;
    bool open = false;
    for (size_t i = 0; i < c->open_count; i++)
        open |= c->open[i] == p;
    if (!open && c->open_count == CUT_OPEN_MAX) {
        cut_part *oldest = c->open[0];
        for (size_t i = 1; i < c->open_count; i++)
            if (c->open[i]->used < oldest->used)
                oldest = c->open[i];
        int32_t rc = part_spill(c, oldest, err);
        if (rc != SS_OK)
            return rc;
    }
    bool spare = c->spare_lines != NULL;
    p->lines = spare ? c->spare_lines : malloc(CUT_FIRST_BYTES);
    if (!p->lines)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    p->lines_size = spare ? CUT_CHUNK_BYTES : CUT_FIRST_BYTES;
    c->spare_lines = NULL;
    if (!open)
        c->open[c->open_count++] = p;
    return SS_OK;
}

static int32_t part_room(cut *c, cut_part *p, size_t need, ss_error *err)
{
    int32_t rc = part_admit(c, p, err);
    if (rc != SS_OK)
        return rc;
    if (p->lines_len > 0 && p->lines_len + need > CUT_CHUNK_BYTES) {
        rc = part_flush(c, p, err);
        if (rc == SS_OK)
            rc = part_admit(c, p, err);
    }
    if (rc != SS_OK || p->lines_len + need <= p->lines_size)
        return rc;
    size_t size = p->lines_size;
    while (size < p->lines_len + need)
        size *= 2;
    char *lines = realloc(p->lines, size);
    if (!lines)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    p->lines = lines;
    p->lines_size = size;
    return SS_OK;
}

/* ---- finding the partition
 * --------------------------------------------------------------------------------- */

static bool slots_grow(cut *c)
{
    size_t count = c->slot_count ? c->slot_count * 2 : 256;
    cut_part **slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < c->part_count; i++) {
        size_t at = hash_bytes(c->parts[i]->dir, strlen(c->parts[i]->dir)) & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = c->parts[i];
    }
    free(c->slots);
    c->slots = slots;
    c->slot_count = count;
    return true;
}

static cut_part *part_new(cut *c, const char *dir)
{
    if (c->part_count == c->part_size) {
        size_t size = c->part_size ? c->part_size * 2 : 16;
        cut_part **parts = realloc(c->parts, size * sizeof *parts);
        if (!parts)
            return NULL;
        c->parts = parts;
        c->part_size = size;
    }
    cut_part *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->dir = strdup(dir);
    p->fd = -1;
    p->number = (uint32_t)c->part_count;
    if (!p->dir) {
        free(p);
        return NULL;
    }
    c->parts[c->part_count++] = p;
    return p;
}

static cut_part *part_of_dir(cut *c, const char *dir)
{
    if (c->part_count * 2 >= c->slot_count && !slots_grow(c))
        return NULL;
    size_t at = hash_bytes(dir, strlen(dir)) & (c->slot_count - 1);
    for (; c->slots[at]; at = (at + 1) & (c->slot_count - 1))
        if (strcmp(c->slots[at]->dir, dir) == 0)
            return c->slots[at];
    cut_part *p = part_new(c, dir);
    if (p)
        c->slots[at] = p;
    return p;
}

static cut_part *part_of(cut *c, const ss_record *r)
{
    char key[LAYOUT_KEY_MAX + 1], dir[LAYOUT_DIR_MAX];
    bool failed = r->flags & SS_RECORD_FAILED;
    const layout *l = failed ? &c->errors : &c->layout;
    size_t len = layout_key(l, r, key);
    key[len++] = failed ? 'f' : 'e'; /* two templates, two kinds of keys */
    uint64_t hash = hash_bytes(key, len);
    cut_route *route = &c->routes[hash % CUT_ROUTES];
    if (route->part && route->hash == hash && route->key_len == len && memcmp(route->key, key, len) == 0)
        return route->part;
    (void)layout_dir(l, r, dir);
    cut_part *p = part_of_dir(c, dir);
    char *copy = p ? malloc(len + 1) : NULL;
    if (copy) {
        memcpy(copy, key, len);
        free(route->key);
        *route = (cut_route){.key = copy, .key_len = len, .hash = hash, .part = p};
    }
    return p;
}

bool cut_leaves_out(const cut *c, const ss_record *r)
{
    return (r->flags & SS_RECORD_FAILED) && c->settings.errors[0] == '\0';
}

static int32_t add_line(cut *c, const ss_record *r, ss_error *err)
{
    cut_part *p = part_of(c, r);
    if (!p)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    int32_t rc = part_room(c, p, r->body.len + 1, err);
    if (rc != SS_OK)
        return rc;
    memcpy(p->lines + p->lines_len, r->body.ptr, r->body.len);
    p->lines[p->lines_len + r->body.len] = '\n';
    p->lines_len += r->body.len + 1;
    p->raw_bytes += r->body.len + 1;
    bool failed = r->flags & SS_RECORD_FAILED;
    p->errors = p->count == 0 ? failed : p->errors && failed;
    int64_t us = layout_time_us(r);
    if (p->count == 0 || us < p->event_min_us)
        p->event_min_us = us;
    if (p->count == 0 || us > p->event_max_us)
        p->event_max_us = us;
    p->count++;
    p->used = ++c->ticks;
    c->count++;
    c->failed += failed;
    c->raw_bytes += r->body.len + 1;
    c->b = r->seq;
    return SS_OK;
}

int32_t cut_add(cut *c, const ss_record *r, ss_error *err)
{
    const cut_settings *s = &c->settings;
    ss_record failed;
    char *line = NULL;
    if (!s->bad_time || (r->flags & SS_RECORD_FAILED) || failure_time_usable(r->json, s->time_field))
        return add_line(c, r, err);
    if (!failure_of(r, s->time_field, &failed, &line))
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    int32_t rc = add_line(c, &failed, err);
    free(line);
    return rc;
}

bool cut_is_full(const cut *c)
{
    return c->part_count >= CUT_PARTITIONS_MAX;
}

/* ---- publishing
 * -------------------------------------------------------------------------------------------- */

static const char *extension(const cut *c)
{
    return c->settings.gzip ? ".ndjson.gz" : ".ndjson";
}

static void cut_name(const cut *c, char out[CUT_NAME_MAX])
{
    (void)snprintf(out, CUT_NAME_MAX, "%016llx-%s-%020llu-%020llu", (unsigned long long)c->journal_id,
                   c->module, (unsigned long long)c->a, (unsigned long long)c->b);
}

static bool join(char out[PATH_MAX], const char *a, const char *b, const char *d, const char *e)
{
    int n = snprintf(out, PATH_MAX, "%s/%s%s%s", a, b, d, e);
    return n > 0 && n < PATH_MAX;
}

/* The last bytes, and the header's numbers, which are known now. */
static int32_t part_close(cut *c, cut_part *p, ss_error *err)
{
    char path[PATH_MAX], comment[CUT_NAME_MAX], header[CUT_NAME_MAX + 16], trailer[GZ_TRAILER_BYTES];
    if (p->closed || p->count == 0) /* 0: its first record could not be taken */
        return SS_OK;
    int32_t rc = part_flush(c, p, err);
    if (rc == SS_OK)
        rc = part_open(c, p, err);
    if (rc != SS_OK)
        return rc;
    part_tmp(c, p, path);
    if (c->settings.gzip) {
        gz_put_trailer(trailer, p->crc, p->raw_bytes);
        rc = files_write(p->fd, path, trailer, sizeof trailer, p->out_bytes, err);
        (void)comment_put(c, c->a, c->b, p->count, p->crc, comment);
        size_t len = gz_put_header(header, comment);
        if (rc == SS_OK)
            rc = files_write(p->fd, path, header, len, 0, err);
    }
    FAULT_POINT("lake.before_sync");
    if (rc == SS_OK)
        rc = files_sync(p->fd, path, err);
    if (rc != SS_OK)
        return rc;
    FAULT_POINT("lake.after_sync");
    p->out_bytes += c->settings.gzip ? GZ_TRAILER_BYTES : 0;
    p->closed = true;
    lines_give_back(c, p);
    (void)close(p->fd);
    p->fd = -1;
    return SS_OK;
}

static int32_t part_publish(cut *c, cut_part *p, const char *name, ss_error *err)
{
    char tmp[PATH_MAX], target[PATH_MAX], dir[PATH_MAX], file[CUT_NAME_MAX + 16];
    if (p->published || p->count == 0)
        return SS_OK;
    part_tmp(c, p, tmp);
    (void)snprintf(file, sizeof file, "%s%s", name, extension(c));
    if (!join(target, c->settings.path, p->dir, file, "") || !join(dir, c->settings.path, p->dir, "", ""))
        return ss_fail(err, SS_RETRY,
                       "lake: the path of partition %.100s... is too long; shorten `path` or `partition`",
                       p->dir);
    FAULT_POINT("lake.before_rename");
    int32_t rc = files_rename(tmp, target, err);
    if (rc != SS_OK)
        return rc;
    p->published = true;
    FAULT_POINT("lake.after_rename");
    rc = sync_into(c, dir, err);
    FAULT_POINT("lake.after_dir_sync");
    return rc == SS_RETRY ? SS_FATAL : rc; /* renamed, but not known to be on disk: do all of it again */
}

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
                  extension(c), (unsigned long long)p->out_bytes, (unsigned long long)p->raw_bytes,
                  (unsigned long long)p->count, p->crc);
    put_time(f, "event_min", p->event_min_us);
    (void)fputc(',', f);
    put_time(f, "event_max", p->event_max_us);
    (void)fputs(p->errors ? ",\"errors\":true}" : "}", f);
}

static void manifest_put(FILE *f, const cut *c, const char *name)
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

static int32_t manifest_write(cut *c, const char *name, ss_error *err)
{
    char tmp[PATH_MAX], target[PATH_MAX], dir[PATH_MAX];
    (void)snprintf(tmp, sizeof tmp, "%.*smanifest.tmp", PATH_MAX - 16, c->tmp_dir);
    if (!join(dir, c->settings.path, MANIFEST_DIR, "", "") ||
        !join(target, c->settings.path, MANIFEST_DIR "/", name, ".json"))
        return ss_fail(err, SS_RETRY, "lake: `path` is too long");
    FAULT_POINT("lake.before_manifest");
    FILE *f = fopen(tmp, "we");
    if (!f)
        return ss_fail(err, SS_RETRY, "lake: cannot create %.300s: %s; check space and rights", tmp,
                       strerror(errno));
    manifest_put(f, c, name);
    bool written = fflush(f) == 0 && !ferror(f);
    int32_t rc = written ? files_sync(fileno(f), tmp, err)
                         : ss_fail(err, SS_RETRY, "lake: cannot write %.300s: %s", tmp, strerror(errno));
    (void)fclose(f);
    FAULT_POINT("lake.manifest_synced");
    if (rc == SS_OK)
        rc = files_rename(tmp, target, err);
    if (rc != SS_OK) {
        (void)unlink(tmp);
        return rc;
    }
    FAULT_POINT("lake.manifest_renamed");
    rc = sync_into(c, dir, err);
    FAULT_POINT("lake.after_manifest");
    return rc;
}

int32_t cut_publish(cut *c, ss_error *err)
{
    char name[CUT_NAME_MAX];
    cut_name(c, name);
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < c->part_count; i++)
        rc = part_close(c, c->parts[i], err);
    for (size_t i = 0; rc == SS_OK && i < c->part_count; i++)
        rc = part_publish(c, c->parts[i], name, err);
    if (rc == SS_OK && !c->manifest_done)
        rc = manifest_write(c, name, err);
    if (rc != SS_OK)
        return rc;
    c->manifest_done = true;
    c->objects = c->part_count;
    c->object_bytes = 0;
    for (size_t i = 0; i < c->part_count; i++)
        c->object_bytes += c->parts[i]->out_bytes;
    return SS_OK;
}

/* ---- out of quarantine
 * --------------------------------------------------------------------------------------- */

/* Its number is below the cursor, so it belongs to no coming cut; its name makes a repeat harmless. */
int32_t cut_single(cut *c, const ss_record *r, ss_error *err)
{
    cut *one = calloc(1, sizeof *one);
    if (!one)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    cut_init(one, c->host, c->journal_id);
    one->settings = c->settings;
    one->layout = c->layout;
    one->errors = c->errors;
    one->a = r->seq - 1;
    char name[CUT_NAME_MAX];
    int n = snprintf(one->tmp_dir, sizeof one->tmp_dir, "%.*squarantine-", PATH_MAX - 64, c->tmp_dir);
    (void)snprintf(name, sizeof name, "%016llx-%s-q%020llu", (unsigned long long)c->journal_id, c->module,
                   (unsigned long long)r->seq);
    int32_t rc = n > 0 ? cut_add(one, r, err) : SS_RETRY;
    if (rc == SS_OK)
        rc = part_close(one, one->parts[0], err);
    if (rc == SS_OK)
        rc = part_publish(one, one->parts[0], name, err);
    if (rc == SS_OK)
        rc = manifest_write(one, name, err);
    cut_fini(one);
    free(one);
    return rc;
}

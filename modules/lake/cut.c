#include "modules/lake/cut.h"

#include <stdlib.h>
#include <unistd.h>

#include "modules/lake/columnar.h"
#include "modules/lake/disk.h"
#include "modules/lake/failure.h"
#include "modules/lake/files.h"
#include "modules/lake/part.h"
#include "modules/lake/route.h"
#include "modules/lake/upload.h"

#define TMP_DIR "_tmp"
/* Fixed widths: it is written when the file is begun, and again when the numbers are known. */
#define COMMENT_FORMAT "journal=%016llx module=%s from=%020llu through=%020llu count=%020llu crc32=%08x"

uint64_t cut_hash(const char *p, size_t len)
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

size_t cut_comment(const cut *c, uint64_t a, uint64_t b, uint64_t count, uint32_t crc, char out[CUT_NAME_MAX])
{
    int n = snprintf(out, CUT_NAME_MAX, COMMENT_FORMAT, (unsigned long long)c->journal_id, c->module,
                     (unsigned long long)a, (unsigned long long)b, (unsigned long long)count, crc);
    return n > 0 ? (size_t)n : 0;
}

/* ---- life ---- */

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
    disk_forget(c);
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
    int n = snprintf(c->tmp_dir, sizeof c->tmp_dir, "%s/" TMP_DIR "/%016llx-%s/",
                     c->s3 ? c->work_dir : settings->path, (unsigned long long)c->journal_id, c->module);
    if (n < 0 || (size_t)n + 16 >= sizeof c->tmp_dir)
        return ss_fail(err, SS_REJECT, "lake: path '%.100s...' is too long", settings->path);
    int32_t rc = files_make_dirs(c->tmp_dir, err);
    if (rc != SS_OK)
        return rc;
    files_empty_dir(c->tmp_dir);
    disk_forget(c);
    if (c->s3)
        return SS_OK;
    ss_error ignored = {.struct_size = sizeof ignored};
    rc = files_sync_chain(settings->path, NULL, &ignored);
    return rc == SS_FATAL ? ss_fail(err, rc, "%s", ignored.text) : SS_OK;
}

void cut_clear(cut *c)
{
    char path[PATH_MAX];
    upload_end(c);
    columnar_stop(c);
    for (size_t i = 0; i < c->part_count; i++) {
        part_tmp(c, c->parts[i], path);
        if (c->parts[i]->created && (c->s3 || !c->parts[i]->published))
            (void)unlink(path);
        columnar_forget(c, c->parts[i]);
        part_free(c->parts[i]);
    }
    route_clear(c);
    c->part_count = c->open_count = 0;
    c->raw_bytes = c->count = c->ticks = c->failed = 0;
    c->manifest_done = false;
}

void cut_rest(cut *c)
{
    columnar_close(c);
    gz_free(c->gz);
    free(c->spare_lines);
    c->gz = NULL;
    c->spare_lines = NULL;
}

/* ---- adding ---- */

bool cut_leaves_out(const cut *c, const ss_record *r)
{
    return (r->flags & SS_RECORD_FAILED) && c->settings.errors[0] == '\0';
}

static int32_t add_line(cut *c, const ss_record *r, ss_error *err)
{
    cut_part *p = route_part(c, r);
    if (!p)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    int32_t rc = part_room(c, p, r->body.len + 1, err);
    if (rc == SS_OK && p->parquet && !columnar_note(p, r->receiver))
        rc = ss_fail(err, SS_RETRY, "lake: out of memory");
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

/* ---- publishing ---- */

const char *cut_extension(const cut *c, const cut_part *p)
{
    return p->parquet ? ".parquet" : c->settings.gzip ? ".ndjson.gz" : ".ndjson";
}

const char *cut_content_type(const cut *c, const cut_part *p)
{
    return p->parquet         ? "application/vnd.apache.parquet"
           : c->settings.gzip ? "application/gzip"
                              : "application/x-ndjson";
}

static int32_t publish(cut *c, const char *name, int64_t deadline_us, ss_error *err)
{
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < c->part_count; i++)
        rc = part_close(c, c->parts[i], deadline_us, err);
    if (rc != SS_OK)
        return rc;
    return c->s3 ? upload_publish(c, name, deadline_us, err) : disk_publish(c, name, err);
}

int32_t cut_publish(cut *c, int64_t deadline_us, ss_error *err)
{
    char name[CUT_NAME_MAX];
    (void)snprintf(name, CUT_NAME_MAX, "%016llx-%s-%020llu-%020llu", (unsigned long long)c->journal_id,
                   c->module, (unsigned long long)c->a, (unsigned long long)c->b);
    int32_t rc = publish(c, name, deadline_us, err);
    if (rc != SS_OK)
        return rc;
    c->objects = c->part_count;
    c->object_bytes = 0;
    for (size_t i = 0; i < c->part_count; i++)
        c->object_bytes += c->parts[i]->out_bytes;
    return SS_OK;
}

/* ---- out of quarantine
 * --------------------------------------------------------------------------------------- */

/* Its number is below the cursor, so it belongs to no coming cut; its name makes a repeat harmless. */
int32_t cut_single(cut *c, const ss_record *r, int64_t deadline_us, ss_error *err)
{
    cut *one = calloc(1, sizeof *one);
    if (!one)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    cut_init(one, c->host, c->journal_id);
    one->settings = c->settings;
    one->layout = c->layout;
    one->errors = c->errors;
    one->s3 = c->s3;
    memcpy(one->library, c->library, sizeof one->library);
    one->a = r->seq - 1;
    char name[CUT_NAME_MAX];
    int n = snprintf(one->tmp_dir, sizeof one->tmp_dir, "%.*squarantine-", PATH_MAX - 64, c->tmp_dir);
    (void)snprintf(name, sizeof name, "%016llx-%s-q%020llu", (unsigned long long)c->journal_id, c->module,
                   (unsigned long long)r->seq);
    int32_t rc = n > 0 ? cut_add(one, r, err) : SS_RETRY;
    if (rc == SS_OK)
        rc = publish(one, name, deadline_us, err);
    cut_fini(one);
    free(one);
    return rc;
}

#include "modules/lake/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modules/lake/manifest.h"
#include "modules/lake/part.h"
#include "plugins/common/fault.h"

#define TURN_MS        200
#define SPOILED_MAX    3u /* then the temporary file is not trusted any more */
#define NO_DEADLINE_US (30 * 1000000LL)
#define SHARE          4 /* of the time until the deadline one part in so many is left over */

typedef struct upload {
    aws_call *call; /* NULL: free */
    cut_part *part; /* NULL: the manifest */
    char *body;     /* mapped, or the manifest's own */
    size_t len;
    s3_object object;
    char sha_hex[SHA256_HEX + 1]; /* the manifest's */
    bool looking;                 /* at what is there already */
} upload;

typedef struct turn { /* of one call of upload_publish() */
    cut *c;
    const char *name;
    size_t next; /* parts before it are published or flying */
    int32_t rc;
    ss_error *err;
} turn;

/* ---- one upload ---- */

static void give_back(upload *u)
{
    aws_call_free(u->call); /* it borrows the body */
    if (u->part && u->body)
        (void)munmap(u->body, u->len);
    else
        free(u->body);
    if (u->part)
        u->part->flying = false;
    *u = (upload){.call = NULL};
}

static int32_t map_file(const cut *c, upload *u, ss_error *err)
{
    char path[PATH_MAX];
    part_tmp(c, u->part, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    u->len = (size_t)u->part->out_bytes;
    void *at = fd >= 0 ? mmap(NULL, u->len, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    if (at == MAP_FAILED) /* it was there a moment ago: begin anew */
        return ss_fail(err, SS_FATAL, "lake: cannot read its own file %.300s: %s", path, strerror(why));
    u->body = at;
    (void)madvise(at, u->len, MADV_SEQUENTIAL);
    return SS_OK;
}

static int32_t make_manifest(const turn *t, upload *u)
{
    unsigned char hash[SHA256_BYTES];
    FILE *f = open_memstream(&u->body, &u->len);
    if (f)
        manifest_put(f, t->c, t->name);
    bool good = f && fclose(f) == 0 && u->body;
    sha256 *h = good ? sha256_new() : NULL;
    good = h && sha256_add(h, u->body, u->len) && sha256_end(h, hash);
    sha256_free(h);
    if (!good)
        return ss_fail(t->err, SS_RETRY, "lake: out of memory for a manifest");
    sha256_hex(u->sha_hex, hash);
    return SS_OK;
}

static int32_t describe(const turn *t, upload *u)
{
    const cut *c = t->c;
    const cut_part *p = u->part;
    s3_object *o = &u->object;
    bool fits =
        s3_key(c->s3, p ? p->dir : MANIFEST_DIR "/", t->name, p ? cut_extension(c, p) : ".json", o->key);
    int32_t rc = p ? map_file(c, u, t->err) : make_manifest(t, u);
    if (!fits)
        rc =
            ss_fail(t->err, SS_PAUSE,
                    "lake: a key in %.200s is longer than S3 takes (%u bytes); shorten `path` or `partition`",
                    c->settings.path, S3_KEY_MAX);
    o->body = ss_s(u->body, u->len);
    o->sha_hex = p ? p->sha_hex : u->sha_hex;
    o->type = p ? cut_content_type(c, p) : "application/json";
    o->module = c->module;
    o->journal = c->journal_id;
    o->from = c->a;
    o->through = c->b;
    o->count = p ? p->count : c->count;
    o->crc = p ? p->crc : manifest_crc(c);
    o->overwrite = p && p->overwrite;
    return rc;
}

static int32_t send(const turn *t, upload *u)
{
    s3 *s = t->c->s3;
    FAULT_POINT("lake.s3_before_send");
    u->call = u->looking ? s3_head(s, &u->object, u) : s3_put(s, &u->object, u);
    return u->call ? SS_OK : ss_fail(t->err, SS_RETRY, "lake: out of memory for a request");
}

/* ---- what came back ---- */

static void published(turn *t, upload *u)
{
    char path[PATH_MAX];
    if (!u->part) {
        FAULT_POINT("lake.s3_manifest_there");
        t->c->manifest_done = true;
        return;
    }
    FAULT_POINT("lake.s3_object_there");
    u->part->published = true;
    part_tmp(t->c, u->part, path);
    (void)unlink(path);
}

static void note(turn *t, int32_t rc, const ss_error *why)
{
    if (t->rc != SS_OK && !(rc == SS_FATAL || (rc == SS_PAUSE && t->rc != SS_FATAL)))
        return; /* the first one counts, unless another is worse */
    t->rc = rc;
    *t->err = *why;
}

/* The store says that what it has is not what was sent: it is sent again over what is there, a few times. */
static void damaged(turn *t, upload *u, bool stored, ss_error *why)
{
    int32_t rc = SS_RETRY;
    if (u->part) {
        u->part->overwrite |= stored;
        rc = ++u->part->spoiled < SPOILED_MAX ? SS_RETRY : stored ? SS_PAUSE : SS_FATAL;
    }
    note(t, rc, why);
}

static void judge(turn *t, upload *u)
{
    ss_error why = {.struct_size = sizeof why};
    int32_t rc = SS_RETRY;
    uint64_t bytes = u->len;
    s3 *s = t->c->s3;
    bool stored = aws_reply_of(u->call)->result == AWS_OK;
    enum s3_verdict v = u->looking ? s3_head_verdict(s, &u->object, u->call, &bytes, &rc, &why)
                                   : s3_put_verdict(s, &u->object, u->call, &rc, &why);
    FAULT_POINT("lake.s3_answered");
    if (v == S3_LOOK || v == S3_AGAIN) {
        aws_call_free(u->call);
        u->looking = v == S3_LOOK;
        rc = send(t, u);
        if (rc == SS_OK)
            return;
        why = *t->err;
        v = S3_FAILED;
    }
    if (v == S3_THERE && u->part)
        u->part->out_bytes = bytes; /* another build's gzip may have made other bytes of the same lines */
    if (v == S3_THERE)
        published(t, u);
    else if (v == S3_DAMAGED)
        damaged(t, u, stored, &why);
    else
        note(t, rc, &why);
    if (v != S3_THERE)
        t->next = 0;
    give_back(u);
}

/* ---- all of them ---- */

static upload *free_slot(cut *c)
{
    for (uint32_t i = 0; i < s3_uploads(c->s3); i++)
        if (!c->uploads[i].call)
            return &c->uploads[i];
    return NULL;
}

static bool none_flies(const cut *c)
{
    for (uint32_t i = 0; i < S3_UPLOADS_MAX; i++)
        if (c->uploads[i].call)
            return false;
    return true;
}

static void begin(turn *t, upload *u, cut_part *p)
{
    ss_error why = {.struct_size = sizeof why};
    ss_error *err = t->err;
    *u = (upload){.part = p};
    t->err = &why;
    int32_t rc = describe(t, u);
    if (rc == SS_OK)
        rc = send(t, u);
    t->err = err;
    if (rc != SS_OK) {
        note(t, rc, &why);
        give_back(u);
    } else if (p) {
        p->flying = true;
    }
}

/* The next object that is to be sent: a part, and when all parts are there the manifest. */
static void begin_more(turn *t)
{
    cut *c = t->c;
    for (upload *u; t->rc == SS_OK && (u = free_slot(c)) != NULL;) {
        while (t->next < c->part_count &&
               (c->parts[t->next]->published || c->parts[t->next]->flying || c->parts[t->next]->count == 0))
            t->next++;
        if (t->next < c->part_count) {
            begin(t, u, c->parts[t->next]);
        } else {
            if (!c->manifest_done && none_flies(c))
                begin(t, u, NULL);
            return;
        }
    }
}

static void collect(turn *t)
{
    for (aws_call *call; (call = aws_done(s3_client(t->c->s3))) != NULL;)
        judge(t, aws_reply_of(call)->user);
}

static bool all_there(const cut *c)
{
    return c->manifest_done && none_flies(c);
}

int32_t upload_publish(cut *c, const char *name, int64_t deadline_us, ss_error *err)
{
    const ss_host *h = c->host;
    turn t = {.c = c, .name = name, .rc = SS_OK, .err = err};
    if (!c->uploads && !(c->uploads = calloc(S3_UPLOADS_MAX, sizeof *c->uploads)))
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    int64_t now = h->now_us(h->self);
    deadline_us = deadline_us > 0 ? deadline_us : now + NO_DEADLINE_US;
    int64_t stop = now + (deadline_us - now) / SHARE * (SHARE - 1);
    do {
        begin_more(&t);
        if (all_there(c) || (t.rc != SS_OK && none_flies(c)))
            break;
        int64_t left_ms = (stop - h->now_us(h->self)) / 1000;
        (void)aws_poll(s3_client(c->s3), left_ms < TURN_MS ? left_ms : TURN_MS);
        collect(&t);
    } while (h->now_us(h->self) < stop);
    if (t.rc == SS_OK && !all_there(c))
        t.rc = SS_RETRY; /* err stays empty: it goes on */
    if (t.rc == SS_OK || (t.rc != SS_RETRY && none_flies(c)))
        upload_end(c);
    return t.rc;
}

void upload_end(cut *c)
{
    for (uint32_t i = 0; c->uploads && i < S3_UPLOADS_MAX; i++)
        if (c->uploads[i].call)
            give_back(&c->uploads[i]);
    free(c->uploads);
    c->uploads = NULL;
}

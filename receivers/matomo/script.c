#include "receivers/matomo/script.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "receivers/matomo/hash.h"

#define TAG_BYTES   32u
#define AGE_BYTES   48u
#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip header */
#define HEADERS_MAX 4u

typedef struct content {
    char *bytes; /* owned */
    size_t len;
    char tag[TAG_BYTES];
} content;

typedef struct file_mark { /* by which a changed file is told */
    int64_t size, mtime_s, mtime_ns;
    uint64_t inode;
} file_mark;

struct script {
    const ss_host *host;
    char path[PATH_MAX], cache_control[AGE_BYTES];
    pthread_rwlock_t lock; /* what is below it */
    content plain, gzip;   /* gzip: empty where it would not be smaller */
    file_mark mark;
};

/* ---- reading ---- */

static file_mark mark_of(const struct stat *st)
{
    return (file_mark){.size = st->st_size,
                       .mtime_s = st->st_mtim.tv_sec,
                       .mtime_ns = st->st_mtim.tv_nsec,
                       .inode = (uint64_t)st->st_ino};
}

static bool same_mark(const file_mark *a, const file_mark *b)
{
    return a->size == b->size && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns &&
           a->inode == b->inode;
}

static bool read_whole(int fd, content *c)
{
    size_t have = 0;
    while (have < c->len) {
        ssize_t n = read(fd, c->bytes + have, c->len - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

static bool load_plain(const char *path, content *c, file_mark *mark, ss_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would wait for its writer */
    bool good = fd >= 0 && fstat(fd, &st) == 0;
    if (!good)
        (void)ss_fail(err, SS_REJECT, "script: %.300s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > (off_t)SCRIPT_BYTES_MAX)
        good = ss_fail(err, SS_REJECT, "script: %.300s: a file of 1 to %u bytes is wanted", path,
                       SCRIPT_BYTES_MAX) == SS_OK;
    if (good) {
        *mark = mark_of(&st);
        c->len = (size_t)st.st_size;
        c->bytes = malloc(c->len);
        good = c->bytes && read_whole(fd, c);
        if (!good)
            (void)ss_fail(err, SS_RETRY, "script: %.300s: it could not be read whole", path);
    }
    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* Without memory, or where nothing is gained: no gzip. */
static void make_gzip(const content *plain, content *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    size_t room = deflateBound(&z, plain->len);
    out->bytes = malloc(room);
    z.next_in = (Bytef *)plain->bytes;
    z.avail_in = (uInt)plain->len;
    z.next_out = (Bytef *)out->bytes;
    z.avail_out = (uInt)room;
    if (out->bytes && deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < plain->len)
        out->len = z.total_out;
    (void)deflateEnd(&z);
}

static void content_free(content *c)
{
    free(c->bytes);
    *c = (content){0};
}

/* The tags follow the bytes: the same file under another date, or on another server, is the same to caches.
 */
static bool load(const char *path, content *plain, content *gzip, file_mark *mark, ss_error *err)
{
    if (!load_plain(path, plain, mark, err)) {
        content_free(plain);
        return false;
    }
    make_gzip(plain, gzip);
    unsigned long long h = hash_text(HASH_A, ss_s(plain->bytes, plain->len));
    (void)snprintf(plain->tag, sizeof plain->tag, "\"%016llx\"", h);
    (void)snprintf(gzip->tag, sizeof gzip->tag, "\"%016llx-gz\"", h);
    return true;
}

static void look(void *arg)
{
    script *s = arg;
    struct stat st;
    content plain = {0}, gzip = {0};
    ss_error err = {.struct_size = sizeof err};
    file_mark mark;
    if (stat(s->path, &st) == 0) {
        mark = mark_of(&st);
        if (same_mark(&mark, &s->mark))
            return;
    }
    if (!load(s->path, &plain, &gzip, &mark, &err)) {
        s->host->alarm(s->host->self, "script", err.text); /* what was read before goes on being served */
        return;
    }
    (void)pthread_rwlock_wrlock(&s->lock);
    content old_plain = s->plain, old_gzip = s->gzip;
    s->plain = plain;
    s->gzip = gzip;
    s->mark = mark;
    (void)pthread_rwlock_unlock(&s->lock);
    content_free(&old_plain);
    content_free(&old_gzip);
    s->host->alarm(s->host->self, "script", NULL);
    ss_logf(s->host, SS_INFO, "script: %s was read again, %zu bytes", s->path, plain.len);
}

int32_t script_make(script **out, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    ss_str path = host->cfg_str(cfg, "script");
    *out = NULL;
    if (path.len == 0)
        return SS_OK;
    if (path.len >= PATH_MAX || memchr(path.ptr, '\0', path.len))
        return ss_fail(err, SS_REJECT, "script: the path is too long");
    script *s = calloc(1, sizeof *s);
    if (!s)
        return ss_fail(err, SS_LIMIT, "no memory for the script");
    s->host = host;
    memcpy(s->path, path.ptr, path.len);
    (void)snprintf(s->cache_control, sizeof s->cache_control, "public, max-age=%lld",
                   (long long)host->cfg_int(cfg, "script_max_age") / 1000);
    (void)pthread_rwlock_init(&s->lock, NULL);
    *out = s; /* freed by script_free() from here on */
    if (!load(s->path, &s->plain, &s->gzip, &s->mark, err))
        return SS_REJECT;
    if (!host->every(host->self, SCRIPT_LOOK_MS, look, s))
        ss_logf(host, SS_WARNING, "script: no timer is free: a changed file is read at the next reload only");
    return SS_OK;
}

void script_free(script *s)
{
    if (!s)
        return;
    content_free(&s->plain);
    content_free(&s->gzip);
    (void)pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* ---- serving ---- */

static ss_str trim(ss_str text)
{
    while (text.len > 0 && (*text.ptr == ' ' || *text.ptr == '\t'))
        text = ss_s(text.ptr + 1, text.len - 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* The next item of a comma separated list; false: no more. */
static bool next_item(ss_str *list, ss_str *item)
{
    if (list->len == 0)
        return false;
    const char *comma = memchr(list->ptr, ',', list->len);
    size_t len = comma ? (size_t)(comma - list->ptr) : list->len;
    *item = trim(ss_s(list->ptr, len));
    len += comma != NULL;
    *list = ss_s(list->ptr + len, list->len - len);
    return true;
}

/* "q=0", "q=0.0": named only to refuse it. */
static bool is_refused(ss_str parameters)
{
    ss_str value = trim(parameters);
    if (value.len < 3 || strncasecmp(value.ptr, "q=0", 3) != 0)
        return false;
    for (size_t i = 3; i < value.len; i++)
        if (value.ptr[i] != '.' && value.ptr[i] != '0')
            return false;
    return true;
}

static bool takes_gzip(ss_str list)
{
    ss_str item;
    while (next_item(&list, &item)) {
        const char *semicolon = item.len ? memchr(item.ptr, ';', item.len) : NULL;
        size_t len = semicolon ? (size_t)(semicolon - item.ptr) : item.len;
        ss_str name = trim(ss_s(item.ptr, len));
        if (name.len == 4 && strncasecmp(name.ptr, "gzip", 4) == 0)
            return !semicolon || !is_refused(ss_s(semicolon + 1, item.len - len - 1));
    }
    return false;
}

/* If-None-Match: a list of tags, weak ones too, or an asterisk. */
static bool is_known(ss_str list, const char *tag)
{
    ss_str item;
    while (next_item(&list, &item)) {
        if (item.len > 2 && memcmp(item.ptr, "W/", 2) == 0)
            item = ss_s(item.ptr + 2, item.len - 2);
        if (ss_eq(item, SS_LIT("*")) || ss_eq(item, ss_cstr(tag)))
            return true;
    }
    return false;
}

static int32_t answer_missing(ss_response *response)
{
    response->status = 404;
    response->content_type = SS_LIT("application/json");
    response->body =
        SS_LIT("{\"error\":\"no_script\",\"error_detail\":\"No script is configured: name the file "
               "in the option script of this receiver.\"}\n");
    return SS_REJECT;
}

/* Copied for the call: the file may be read again before the answer is out. */
static bool fill(const script *s, const content *c, const ss_host *host, const ss_request *request,
                 ss_response *response)
{
    ss_pair *h = host->mem(request->call, HEADERS_MAX * sizeof *h);
    char *tag = host->mem(request->call, TAG_BYTES);
    if (!h || !tag)
        return false;
    memcpy(tag, c->tag, TAG_BYTES);
    uint32_t n = 0;
    h[n++] = (ss_pair){SS_LIT("ETag"), ss_cstr(tag)};
    h[n++] = (ss_pair){SS_LIT("Cache-Control"), ss_cstr(s->cache_control)};
    h[n++] = (ss_pair){SS_LIT("Vary"), SS_LIT("Accept-Encoding")};
    if (is_known(host->header(request, "If-None-Match"), tag)) {
        response->status = 304;
    } else {
        char *body = host->mem(request->call, c->len);
        if (!body)
            return false;
        memcpy(body, c->bytes, c->len);
        response->status = 200;
        response->content_type = SS_LIT("application/javascript; charset=utf-8");
        response->body = ss_s(body, c->len);
        if (c == &s->gzip)
            h[n++] = (ss_pair){SS_LIT("Content-Encoding"), SS_LIT("gzip")};
    }
    response->headers = h;
    response->header_count = n;
    return true;
}

int32_t script_answer(script *s, const ss_host *host, const ss_request *request, ss_response *response)
{
    if (!s)
        return answer_missing(response);
    bool gzip = takes_gzip(host->header(request, "Accept-Encoding"));
    (void)pthread_rwlock_rdlock(&s->lock);
    const content *c = gzip && s->gzip.len ? &s->gzip : &s->plain;
    bool filled = fill(s, c, host, request, response);
    (void)pthread_rwlock_unlock(&s->lock);
    return filled ? SS_OK : SS_RETRY;
}

#include "modules/windows/save.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (64u * 1024) /* of the checksum */
#define MAGIC       "SSWINDOW"
#define FORMAT      1u

static const hash_key sum_key = {0x53617665u, 0x57696e64u};

/* ---- writing ---- */

typedef struct writer {
    int fd;
    size_t len;
    uint64_t sum;
    bool failed;
    char bytes[BLOCK_BYTES];
} writer;

static uint64_t sum_block(uint64_t sum, const char *bytes, size_t len)
{
    hash_key key = {sum_key.k0 ^ sum, sum_key.k1};
    return hash_bytes(key, bytes, len).a;
}

static void write_block(writer *w)
{
    w->sum = sum_block(w->sum, w->bytes, w->len);
    for (size_t done = 0; done < w->len && !w->failed;) {
        ssize_t n = write(w->fd, w->bytes + done, w->len - done);
        if (n < 0 && errno != EINTR)
            w->failed = true;
        done += n > 0 ? (size_t)n : 0;
    }
    w->len = 0;
}

static void put(writer *w, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        size_t n = sizeof w->bytes - w->len < len ? sizeof w->bytes - w->len : len;
        memcpy(w->bytes + w->len, at, n);
        w->len += n;
        at += n;
        len -= n;
        if (w->len == sizeof w->bytes)
            write_block(w);
    }
}

static void put_number(writer *w, uint64_t value)
{
    put(w, &value, sizeof value); /* little-endian, as the journal */
}

static void put_text(writer *w, const char *text, size_t len)
{
    put_number(w, len);
    put(w, text, len);
}

static void put_group(writer *w, const metric *m, group *g)
{
    const aggregate *a = &g->aggregate;
    put_number(w, (uint64_t)g->emitted | (uint64_t)g->dirty << 1 | (uint64_t)g->other << 2);
    put_number(w, g->hash);
    put_number(w, g->count);
    put_number(w, g->version);
    put_text(w, g->key, g->key_len);
    put_number(w, a->n);
    put(w, &a->a, sizeof a->a);
    put(w, &a->b, sizeof a->b);
    put_number(w, (uint64_t)a->used << 32 | a->size);
    put_text(w, a->table, aggregate_bytes(&m->aggregate, a));
}

static void put_window(writer *w, const engine *e, const window *win)
{
    const metric *m = &e->metrics[win->metric];
    uint32_t number = 0;
    put_number(w, m->print);
    put_number(w, (uint64_t)win->start_us);
    put_number(w, (uint64_t)win->fired | (uint64_t)win->dirty << 1);
    put_number(w, win->group_count);
    for (group *g = win->first; g; g = g->next) {
        g->number = number++;
        put_group(w, m, g);
    }
    put_number(w, win->seen_count);
    for (uint32_t i = 0; i < win->seen_size; i++) {
        const seen *s = &win->seen[i];
        if (!s->group)
            continue;
        put(w, &s->id, sizeof s->id);
        put_number(w, (uint64_t)s->event_us);
        put_number(w, s->group->number);
    }
}

static void put_all(writer *w, const engine *e, const outbox *plan)
{
    put(w, MAGIC, 8);
    put_number(w, FORMAT);
    put_number(w, e->seq);
    put_number(w, e->set.by_stream);
    put_number(w, e->scope_count);
    for (uint32_t i = 0; i < e->scope_count; i++) {
        const scope *s = &e->scopes[i];
        put_text(w, s->app, s->app_len);
        put_number(w, (uint64_t)s->max_us);
        put_number(w, (uint64_t)s->receive_us);
        put_number(w, s->window_count);
        for (const window *win = s->windows; win; win = win->next)
            put_window(w, e, win);
    }
    put_number(w, plan->count);
    for (const outbox_block *b = plan->first; b; b = b->next)
        put(w, b->bytes, b->len);
}

static bool sync_folder(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

bool save_write(const char *path, const engine *e, const outbox *plan, uint64_t *sum, ss_error *err)
{
    char beside[PATH_MAX];
    writer *w = malloc(sizeof *w);
    int n = snprintf(beside, sizeof beside, "%s.tmp", path);
    if (!w || n < 0 || (size_t)n >= sizeof beside) {
        free(w);
        return ss_fail(err, SS_RETRY, "no memory to save the open windows") == SS_OK;
    }
    w->len = 0;
    w->sum = 0;
    w->fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    w->failed = w->fd < 0;
    if (!w->failed) {
        put_all(w, e, plan);
        write_block(w);
    }
    bool ok = !w->failed && fsync(w->fd) == 0;
    if (w->fd >= 0 && close(w->fd) != 0)
        ok = false;
    *sum = w->sum;
    free(w);
    ok = ok && rename(beside, path) == 0 && sync_folder(path);
    if (!ok) {
        (void)ss_fail(err, SS_RETRY, "%s: the open windows cannot be saved: %s; is the disk full?", path,
                      strerror(errno));
        (void)unlink(beside);
    }
    return ok;
}

/* ---- reading ---- */

typedef struct reader {
    const char *at, *end;
    bool failed;
} reader;

static const char *take(reader *r, size_t len)
{
    if (r->failed || (size_t)(r->end - r->at) < len) {
        r->failed = true;
        return NULL;
    }
    const char *at = r->at;
    r->at += len;
    return at;
}

static uint64_t take_number(reader *r)
{
    uint64_t value = 0;
    const char *at = take(r, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static double take_double(reader *r)
{
    double value = 0;
    const char *at = take(r, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static ss_str take_text(reader *r)
{
    uint64_t len = take_number(r);
    const char *at = take(r, len);
    return ss_s(at ? at : "", at ? len : 0);
}

/* w: NULL: passed over. */
static group *take_group(reader *r, engine *e, window *w)
{
    uint64_t flags = take_number(r), hash = take_number(r), count = take_number(r), version = take_number(r);
    ss_str key = take_text(r);
    aggregate a = {.n = take_number(r)};
    a.a = take_double(r);
    a.b = take_double(r);
    uint64_t sizes = take_number(r);
    ss_str table = take_text(r);
    if (r->failed || !w)
        return NULL;
    group *g = engine_group_new(e, w, key, hash, (flags & 4) != 0);
    if (!g)
        return NULL;
    g->emitted = flags & 1;
    g->dirty = (flags & 2) != 0;
    g->count = count;
    g->version = version;
    a.used = (uint32_t)(sizes >> 32);
    a.size = (uint32_t)sizes;
    a.table = table.len ? malloc(table.len) : NULL;
    if (table.len && !a.table)
        return NULL;
    if (a.table)
        memcpy(a.table, table.ptr, table.len);
    g->aggregate = a;
    w->bytes += table.len;
    e->states[w->metric].bytes += table.len;
    return g;
}

static bool take_window(reader *r, engine *e, uint32_t scope_index, uint64_t *left_out)
{
    uint64_t print = take_number(r);
    int64_t start = (int64_t)take_number(r);
    uint64_t flags = take_number(r), groups = take_number(r);
    uint32_t index = 0;
    while (index < e->metric_count && e->metrics[index].print != print)
        index++;
    if (r->failed || groups > (uint64_t)(r->end - r->at))
        return false;
    window *w = index < e->metric_count ? engine_window_new(e, scope_index, index, start) : NULL;
    *left_out += index == e->metric_count;
    group **list = calloc(groups + 1, sizeof *list);
    bool ok = list && (w || index == e->metric_count);
    if (w) {
        w->fired = flags & 1;
        w->dirty = (flags & 2) != 0;
        e->dirty |= w->dirty;
        e->scopes[scope_index].listed |= w->dirty;
    }
    for (uint64_t i = 0; ok && i < groups; i++) {
        list[i] = take_group(r, e, w);
        ok = !r->failed && (list[i] || !w);
    }
    uint64_t seen_count = ok ? take_number(r) : 0;
    for (uint64_t i = 0; ok && i < seen_count; i++) {
        hash128 id = {.a = take_number(r)};
        id.b = take_number(r);
        int64_t event_us = (int64_t)take_number(r);
        uint64_t number = take_number(r);
        bool room;
        ok =
            !r->failed && number < groups && (!w || engine_seen_put(e, w, id, event_us, list[number], &room));
    }
    free(list);
    return ok && !r->failed;
}

static bool take_scope(reader *r, engine *e, uint64_t *left_out)
{
    ss_str app = take_text(r);
    int64_t max_us = (int64_t)take_number(r), receive_us = (int64_t)take_number(r);
    uint64_t windows = take_number(r);
    scope *s = r->failed ? NULL : engine_scope(e, app);
    if (!s)
        return false;
    uint32_t index = (uint32_t)(s - e->scopes);
    s->max_us = max_us;
    s->receive_us = receive_us;
    for (uint64_t i = 0; i < windows; i++)
        if (!take_window(r, e, index, left_out))
            return false;
    engine_due(e, &e->scopes[index]);
    return true;
}

static bool take_plan(reader *r, outbox *plan)
{
    uint64_t count = take_number(r);
    for (uint64_t i = 0; i < count; i++) {
        outbox_item item;
        const char *at = take(r, sizeof item.entry);
        if (!at)
            return false;
        memcpy(&item.entry, at, sizeof item.entry);
        item.id = ss_s(take(r, item.entry.id_len), item.entry.id_len);
        item.key = ss_s(take(r, item.entry.key_len), item.entry.key_len);
        item.app = ss_s(take(r, item.entry.app_len), item.entry.app_len);
        item.body = ss_s(take(r, item.entry.body_len), item.entry.body_len);
        if (r->failed || !outbox_add(plan, &item))
            return false;
    }
    return true;
}

static bool take_all(reader *r, engine *e, outbox *plan, uint64_t *left_out)
{
    const char *magic = take(r, 8);
    if (!magic || memcmp(magic, MAGIC, 8) != 0 || take_number(r) != FORMAT)
        return false;
    e->seq = take_number(r);
    bool other = (take_number(r) != 0) != e->set.by_stream;
    uint64_t scopes = take_number(r);
    uint32_t metrics = e->metric_count;
    if (other) /* watermarks of another kind: nothing of it fits */
        e->metric_count = 0;
    for (uint64_t i = 0; i < scopes; i++)
        if (!take_scope(r, e, left_out))
            return false;
    if (other)
        engine_fini(e);
    e->metric_count = metrics;
    return take_plan(r, plan);
}

static char *read_whole(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 && fstat(fd, &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    size_t done = 0;
    while (text && done < (size_t)st.st_size) {
        ssize_t n = read(fd, text + done, (size_t)st.st_size - done);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    *len = done;
    return text;
}

bool save_read(const char *path, uint64_t sum, engine *e, outbox *plan, uint64_t *left_out, ss_error *err)
{
    size_t len = 0;
    char *text = read_whole(path, &len);
    uint64_t found = 0;
    for (size_t at = 0; text && at < len; at += BLOCK_BYTES)
        found = sum_block(found, text + at, len - at < BLOCK_BYTES ? len - at : BLOCK_BYTES);
    reader r = {text, text + len, !text || found != sum};
    if (len % BLOCK_BYTES == 0 && text) /* the writer's last block was empty */
        r.failed = sum_block(found, text, 0) != sum;
    bool ok = !r.failed && take_all(&r, e, plan, left_out) && !r.failed;
    if (!ok)
        (void)ss_fail(err, SS_REJECT,
                      "%s: the saved windows cannot be read: put the file back from a backup, or run "
                      "`streamsteam module forget` "
                      "and declare the module anew with `start: earliest`",
                      path);
    free(text);
    return ok;
}

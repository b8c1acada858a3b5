#include "modules/windows/save_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct writer {
    int fd;
    size_t len;
    uint64_t sum;
    bool failed;
    char bytes[SAVE_BLOCK];
} writer;

static void write_block(writer *w)
{
    w->sum = save_sum(w->sum, w->bytes, w->len);
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
    put(w, SAVE_MAGIC, SAVE_MAGIC_BYTES);
    put_number(w, SAVE_FORMAT);
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

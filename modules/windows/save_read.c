/* Reading what save.c wrote. The bytes are not believed: they may be damaged in a way that the checksum does
   not know, or be anybody's. */
#include "modules/windows/engine_inside.h"
#include "modules/windows/save_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_BYTES 88u             /* the least that a group takes in the file */
#define TIME_MOST   (INT64_MAX / 4) /* of event times, either side of 1970      */

typedef struct reader {
    const char *at, *end;
    const char *problem; /* NULL: none so far */
} reader;

static bool wrong(reader *r, const char *problem)
{
    if (!r->problem)
        r->problem = problem;
    return false;
}

static const char *take(reader *r, size_t len)
{
    if (r->problem || (size_t)(r->end - r->at) < len) {
        (void)wrong(r, "it ends too soon");
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

/* Not there yet, or not in this millennium's neighbourhood: sums with durations must not overflow. */
static int64_t take_time(reader *r, bool may_be_none)
{
    int64_t us = (int64_t)take_number(r);
    if (!(may_be_none && us == INT64_MIN) && (us > TIME_MOST || us < -TIME_MOST))
        (void)wrong(r, "a time that cannot be");
    return us;
}

/* ---- groups ---- */

/* As many JSON values as the metric has dimensions, a line each. */
static bool is_key(const metric *m, ss_str key)
{
    const char *at = key.ptr, *end = key.ptr + key.len;
    if (key.len > ENGINE_KEY_MAX || m->by_count == 0)
        return key.len == 0;
    for (uint32_t i = 0; i < m->by_count; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        bool last = i + 1 == m->by_count;
        if (last != (stop == NULL))
            return false;
        stop = last ? end : stop;
        if (!json_valid(ss_s(at, (size_t)(stop - at))))
            return false;
        at = last ? end : stop + 1;
    }
    return true;
}

static bool take_table(reader *r, engine *e, window *w, aggregate *a, ss_str table)
{
    a->table = table.len ? malloc(table.len) : NULL;
    if (table.len && !a->table)
        return wrong(r, "there is no memory for it");
    if (a->table)
        memcpy(a->table, table.ptr, table.len);
    if (!aggregate_is_sound(&e->metrics[w->metric].aggregate, a, table.len)) {
        free(a->table);
        return wrong(r, "an aggregate that cannot be");
    }
    window_charge(e, w, (int64_t)table.len);
    return true;
}

/* w: NULL: passed over. */
static group *take_group(reader *r, engine *e, window *w)
{
    uint64_t flags = take_number(r);
    (void)take_number(r); /* its hash: made again, a table must not depend on what a file says */
    uint64_t count = take_number(r), version = take_number(r);
    ss_str key = take_text(r);
    aggregate a = {.n = take_number(r)};
    a.a = take_double(r);
    a.b = take_double(r);
    uint64_t sizes = take_number(r);
    ss_str table = take_text(r);
    if (r->problem || !w)
        return NULL;
    a.used = (uint32_t)(sizes >> 32);
    a.size = (uint32_t)sizes;
    bool other = (flags & 4) != 0;
    uint64_t hash = other ? 0 : hash_bytes(e->set.key, key.ptr, key.len).a;
    group *g = NULL;
    if (!is_key(&e->metrics[w->metric], key) || (other ? w->other != NULL : group_find(w, key, hash) != NULL))
        (void)wrong(r, "a group that cannot be");
    else if (take_table(r, e, w, &a, table)) {
        g = engine_group_new(e, w, key, hash, other);
        if (!g) {
            free(a.table);
            (void)wrong(r, "there is no memory for it");
            return NULL;
        }
        g->emitted = flags & 1;
        g->dirty = (flags & 2) != 0;
        g->count = count;
        g->version = version;
        g->aggregate = a;
    }
    return g;
}

/* ---- windows ---- */

static bool take_seen(reader *r, engine *e, window *w, group **list, uint64_t groups)
{
    uint64_t count = take_number(r);
    for (uint64_t i = 0; !r->problem && i < count; i++) {
        bool room = true;
        hash128 id = {.a = take_number(r)};
        id.b = take_number(r);
        int64_t event_us = (int64_t)take_number(r);
        uint64_t number = take_number(r);
        if (r->problem || number >= groups)
            return wrong(r, "an event id of no group");
        if (!w)
            continue;
        if (w->seen && seen_place(w->seen, w->seen_size, id)->group)
            return wrong(r, "an event id that is there twice");
        if (!engine_seen_put(e, w, id, event_us, list[number], &room))
            return wrong(r, "there is no memory for it");
        e->states[w->metric].undeduped += !room; /* the memory was made smaller */
    }
    return !r->problem;
}

/* NULL: left out, or wrong. */
static window *window_of(reader *r, engine *e, uint32_t scope_index, uint64_t print, int64_t start_us)
{
    uint32_t index = 0;
    while (index < e->metric_count && e->metrics[index].print != print)
        index++;
    if (r->problem || index == e->metric_count)
        return NULL;
    if (start_us % e->metrics[index].every_us != 0 || e->window_count >= ENGINE_WINDOWS_MAX ||
        window_find(e, scope_index, index, start_us)) {
        (void)wrong(r, "a window that cannot be");
        return NULL;
    }
    window *w = engine_window_new(e, scope_index, index, start_us);
    if (!w)
        (void)wrong(r, "there is no memory for it");
    return w;
}

static bool take_window(reader *r, engine *e, uint32_t scope_index, uint64_t *left_out)
{
    uint64_t print = take_number(r);
    int64_t start_us = take_time(r, false);
    uint64_t flags = take_number(r), groups = take_number(r);
    if (r->problem || groups > (uint64_t)(r->end - r->at) / GROUP_BYTES)
        return wrong(r, "more groups than it holds");
    window *w = window_of(r, e, scope_index, print, start_us);
    if (r->problem)
        return false;
    *left_out += !w;
    if (w) {
        w->fired = flags & 1;
        w->dirty = (flags & 2) != 0;
        e->dirty |= w->dirty;
        e->scopes[scope_index].listed |= w->dirty;
    }
    group **list = calloc(groups + 1, sizeof *list);
    if (!list)
        return wrong(r, "there is no memory for it");
    for (uint64_t i = 0; !r->problem && i < groups; i++)
        list[i] = take_group(r, e, w);
    bool ok = !r->problem && take_seen(r, e, w, list, groups);
    free(list);
    return ok;
}

static bool take_scope(reader *r, engine *e, uint64_t *left_out)
{
    ss_str app = take_text(r);
    int64_t max_us = take_time(r, true), receive_us = take_time(r, true);
    uint64_t windows = take_number(r);
    if (r->problem)
        return false;
    scope *s = engine_scope(e, app);
    if (!s)
        return wrong(r, "there is no memory for it");
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
        if (r->problem)
            return false;
        if (!outbox_add(plan, &item))
            return wrong(r, "there is no memory for it");
    }
    return !r->problem;
}

const char *save_take(ss_str bytes, engine *e, outbox *plan, uint64_t *left_out)
{
    reader r = {bytes.ptr, bytes.ptr + bytes.len, NULL};
    const char *magic = take(&r, SAVE_MAGIC_BYTES);
    if (!magic || memcmp(magic, SAVE_MAGIC, SAVE_MAGIC_BYTES) != 0 || take_number(&r) != SAVE_FORMAT)
        return "it is no such file, or of a newer version";
    e->seq = take_number(&r);
    bool other = (take_number(&r) != 0) != e->set.by_stream;
    uint64_t scopes = take_number(&r);
    uint32_t metrics = e->metric_count;
    if (other) /* watermarks of another kind: nothing of it fits */
        e->metric_count = 0;
    for (uint64_t i = 0; !r.problem && i < scopes; i++)
        (void)take_scope(&r, e, left_out);
    if (other)
        engine_fini(e);
    e->metric_count = metrics;
    if (!r.problem && take_plan(&r, plan) && r.at != r.end)
        (void)wrong(&r, "something follows it");
    return r.problem;
}

/* ---- the file ---- */

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

static uint64_t sum_of(const char *text, size_t len)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < len; at += SAVE_BLOCK)
        sum = save_sum(sum, text + at, len - at < SAVE_BLOCK ? len - at : SAVE_BLOCK);
    return len % SAVE_BLOCK == 0 ? save_sum(sum, text, 0) : sum; /* the writer's last block was empty */
}

bool save_read(const char *path, uint64_t sum, engine *e, outbox *plan, uint64_t *left_out, ss_error *err)
{
    size_t len = 0;
    char *text = read_whole(path, &len);
    const char *problem = !text                      ? strerror(errno)
                          : sum_of(text, len) != sum ? "it is not the one that was written"
                                                     : save_take(ss_s(text, len), e, plan, left_out);
    if (problem)
        (void)ss_fail(
            err, SS_REJECT,
            "%s: the saved windows cannot be read: %s; put the file back from a backup, or take the module "
            "out of the configuration, run `streamsteam module forget` with its name, and put it back "
            "with `start: earliest`",
            path, problem);
    free(text);
    return !problem;
}

#include "modules/compact/work.h"

#include <sys/stat.h>
#include <unistd.h>

#include "modules/compact/disk.h"
#include "plugins/common/fault.h"

/* ---- life ---- */

static void put_back(void *arg, ss_str path);

bool work_init(work *w, const ss_host *host, ss_str lake, bool (*stopping)(void *arg), void *arg,
               ss_error *err)
{
    memset(w, 0, sizeof *w);
    if (!index_init(&w->index, lake, err))
        return false;
    w->index.again = put_back;
    w->index.arg = w;
    w->unit.x = &w->index;
    w->unit.host = host;
    return copier_init(&w->unit.copier, stopping, arg) || (ss_fail(err, SS_RETRY, "no memory"), false);
}

void work_free(work *w)
{
    converter_free(&w->unit.converter);
    copier_free(&w->unit.copier);
    index_free(&w->index);
}

static void say(work *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(work *w, const char *format, ...)
{
    char line[2 * LAKE_PATH_MAX + 256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (w->tell)
        w->tell(w->arg, line);
}

/* A cut that a crash made anew wrote what had been replaced: its lines are in the compacted file. */
static void put_back(void *arg, ss_str path)
{
    work *w = arg;
    char text[LAKE_PATH_MAX], whole[PATH_MAX];
    ss_error err = {.struct_size = sizeof err};
    (void)snprintf(text, sizeof text, "%.*s", (int)path.len, path.ptr);
    if (w->rules.dry_run || !disk_path(whole, sizeof whole, w->index.root, text, "", &err) ||
        access(whole, F_OK) != 0)
        return;
    w->again += disk_remove(w->index.root, text, &err);
    FAULT_POINT("compact.again_removed");
}

/* ---- units that are under way ---- */

static bool go_on(work *w, ss_error *err)
{
    const ss_host *h = w->unit.host;
    for (size_t i = 0; i < w->index.unit_count; i++) {
        const index_unit *u = &w->index.units[i]; /* which unit_publish() changes */
        if (w->unit.copier.stopping(w->unit.copier.arg))
            return true;
        if (u->state == UNIT_WRITTEN && h->now_us(h->self) >= u->written_us + w->rules.keep_us) {
            if (!unit_publish(&w->unit, i, err))
                return false;
            w->published++;
        }
        if (u->state == UNIT_PUBLISHED && h->now_us(h->self) >= u->published_us + w->rules.keep_us &&
            !unit_finish(&w->unit, i, err))
            return false;
    }
    return true;
}

/* ---- new ones ---- */

typedef struct making {
    work *w;
    ss_error *err;
    enum work_result result;
} making;

static void tell_unit(work *w, const plan_unit *u, const char *verb)
{
    const index_file *f = &w->index.files[*u->files];
    say(w, "%s%s: %zu files, %lld bytes, %lld lines %s", f->folder, f->errors ? " (errors)" : "", u->count,
        (long long)u->bytes, (long long)u->lines, verb);
}

static bool make_unit(void *arg, const plan_unit *u)
{
    making *m = arg;
    work *w = m->w;
    if (w->rules.dry_run) {
        tell_unit(w, u, "would become one");
        return true;
    }
    ss_error err = {.struct_size = sizeof err};
    switch (unit_make(&w->unit, u, &err)) {
    case COPY_DONE:
        w->made++;
        w->replaced += u->count;
        w->lines += (uint64_t)u->lines;
        w->bytes += (uint64_t)u->bytes;
        tell_unit(w, u, "are one");
        return true;
    case COPY_STOPPED:
        m->result = WORK_STOPPED;
        return false;
    case COPY_DAMAGED: /* the others of its partition go on without it */
        w->damaged++;
        w->damage = err;
        w->index.files[w->unit.bad].dead = true;
        say(w, "%s", err.text);
        return true;
    default:
        *m->err = err;
        m->result = WORK_FAILED;
        return false;
    }
}

static enum work_result make_all(work *w, ss_error *err)
{
    making m = {.w = w, .err = err};
    uint64_t damaged;
    do {
        const plan_rules r = {.now_us = w->unit.host->now_us(w->unit.host->self),
                              .unit_us = w->rules.unit_us,
                              .grace_us = w->rules.grace_us,
                              .size = w->rules.size,
                              .parquet = w->rules.parquet,
                              .partition = w->rules.partition};
        damaged = w->damaged;
        m.result = WORK_DONE;
        if (!plan_make(&w->index, &r, make_unit, &m) && m.result == WORK_DONE)
            return ss_fail(err, SS_RETRY, "no memory for a plan"), WORK_FAILED;
    } while (m.result == WORK_DONE && w->damaged > damaged);
    return m.result;
}

static enum work_result look(work *w, ss_error *err)
{
    if (!index_refresh(&w->index, err))
        return WORK_FAILED;
    w->unit.parquet = w->rules.parquet;
    converter_set(&w->unit.converter, &w->unit.copier, w->unit.host, &w->rules.convert);
    if (w->rules.dry_run)
        return make_all(w, err);
    if (!w->cleaned)
        unit_clean(&w->unit);
    w->cleaned = true;
    if (!go_on(w, err))
        return WORK_FAILED;
    enum work_result rc = make_all(w, err);
    return rc == WORK_DONE && !go_on(w, err) ? WORK_FAILED : rc;
}

enum work_result work_pass(work *w, ss_error *err)
{
    char path[PATH_MAX];
    struct stat st;
    bool busy;
    if (!disk_path(path, sizeof path, w->index.root, MANIFEST_DIR, "", err))
        return WORK_FAILED;
    if (stat(path, &st) != 0) /* nothing was sealed yet */
        return WORK_DONE;
    int lock = disk_lock(w->index.root, &busy, err);
    if (lock < 0)
        return busy ? WORK_BUSY : WORK_FAILED;
    enum work_result rc = look(w, err);
    converter_free(&w->unit.converter); /* an idle module holds none of DuckDB's memory */
    (void)close(lock);
    return rc;
}

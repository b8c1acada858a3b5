/* Backfill: windows computed anew from the journal, by a replay, and handed over by the running module. The
   versions are those that the events give, so that what the module said with more events stays newer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "modules/windows/windows.h"
#include "plugins/common/fault.h"

#define REFUSED_PREFIX "refused-"

bool windows_is_replay(const windows *w)
{
    static const char mark[] = "/replay-";
    ss_str dir = w->host->data_dir(w->host->self);
    return memmem(dir.ptr, dir.len, mark, sizeof mark - 1) != NULL;
}

static bool path_of(const windows *w, const char *name, char path[PATH_MAX])
{
    ss_str dir = w->dir ? ss_cstr(w->dir) : w->host->data_dir(w->host->self);
    int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)dir.len, dir.ptr, name);
    return n > 0 && n < PATH_MAX;
}

/* ---- the replay ---- */

static bool read_order(const windows *w, backfill_order *order)
{
    char path[PATH_MAX], text[BACKFILL_LINE_BYTES] = "";
    int fd = path_of(w, BACKFILL_ORDER, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        (void)close(fd);
    return n > 0 && backfill_get_order(text, order);
}

int32_t windows_backfill_begin(windows *w, const ss_resume *resume, ss_error *err)
{
    if (!read_order(w, &w->order))
        return ss_fail(err, SS_REJECT,
                       "windows are computed anew by `streamsteam windows backfill`, not by a "
                       "replay of records");
    if (resume->seq >= w->order.first_seq)
        return ss_fail(err, SS_REJECT, "a backfill begins with its first record; run it again");
    w->backfills = true;
    w->settings.hold = true;
    w->settings.hold_from_us = w->order.from_us;
    if (w->order.covered_us != INT64_MIN && w->order.covered_us + w->settings.ahead_us > w->order.from_us)
        w->settings.hold_from_us = w->order.covered_us + w->settings.ahead_us;
    w->settings.hold_to_us = w->order.to_us;
    w->settings.hold_end_us = w->order.end_us;
    w->engine.seq = resume->seq;
    return SS_OK;
}

/* Who was seen is of no use any more, and would be most of the file. */
static void forget_ids(engine *e)
{
    for (uint32_t i = 0; i < e->scope_count; i++)
        for (window *win = e->scopes[i].windows; win; win = win->next) {
            free(win->seen);
            win->seen = NULL;
            win->seen_count = win->seen_size = 0;
        }
}

static backfill_result result_of(const windows *w)
{
    backfill_result r = {.windows = w->engine.window_count, .covered_us = w->settings.hold_from_us};
    for (uint32_t i = 0; i < w->metric_count; i++) {
        const metric_state *s = &w->states[i];
        r.groups += s->groups;
        r.dropped += s->no_window;
        r.no_room += s->no_window + s->other + s->undeduped + s->approximate;
    }
    return r;
}

static bool write_result(const windows *w, const backfill_result *r)
{
    char path[PATH_MAX], text[BACKFILL_LINE_BYTES];
    int n = backfill_put_result(text, r);
    int fd =
        path_of(w, BACKFILL_RESULT, path) ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool ok = fd >= 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok;
}

static int32_t write_windows(windows *w, ss_error *err)
{
    char from[PATH_MAX], to[PATH_MAX], name[WINDOWS_NAME_BYTES];
    const outbox none = {NULL, NULL, 0, 0};
    uint64_t sum = 0;
    if (!path_of(w, "computed", from) || !save_write(from, &w->engine, &none, &sum, err))
        return err->text[0] ? SS_RETRY : ss_fail(err, SS_RETRY, "the path of data_dir is too long");
    (void)snprintf(name, sizeof name, BACKFILL_PREFIX "%" PRId64 "-%" PRIu64 "-%016" PRIx64,
                   w->settings.hold_from_us / 1000000, w->order.through_seq, sum);
    return path_of(w, name, to) && rename(from, to) == 0
               ? SS_OK
               : ss_fail(err, SS_RETRY, "%s: %s", from, strerror(errno));
}

int32_t windows_backfill_write(windows *w, backfill_result *r, ss_error *err)
{
    *r = result_of(w);
    forget_ids(&w->engine);
    return r->windows ? write_windows(w, err) : SS_OK;
}

int32_t windows_backfill_flush(windows *w, ss_error *err)
{
    if (!w->running || w->broken)
        return SS_OK;
    bool all = !w->host->stopping(w->host->self) && w->host->behind(w->host->self) == 0;
    if (all) {
        backfill_result r;
        int32_t status = windows_backfill_write(w, &r, err);
        if (status == SS_OK && !write_result(w, &r))
            status = ss_fail(err, SS_RETRY, "the result cannot be written: %s", strerror(errno));
        if (status != SS_OK)
            return status;
        w->running = false; /* nothing is to be added to it */
    }
    uint64_t seq = all ? w->order.through_seq : w->engine.seq;
    return w->host->commit(w->host->self, seq, "", 0, 0, err);
}

/* ---- the running module ---- */

static bool first_name(const windows *w, char name[WINDOWS_NAME_BYTES])
{
    char path[PATH_MAX];
    DIR *dir = path_of(w, ".", path) ? opendir(path) : NULL;
    name[0] = '\0';
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (strncmp(e->d_name, BACKFILL_PREFIX, sizeof BACKFILL_PREFIX - 1) == 0 &&
            len < WINDOWS_NAME_BYTES && (!name[0] || strcmp(e->d_name, name) < 0))
            memcpy(name, e->d_name, len + 1);
    }
    if (dir)
        (void)closedir(dir);
    return name[0] != '\0';
}

/* Kept under another name, so that it is neither lost nor tried again and again. */
static void refuse(const windows *w, const char *name, const ss_error *why)
{
    char from[PATH_MAX], to[PATH_MAX], refused[WINDOWS_NAME_BYTES + sizeof REFUSED_PREFIX];
    (void)snprintf(refused, sizeof refused, REFUSED_PREFIX "%s", name);
    ss_logf(w->host, SS_ERROR, "a backfill cannot be read and is left as %s: %s; run it again", refused,
            why->text);
    if (path_of(w, name, from) && path_of(w, refused, to))
        (void)rename(from, to);
}

static bool take_file(windows *w, const char *name)
{
    char path[PATH_MAX];
    ss_error err = {.struct_size = sizeof err};
    outbox none = {NULL, NULL, 0, 0};
    uint64_t left_out = 0, open = 0;
    metric_state *states = calloc(w->metric_count + 1, sizeof *states);
    const char *dash = strrchr(name, '-');
    engine e;
    if (!states || !path_of(w, name, path))
        return false;
    engine_init(&e, &w->settings, &w->paths, w->metrics, w->metric_count, states);
    bool ok = true;
    if (!save_read(path, strtoull(dash + 1, NULL, 16), &e, &none, &left_out, &err))
        refuse(w, name, &err);
    else {
        ok = engine_hand_over(&e, &w->engine, &open);
        (void)snprintf(w->taken, sizeof w->taken, "%s", name);
        ss_logf(w->host, SS_INFO,
                "backfill: %" PRIu64 " windows; %" PRIu64
                " of them are open still and stay as they are, %" PRIu64
                " are of metrics that are declared otherwise now",
                e.window_count, open, left_out);
        if (w->fresh.count == 0) /* no save comes because of it */
            windows_backfill_done(w, name);
    }
    outbox_clear(&none);
    engine_fini(&e);
    free(states);
    return ok;
}

bool windows_backfill_take(windows *w)
{
    char name[WINDOWS_NAME_BYTES];
    bool busy = w->taken[0] || w->plan.count || w->fresh.count;
    return busy || !first_name(w, name) || take_file(w, name);
}

/* The next save syncs the directory before its commit forgets the name. */
void windows_backfill_done(windows *w, const char *name)
{
    char path[PATH_MAX];
    FAULT_POINT("windows.backfill_done");
    if (strncmp(name, BACKFILL_PREFIX, sizeof BACKFILL_PREFIX - 1) == 0 && !strchr(name, '/') &&
        path_of(w, name, path))
        (void)unlink(path);
    w->taken[0] = '\0';
}

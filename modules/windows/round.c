#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "modules/windows/windows.h"
#include "plugins/common/fault.h"

#define ROUND_WAIT_US  200000 /* documents wait so long for others         */
#define ROUND_COST     10     /* a save may take this part of the time: 1 / ROUND_COST */
#define ROUND_BYTES    (4u << 20)
#define ROUND_RETRY_US 500000
#define BLOB_MAX       192u
#define POSITION_MAX   64u
#define VERSION_MAX    24u

int64_t windows_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool windows_emit(void *arg, const document *d)
{
    windows *w = arg;
    char id[RENDER_ID_MAX];
    ss_str name = ss_s(id, render_id(d, w->journal_id, id));
    buf_reset(&w->body);
    render_document(d, name, &w->body);
    if (w->body.failed)
        return false;
    outbox_item item = {.entry = {.version = d->group->version, .time_us = d->start_us},
                        .id = name,
                        .key = ss_cstr(d->metric->name),
                        .app = d->app,
                        .body = buf_str(&w->body)};
    if (!w->fresh_us)
        w->fresh_us = windows_now();
    return outbox_add(&w->fresh, &item);
}

/* ---- handing over ---- */

static int32_t pass_item(windows *w, ss_call *call, const outbox_item *item)
{
    char version[VERSION_MAX];
    int n = snprintf(version, sizeof version, "%" PRIu64, item->entry.version);
    const ss_pair headers[] = {{SS_LIT("version"), ss_s(version, (size_t)n)}, {SS_LIT("app"), item->app}};
    const ss_message m = {.struct_size = sizeof m,
                          .pair_size = sizeof(ss_pair),
                          .body = item->body,
                          .key = item->key,
                          .id = item->id,
                          .time_us = item->entry.time_us,
                          .headers = headers,
                          .header_count = 2};
    return w->host->pass(call, &m);
}

/* One call: as many as fit. */
static int32_t hand_some(windows *w, outbox_walk *walk, ss_error *err)
{
    ss_call *call = w->host->call_begin(w->host->self);
    if (!call)
        return ss_fail(err, SS_RETRY, "the server takes no documents now");
    uint64_t sent = w->sent;
    outbox_item item;
    outbox_walk before = *walk;
    while (outbox_next(walk, &item)) {
        int32_t status = pass_item(w, call, &item);
        if (status != SS_OK) {
            *walk = before;
            break;
        }
        before = *walk;
        sent++;
    }
    char position[POSITION_MAX];
    int n = snprintf(position, sizeof position, "%" PRIu64 ":%" PRIu64, w->round, sent);
    bool none = sent == w->sent;
    FAULT_POINT("windows.hand");
    int32_t status = w->host->call_commit(w->host->self, call, ss_s(position, (size_t)n), err);
    FAULT_POINT("windows.handed");
    if (status != SS_OK)
        return status;
    if (none)
        return ss_fail(err, SS_RETRY, "the server's call took no document");
    w->sent = sent;
    return SS_OK;
}

static int32_t hand_over(windows *w, ss_error *err)
{
    outbox_walk walk = outbox_begin(&w->plan);
    outbox_item item;
    for (uint64_t i = 0; i < w->sent; i++)
        (void)outbox_next(&walk, &item);
    while (w->sent < w->plan.count) {
        int32_t status = hand_some(w, &walk, err);
        if (status != SS_OK)
            return status;
    }
    outbox_clear(&w->plan);
    w->sent = 0;
    return SS_OK;
}

/* ---- saving ---- */

static bool file_of(const windows *w, uint64_t round, char path[PATH_MAX])
{
    ss_str dir = w->host->data_dir(w->host->self);
    int n = snprintf(path, PATH_MAX, "%.*s/windows-%" PRIu64, (int)dir.len, dir.ptr, round);
    return n > 0 && n < PATH_MAX;
}

static int32_t save(windows *w, ss_error *err)
{
    char path[PATH_MAX], blob[BLOB_MAX];
    uint64_t sum = 0, round = w->round + 1;
    int64_t from = windows_now();
    if (!engine_revise(&w->engine))
        return ss_fail(err, SS_FATAL, "no memory for the documents");
    if (!file_of(w, round, path) || !save_write(path, &w->engine, &w->fresh, &sum, err))
        return SS_RETRY;
    FAULT_POINT("windows.saved");
    int n = snprintf(blob, sizeof blob, "1 %" PRIu64 " %016" PRIx64 "%s%s", round, sum,
                     w->taken[0] ? " " : "", w->taken);
    int32_t status = w->host->commit(w->host->self, w->engine.seq, blob, (size_t)n, SS_COMMIT_SYNC, err);
    FAULT_POINT("windows.committed");
    if (status != SS_OK)
        return status;
    if (w->last_file && file_of(w, w->last_file, path))
        (void)unlink(path);
    windows_backfill_done(w, w->taken);
    w->last_file = w->round = round;
    w->plan = w->fresh;
    w->fresh = (outbox){NULL, NULL, 0, 0};
    w->fresh_us = 0;
    w->sent = 0;
    w->saved_seq = w->engine.seq;
    w->saved_us = windows_now();
    w->save_cost_us = w->saved_us - from;
    return SS_OK;
}

static bool save_due(const windows *w, bool force, int64_t now)
{
    bool waits = w->fresh.count || w->engine.dirty;
    bool news = w->engine.seq > w->saved_seq;
    if (force)
        return waits || news;
    if (w->fresh.bytes >= ROUND_BYTES)
        return true;
    int64_t pause = w->save_cost_us * ROUND_COST;
    pause = pause > ROUND_WAIT_US ? pause : ROUND_WAIT_US;
    if (waits)
        return now - w->saved_us >= pause;
    return news && now - w->saved_us >= w->save_every_us && now - w->saved_us >= pause;
}

int32_t windows_round(windows *w, bool force, ss_error *err)
{
    int64_t now = windows_now();
    if (w->try_us > now && !force)
        return SS_RETRY;
    int32_t status = w->plan.count ? hand_over(w, err) : SS_OK;
    if (status == SS_OK && save_due(w, force, now)) {
        status = save(w, err);
        if (status == SS_OK && w->plan.count)
            status = hand_over(w, err);
    }
    w->try_us = status == SS_OK ? 0 : windows_now() + ROUND_RETRY_US;
    return status;
}

/* ---- after a restart ---- */

static void read_position(ss_str text, uint64_t *round, uint64_t *sent)
{
    char copy[POSITION_MAX] = "";
    *round = *sent = 0;
    if (text.len == 0 || text.len >= sizeof copy)
        return;
    memcpy(copy, text.ptr, text.len);
    char *colon = NULL;
    *round = strtoull(copy, &colon, 10);
    if (colon && *colon == ':')
        *sent = strtoull(colon + 1, NULL, 10);
}

int32_t windows_restore(windows *w, const ss_resume *resume, ss_error *err)
{
    char blob[BLOB_MAX] = "", path[PATH_MAX];
    uint64_t round = 0, sum = 0, left_out = 0, stored_round, stored;
    read_position(resume->position, &stored_round, &stored);
    if (resume->state.len > 0 && resume->state.len < sizeof blob)
        memcpy(blob, resume->state.ptr, resume->state.len);
    if (blob[0]) {
        char *at = NULL;
        round = strtoull(blob + 2, &at, 10);
        sum = strtoull(at, &at, 16);
        if (*at == ' ') /* saved with this round; the crash came before it was removed */
            windows_backfill_done(w, at + 1);
        if (blob[0] != '1' || !file_of(w, round, path) ||
            !save_read(path, sum, &w->engine, &w->plan, &left_out, err))
            return err->text[0]
                       ? SS_REJECT
                       : ss_fail(err, SS_REJECT, "the saved state is of a newer version: '%s'", blob);
        w->last_file = round;
    }
    w->engine.seq = resume->seq;
    w->saved_seq = resume->seq;
    w->sent = stored_round == round ? stored : 0;
    if (stored_round > round) {
        ss_logf(w->host, SS_WARNING,
                "the journal holds documents of round %" PRIu64 ", the saved windows are of round %" PRIu64
                ": an older state was put back; documents come again with the same ids and versions",
                stored_round, round);
        round = stored_round;
    }
    w->round = round;
    if (w->sent >= w->plan.count) {
        outbox_clear(&w->plan);
        w->sent = 0;
    }
    if (left_out)
        ss_logf(w->host, SS_WARNING,
                "%" PRIu64 " open windows of metrics that are now declared otherwise were left out",
                left_out);
    return SS_OK;
}

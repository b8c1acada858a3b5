/* What the module's host table does beyond host_base: commit, results, timers, catalog. */
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/delivery/inner.h"

/* ---- commit
 * ------------------------------------------------------------------------------------------------ */

static int32_t commit_allowed(const delivery *d, uint64_t through_seq, size_t len, ss_error *err)
{
    if (!d->commits)
        return ss_fail(err, SS_DECLINE,
                       "commit: the module does not carry SS_MODULE_COMMITS; set the flag in its ss_module");
    uint64_t most = d->read_seq;
    if (d->batch.open && !d->in_deliver && d->batch.count > 0)
        most = d->batch.records[0].seq - 1;
    uint64_t least = state_cursor(d->state);
    if (through_seq < least || through_seq > most)
        return ss_fail(err, SS_REJECT,
                       "commit: %llu is not between the cursor %llu and the last record taken, %llu",
                       (unsigned long long)through_seq, (unsigned long long)least, (unsigned long long)most);
    if (len > STATE_BLOB_MAX)
        return ss_fail(err, SS_LIMIT,
                       "commit: a state of %zu bytes is more than %u; keep large things in files", len,
                       STATE_BLOB_MAX);
    return SS_OK;
}

static int32_t host_commit(void *self, uint64_t through_seq, const void *bytes, size_t len, uint32_t flags,
                           ss_error *err)
{
    delivery *d = self;
    ss_error local = error_init();
    ss_error *e = err ? err : &local;
    /* Beyond what the module took the host moves the cursor over filtered records by itself. */
    if (through_seq >= d->taken_seq && through_seq < state_cursor(d->state))
        through_seq = state_cursor(d->state);
    int32_t allowed = commit_allowed(d, through_seq, len, e);
    if (allowed != SS_OK)
        return allowed;
    ss_str blob = ss_s(bytes, bytes ? len : 0), host = ss_cstr(d->spec.host_json);
    /* A changed filter or view waits for the module's first commit: what a stored plan covers has to come
       again exactly as it came the first time. */
    bool release = d->spec.held && through_seq > state_cursor(d->state);
    state_change change = {.cursor = through_seq, .blob = &blob, .host = release ? &host : NULL};
    FAULT_POINT("delivery.before_module_commit");
    if (position_commit(d, &change, e) != 0)
        return SS_RETRY;
    if (release && spec_release(&d->spec, e) != 0)
        return SS_FATAL;
    FAULT_POINT("delivery.after_module_commit");
    if ((flags & SS_COMMIT_SYNC) && position_sync(d, e) != 0)
        return SS_RETRY;
    return SS_OK;
}

static void host_result(void *self, ss_result *result, uint32_t i, uint32_t status, uint32_t code,
                        ss_str text)
{
    delivery *d = self;
    if (!result || i >= result->count)
        return;
    ss_record_result *r =
        (ss_record_result *)(void *)((char *)result->records + (size_t)i * result->record_size);
    size_t len = text.len < DELIVERY_TEXT_MAX ? text.len : DELIVERY_TEXT_MAX;
    char *copy = len && d->in_deliver ? arena_take(&d->batch.texts, len) : NULL;
    if (copy)
        memcpy(copy, text.ptr, len);
    *r = (ss_record_result){.status = status, .code = code, .text = ss_s(copy ? copy : "", copy ? len : 0)};
}

static int32_t host_rewind(void *self, uint64_t *seq, ss_error *err)
{
    delivery *d = self;
    if (!d->commits || !d->in_start || d->setup->replay_id)
        return ss_fail(err, SS_DECLINE,
                       "rewind: only modules with SS_MODULE_COMMITS, in start(), and not in a replay");
    return position_rewind(d, seq, err);
}

/* ---- timers
 * ------------------------------------------------------------------------------------------------ */

static ss_timer *timer_add(delivery *d, int64_t delay_ms, int64_t period_ms, void (*callback)(void *arg),
                           void *arg)
{
    for (size_t i = 0; i < DELIVERY_TIMERS_MAX; i++) {
        if (d->timers[i].due_us)
            continue;
        d->timers[i] = (struct ss_timer){.due_us = clock_mono_us() + delay_ms * 1000,
                                         .period_us = period_ms * 1000,
                                         .callback = callback,
                                         .arg = arg};
        return &d->timers[i];
    }
    return NULL;
}

static ss_timer *host_every(void *self, int64_t period_ms, void (*callback)(void *arg), void *arg)
{
    return callback && period_ms > 0 ? timer_add(self, period_ms, period_ms, callback, arg) : NULL;
}

static ss_timer *host_once(void *self, int64_t delay_ms, void (*callback)(void *arg), void *arg)
{
    return callback && delay_ms >= 0 ? timer_add(self, delay_ms, 0, callback, arg) : NULL;
}

int64_t host_run_timers(delivery *d)
{
    int64_t next = INT64_MAX, now = clock_mono_us();
    bool ran = false;
    for (size_t i = 0; i < DELIVERY_TIMERS_MAX; i++) {
        struct ss_timer *t = &d->timers[i];
        if (t->due_us && t->due_us <= now) {
            struct ss_timer due = *t;
            t->due_us = due.period_us ? now + due.period_us : 0;
            due.callback(due.arg);
            ran = true;
        }
    }
    for (size_t i = 0; i < DELIVERY_TIMERS_MAX; i++)
        if (d->timers[i].due_us && d->timers[i].due_us < next)
            next = d->timers[i].due_us;
    /* A timer cannot say that the instance is broken; health can. */
    const ss_module *ops = d->plugin->module;
    ss_error err = error_init();
    if (ran && SS_HAS(ss_module, ops, health) && ops->health && ops->health(d->inst, &err) == SS_FATAL) {
        log_error("module %s: %s; a new instance is started", d->spec.name, err.text);
        d->fatal = true;
    }
    return next;
}

/* ---- the rest
 * ---------------------------------------------------------------------------------------------- */

static bool host_stopping(void *self)
{
    delivery *d = self;
    return d->stopping;
}

static uint64_t host_behind(void *self)
{
    const delivery *d = self;
    uint64_t end = atomic_load(&d->journal->durable_seq);
    end = end < d->limit_seq ? end : d->limit_seq;
    return d->batch.open ? d->batch.count + 1u : end > d->read_seq ? end - d->read_seq : 0;
}

static uint32_t field_type(const ss_config *field)
{
    static const char *const names[] = {"",     "string",    "int",      "double",
                                        "bool", "timestamp", "datetime", "json"};
    ss_str text = node_str(field, "type");
    for (uint32_t i = 1; i < sizeof names / sizeof *names; i++)
        if (ss_eq(text, ss_cstr(names[i])))
            return i;
    return (uint32_t)node_int(field, "type");
}

static int32_t host_catalog(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field),
                            void *arg)
{
    delivery *d = self;
    const ss_config *catalog = node_get(d->spec.root, "catalog");
    for (size_t i = 0; i < node_len(catalog); i++) {
        if (!ss_eq(node_key(catalog, i), receiver))
            continue;
        const ss_config *fields = node_at(catalog, i);
        for (size_t k = 0; k < node_len(fields); k++) {
            const ss_config *f = node_at(fields, k);
            ss_str source = node_str(f, "source"); /* the tree's strings are NUL-terminated */
            ss_field field = {.name = node_str(f, "name").ptr,
                              .type = field_type(f),
                              .flags = (uint32_t)node_int(f, "flags"),
                              .doc = node_str(f, "doc").ptr,
                              .source = source.len ? source.ptr : NULL};
            visit(arg, &field);
        }
        return SS_OK;
    }
    return SS_REJECT;
}

/* ---- derived events: messages for a receiver, which ingest takes
 * ---------------------------------------------------------------------------------------------- */

/* A call inside deliver() has to come back before that one's deadline. */
static int64_t derive_until(void *arg)
{
    const delivery *d = arg;
    if (!d->derive_until_us)
        return 0;
    int64_t until = atomic_load(&d->process->deliver_until_mono_us);
    int64_t margin = d->spec.deadline_ms * 1000 / 10;
    margin = margin < DELIVERY_DERIVE_MARGIN_US ? margin : DELIVERY_DERIVE_MARGIN_US;
    return until && until - margin < d->derive_until_us ? until - margin : d->derive_until_us;
}

int derive_open(delivery *d, ss_error *err)
{
    ss_str parser = node_str(d->spec.options, "parser");
    if (parser.len == 0 || d->setup->replay_id)
        return 0;
    char source[BOARD_NAME_BYTES];
    (void)snprintf(source, sizeof source, "module %s", d->spec.name);
    pull_link_setup setup = {.board = d->setup->board,
                             .process_index = d->setup->process_index,
                             .data_dir = d->spec.data_dir,
                             .source = source,
                             .parser = parser.ptr,
                             .until_us = derive_until,
                             .arg = d};
    d->derive = pull_link_new(&setup, err);
    return d->derive ? 0 : -1;
}

static void derive_begin(delivery *d)
{
    d->derive_until_us = clock_mono_us() + d->spec.deadline_ms * 1000;
}

int32_t derive_position(delivery *d, ss_str *position, ss_error *err)
{
    derive_begin(d);
    int32_t status = d->derive ? pull_link_connect(d->derive, err) : SS_OK;
    if (status == SS_OK && d->derive)
        *position = pull_link_position(d->derive);
    return status;
}

static ss_call *host_call_begin(void *self)
{
    delivery *d = self;
    if (!d->derive) {
        log_warn("module %s: it wants to hand messages over, but its option `parser` names no receiver%s",
                 d->spec.name, d->setup->replay_id ? " that a replay would give them to" : "");
        return NULL;
    }
    derive_begin(d);
    return pull_link_begin(d->derive);
}

static int32_t host_pass(ss_call *call, const ss_message *message)
{
    return pull_link_pass(call, message);
}

static int32_t host_call_commit(void *self, ss_call *call, ss_str position, ss_error *err)
{
    delivery *d = self;
    derive_begin(d);
    return pull_link_commit(d->derive, call, position, err);
}

static void *host_mem(ss_call *call, size_t len)
{
    return pull_link_memory(call, len);
}

void host_fill(delivery *d)
{
    ss_host *t = &d->base.table;
    t->self = d;
    t->commit = host_commit;
    t->result = host_result;
    t->rewind = host_rewind;
    t->behind = host_behind;
    t->every = host_every;
    t->once = host_once;
    t->stopping = host_stopping;
    t->catalog = host_catalog;
    t->call_begin = host_call_begin;
    t->pass = host_pass;
    t->call_commit = host_call_commit;
    t->mem = host_mem;
}

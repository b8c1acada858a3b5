/* Crashes inside deliver(): written down before the call (in the shared page, which outlives us), counted at
   the next start, bisected after the second, and the one record that does it is put into quarantine. The
   deadline is one more way to crash. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/delivery/inner.h"

#define POISON_CRASHES 2u /* then the batch is halved */

/* ---- deadline
 * ---------------------------------------------------------------------------------------------- */

static char deadline_text[256];
static size_t deadline_len;

static void deadline_passed(int signal_number)
{
    (void)signal_number;
    ssize_t ignored = write(STDERR_FILENO, deadline_text, deadline_len);
    (void)ignored;
    _exit(DELIVERY_DEADLINE);
}

bool deadline_init(delivery *d)
{
    int n = snprintf(deadline_text, sizeof deadline_text,
                     "{\"level\":\"error\",\"process\":\"module %s\",\"msg\":\"deliver() took longer than "
                     "its deadline of %lld ms: "
                     "the process ends and is started again\"}\n",
                     d->spec.name, (long long)d->spec.deadline_ms);
    deadline_len = n > 0 && (size_t)n < sizeof deadline_text ? (size_t)n : 0;
    struct sigaction action = {.sa_handler = deadline_passed};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    (void)sigemptyset(&action.sa_mask);
    return sigaction(SIGRTMIN + 1, &action, NULL) == 0 &&
           timer_create(CLOCK_MONOTONIC, &event, &d->deadline) == 0;
}

static void deadline_set(delivery *d, int64_t ms)
{
    struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};
    (void)timer_settime(d->deadline, 0, &when, NULL);
}

void deadline_arm(delivery *d, uint64_t from, uint64_t through)
{
    atomic_store_explicit(&d->process->deliver_from, from, memory_order_relaxed);
    int64_t now = clock_mono_us();
    atomic_store_explicit(&d->process->deliver_since_mono_us, now, memory_order_relaxed);
    atomic_store_explicit(&d->process->deliver_until_mono_us, now + d->spec.deadline_ms * 1000,
                          memory_order_relaxed);
    atomic_store(&d->process->deliver_through, through);
    deadline_set(d, d->spec.deadline_ms);
}

void deadline_disarm(delivery *d)
{
    deadline_set(d, 0);
    atomic_store(&d->process->deliver_through, 0);
    atomic_store_explicit(&d->process->deliver_since_mono_us, 0, memory_order_relaxed);
    atomic_store_explicit(&d->process->deliver_until_mono_us, 0, memory_order_relaxed);
}

void deadline_fini(delivery *d)
{
    (void)timer_delete(d->deadline);
}

/* ---- suspects
 * ---------------------------------------------------------------------------------------------- */

static int poison_store(delivery *d, const state_suspect *suspect, const state_reject *reject, ss_error *err)
{
    state_change change = {.cursor = state_cursor(d->state),
                           .suspect = suspect,
                           .rejects = reject,
                           .reject_count = reject ? 1 : 0};
    if (state_commit(d->state, &change, err) != 0)
        return -1;
    return state_sync(d->state, err);
}

/* Puts the one record that is left into quarantine. */
static int poison_convict(delivery *d, const state_suspect *suspect, ss_error *err)
{
    state_suspect none = {0};
    journal_reader *reader =
        journal_reader_open(d->spec.journal_dir, suspect->through - 1, JOURNAL_RECORD_MAX, err);
    if (!reader)
        return -1;
    journal_item item;
    enum journal_read what = journal_reader_next(reader, suspect->through, &item, err);
    int rc = 0;
    if (what == JOURNAL_READ_RECORD && item.record.seq == suspect->through) {
        state_reject reject = {
            .record = &item.record, .attempts = suspect->crashes, .reason = SS_LIT("crashed the module")};
        log_error("module %s: record %llu crashed it %u times and goes into quarantine: `streamsteam "
                  "quarantine show %s %llu`",
                  d->spec.name, (unsigned long long)suspect->through, suspect->crashes, d->spec.name,
                  (unsigned long long)suspect->through);
        rc = poison_store(d, &none, &reject, err);
    } else if (what == JOURNAL_READ_ERROR) {
        rc = -1;
    } else { /* gone or damaged: it cannot do it again */
        rc = poison_store(d, &none, NULL, err);
    }
    journal_reader_close(reader);
    return rc;
}

static int poison_retried(delivery *d, uint64_t seq, ss_error *err)
{
    log_error("module %s: record %llu, retried from quarantine, crashed it again", d->spec.name,
              (unsigned long long)seq);
    if (state_refuse(d->state, seq, 0, SS_LIT("crashed the module again"), err) != 0)
        return -1;
    return state_sync(d->state, err);
}

int poison_learn(delivery *d, ss_error *err)
{
    uint64_t through = atomic_load(&d->process->deliver_through),
             from = atomic_load(&d->process->deliver_from);
    if (through == 0 || d->setup->replay_id)
        return 0;
    if (through <= state_cursor(d->state)) {
        if (from + 1 == through && poison_retried(d, through, err) != 0)
            return -1;
    } else {
        state_suspect old = state_suspected(d->state);
        bool same = old.through > old.from && from >= old.from && through <= old.through;
        state_suspect now = {.from = from, .through = through, .crashes = same ? old.crashes + 1 : 1};
        log_error("module %s: it died inside deliver() of records %llu to %llu, time %u%s", d->spec.name,
                  (unsigned long long)from + 1, (unsigned long long)through, now.crashes,
                  now.crashes >= POISON_CRASHES ? ": looking for the one record that does it" : "");
        bool convict = now.crashes >= POISON_CRASHES && through - from == 1;
        if ((convict ? poison_convict(d, &now, err) : poison_store(d, &now, NULL, err)) != 0)
            return -1;
    }
    atomic_store(&d->process->deliver_through, 0);
    return 0;
}

void poison_passed(delivery *d)
{
    state_suspect suspect = state_suspected(d->state);
    if (suspect.through <= suspect.from || d->read_seq <= suspect.from)
        return;
    suspect.from = d->read_seq;
    if (suspect.from >= suspect.through)
        suspect = (state_suspect){0};
    ss_error err = error_init();
    state_change change = {.cursor = state_cursor(d->state), .suspect = &suspect};
    if (state_commit(d->state, &change, &err) != 0)
        delivery_failed(d, "state", &err);
}

/* How far the next batch may reach: a suspect batch comes again by itself, later in halves. */
uint64_t batch_limit(const delivery *d)
{
    uint64_t limit = atomic_load(&d->journal->durable_seq);
    if (limit > d->limit_seq)
        limit = d->limit_seq;
    state_suspect s = state_suspected(d->state);
    if (s.through <= s.from || d->read_seq >= s.through)
        return limit;
    uint64_t end = s.through;
    if (d->read_seq < s.from)
        end = s.from;
    else if (s.crashes >= POISON_CRASHES && s.through - d->read_seq > 1)
        end = d->read_seq + (s.through - d->read_seq) / 2;
    return limit < end ? limit : end;
}

#include "core/pipeline/crumb.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"

#define ALT_STACK_BYTES 65536u

/* What the watchdog needs besides the crumb: `calls` tells two short callbacks from one long one. */
typedef struct crumb_slot {
    _Atomic uint32_t taken;
    _Atomic uint32_t watched;
    _Alignas(64) _Atomic uint64_t calls;
    /* the watchdog's own */
    uint64_t seen_calls;
    int64_t seen_us;
} crumb_slot;

static crumb_slot slots[BOARD_CRUMBS_MAX];
static board *crumb_board;
static _Thread_local board_crumb *here;
static _Thread_local crumb_slot *here_slot;
static _Thread_local int64_t here_mono_us;
static _Thread_local uint64_t here_calls;
static _Thread_local void *alt_stack;

/* A stack of its own, so that an overflowing one can be reported. */
static void use_alt_stack(void)
{
    void *memory = mmap(NULL, ALT_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    stack_t stack = {.ss_sp = memory, .ss_size = ALT_STACK_BYTES};
    if (sigaltstack(&stack, NULL) == 0)
        alt_stack = memory;
    else
        (void)munmap(memory, ALT_STACK_BYTES);
}

void crumb_bind(board *b, bool watched)
{
    for (size_t i = 0; i < BOARD_CRUMBS_MAX; i++) {
        uint32_t no = 0;
        if (!atomic_compare_exchange_strong(&slots[i].taken, &no, 1u))
            continue;
        here = &b->crumbs[i];
        here_slot = &slots[i];
        atomic_store(&here->since_mono_us, 0);
        atomic_store(&here_slot->watched, watched ? 1u : 0u);
        here_calls = atomic_load(&here_slot->calls);
        break;
    }
    here_mono_us = clock_mono_us();
    use_alt_stack();
}

void crumb_unbind(void)
{
    if (here) {
        atomic_store(&here->since_mono_us, 0);
        atomic_store(&here_slot->watched, 0u);
        atomic_store(&here_slot->taken, 0u);
    }
    here = NULL;
    here_slot = NULL;
    if (alt_stack) {
        stack_t off = {.ss_flags = SS_DISABLE};
        (void)sigaltstack(&off, NULL);
        (void)munmap(alt_stack, ALT_STACK_BYTES);
        alt_stack = NULL;
    }
}

void crumb_tick(int64_t mono_us)
{
    here_mono_us = mono_us;
}

void crumb_enter(const crumb_name *name, const char callback[16])
{
    if (!here)
        return;
    memcpy(here->instance, name->instance, sizeof here->instance);
    memcpy(here->callback, callback, sizeof here->callback);
    atomic_store_explicit(&here_slot->calls, ++here_calls, memory_order_relaxed);
    atomic_store_explicit(&here->since_mono_us, here_mono_us, memory_order_release);
}

void crumb_leave(void)
{
    if (here)
        atomic_store_explicit(&here->since_mono_us, 0, memory_order_release);
}

/* ---- fatal signals --------------------------------------------------------------------------- */

static const int fatal_signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
#define FATAL_SIGNALS (sizeof fatal_signals / sizeof fatal_signals[0])
static struct sigaction previous[FATAL_SIGNALS];

static void copy_culprit(const board_crumb *from)
{
    board_crumb *to = &crumb_board->culprit;
    memcpy(to->instance, from->instance, sizeof to->instance);
    memcpy(to->callback, from->callback, sizeof to->callback);
    atomic_store(&to->since_mono_us, atomic_load(&from->since_mono_us));
}

/* Async-signal-safe. Leaves the rest to whoever handled the signal before us (the kernel, a sanitizer). */
static void on_fatal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (crumb_board && here && atomic_load(&here->since_mono_us) != 0)
        copy_culprit(here);
    for (size_t i = 0; i < FATAL_SIGNALS; i++)
        if (fatal_signals[i] == sig)
            (void)sigaction(sig, &previous[i], NULL);
    /* A fault comes again by itself when we return; a sent signal does not. */
    if (!info || info->si_code <= 0)
        (void)raise(sig);
}

/* exit() within a callback: nobody but the supervisor ends this process, and the destructors that would run
   now belong to threads that still work. */
static void on_exit_inside(void)
{
    if (!here || atomic_load(&here->since_mono_us) == 0)
        return;
    copy_culprit(here);
    _exit(CRUMB_EXIT_SELF);
}

void crumb_install(board *b)
{
    crumb_board = b;
    (void)atexit(on_exit_inside);
    for (size_t i = 0; i < BOARD_CRUMBS_MAX; i++)
        atomic_store(&b->crumbs[i].since_mono_us, 0); /* of a process that is gone */
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FATAL_SIGNALS; i++)
        (void)sigaction(fatal_signals[i], &action, &previous[i]);
}

/* ---- watchdog -------------------------------------------------------------------------------- */

/* True where the slot has been inside one and the same callback for longer than the deadline. */
static bool is_overdue(crumb_slot *slot, const board_crumb *crumb, int64_t now)
{
    uint64_t calls = atomic_load_explicit(&slot->calls, memory_order_relaxed);
    bool inside =
        atomic_load(&slot->watched) && atomic_load_explicit(&crumb->since_mono_us, memory_order_acquire);
    if (!inside || calls != slot->seen_calls || slot->seen_us == 0) {
        slot->seen_calls = calls;
        slot->seen_us = inside ? now : 0;
        return false;
    }
    return now - slot->seen_us > CRUMB_DEADLINE_US;
}

void crumb_watch(board *b)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < BOARD_CRUMBS_MAX; i++) {
        if (!is_overdue(&slots[i], &b->crumbs[i], now))
            continue;
        crumb_board = b;
        copy_culprit(&b->crumbs[i]);
        log_error(
            "%s: %s() takes longer than %d s: ingest ends and is started again; see what that plugin waits "
            "for",
            b->culprit.instance, b->culprit.callback, CRUMB_DEADLINE_US / 1000000);
        _exit(CRUMB_EXIT_CODE);
    }
}

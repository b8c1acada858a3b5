#include "core/journal/board.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"

/* waiting: 0 = running, 1 = waits, 2 = poked, and nobody has noticed yet. */
enum { SLOT_RUNS = 0, SLOT_WAITS = 1, SLOT_POKED = 2 };

/* Not the private kind: the page is shared by processes. */
static int slot_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *timeout)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout, NULL, 0);
}

static void slot_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* One sleep until woken, poked, or the deadline; false when there is nothing left to wait for. */
static bool wait_once(journal_board *board, journal_slot *slot, uint64_t seq, int64_t deadline_us)
{
    if (atomic_load(&board->durable_seq) >= seq)
        return false;
    struct timespec left, *timeout = NULL;
    if (deadline_us >= 0) {
        int64_t us = deadline_us - clock_mono_us();
        if (us <= 0)
            return false;
        left = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
        timeout = &left;
    }
    /* Any signal ends the wait: its handler may be deferred until we are back in a call that may run it. */
    if (atomic_load(&slot->waiting) == SLOT_WAITS && slot_sleep(&slot->waiting, SLOT_WAITS, timeout) != 0 &&
        errno == EINTR)
        return false;
    /* Still 1: a time-out. Else publish or poke has ended the wait. */
    return atomic_load(&slot->waiting) == SLOT_WAITS;
}

uint64_t journal_wait(journal_board *board, uint32_t slot_number, uint64_t seq, int64_t timeout_ms)
{
    uint64_t durable = atomic_load(&board->durable_seq);
    if (durable >= seq || slot_number >= JOURNAL_READERS_MAX || timeout_ms == 0)
        return durable;
    journal_slot *slot = &board->slots[slot_number];
    int64_t deadline_us = timeout_ms < 0 ? -1 : clock_mono_us() + timeout_ms * 1000;
    atomic_store(&slot->wake_seq, seq);
    /* Sequentially consistent on both sides: either publish sees the 1, or we see its durable_seq. */
    if (atomic_exchange(&slot->waiting, SLOT_WAITS) != SLOT_POKED) {
        while (wait_once(board, slot, seq, deadline_us))
            ;
    }
    atomic_store(&slot->waiting, SLOT_RUNS);
    return atomic_load(&board->durable_seq);
}

void journal_poke(journal_board *board, uint32_t slot_number)
{
    if (slot_number >= JOURNAL_READERS_MAX)
        return;
    int saved = errno;
    atomic_store(&board->slots[slot_number].waiting, SLOT_POKED);
    slot_wake(&board->slots[slot_number].waiting);
    errno = saved;
}

void journal_publish(journal_board *board, uint64_t durable_seq)
{
    atomic_store(&board->durable_seq, durable_seq);
    for (uint32_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        journal_slot *slot = &board->slots[i];
        uint32_t waits = SLOT_WAITS;
        if (atomic_load(&slot->waiting) != SLOT_WAITS || atomic_load(&slot->wake_seq) > durable_seq)
            continue;
        if (atomic_compare_exchange_strong(&slot->waiting, &waits, SLOT_RUNS))
            slot_wake(&slot->waiting);
    }
}

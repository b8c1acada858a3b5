/* What a process holds, before and after many lives or calls. */
#include <dirent.h>
#include <malloc.h>
#include <poll.h>

#include "plugins/sdk/verify/inside.h"

#define CALLS      400
#define WARM_CALLS 100
/* What libraries keep for themselves: not a leak of hundreds of calls. */
#define KEPT_BYTES (64u * 1024)
#define JOINED_MS  2
#define SETTLE_MS                                                                                            \
    100 /* then a thread that was only told to end has ended, and does not count as always there */

static size_t entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static holdings holds(void)
{
    return (holdings){
        .heap = heap_bytes(), .files = entries("/proc/self/fd"), .threads = entries("/proc/self/task")};
}

holdings verify_holdings(void)
{
    (void)poll(NULL, 0, SETTLE_MS);
    return holds();
}

void verify_growth(const holdings *before, unsigned times, const char *of_what, const char *remedy)
{
    holdings now = holds();
    size_t grown = now.heap > before->heap ? now.heap - before->heap : 0;
    if (grown > KEPT_BYTES)
        verify_fail("a leak: after %u %s %zu bytes are not given back, %zu each time: %s", times, of_what,
                    grown, grown / times, remedy);
    if (now.files > before->files)
        verify_fail("after %u %s %zu descriptors are left open: %s", times, of_what,
                    now.files - before->files, remedy);
    if (now.threads > before->threads) { /* one that was joined just now may still be listed */
        (void)poll(NULL, 0, JOINED_MS);
        now.threads = entries("/proc/self/task");
    }
    if (now.threads > before->threads)
        verify_fail("after %u %s %zu threads still run: %s", times, of_what, now.threads - before->threads,
                    remedy);
}

void verify_use_once(testkit *k, const verify_subject *s)
{
    if (s->plugin->kind == SS_RECEIVER)
        verify_receive_once(k, s);
    else if (s->plugin->kind == SS_ENRICHER)
        verify_enrich_once(k);
    else
        verify_deliver_once(k);
}

static void use_long(testkit *k, const verify_subject *s)
{
    verify_start(k);
    verify_step("%d rounds of the same calls", WARM_CALLS + CALLS);
    for (int i = 0; i < WARM_CALLS; i++)
        verify_use_once(k, s);
    (void)testkit_flush(k); /* what a module took and holds is no leak */
    testkit_forget(k);
    holdings before = verify_holdings();
    for (int i = 0; i < CALLS; i++) {
        verify_use_once(k, s);
        testkit_forget(k);
    }
    (void)testkit_flush(k);
    verify_growth(&before, CALLS, "rounds of the same calls", "give back what a call took before it returns");
}

/* One and the same instance; a cache may grow, but not for ever with the same input. */
void check_use(const verify_subject *s)
{
    testkit *k = verify_open_apart(s);
    if (k) {
        testkit_run_clock(k);
        use_long(k, s);
        verify_close(k);
    }
}

/* What a process holds, before and after many lives or calls. */
#include <dirent.h>
#include <malloc.h>
#include <poll.h>

#include "plugins/sdk/verify/inside.h"

#define CALLS      200
#define WINDOWS    3
#define WARM_CALLS 100
/* What libraries keep for themselves: not a leak of hundreds of calls. */
#define KEPT_BYTES (16u * 1024)
#define JOINED_MS  2
#define SETTLE_MS                                                                                            \
    100 /* then a thread that was only told to end has ended, and does not count as always there */

typedef struct holdings { /* of this process */
    size_t files, threads;
} holdings;

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
    return (holdings){.files = entries("/proc/self/fd"), .threads = entries("/proc/self/task")};
}

static void compare(const holdings *before, size_t heap_grown, unsigned times, const char *of_what,
                    const char *remedy)
{
    holdings now = holds();
    if (heap_grown > KEPT_BYTES)
        verify_fail("a leak: after %u %s %zu bytes are not given back, %zu each time: %s", times, of_what,
                    heap_grown, heap_grown / times, remedy);
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

/* The least growth of several windows: a leak grows in each of them; a buffer that is kept, and what malloc()
   itself keeps at hand (which counts as used), do not. */
void verify_repeat(unsigned times, void (*round)(void *arg), void (*end)(void *arg), void *arg,
                   const char *of_what, const char *remedy)
{
    size_t least = SIZE_MAX;
    (void)poll(NULL, 0, SETTLE_MS);
    holdings before = holds();
    for (int window = 0; window < WINDOWS; window++) {
        size_t from = heap_bytes();
        for (unsigned i = 0; i < times; i++)
            round(arg);
        if (end)
            end(arg);
        size_t now = heap_bytes(), grown = now > from ? now - from : 0;
        least = grown < least ? grown : least;
    }
    compare(&before, least, times, of_what, remedy);
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

typedef struct user {
    testkit *kit;
    const verify_subject *subject;
} user;

static void use_round(void *arg)
{
    const user *u = arg;
    verify_use_once(u->kit, u->subject);
    testkit_forget(u->kit);
}

static void use_end(void *arg)
{
    const user *u = arg;
    (void)testkit_flush(u->kit); /* what a module took and holds is no leak */
    testkit_forget(u->kit);
}

static void use_long(testkit *k, const verify_subject *s)
{
    user u = {k, s};
    verify_start(k);
    verify_step("%d rounds of the same calls", WARM_CALLS + WINDOWS * CALLS);
    for (int i = 0; i < WARM_CALLS; i++)
        use_round(&u);
    use_end(&u);
    verify_repeat(CALLS, use_round, use_end, &u, "rounds of the same calls",
                  "give back what a call took before it returns");
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

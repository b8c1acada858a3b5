#include "enrichers/device/detector.h"

#include <pthread.h>
#include <stdlib.h>

#include "enrichers/device/load.h"

#define SCANS_KEPT 64u

struct detector {
    char directory[1024];
    pthread_rwlock_t lock; /* of rules; held while a scan uses them, not for what is in the cache */
    rules *rules;
    uint64_t stamp, seen_stamp, bad_stamp;
    pthread_mutex_t pool_lock;
    scan *pool[SCANS_KEPT];
    uint32_t pooled;
    cache *cache;
};

static void drop_pool(detector *d)
{
    while (d->pooled > 0)
        scan_free(d->pool[--d->pooled]);
}

detector *detector_new(const char *directory, size_t cache_bytes, ss_error *err)
{
    detector *d = calloc(1, sizeof *d);
    if (!d) {
        (void)ss_fail(err, SS_FATAL, "out of memory");
        return NULL;
    }
    (void)snprintf(d->directory, sizeof d->directory, "%s", directory);
    (void)pthread_rwlock_init(&d->lock, NULL);
    (void)pthread_mutex_init(&d->pool_lock, NULL);
    d->stamp = d->seen_stamp = rules_stamp(d->directory);
    d->rules = rules_load(d->directory, err);
    d->cache = d->rules ? cache_new(cache_bytes) : NULL;
    if (d->cache)
        return d;
    if (d->rules)
        (void)ss_fail(err, SS_FATAL, "out of memory");
    detector_free(d);
    return NULL;
}

void detector_free(detector *d)
{
    if (!d)
        return;
    drop_pool(d);
    if (d->rules)
        rules_free(d->rules);
    cache_free(d->cache);
    (void)pthread_mutex_destroy(&d->pool_lock);
    (void)pthread_rwlock_destroy(&d->lock);
    free(d);
}

/* ---- scans: of the present rules only, because the pool is emptied under the write lock ---- */

static scan *borrow(detector *d)
{
    scan *s = NULL;
    (void)pthread_mutex_lock(&d->pool_lock);
    if (d->pooled > 0)
        s = d->pool[--d->pooled];
    (void)pthread_mutex_unlock(&d->pool_lock);
    return s ? s : scan_new(d->rules);
}

static void give_back(detector *d, scan *s)
{
    (void)pthread_mutex_lock(&d->pool_lock);
    bool full = d->pooled == SCANS_KEPT;
    if (!full)
        d->pool[d->pooled++] = s;
    (void)pthread_mutex_unlock(&d->pool_lock);
    if (full)
        scan_free(s);
}

static int32_t look_afresh(detector *d, ss_str agent, ss_str json, const ss_host *host, ss_call *call,
                           view *out)
{
    device_result result;
    char room[VIEW_ROOM];
    scan *s = borrow(d);
    if (!s)
        return SS_LIMIT;
    scan_run(s, agent, json, &result);
    view_make(out, &result, room);
    char *bytes = host->mem(call, view_bytes(out) + 1);
    if (bytes) {
        cache_put(d->cache, agent, json, out);
        view_copy(out, out, bytes);
    }
    give_back(d, s);
    return bytes ? SS_OK : SS_LIMIT;
}

int32_t detector_look(detector *d, ss_str agent, ss_str json, const ss_host *host, ss_call *call, view *out,
                      bool *scanned)
{
    *scanned = false;
    if (cache_get(d->cache, agent, json, host, call, out))
        return SS_OK;
    *scanned = true;
    (void)pthread_rwlock_rdlock(&d->lock);
    int32_t status = look_afresh(d, agent, json, host, call, out);
    (void)pthread_rwlock_unlock(&d->lock);
    return status;
}

/* ---- new files ---- */

int32_t detector_refresh(detector *d, ss_error *err)
{
    uint64_t stamp = rules_stamp(d->directory), before = d->seen_stamp;
    d->seen_stamp = stamp;
    if (stamp == d->stamp || stamp != before || stamp == d->bad_stamp)
        return SS_DECLINE;
    rules *fresh = rules_load(d->directory, err);
    if (!fresh) {
        d->bad_stamp = stamp;
        return SS_REJECT;
    }
    (void)pthread_rwlock_wrlock(&d->lock);
    rules *old = d->rules;
    d->rules = fresh;
    drop_pool(d);
    cache_clear(d->cache);
    (void)pthread_rwlock_unlock(&d->lock);
    rules_free(old);
    d->stamp = stamp;
    d->bad_stamp = 0;
    return SS_OK;
}

uint64_t detector_limited(detector *d)
{
    (void)pthread_rwlock_rdlock(&d->lock);
    uint64_t n = atomic_load_explicit(&d->rules->limited, memory_order_relaxed);
    (void)pthread_rwlock_unlock(&d->lock);
    return n;
}

bool detector_has_families(detector *d)
{
    (void)pthread_rwlock_rdlock(&d->lock);
    bool there = d->rules->families;
    (void)pthread_rwlock_unlock(&d->lock);
    return there;
}

uint32_t detector_rules(detector *d)
{
    (void)pthread_rwlock_rdlock(&d->lock);
    uint32_t n = d->rules->count;
    (void)pthread_rwlock_unlock(&d->lock);
    return n;
}

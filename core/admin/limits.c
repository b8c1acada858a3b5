#include "core/admin/limits.h"

#include <pthread.h>
#include <stdlib.h>

#define SETS      8192u
#define WAYS      8u
#define LOCKS     256u /* one for every SETS / LOCKS sets */
#define DAY_US    86400000000LL
#define RETRY_MIN 1

typedef struct entry {
    key16 id;
    double tokens;
    int64_t last_us; /* 0: free */
    int64_t day, count, told;
    uint32_t kind;
    bool has_quota;
} entry;

struct limit_table {
    pthread_mutex_t locks[LOCKS];
    entry *table;
};

limit_table *limits_new(void)
{
    limit_table *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->table = calloc((size_t)SETS * WAYS, sizeof *l->table);
    for (size_t i = 0; i < LOCKS; i++)
        (void)pthread_mutex_init(&l->locks[i], NULL);
    if (l->table)
        return l;
    limits_free(l);
    return NULL;
}

void limits_free(limit_table *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        (void)pthread_mutex_destroy(&l->locks[i]);
    free(l->table);
    free(l);
}

size_t limits_bytes(void)
{
    return sizeof(limit_table) + (size_t)SETS * WAYS * sizeof(entry);
}

int64_t limits_day(int64_t now_us)
{
    return now_us / DAY_US;
}

static size_t set_of(key16 id, enum limits_kind kind)
{
    return (size_t)((id.a ^ id.b * 3 ^ kind) % SETS);
}

/* With the set's lock. A new one starts with a full bucket. */
static entry *find(limit_table *l, size_t set, enum limits_kind kind, key16 id, int64_t now_us)
{
    entry *e = l->table + set * WAYS, *oldest = e;
    for (size_t i = 0; i < WAYS; i++) {
        if (e[i].last_us && e[i].kind == kind && key16_equal(e[i].id, id))
            return &e[i];
        if (e[i].last_us < oldest->last_us)
            oldest = &e[i];
    }
    *oldest = (entry){.id = id, .kind = kind, .tokens = -1, .day = limits_day(now_us)};
    return oldest;
}

static double burst_of(const store_limits *limits)
{
    return (double)(limits->burst > 0 ? limits->burst : limits->rate);
}

static void refill(entry *e, const store_limits *limits, int64_t now_us)
{
    double burst = burst_of(limits);
    int64_t past_us = now_us > e->last_us ? now_us - e->last_us : 0;
    if (!e->last_us)
        e->tokens = burst;
    e->tokens += (double)limits->rate * (double)past_us / 1e6;
    if (e->tokens > burst)
        e->tokens = burst;
    e->last_us = now_us > e->last_us ? now_us : e->last_us;
    if (e->day != limits_day(now_us)) {
        e->day = limits_day(now_us);
        e->count = e->told = 0;
    }
}

static bool take(entry *e, const store_limits *limits, uint32_t events, int64_t now_us,
                 int64_t *retry_after_ms)
{
    refill(e, limits, now_us);
    e->has_quota = limits->quota > 0;
    double burst = burst_of(limits), wanted = events < burst ? events : burst;
    if (limits->rate > 0 && e->tokens < wanted) {
        *retry_after_ms = (int64_t)((wanted - e->tokens) * 1000 / (double)limits->rate) + RETRY_MIN;
        return false;
    }
    if (limits->quota > 0 && (int64_t)events > limits->quota - e->count) {
        *retry_after_ms = ((e->day + 1) * DAY_US - now_us) / 1000 + RETRY_MIN;
        return false;
    }
    if (limits->rate > 0)
        e->tokens -= events;
    e->count += events;
    return true;
}

bool limits_take(limit_table *l, enum limits_kind kind, key16 id, const store_limits *limits, uint32_t events,
                 int64_t now_us, int64_t *retry_after_ms)
{
    size_t set = set_of(id, kind);
    (void)pthread_mutex_lock(&l->locks[set % LOCKS]);
    bool ok = take(find(l, set, kind, id, now_us), limits, events, now_us, retry_after_ms);
    (void)pthread_mutex_unlock(&l->locks[set % LOCKS]);
    return ok;
}

void limits_give_back(limit_table *l, enum limits_kind kind, key16 id, uint32_t events, int64_t now_us)
{
    size_t set = set_of(id, kind);
    (void)pthread_mutex_lock(&l->locks[set % LOCKS]);
    entry *e = find(l, set, kind, id, now_us);
    if (e->last_us) {
        e->tokens += events;
        e->count -= e->count > (int64_t)events ? (int64_t)events : e->count;
    }
    (void)pthread_mutex_unlock(&l->locks[set % LOCKS]);
}

static void settle(entry *e, int64_t told, int64_t total)
{
    int64_t waiting = e->count - e->told - told; /* grew meanwhile, not in the store yet */
    e->told = total;
    e->count = total + waiting;
}

/* The set is not locked while the visitor runs, which asks a database. */
static void tell(limit_table *l, size_t set, size_t way, bool (*visit)(void *arg, limits_count *grown),
                 void *arg)
{
    entry *e = l->table + set * WAYS + way;
    (void)pthread_mutex_lock(&l->locks[set % LOCKS]);
    limits_count grown = {(enum limits_kind)e->kind, e->id, e->day, e->has_quota ? e->count - e->told : 0};
    (void)pthread_mutex_unlock(&l->locks[set % LOCKS]);
    int64_t told = grown.count;
    if (told == 0 || !visit(arg, &grown))
        return;
    (void)pthread_mutex_lock(&l->locks[set % LOCKS]);
    if (e->kind == (uint32_t)grown.kind && key16_equal(e->id, grown.id) && e->day == grown.day)
        settle(e, told, grown.count);
    (void)pthread_mutex_unlock(&l->locks[set % LOCKS]);
}

void limits_each_grown(limit_table *l, bool (*visit)(void *arg, limits_count *grown), void *arg)
{
    for (size_t set = 0; set < SETS; set++)
        for (size_t way = 0; way < WAYS; way++)
            tell(l, set, way, visit, arg);
}

void limits_know(limit_table *l, const limits_count *total)
{
    size_t set = set_of(total->id, total->kind);
    (void)pthread_mutex_lock(&l->locks[set % LOCKS]);
    entry *e = find(l, set, total->kind, total->id, total->day * DAY_US);
    if (!e->last_us) /* its bucket fills up at the first use */
        *e = (entry){.id = total->id, .kind = total->kind, .day = total->day, .last_us = 1};
    if (e->day == total->day)
        settle(e, 0, total->count);
    (void)pthread_mutex_unlock(&l->locks[set % LOCKS]);
}

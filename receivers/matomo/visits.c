#include "receivers/matomo/visits.h"

#include <stdlib.h>

#include "receivers/matomo/visit_locks.h"

struct visits {
    const ss_host *host;
    visit_table table;
    visit_rules rules;
    uint64_t salt;
    visit_locks *locks;
    visits *successor, *predecessor; /* of another size, while both live */
};

/* ---- life ---- */

visits *visits_new(const ss_host *host, uint32_t remember, visit_rules rules, ss_error *err)
{
    void *memory = host->state_file(host->self, "visits", visit_table_bytes(remember), err);
    if (!memory)
        return NULL;
    visits *v = calloc(1, sizeof *v);
    if (!v || !(v->locks = visit_locks_new())) {
        free(v);
        (void)ss_fail(err, SS_LIMIT, "no memory for the visits");
        return NULL;
    }
    uint64_t random;
    host->random(host->self, &random, sizeof random);
    visit_table_open(&v->table, memory, remember, random);
    v->host = host;
    v->rules = rules;
    v->salt = visit_table_salt(&v->table);
    return v;
}

uint64_t visits_salt(const visits *v)
{
    return v->salt;
}

/* ---- from one table to another of a different size ---- */

static void merge_visit(visits *v, const visit *old, uint32_t touch_s)
{
    visit_place p = visit_place_at(&v->table, old->visitor, old->site);
    visit_bucket *b = &v->table.visits[p.bucket];
    pthread_mutex_t *held = visit_locks_hold(v->locks->visits, p.bucket);
    uint32_t slot = visit_victim(b, p.tag, touch_s);
    bool better = b->tag[slot] == 0 || b->touch_s[slot] < touch_s;
    for (uint32_t i = 0; i < VISIT_SLOTS; i++)
        if (b->tag[i] == p.tag && b->slot[i].id == old->id) {
            slot = i;
            better = b->slot[i].hits < old->hits;
        }
    if (better) {
        b->slot[slot] = *old;
        visit_seal(b, slot, p.tag, touch_s);
    }
    visit_locks_leave(held);
}

static void merge_visits(visits *v, visits *old)
{
    for (uint32_t i = 0; i < old->table.visit_count; i++) {
        pthread_mutex_t *held = visit_locks_hold(old->locks->visits, i);
        visit_bucket b = old->table.visits[i];
        visit_locks_leave(held);
        for (uint32_t s = 0; s < VISIT_SLOTS; s++)
            if (b.tag[s] && visit_is_whole(&b.slot[s]))
                merge_visit(v, &b.slot[s], b.touch_s[s]);
    }
}

static void put_config(visits *v, uint64_t config, uint64_t visitor, uint32_t now_s)
{
    uint32_t i = visit_place_of(config, v->table.config_count).bucket;
    pthread_mutex_t *held = visit_locks_hold(v->locks->configs, i);
    config_put(&v->table.configs[i], config, visitor, now_s);
    visit_locks_leave(held);
}

static void merge_configs(visits *v, visits *old)
{
    for (uint32_t i = 0; i < old->table.config_count; i++) {
        pthread_mutex_t *held = visit_locks_hold(old->locks->configs, i);
        config_bucket b = old->table.configs[i];
        visit_locks_leave(held);
        for (uint32_t s = 0; s < CONFIG_SLOTS; s++)
            if (b.touch_s[s])
                put_config(v, b.config[s], b.visitor[s], b.touch_s[s]);
    }
}

static void merge_marks(visits *v, visits *old)
{
    for (uint32_t i = 0; i < old->table.mark_count; i++) {
        pthread_mutex_t *held = visit_locks_hold(old->locks->marks, i);
        mark_bucket b = old->table.marks[i];
        visit_locks_leave(held);
        for (uint32_t s = 0; s < MARK_SLOTS; s++)
            if (b.slot[s].at_s)
                (void)visits_mark(v, mark_key(&b.slot[s]), b.slot[s].hit, b.slot[s].at_s);
    }
}

static void merge(visits *v, visits *old)
{
    merge_visits(v, old);
    merge_configs(v, old);
    merge_marks(v, old);
}

/* The same size is the same file: both go on with it, under the same locks. Of another size the new one gets
   all of it now, and once more when the old one goes: what it was told in between. */
void visits_adopt(visits *v, visits *old)
{
    if (v->table.visit_count == old->table.visit_count) {
        visit_locks_release(v->locks);
        v->locks = old->locks;
        visit_locks_share(v->locks);
        return;
    }
    v->salt = old->salt;
    visit_table_set_salt(&v->table, v->salt);
    v->predecessor = old;
    old->successor = v;
    merge(v, old);
}

void visits_free(visits *v)
{
    if (!v)
        return;
    if (v->predecessor) /* the reload was called off */
        v->predecessor->successor = NULL;
    if (v->successor) {
        merge(v->successor, v);
        v->successor->predecessor = NULL;
    }
    visit_locks_release(v->locks);
    free(v);
}

/* ---- the rules ---- */

/* The visitor's visit that the hit may belong to: the latest that does not begin after it. Under its lock. */
static visit *find(const visits *v, visit_bucket *b, uint32_t tag, uint64_t visitor, const visit_hit *hit)
{
    visit *best = NULL;
    for (uint32_t i = 0; i < VISIT_SLOTS; i++) {
        visit *e = &b->slot[i];
        if (b->tag[i] != tag || e->visitor != visitor || e->site != hit->site || !visit_is_whole(e) ||
            (int64_t)e->first_s - v->rules.length_s >= hit->at_s)
            continue;
        if (!best || e->last_s > best->last_s)
            best = e;
    }
    return best;
}

static bool same_day(const visit *e, const visit_hit *hit)
{
    return zone_day(hit->zone, (int64_t)e->last_s * 1000000) == zone_day(hit->zone, hit->at_s * 1000000);
}

static bool came_otherwise(const visits *v, const visit *e, const visit_hit *hit)
{
    bool direct = e->campaign == 0 && e->referrer == 0;
    if (hit->campaign)
        return v->rules.campaign_begins && !direct && hit->campaign != e->campaign;
    return v->rules.referrer_begins && hit->website && hit->referrer != e->referrer;
}

static bool is_first_again(const visit *e, const visit_hit *hit)
{
    return hit->identity && hit->identity == e->first_hit;
}

/* May the hit go on with the visit? */
static bool goes_on(const visits *v, const visit *e, const visit_hit *hit)
{
    if (hit->at_s - e->last_s >= v->rules.length_s || !same_day(e, hit))
        return false;
    if (is_first_again(e, hit))
        return true;
    return !hit->forced_new && e->hits < VISIT_HITS_MAX && !came_otherwise(v, e, hit);
}

static void join(visit *e, const visit_hit *hit, visit_answer *out)
{
    bool again = is_first_again(e, hit);
    if (!hit->ping && !again)
        e->hits++;
    if (hit->at_s > e->last_s)
        e->last_s = (uint32_t)hit->at_s;
    else if (hit->at_s < e->first_s)
        e->first_s = (uint32_t)hit->at_s;
    if (!e->user)
        e->user = hit->user;
    if (hit->campaign)
        e->campaign = hit->campaign;
    *out = (visit_answer){.id = e->id, .visitor = e->visitor, .is_new = again};
}

/* An id that no other visit has: 64 bits, and differing ones for two visits that begin with equal hits. */
static uint64_t new_id(const visits *v, const visit_hit *hit, uint64_t visitor)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        v->host->random(v->host->self, &state, sizeof state);
    state += HASH_A;
    return hash_mix(hash_mix(state, visitor), hash_mix((uint64_t)hit->at_s, v->salt));
}

static void begin(const visits *v, visit *e, uint64_t visitor, const visit_hit *hit, visit_answer *out)
{
    *e = (visit){.visitor = visitor,
                 .id = new_id(v, hit, visitor),
                 .config = hit->fingerprint(hit->of),
                 .site = hit->site,
                 .user = hit->user,
                 .campaign = hit->campaign,
                 .referrer = hit->referrer,
                 .first_s = (uint32_t)hit->at_s,
                 .last_s = (uint32_t)hit->at_s,
                 .first_hit = hit->identity,
                 .hits = 1};
    *out = (visit_answer){.id = e->id, .visitor = visitor, .is_new = true, .created = true};
}

enum take_mode {
    TAKE_ON,    /* only go on with a visit                              */
    TAKE_KNOWN, /* or begin one for a visitor of whom a visit is known  */
    TAKE_ANY    /* or begin one in any case                             */
};

/* Goes on with the visitor's visit or begins one; false: nothing was done, as mode says. A heartbeat begins
   none. */
static bool take_by_id(visits *v, uint64_t visitor, const visit_hit *hit, enum take_mode mode,
                       visit_answer *out)
{
    visit_place p = visit_place_at(&v->table, visitor, hit->site);
    visit_bucket *b = &v->table.visits[p.bucket];
    pthread_mutex_t *held = visit_locks_hold(v->locks->visits, p.bucket);
    visit *e = find(v, b, p.tag, visitor, hit);
    bool on = e && goes_on(v, e, hit);
    bool taken = on || mode == TAKE_ANY || (mode == TAKE_KNOWN && e);
    if (on)
        join(e, hit, out);
    else if (taken && !hit->ping)
        begin(v, e ? e : (e = &b->slot[visit_victim(b, p.tag, (uint32_t)hit->now_s)]), visitor, hit, out);
    if (out->id)
        visit_seal(b, (uint32_t)(e - b->slot), p.tag, (uint32_t)hit->now_s);
    visit_locks_leave(held);
    return taken;
}

/* A visit of that visitor with the hit's fingerprint, close to it in time: its last hit. 0: none. */
static uint32_t config_fits(visits *v, uint64_t visitor, uint64_t config, const visit_hit *hit)
{
    visit_place p = visit_place_at(&v->table, visitor, hit->site);
    pthread_mutex_t *held = visit_locks_hold(v->locks->visits, p.bucket);
    const visit *e = find(v, &v->table.visits[p.bucket], p.tag, visitor, hit);
    uint32_t last_s = 0;
    if (e && e->config == config && hit->at_s - e->last_s < v->rules.length_s &&
        e->last_s - hit->at_s <= v->rules.length_s &&
        (hit->user == 0 || e->user == 0 || hit->user == e->user))
        last_s = e->last_s;
    visit_locks_leave(held);
    return last_s;
}

/* Under the fingerprint's lock all the way: two first hits of one client at the same time are one visit. */
static void take_by_config(visits *v, const visit_hit *hit, visit_answer *out)
{
    uint64_t config = hit->fingerprint(hit->of);
    uint32_t i = visit_place_of(config, v->table.config_count).bucket, latest = 0;
    config_bucket *b = &v->table.configs[i];
    uint64_t visitor = hit->visitor;
    pthread_mutex_t *held = visit_locks_hold(v->locks->configs, i);
    bool taken = hit->known && take_by_id(v, visitor, hit, TAKE_KNOWN, out);
    for (uint32_t s = 0; s < CONFIG_SLOTS && !taken; s++) {
        uint32_t last_s =
            b->config[s] == config && b->touch_s[s] ? config_fits(v, b->visitor[s], config, hit) : 0;
        if (last_s > latest) {
            latest = last_s;
            visitor = b->visitor[s];
        }
    }
    if (!taken && hit->known && latest)
        taken = take_by_id(v, visitor, hit, TAKE_ON, out);
    if (!taken)
        (void)take_by_id(v, hit->known ? hit->visitor : visitor, hit, TAKE_ANY, out);
    if (out->id)
        config_put(b, config, out->visitor, (uint32_t)hit->now_s);
    visit_locks_leave(held);
}

void visits_expect(const visits *v, const visit_hit *hit)
{
    if (!hit->known) {
        uint64_t config = hit->fingerprint(hit->of);
        __builtin_prefetch(&v->table.configs[visit_place_of(config, v->table.config_count).bucket], 1);
        return;
    }
    visit_place p = visit_place_at(&v->table, hit->visitor, hit->site);
    __builtin_prefetch(v->table.visits[p.bucket].tag);
    __builtin_prefetch(&v->table.visits[p.bucket].slot[p.tag % VISIT_SLOTS], 1);
}

bool visits_take(visits *v, const visit_hit *hit, visit_answer *out)
{
    bool id_only = hit->known && (hit->id_only || v->rules.trust_ids);
    *out = (visit_answer){.id = 0};
    if (!hit->known || !take_by_id(v, hit->visitor, hit, id_only ? TAKE_ANY : TAKE_KNOWN, out))
        take_by_config(v, hit, out);
    else if (out->created)
        put_config(v, hit->fingerprint(hit->of), out->visitor, (uint32_t)hit->now_s);
    return out->id != 0;
}

void visits_undo(visits *v, const visit_hit *hit, const visit_answer *answer)
{
    if (!answer->created)
        return;
    visit_place p = visit_place_at(&v->table, answer->visitor, hit->site);
    visit_bucket *b = &v->table.visits[p.bucket];
    pthread_mutex_t *held = visit_locks_hold(v->locks->visits, p.bucket);
    for (uint32_t i = 0; i < VISIT_SLOTS; i++)
        if (b->tag[i] == p.tag && b->slot[i].id == answer->id && b->slot[i].hits == 1)
            b->tag[i] = 0;
    visit_locks_leave(held);
}

/* ---- what may happen once ---- */

enum visits_mark visits_mark(visits *v, uint64_t key, uint32_t identity, int64_t now_s)
{
    uint32_t i = visit_place_of(key, v->table.mark_count).bucket;
    mark_bucket *b = &v->table.marks[i];
    enum visits_mark found = MARK_FIRST;
    pthread_mutex_t *held = visit_locks_hold(v->locks->marks, i);
    const visit_mark *m = mark_find(b, key);
    if (m)
        found = identity && m->hit == identity ? MARK_REPEAT : MARK_TAKEN;
    else
        mark_put(b, key, identity, (uint32_t)now_s);
    visit_locks_leave(held);
    return found;
}

void visits_unmark(visits *v, uint64_t key)
{
    uint32_t i = visit_place_of(key, v->table.mark_count).bucket;
    pthread_mutex_t *held = visit_locks_hold(v->locks->marks, i);
    visit_mark *m = mark_find(&v->table.marks[i], key);
    if (m)
        *m = (visit_mark){.key = 0};
    visit_locks_leave(held);
}

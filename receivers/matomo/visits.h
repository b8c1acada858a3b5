/* Which visit a hit belongs to, and whether it begins one: Matomo's rules over a bounded memory of visits.
   Any thread: each bucket of the tables is behind one of many locks. */
#ifndef MATOMO_VISITS_H
#define MATOMO_VISITS_H

#include "receivers/matomo/visit_table.h"
#include "receivers/matomo/zone.h"

#define VISITS_MAX         10000000u /* that can be remembered */
#define VISIT_HITS_MAX     10000u    /* a visit with so many goes on as another */
#define VISIT_LENGTH_MAX_S 86400

typedef struct visit_rules {
    int64_t length_s;     /* without a hit for so long a visit is over */
    bool trust_ids;       /* a visitor id that is not known is never looked for by its fingerprint */
    bool campaign_begins; /* another campaign begins a visit */
    bool referrer_begins; /* another website as the referrer, too */
} visit_rules;

typedef struct visit_hit {
    int64_t site;
    const zone *zone;
    uint64_t visitor;                        /* known: as the client has it; else one made for it */
    uint64_t (*fingerprint)(const void *of); /* of the client, site and day: asked for where it matters */
    const void *of;
    bool known;
    bool id_only; /* never look for the visitor by its fingerprint */
    bool forced_new;
    bool ping;                         /* goes on with a visit, never begins one */
    bool website;                      /* referrer is a website's */
    uint32_t user, campaign, referrer; /* hashes, 0 = none */
    uint32_t identity;                 /* what tells this hit from others, 0 = nothing does */
    int64_t at_s, now_s;               /* of the hit, of the server's clock */
} visit_hit;

typedef struct visit_answer {
    uint64_t id, visitor;
    bool is_new;  /* the visit's first hit, or that very hit once more */
    bool created; /* this call made the visit */
} visit_answer;

typedef struct visits visits;

/* remember: 1 ... VISITS_MAX. The memory is the state file "visits" of that host. */
visits *visits_new(const ss_host *host, uint32_t remember, visit_rules rules, ss_error *err);
/* Takes over what an older instance knows, which may still be in use and is freed later. */
void visits_adopt(visits *v, visits *old);
void visits_free(visits *v);

/* The hit will come, as soon as the rest of it is known: its memory is fetched meanwhile. */
void visits_expect(const visits *v, const visit_hit *hit);
/* false: a heartbeat without a visit to go on with. */
bool visits_take(visits *v, const visit_hit *hit, visit_answer *out);
/* The hit was not taken after all: forgets a visit that it alone has made. */
void visits_undo(visits *v, const visit_hit *hit, const visit_answer *answer);

enum visits_mark {
    MARK_FIRST,  /* was not there */
    MARK_REPEAT, /* made by the very same hit: a client that repeats it because it heard no answer */
    MARK_TAKEN   /* made by another one */
};
/* Notes something that may happen once. */
enum visits_mark visits_mark(visits *v, uint64_t key, uint32_t identity, int64_t now_s);
void visits_unmark(visits *v, uint64_t key);

/* Secret of these tables, for the keys of marks and for fingerprints. */
uint64_t visits_salt(const visits *v);

#endif

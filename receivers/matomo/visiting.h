/* From a hit to its visit: what the rules look at, and what the visit says about the hit. */
#ifndef MATOMO_VISITING_H
#define MATOMO_VISITING_H

#include "receivers/matomo/matomo.h"
#include "receivers/matomo/visitor.h"

#define VISIT_ID_CHARS 16u

typedef struct visiting { /* must outlive emit() */
    char id[VISIT_ID_CHARS];
    visit_hit hit;
    visit_answer answer;
    uint64_t mark;        /* made for this hit; 0 = none */
    const params *params; /* what the fingerprint is made of */
    const ss_event *event;
    uint64_t salt, fingerprint; /* 0: not made yet */
} visiting;

/* The event has all its other fields; visitor: the 16 characters of its visitor id, which change where the
   visit knows better. NULL: go on; else the code of why the hit is not stored (answered as if it were). */
const char *visiting_take(visiting *v, const matomo *m, const params *p, const site *s, int64_t site_id,
                          ss_event *e, char *visitor, const char **why);
/* The event could not be emitted. */
void visiting_undo(const visiting *v, const matomo *m);

/* The options of the receiver that are about visits. */
int32_t visiting_configure(matomo *m, const ss_config *cfg, ss_error *err);

#endif

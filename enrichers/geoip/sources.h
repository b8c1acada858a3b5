/* The database files of one instance, and the atlas that lookups use: opened when the instance is made,
   opened anew when they change. All but sources_enter() and sources_leave() is for create(), the timer and
   destroy(). */
#ifndef GEOIP_SOURCES_H
#define GEOIP_SOURCES_H

#include <limits.h>

#include "enrichers/geoip/atlas.h"
#include "enrichers/geoip/guard.h"

typedef struct source { /* one file */
    char path[PATH_MAX];
    database *open;
    bool is_refused;
    struct stat refused; /* the file that was damaged: told once */
    ss_metric *built;
} source;

typedef struct sources {
    const ss_host *host;
    location_ways ways;
    source list[ATLAS_DATABASES_MAX];
    size_t count;
    atlas *_Atomic current;
    guard guard;
    ss_metric *reloads;
} sources;

/* Opens what the options name; sources_close() in any case. */
int32_t sources_open(sources *s, const ss_host *host, const ss_config *cfg, ss_error *err);
void sources_close(sources *s);
void sources_look(sources *s); /* has a file changed? */

/* Between the two the atlas stays. own: something that each thread has of its own. */
static inline const atlas *sources_enter(sources *s, const void *own, guard_slot **slot)
{
    *slot = guard_enter(&s->guard, own);
    return atomic_load(&s->current);
}

static inline void sources_leave(guard_slot *slot)
{
    guard_leave(slot);
}

#endif

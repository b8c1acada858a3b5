/* One hit: checked, typed, stored. */
#ifndef MATOMO_HIT_H
#define MATOMO_HIT_H

#include "receivers/matomo/matomo.h"
#include "receivers/matomo/params.h"

enum hit_outcome {
    HIT_STORED,
    HIT_EXCLUDED, /* answered like a stored one, not kept  */
    HIT_INVALID,  /* 400                                   */
    HIT_RETRY     /* the server cannot take events now     */
};

typedef struct hit_source { /* what all hits of a request share */
    const matomo *m;
    const ss_request *request;
    ss_str transport;
    bool no_hints;      /* the headers have no client hints: looked already */
    ss_str token;       /* bulk: beats the item's own */
    int64_t bulk_index; /* -1: not bulk               */
    ss_str accept_language, referer;
    bool headers_read;
} hit_source;

/* event: from event_new(), just opened. Emits it, or says why not (host->rejected). */
enum hit_outcome hit_take(hit_source *source, params *p, ss_event *event);

#endif

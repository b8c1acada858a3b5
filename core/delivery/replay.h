/* Replay: a range of the journal once more to a module, in the calling process, under a prefix of its own. */
#ifndef DELIVERY_REPLAY_H
#define DELIVERY_REPLAY_H

#include "core/base/error.h"

typedef struct replay_options {
    ss_str blob;            /* the module's configuration as its process gets it (plan_module_at()->blob)  */
    uint64_t from, through; /* both included                                                               */
} replay_options;

typedef struct replay_summary {
    char id[48]; /* "<from>-<through>": the state is in DATA/modules/NAME/replay-<id>, the lake writes below
                    replay/<id>/. The same range again goes on where it was stopped. */
    uint64_t delivered, rejected, filtered, expired, damaged;
} replay_summary;

/* Records carry SS_RECORD_REPLAY. Ends early, with the state kept, on SIGTERM or SIGINT (err says so).
   Returns 0 when everything up to `through` is done, else -1 with err. */
int replay_run(const replay_options *options, replay_summary *out, ss_error *err);

#endif

/* What `streamsteam compact` asks of a module compact. The core knows nothing of lakes: where howto() is
   given a sink that is the head of this, the plugin compacts, and says on the sink what it did. */
#ifndef COMMON_COMPACT_ASK_H
#define COMMON_COMPACT_ASK_H

#include "streamsteam/plugin.h"

#define COMPACT_SINK 0x436d7031u

typedef struct compact_ask {
    ss_str partition; /* a folder: only what is below it, closed or not; empty: all that is closed */
    bool dry_run;
    bool (*stopping)(void); /* asked several times a second */
} compact_ask;

typedef struct compact_sink {
    ss_sink sink; /* struct_size: of the whole; spare0: COMPACT_SINK */
    const compact_ask *ask;
} compact_sink;

static inline const compact_sink *compact_sink_of(const ss_sink *sink)
{
    bool is = sink->struct_size == sizeof(compact_sink) && sink->spare0 == COMPACT_SINK;
    return is ? (const compact_sink *)(const void *)sink : NULL;
}

#endif

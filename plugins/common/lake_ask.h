/* What `streamsteam query --lake` asks of a module lake. The core knows nothing of lakes: where howto() is
   given a sink that is the head of this, the plugin answers the question. */
#ifndef COMMON_LAKE_ASK_H
#define COMMON_LAKE_ASK_H

#include "plugins/common/warehouse_read.h"

#define LAKE_SINK 0x4c6b7131u

typedef struct lake_ask {
    const char *sql, *module;     /* module: the instance's name, which names the view of everything */
    const char *const *receivers; /* whose events it takes */
    size_t receiver_count;
    int64_t from_us,
        to_us; /* files without an event of this time are not opened; INT64_MIN, INT64_MAX: all */
    warehouse_limits limits;
    bool (*stopping)(void); /* asked several times a second */
    const warehouse_rows *rows;
} lake_ask;

typedef struct lake_sink {
    ss_sink sink; /* struct_size: of the whole; spare0: LAKE_SINK */
    const lake_ask *ask;
    warehouse_fault *fault; /* says why where howto() is not SS_OK */
} lake_sink;

static inline const lake_sink *lake_sink_of(const ss_sink *sink)
{
    bool is = sink->struct_size == sizeof(lake_sink) && sink->spare0 == LAKE_SINK;
    return is ? (const lake_sink *)(const void *)sink : NULL;
}

#endif

/* What `streamsteam windows export` asks of a module windows. The core knows nothing of metrics: where
   howto() is given a sink that is the head of this, the plugin writes its metrics there as a job for others.
 */
#ifndef COMMON_WINDOWS_ASK_H
#define COMMON_WINDOWS_ASK_H

#include "streamsteam/plugin.h"

#define WINDOWS_SINK 0x57696e31u

typedef struct windows_names {
    const char *const *at;
    size_t count;
} windows_names;

typedef struct windows_ask {
    const char *module;        /* the instance's name */
    const char *source;        /* kafka, kinesis, files: where the job reads */
    windows_names sets;        /* KEY=VALUE, as the person gave them */
    windows_names receivers;   /* whose events the module reads: all of them, never empty */
    windows_names types, apps; /* empty: all */
} windows_ask;

typedef struct windows_sink {
    ss_sink sink; /* struct_size: of the whole; spare0: WINDOWS_SINK */
    const windows_ask *ask;
} windows_sink;

static inline const windows_sink *windows_sink_of(const ss_sink *sink)
{
    bool is = sink->struct_size == sizeof(windows_sink) && sink->spare0 == WINDOWS_SINK;
    return is ? (const windows_sink *)(const void *)sink : NULL;
}

#endif

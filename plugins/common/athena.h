/* One question to Amazon Athena: started once, waited for, its rows handed on page by page, cancelled where
   nobody waits any more. For programs that ask and end. */
#ifndef COMMON_ATHENA_H
#define COMMON_ATHENA_H

#include "plugins/common/warehouse_read.h"
#include "streamsteam/plugin.h"

#define ATHENA_SQL_MAX (256u * 1024) /* bytes, Athena's limit */

typedef struct athena_ask {
    const char *sql;
    int64_t timeout_ms;
    bool (*stopping)(void *arg); /* asked several times a second; true: cancel */
    void *arg;
    const warehouse_rows *rows; /* who takes them */
} athena_ask;

/* The core has no HTTP client of its own. The plugin `glue` lends its one: where howto() is given a sink that
   is the head of this, it answers the question instead. fault says why where it is not SS_OK. */
#define ATHENA_SINK 0x41746831u
typedef struct athena_sink {
    ss_sink sink; /* struct_size: of the whole; spare0: ATHENA_SINK */
    const athena_ask *ask;
    warehouse_fault *fault;
} athena_sink;

static inline const athena_sink *athena_sink_of(const ss_sink *sink)
{
    bool is = sink->struct_size == sizeof(athena_sink) && sink->spare0 == ATHENA_SINK;
    return is ? (const athena_sink *)(const void *)sink : NULL;
}

struct aws_client;
typedef struct athena_place {
    const char *database, *workgroup, *output; /* "" = not said */
    void (*random)(void *arg, void *out, size_t len);
    void *arg;
} athena_place;
int32_t athena_read(struct aws_client *aws, const athena_place *place, const athena_ask *ask,
                    warehouse_fault *fault);

#endif

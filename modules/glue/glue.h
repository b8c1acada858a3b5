/* What the files of the module share: its instance, one table after the other. */
#ifndef GLUE_GLUE_H
#define GLUE_GLUE_H

#include "modules/glue/calls.h"

#define GLUE_TABLES_MAX 256u
#define GLUE_NAME_MAX   255u

typedef struct known { /* folders whose partitions are registered; open addressing by hash */
    uint64_t *hashes;
    size_t count, size;
} known;

typedef struct glue_table {
    char receiver[128], name[GLUE_NAME_MAX + 1];
    shape shape;
    buf storage; /* the table's StorageDescriptor, once it was asked for */
    known known;
    uint64_t last; /* hash of the last record's key */
    buf inputs;    /* partitions to be registered: PartitionInputs */
    uint64_t waiting[CALLS_PARTITIONS_MAX];
    uint32_t waiting_count;
} glue_table;

typedef struct glue {
    const ss_host *host;
    const ss_config *cfg;
    aws_origin origin;
    aws_client *aws;
    calls calls;
    char database[GLUE_NAME_MAX + 1];
    bool projected, registered;
    glue_table **tables;
    size_t count;
    ss_metric *partitions;
} glue;

glue *glue_new(const ss_host *host, const ss_config *cfg, ss_error *err);
void glue_free(glue *g);
glue_table *glue_find(const glue *g, ss_str receiver);
/* The table's wanted form: from the catalog. To be ended with glue_spec_fini(). */
int32_t glue_spec(const glue *g, const glue_table *t, table_spec *spec, ss_error *err);
void glue_spec_fini(table_spec *spec);

/* setup.c */
int32_t glue_check(void *inst, ss_error *err);
int32_t glue_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
int32_t glue_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
int32_t glue_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);

/* partitions.c */
int32_t glue_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err);

#endif

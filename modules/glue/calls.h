/* The calls of the Glue catalog that this module makes. Results: enum ss_status; err names what failed. */
#ifndef GLUE_CALLS_H
#define GLUE_CALLS_H

#include "modules/glue/table.h"
#include "plugins/common/aws/options.h"

#define CALLS_PARTITIONS_MAX 100u /* of one BatchCreatePartition */

typedef struct calls { /* of one database; borrowed texts */
    aws_client *aws;
    const char *database;
    int64_t deadline_us;
} calls;

/* found: it is there; else answer is untouched. answer: what Glue said, whole. */
int32_t calls_get_database(const calls *c, bool *found, ss_error *err);
int32_t calls_get_table(const calls *c, const char *table, bool *found, buf *answer, ss_error *err);
int32_t calls_create_database(const calls *c, const char *description,
                              ss_error *err); /* there already: SS_OK */
/* SS_DECLINE: somebody else was first: look again. */
int32_t calls_create_table(const calls *c, const buf *input, ss_error *err);
int32_t calls_update_table(const calls *c, const buf *input, ss_str version, ss_error *err);
int32_t calls_delete_table(const calls *c, const char *table, ss_error *err);
/* list: of PartitionInputs, with brackets. Those that are there already count as made. */
int32_t calls_create_partitions(const calls *c, const char *table, const buf *list, ss_error *err);

#endif

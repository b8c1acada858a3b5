/* One metric as the configuration declares it, compiled. Read-only afterwards. */
#ifndef WINDOWS_METRIC_H
#define WINDOWS_METRIC_H

#include "modules/windows/aggregate.h"
#include "modules/windows/filter.h"

#define METRIC_NAME_MAX    128u
#define METRIC_BY_MAX      16u
#define METRIC_MEMBERS_MAX 64u
#define METRIC_PARTS_MAX   16u
#define METRIC_HOPS_MAX    1440u /* windows that one event counts in */

typedef struct metric_by {
    char *name; /* owned */
    uint32_t slot;
} metric_by;

enum metric_part_kind {
    PART_TEXT = 1,
    PART_NAME,
    PART_START,
    PART_END,
    PART_VALUE,
    PART_COUNT,
    PART_UNIT,
    PART_APP,
    PART_VERSION,
    PART_ID,
    PART_BY,
    PART_NULL
};

typedef struct metric_part {
    enum metric_part_kind kind;
    char *text; /* TEXT: JSON-escaped, without quotes; owned */
    uint32_t by;
} metric_part;

typedef struct metric_member { /* of a document */
    char *key;                 /* with quotes and colon; owned */
    metric_part parts[METRIC_PARTS_MAX];
    uint32_t count;
    bool alone; /* one placeholder and nothing else: the value keeps its JSON type */
} metric_member;

typedef struct metric {
    char name[METRIC_NAME_MAX + 1];
    char *unit;     /* JSON-escaped, owned */
    uint64_t print; /* of its options: open windows of another metric are not its own */
    int64_t size_us, every_us, delay_us, lateness_us;
    filter filter;
    metric_by by[METRIC_BY_MAX];
    uint32_t by_count;
    bool skip_missing;
    uint32_t dedupe; /* slot, or PATHS_NONE */
    aggregate_spec aggregate;
    filter_range having;
    uint32_t max_groups;
    size_t memory;
    metric_member members[METRIC_MEMBERS_MAX];
    uint32_t member_count;
} metric;

/* cfg: one item of the option `metrics`; whole: the module's options. */
bool metric_read(metric *m, paths *p, const ss_host *host, const ss_config *cfg, const ss_config *whole,
                 ss_error *err);
void metric_free(metric *m);

#endif

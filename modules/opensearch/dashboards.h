/* Saved objects for OpenSearch Dashboards, one JSON object a line, as its import takes them: an index
   pattern, a visualisation for each metric, a dashboard for each set. */
#ifndef OPENSEARCH_DASHBOARDS_H
#define OPENSEARCH_DASHBOARDS_H

#include "plugins/common/grow.h"

#define DASHBOARDS_BYTES_MAX (4u << 20)
#define DASHBOARDS_NAME_MAX  128u
#define DASHBOARDS_ID_MAX    320u

typedef struct dashboards_object { /* what teardown takes away */
    const char *type;
    char id[DASHBOARDS_ID_MAX];
} dashboards_object;

/* sets: a map of names to lists of "METRIC" or "METRIC/FIELD", the field whose values are the lines of the
   chart. instance makes ids unique. false: err names the entry that is wrong. */
bool dashboards_put(const ss_host *host, const ss_config *sets, ss_str instance, const char *pattern,
                    grow *out, ss_error *err);
/* Each object of the same sets. */
void dashboards_each(const ss_host *host, const ss_config *sets, ss_str instance,
                     void (*visit)(void *arg, const dashboards_object *object), void *arg);

#endif

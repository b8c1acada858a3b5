/* What the person says of the outside: --set KEY=VALUE. */
#include "modules/windows/export_inside.h"

#include <stdlib.h>

#define PROPERTIES "properties."

static const struct {
    const char *key, *fallback, *choices; /* choices: "a|b", or NULL */
} sets[SET_COUNT] = {
    [SET_BROKERS] = {"brokers", "BROKER:9092", NULL},
    [SET_TOPIC] = {"topic", "TOPIC", NULL},
    [SET_GROUP] = {"group", "", NULL},
    [SET_START] = {"start", "committed", "committed|earliest|latest"},
    [SET_END] = {"end", "never", "never|latest"},
    [SET_IDLE] = {"idle", "30 s", NULL},
    [SET_STREAM] = {"stream", "arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM", NULL},
    [SET_REGION] = {"region", "REGION", NULL},
    [SET_PATH] = {"path", "s3://BUCKET/lake/RECEIVER", NULL},
    [SET_SINK] = {"sink", "kafka", "kafka|kinesis|files"},
    [SET_METRICS_BROKERS] = {"metrics_brokers", "", NULL}, /* brokers */
    [SET_METRICS_TOPIC] = {"metrics_topic", "metrics", NULL},
    [SET_METRICS_STREAM] = {"metrics_stream", "arn:aws:kinesis:REGION:ACCOUNT:stream/METRICS", NULL},
    [SET_METRICS_REGION] = {"metrics_region", "", NULL}, /* region */
    [SET_METRICS_PATH] = {"metrics_path", "s3://BUCKET/metrics", NULL},
    [SET_LATE] = {"late", "drop", "drop|wait"},
    [SET_TIME] = {"time", "", NULL},
};

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strncmp(at, value, len) == 0 && (at[len] == '|' || at[len] == '\0'))
            return true;
    return false;
}

static bool set_one(export *e, const char *pair)
{
    const char *equal = strchr(pair, '=');
    size_t len = equal ? (size_t)(equal - pair) : 0;
    if (!equal || len == 0)
        return export_refuse(e, "--set %.80s: KEY=VALUE is wanted", pair);
    if (strncmp(pair, PROPERTIES, sizeof PROPERTIES - 1) == 0) {
        if (e->property_count == EXPORT_PROPERTY_MAX)
            return export_refuse(e, "--set: more than %u properties", EXPORT_PROPERTY_MAX);
        e->properties[e->property_count++] = pair;
        return true;
    }
    for (int i = 0; i < SET_COUNT; i++) {
        if (strlen(sets[i].key) != len || strncmp(sets[i].key, pair, len) != 0)
            continue;
        e->sets[i] = equal + 1;
        if (sets[i].choices && !is_choice(sets[i].choices, e->sets[i]))
            return export_refuse(e, "--set %s: one of %s is wanted", sets[i].key, sets[i].choices);
        return true;
    }
    return export_refuse(e,
                         "--set %.*s: there is no such key; `streamsteam windows export --help` lists them",
                         (int)len, pair);
}

bool export_sets(export *e)
{
    for (int i = 0; i < SET_COUNT; i++)
        e->sets[i] = sets[i].fallback;
    if (!is_choice("kafka|kinesis|files", e->ask->source))
        return export_refuse(e, "--source %.40s: one of kafka, kinesis, files is wanted", e->ask->source);
    for (size_t i = 0; i < e->ask->sets.count; i++)
        if (!set_one(e, e->ask->sets.at[i]))
            return false;
    if (!*e->sets[SET_METRICS_BROKERS])
        e->sets[SET_METRICS_BROKERS] = e->sets[SET_BROKERS];
    if (!*e->sets[SET_METRICS_REGION])
        e->sets[SET_METRICS_REGION] = e->sets[SET_REGION];
    return true;
}

bool export_batch(const export *e)
{
    return strcmp(e->ask->source, "files") == 0;
}

/* bug: a helper is exported beside the entry */
/* found by: one export | sample_hash */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

__attribute__((visibility("default"))) uint32_t sample_hash(ss_str text);
uint32_t sample_hash(ss_str text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 16777619u;
    return hash;
}

static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    (void)inst;
    return sample_hash(event->id) == 1 ? ss_fail(err, SS_DROP, "an unlucky number") : SS_OK;
}

SAMPLE_ENRICHER("two_symbols", NULL);

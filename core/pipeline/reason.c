/* Why enrichers drop events: counted by reason, as many as PIPELINE_REASONS_MAX, the rest as "other". */
#include "core/pipeline/internal.h"

/* A reason becomes a label: letters, digits and a few more; everything else is an underscore. */
static void clean_reason(const char *text, char out[64])
{
    size_t n = 0;
    for (; n < 63 && text[n]; n++) {
        char c = text[n];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(" -_.:/", c);
        out[n] = plain ? c : '_';
    }
    out[n] = '\0';
    if (n == 0)
        memcpy(out, "unnamed", sizeof "unnamed");
}

static pipeline_reason *add_reason(pipeline_instance *instance, const char *text)
{
    if (instance->reason_count == PIPELINE_REASONS_MAX)
        return &instance->reasons[PIPELINE_REASONS_MAX - 1];
    pipeline_reason *r = &instance->reasons[instance->reason_count];
    if (instance->reason_count == PIPELINE_REASONS_MAX - 1)
        text = "other";
    (void)snprintf(r->text, sizeof r->text, "%s", text);
    char labels[120];
    (void)snprintf(labels, sizeof labels, "enricher=\"%s\",reason=\"%s\"", instance->base.name, r->text);
    r->metric =
        metrics_counter("events_dropped_total", "Events that an enricher dropped, by its reason.", labels);
    instance->reason_count++;
    return r;
}

void reason_count(pipeline_instance *instance, const char *text)
{
    char reason[64];
    clean_reason(text, reason);
    (void)pthread_mutex_lock(&instance->reason_lock);
    pipeline_reason *found = NULL;
    for (uint32_t i = 0; i < instance->reason_count && !found; i++)
        if (strcmp(instance->reasons[i].text, reason) == 0)
            found = &instance->reasons[i];
    if (!found)
        found = add_reason(instance, reason);
    (void)pthread_mutex_unlock(&instance->reason_lock);
    metrics_add(found->metric, 1);
}

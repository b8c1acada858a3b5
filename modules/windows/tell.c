/* What the server's metrics say about each metric. */
#include "modules/windows/windows.h"

#include <stddef.h>

#define LABELS_MAX (METRIC_NAME_MAX * 2 + 64u)

static const struct {
    const char *name, *help, *more;
    size_t at;
    bool gauge;
} series[WINDOWS_COUNTERS] = {
    {"windows_events_total", "Events that were counted in a window.", "", offsetof(metric_state, events),
     false},
    {"windows_late_total", "Events that came after their window and its lateness.", "",
     offsetof(metric_state, late), false},
    {"windows_skipped_total", "Events of a metric that were in no window, by reason.", ",reason=\"future\"",
     offsetof(metric_state, future), false},
    {"windows_skipped_total", "Events of a metric that were in no window, by reason.",
     ",reason=\"dimension\"", offsetof(metric_state, skipped_dimension), false},
    {"windows_skipped_total", "Events of a metric that were in no window, by reason.", ",reason=\"value\"",
     offsetof(metric_state, skipped_value), false},
    {"windows_skipped_total", "Events of a metric that were in no window, by reason.", ",reason=\"memory\"",
     offsetof(metric_state, no_window), false},
    {"windows_duplicates_total", "Events whose id was in the window already.", "",
     offsetof(metric_state, duplicates), false},
    {"windows_other_total", "Events that were counted under __other__.", "", offsetof(metric_state, other),
     false},
    {"windows_undeduped_total", "Events whose id found no room: a repeat would count.", "",
     offsetof(metric_state, undeduped), false},
    {"windows_approximate_total", "Values that found no room in their aggregate, which is approximate since.",
     "", offsetof(metric_state, approximate), false},
    {"windows_documents_total", "Documents, revisions included.", "", offsetof(metric_state, documents),
     false},
    {"windows_revisions_total", "Documents that correct an earlier one.", "",
     offsetof(metric_state, revisions), false},
    {"windows_groups", "Groups in windows that are kept.", "", offsetof(metric_state, groups), true},
    {"windows_memory_bytes", "Memory of the windows that are kept.", "", offsetof(metric_state, bytes), true},
};

void windows_series(windows *w)
{
    char labels[LABELS_MAX], name[METRIC_NAME_MAX + 1];
    for (uint32_t i = 0; i < w->metric_count; i++) {
        (void)snprintf(name, sizeof name, "%s", w->metrics[i].name);
        for (char *at = name; *at; at++)
            if (*at == '"' || *at == '\\' || *at == '\n')
                *at = '_';
        for (uint32_t k = 0; k < WINDOWS_COUNTERS; k++) {
            (void)snprintf(labels, sizeof labels, "metric=\"%s\"%s", name, series[k].more);
            w->series[i * WINDOWS_COUNTERS + k] = (series[k].gauge ? w->host->gauge : w->host->counter)(
                w->host->self, series[k].name, series[k].help, labels);
        }
    }
}

static uint64_t number_at(const metric_state *s, size_t at)
{
    uint64_t value;
    memcpy(&value, (const char *)s + at, sizeof value);
    return value;
}

void windows_tell(windows *w)
{
    for (uint32_t i = 0; i < w->metric_count; i++) {
        for (uint32_t k = 0; k < WINDOWS_COUNTERS; k++) {
            uint64_t now = number_at(&w->states[i], series[k].at),
                     before = number_at(&w->told[i], series[k].at);
            if (series[k].gauge)
                w->host->metric_set(w->series[i * WINDOWS_COUNTERS + k], (double)now);
            else if (now != before)
                w->host->metric_add(w->series[i * WINDOWS_COUNTERS + k], (double)(now - before));
        }
        w->told[i] = w->states[i];
    }
}

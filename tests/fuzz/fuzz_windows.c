// with: modules/windows/*.c -lm
/* Any bytes as the saved windows: refused, or a state in which counting goes on. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/windows_fixture.h"

#define LATER_US 1900000000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static testkit *k;
    static windows *w;
    uint64_t left_out = 0;
    if (!k) {
        k = testkit_new(ss_plugin_v0(), WINDOWS_FIXTURE_OPTIONS);
        w = windows_fixture_start(k, "", "", 0);
    }
    if (!w)
        abort();
    engine *e = &w->engine;
    engine_fini(e);
    memset(w->states, 0, w->metric_count * sizeof *w->states);
    engine_init(e, &w->settings, &w->paths, w->metrics, w->metric_count, w->states);
    outbox_clear(&w->plan);
    outbox_clear(&w->fresh);
    const char *problem = save_take(ss_s((const char *)data, size), e, &w->plan, &left_out);
    if (problem && !problem[0])
        abort();
    if (!problem) { /* as after a start: it counts, says what is done and lets it go */
        e->seq = 0;
        if (!windows_fixture_events(w, 40, 60) || !engine_revise(e) || !engine_clock(e, LATER_US))
            abort();
        outbox_walk walk = outbox_begin(&w->plan);
        outbox_item item;
        while (outbox_next(&walk, &item))
            if (item.body.len && !item.body.ptr)
                abort();
    }
    return 0;
}

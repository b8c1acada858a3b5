/* An instance of the module windows with a metric of every kind, and events for it: what the unit tests
   damage and the fuzzer reads. */
#ifndef TESTS_UNIT_WINDOWS_FIXTURE_H
#define TESTS_UNIT_WINDOWS_FIXTURE_H

#include "modules/windows/windows.h"
#include "plugins/sdk/testkit/testkit.h"

extern const ss_plugin *ss_plugin_v0(void);

#define WINDOWS_FIXTURE_OPTIONS                                                                              \
    "{\"lateness\":\"1h\",\"metrics\":["                                                                     \
    "{\"name\":\"count\",\"by\":{\"V\":\"v\",\"A\":\"@app\"},\"dedupe\":\"id\",\"max_groups\":4},"           \
    "{\"name\":\"distinct\",\"value\":\"distinct\",\"of\":\"id\",\"size\":\"60s\",\"every\":\"20s\"},"       \
    "{\"name\":\"roughly\",\"by\":{\"V\":\"v\"},\"value\":\"approximate_distinct\",\"of\":\"id\"},"          \
    "{\"name\":\"sum\",\"by\":{\"V\":\"v\"},\"value\":\"sum\",\"of\":\"n\"},"                                \
    "{\"name\":\"least\",\"value\":\"min\",\"of\":\"n\",\"having\":{\"gt\":1}},"                             \
    "{\"name\":\"half\",\"by\":{\"V\":\"v\"},\"value\":\"quantile\",\"quantile\":0.5,\"of\":\"n\"},"         \
    "{\"name\":\"most\",\"value\":\"top\",\"of\":\"v\",\"top\":3}]}"

/* A start as the host makes it; NULL with the reason printed. */
static inline windows *windows_fixture_start(testkit *k, const char *state, const char *position,
                                             uint64_t seq)
{
    windows *w = testkit_instance(k);
    ss_error err = {.struct_size = sizeof err};
    const ss_resume resume = {.struct_size = sizeof resume,
                              .seq = seq,
                              .state = ss_cstr(state),
                              .position = ss_cstr(position),
                              .journal_id = 0xabcdef};
    if (!w || ss_plugin_v0()->start(w, &resume, &err) != SS_OK) {
        printf("# start: %s\n", w ? err.text : testkit_error(k));
        return NULL;
    }
    return w;
}

/* count events from number first on, two a second; false: no memory. */
static inline bool windows_fixture_events(windows *w, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        char json[128];
        (void)snprintf(json, sizeof json, "{\"v\":\"v%u\",\"id\":\"id%u\",\"n\":%u.5}",
                       (unsigned)(i * i % 11), (unsigned)(i * 7 % 1000), (unsigned)(i % 50));
        int64_t us = 1700000000000000 + (int64_t)i * 500000;
        const ss_record r = {.seq = w->engine.seq + 1,
                             .receive_us = us,
                             .event_us = us - (i % 11 == 0 ? 90000000 : 0),
                             .receiver = SS_LIT("game"),
                             .app = i % 3 ? SS_LIT("a") : SS_LIT("b"),
                             .json = ss_cstr(json)};
        if (!engine_take(&w->engine, &r))
            return false;
    }
    return true;
}

#endif

// with: modules/windows/*.c -lm
/* Any JSON as events, a line each: whatever stands in them, each document is one JSON object on one line. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "tests/unit/windows_fixture.h"

#define BEGIN_US 1700000000000000
#define LATER_US 1900000000000000

static const char free_options[] = "{\"metrics\":[{\"name\":\"n\\\"\",\"by\":{\"V\":\"v\",\"O\":\"o.p\","
                                   "\"I\":\"@id\"},\"value\":\"top\",\"of\":\"v\"},"
                                   "{\"name\":\"m\",\"by\":{\"V\":\"v\",\"O\":\"o.p\",\"I\":\"id\"},"
                                   "\"missing\":\"skip\",\"value\":\"avg\",\"of\":\"n\"}],"
                                   "\"document\":{\"a\":\"{by.V} of {by.O}, {value} "
                                   "{start}\",\"b\":\"{by.V}\",\"c\":\"{by.O}\",\"d\":\"{value}\","
                                   "\"e\":\"<{by.I}> {name} {app}\",\"f\":\"{app}\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_lines(windows *w, ss_str text)
{
    engine_fini(&w->engine);
    memset(w->states, 0, w->metric_count * sizeof *w->states);
    engine_init(&w->engine, &w->settings, &w->paths, w->metrics, w->metric_count, w->states);
    outbox_clear(&w->fresh);
    for (size_t at = 0; at < text.len;) {
        const char *stop = memchr(text.ptr + at, '\n', text.len - at);
        size_t len = stop ? (size_t)(stop - text.ptr) - at : text.len - at;
        ss_str line = ss_s(text.ptr + at, len);
        at += len + 1;
        if (!json_valid(line)) /* the server stores nothing else */
            continue;
        const ss_record r = {.seq = w->engine.seq + 1,
                             .receive_us = BEGIN_US,
                             .event_us = BEGIN_US,
                             .receiver = SS_LIT("game"),
                             .app = SS_LIT("a\"\n"),
                             .id = SS_LIT("\xff\\"),
                             .json = line};
        if (!engine_take(&w->engine, &r))
            abort();
    }
    if (!engine_clock(&w->engine, LATER_US))
        abort();
    outbox_walk walk = outbox_begin(&w->fresh);
    outbox_item item;
    while (outbox_next(&walk, &item))
        if (!json_valid(item.body) || item.body.ptr[0] != '{' || memchr(item.body.ptr, '\n', item.body.len))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static windows *usual, *own;
    if (!usual) {
        usual = windows_fixture_start(testkit_new(ss_plugin_v0(), WINDOWS_FIXTURE_OPTIONS), "", "", 0);
        own = windows_fixture_start(testkit_new(ss_plugin_v0(), free_options), "", "", 0);
    }
    if (!usual || !own)
        abort();
    take_lines(usual, ss_s((const char *)data, size));
    take_lines(own, ss_s((const char *)data, size));
    return 0;
}

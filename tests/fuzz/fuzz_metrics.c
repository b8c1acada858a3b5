// with: receivers/metrics/plugin.c
/* Any bytes as a metric's document: refused, or one line of JSON, whose view is one document again. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"

const ss_plugin *ss_plugin_v0(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static testkit *k;
    if (!k)
        k = testkit_new(ss_plugin_v0(), NULL);
    /* Behind the first line feed: the id. */
    const uint8_t *stop = size ? memchr(data, '\n', size) : NULL;
    size_t len = stop ? (size_t)(stop - data) : size;
    const ss_message m = {.struct_size = sizeof m,
                          .pair_size = sizeof(ss_pair),
                          .body = ss_s((const char *)data, len),
                          .key = SS_LIT("key"),
                          .id = ss_s((const char *)data + len, size - len),
                          .time_us = 1700000000000000};
    (void)testkit_parse(k, &m);
    for (size_t i = 0; i < testkit_event_count(k); i++) {
        if (!json_valid(ss_cstr(testkit_line(k, i))) || strchr(testkit_line(k, i), '\n'))
            abort();
        if (testkit_view(k, i, "document") != SS_OK || !json_valid(ss_cstr(testkit_said(k, NULL))))
            abort();
    }
    if (testkit_problems(k)[0]) {
        fprintf(stderr, "%s\n", testkit_problems(k));
        abort();
    }
    return 0;
}

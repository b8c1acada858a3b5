// with: receivers/matomo/*.c
/* Any bytes as the query of a hit, and (from the first 0xFF on) as its urlencoded or multipart body. */
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
        k = testkit_new(ss_plugin_v0(), "{\"tokens\":[{\"secret\":\"t\",\"role\":\"superuser\"}]}");
    const uint8_t *split = size ? memchr(data, 0xFF, size) : NULL;
    size_t query = split ? (size_t)(split - data) : size;
    testkit_request r = {.method = split ? "POST" : "GET",
                         .target = "/matomo.php",
                         .raw_query = ss_s((const char *)data, query)};
    if (!r.raw_query.ptr)
        r.raw_query.ptr = "";
    if (split) {
        r.body = (const char *)split + 1;
        r.body_len = size - query - 1;
        r.headers = query % 2 ? "Content-Type: application/x-www-form-urlencoded\nReferer: http://r/?q=1\n"
                              : "Content-Type: multipart/form-data; boundary=b\nOrigin: http://o\n";
        if (r.body_len == 0)
            r.body = NULL;
    }
    (void)testkit_receive(k, &r);
    for (size_t i = 0; i < testkit_event_count(k); i++)
        if (!json_valid(ss_cstr(testkit_line(k, i))) || strchr(testkit_line(k, i), '\n'))
            abort();
    if (testkit_problems(k)[0])
        abort();
    return 0;
}

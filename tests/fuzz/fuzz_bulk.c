// with: receivers/matomo/*.c
/* Any bytes as the body of a bulk request. */
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
    static const char head[] = "{\"requests\":[";
    /* Some inputs are a whole body, the others what is inside the list: both get deep soon. */
    bool whole = size > 0 && data[0] == '{';
    char *body = malloc(size + sizeof head + 2);
    size_t len = 0;
    if (!body)
        return 0;
    if (!whole) {
        memcpy(body, head, sizeof head - 1);
        len = sizeof head - 1;
    }
    if (size)
        memcpy(body + len, data, size);
    len += size;
    if (!whole) {
        memcpy(body + len, "]}", 2);
        len += 2;
    }
    testkit_request r = {
        .method = "POST", .target = "/matomo.php?token_auth=t", .body = body, .body_len = len};
    (void)testkit_receive(k, &r);
    for (size_t i = 0; i < testkit_event_count(k); i++)
        if (!json_valid(ss_cstr(testkit_line(k, i))) || strchr(testkit_line(k, i), '\n'))
            abort();
    if (testkit_problems(k)[0])
        abort();
    free(body);
    return 0;
}

// with: receivers/events/access.c receivers/events/answer.c receivers/events/body.c
// with: receivers/events/event.c receivers/events/fields.c receivers/events/path.c
// with: receivers/events/plugin.c receivers/events/receiver.c receivers/events/setup.c
/* Any bytes as the body of a request with declared events; the first byte chooses how they come. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"

const ss_plugin *ss_plugin_v0(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char options[] =
    "{\"types\":{\"a\":{\"schema\":{\"properties\":{\"s\":{\"type\":\"string\",\"pattern\":\"^[a-z]*$\"},"
    "\"n\":{\"type\":\"integer\",\"multipleOf\":3},\"t\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"l\":{\"uniqueItems\":true},"
    "\"o\":{\"additionalProperties\":{\"$ref\":\"#\"}}}}},\"b\":{\"on_invalid\":\"reject\",\"schema\":{"
    "\"required\":[\"x\"]}}},"
    "\"key_path\":\"k\",\"app_path\":\"/p/q\",\"max_event_bytes\":2048,\"max_errors\":3}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static testkit *k;
    static const char *const targets[] = {"/events", "/events/a", "/events/b"};
    if (!k)
        k = testkit_new(ss_plugin_v0(), options);
    if (size < 2)
        return 0;
    testkit_request r = {.method = "POST",
                         .target = targets[data[0] % 3],
                         .headers = data[0] & 64 ? "Content-Type: application/x-ndjson\n"
                                                 : "Content-Type: application/json\n",
                         .body = (const char *)data + 1,
                         .body_len = size - 1};
    int32_t status = testkit_receive(k, &r);
    if ((status != SS_OK && status != SS_REJECT) || !json_valid(ss_cstr(testkit_body(k, NULL))))
        abort();
    for (size_t i = 0; i < testkit_event_count(k); i++)
        if (!json_valid(ss_cstr(testkit_line(k, i))) || strchr(testkit_line(k, i), '\n'))
            abort();
    if (testkit_problems(k)[0])
        abort();
    return 0;
}

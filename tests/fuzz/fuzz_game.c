// with: receivers/game/answer.c receivers/game/batch.c receivers/game/coerce.c receivers/game/direct.c
// with: receivers/game/error.c receivers/game/event.c receivers/game/plugin.c receivers/game/receiver.c
// with: receivers/game/store.c receivers/game/view.c
/* Any bytes as a batch of game events, or as a direct producer's record; the first byte chooses. What is
   stored is JSON, and so is every view of it; a record that is taken comes back from the view `stream`. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"

#define APP "ce8b748f-95ba-4ea4-a9b0-b0a4a3d0cb6c"

const ss_plugin *ss_plugin_v0(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static testkit *open_kit(const char *options)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    testkit_add_application(k, &(testkit_app){.id = APP, .name = "fuzz", .key = "k"});
    return k;
}

static void judge(testkit *k)
{
    static const char *const views[] = {"stream", "msk", "processed_iso"};
    for (size_t i = 0; i < testkit_event_count(k); i++) {
        if (!json_valid(ss_cstr(testkit_line(k, i))) || strchr(testkit_line(k, i), '\n'))
            abort();
        for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
            size_t len;
            if (testkit_view(k, i, views[v]) != SS_OK)
                abort();
            const char *said = testkit_said(k, &len);
            if (!json_valid(ss_s(said, len)) || memchr(said, '\n', len))
                abort();
        }
    }
    if (testkit_problems(k)[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static testkit *strict, *tolerant;
    if (!strict) {
        strict = open_kit("{\"max_events\":20,\"max_event\":2048}");
        tolerant = open_kit("{\"max_events\":20,\"max_event\":2048,\"invalid\":\"tolerate\"}");
    }
    if (size < 2)
        return 0;
    testkit *k = data[0] & 1 ? strict : tolerant;
    const char *text = (const char *)data + 1;
    if (data[0] & 2) {
        int32_t status = testkit_parse(k, &(ss_message){.body = ss_s(text, size - 1)});
        if (status == SS_OK ? testkit_event_count(k) != 1 : status != SS_REJECT)
            abort();
    } else {
        testkit_request r = {.method = "POST",
                             .target = "/live/applications/" APP "/events",
                             .headers = "Content-Type: application/json\nAuthorization: k\n",
                             .body = text,
                             .body_len = size - 1};
        int32_t status = testkit_receive(k, &r);
        if ((status != SS_OK && status != SS_REJECT) || !json_valid(ss_cstr(testkit_body(k, NULL))))
            abort();
    }
    judge(k);
    return 0;
}

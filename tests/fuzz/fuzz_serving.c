// with: receivers/matomo/*.c -lpcre2-8
/* Any bytes as the form of a question to the API, and as the headers that the script's answer depends on. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"

const ss_plugin *ss_plugin_v0(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_MAX 4096u

static testkit *open_kit(void)
{
    char path[] = "/tmp/fuzz_serving_XXXXXX", options[512];
    int fd = mkstemp(path);
    static const char script[] = "var Matomo; var Matomo; var Matomo; var Matomo; var Matomo; var Matomo;";
    if (fd < 0 || write(fd, script, sizeof script) != (ssize_t)sizeof script || close(fd) != 0)
        abort();
    (void)snprintf(options, sizeof options,
                   "{\"script\":\"%s\",\"tokens\":[{\"secret\":\"t\",\"role\":\"superuser\"}],\"sites\":{"
                   "\"1\":{\"name\":\"a\\\"b\",\"hosts\":[\"*.example.org\",\"http://b/x\"]},\"2\":{}}}",
                   path);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    (void)unlink(path);
    return k;
}

static void ask_api(testkit *k, const uint8_t *data, size_t size)
{
    testkit_request r = {.method = "POST",
                         .target = "/index.php?module=API",
                         .headers = "Content-Type: application/x-www-form-urlencoded\n",
                         .body = size ? (const char *)data : NULL,
                         .body_len = size};
    int32_t status = testkit_receive(k, &r);
    if (status != SS_OK && status != SS_DECLINE)
        abort();
    size_t len;
    const char *body = testkit_body(k, &len);
    if (status == SS_OK && !json_valid(ss_s(body, len)))
        abort();
}

static void ask_script(testkit *k, const uint8_t *data, size_t size)
{
    char headers[3 * HEADER_MAX], text[HEADER_MAX];
    size_t len = size < HEADER_MAX - 1 ? size : HEADER_MAX - 1;
    for (size_t i = 0; i < len; i++)
        text[i] = data[i] < ' ' ? ' ' : (char)data[i];
    text[len] = '\0';
    (void)snprintf(headers, sizeof headers, "Accept-Encoding: %s\nIf-None-Match: %s\n", text, text);
    if (testkit_receive(k, &(testkit_request){.target = "/matomo.js", .headers = headers}) != SS_OK)
        abort();
    if (testkit_http(k) != 200 && testkit_http(k) != 304)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static testkit *k;
    if (!k && !(k = open_kit()))
        abort();
    ask_api(k, data, size);
    ask_script(k, data, size);
    if (testkit_problems(k)[0])
        abort();
    return 0;
}

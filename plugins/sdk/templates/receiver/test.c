/* The tests of receiver @NAME@, without a server: the testkit plays the host. C11 and C++20. */
#include <streamsteam/testkit.h>

#define SAME(got, want) failed |= !testkit_same(__FILE__, __LINE__, got, want)
static bool failed;

extern
#ifdef __cplusplus
    "C"
#endif
    const ss_plugin *
    ss_plugin_v0(void);

static int32_t ask(testkit *k, const char *target)
{
    testkit_request request = {.method = "GET", .target = target};
    return testkit_receive(k, &request);
}

static void stores_a_text(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"greeting\": \"salut\"}");
    ask(k, "/@NAME@?text=caf%C3%A9");
    SAME(testkit_value(k, 0, "text"), "\"café\"");
    SAME(testkit_value(k, 0, "greeting"), "\"salut\"");
    SAME(testkit_body(k, NULL), "stored\n");
    SAME(testkit_problems(k), "");
    testkit_free(k);
}

static void refuses_a_request_without_one(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    ask(k, "/@NAME@?other=1");
    SAME(testkit_line(k, 0), NULL);
    SAME(testkit_reject_code(k, 0), "no_text");
    SAME(testkit_body(k, NULL), "text is missing\n");
    testkit_free(k);
}

/* Runs once for each call of the host, and each allocation, that can fail. */
static void whatever_fails(testkit *k)
{
    int32_t status = ask(k, "/@NAME@?text=one");
    if (status == SS_OK) /* then the event is really there */
        SAME(testkit_value(k, 0, "text"), "\"one\"");
}

int main(void)
{
    stores_a_text();
    refuses_a_request_without_one();
    SAME(testkit_torture(ss_plugin_v0(), NULL, whatever_fails), "");
    (void)printf("%s: %s\n", __FILE__, failed ? "FAILED" : "passed");
    return failed ? 1 : 0;
}

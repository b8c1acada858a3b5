/* The tests of enricher @NAME@, without a server: the testkit plays the host. C11 and C++20. */
#include <streamsteam/testkit.h>

#define SAME(got, want) failed |= !testkit_same(__FILE__, __LINE__, got, want)
static bool failed;

extern
#ifdef __cplusplus
    "C"
#endif
    const ss_plugin *
    ss_plugin_v0(void);

/* What the receiver before it declares. */
static const ss_field receiver_fields[] = {
    {.name = "action_name", .type = SS_FIELD_STRING, .doc = "Title of the page."},
    {.name = NULL},
};

static void measures(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    SAME(testkit_enrich(k, receiver_fields, "{\"action_name\": \"four\"}"),
         "{\"action_name\":\"four\",\"@NAME@_length\":4}");
    SAME(testkit_enrich(k, receiver_fields, "{}"), "{}");
    SAME(testkit_problems(k), "");
    testkit_free(k);
}

static void drops_on_request(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    SAME(testkit_enrich(k, receiver_fields, "{\"action_name\": \"drop me\"}"), NULL);
    SAME(testkit_error(k), "asked for it");
    testkit_free(k);
}

static void refuses_a_bad_option(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"field\": \"\"}");
    SAME(testkit_error(k), "@NAME@: field: write a name of 1 to 127 bytes");
    testkit_free(k);
}

/* Runs once for each call of the host, and each allocation, that can fail. */
static void whatever_fails(testkit *k)
{
    (void)testkit_enrich(k, receiver_fields, "{\"action_name\": \"four\"}");
}

int main(void)
{
    measures();
    drops_on_request();
    refuses_a_bad_option();
    SAME(testkit_torture(ss_plugin_v0(), NULL, whatever_fails), "");
    (void)printf("%s: %s\n", __FILE__, failed ? "FAILED" : "passed");
    return failed ? 1 : 0;
}

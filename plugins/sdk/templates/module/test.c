/* The tests of module @NAME@, without a server: the testkit plays the host. C11 and C++20. */
#include <stdlib.h>
#include <streamsteam/testkit.h>

#define SAME(got, want) failed |= !testkit_same(__FILE__, __LINE__, got, want)
static bool failed;

extern
#ifdef __cplusplus
    "C"
#endif
    const ss_plugin *
    ss_plugin_v0(void);

static char folder[] = "/tmp/@NAME@-XXXXXX", file[64], options[256];

static const char *written(void)
{
    static char text[1024];
    FILE *f = fopen(file, "r");
    size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[len] = '\0';
    if (f)
        (void)fclose(f);
    return text;
}

static void appends_lines_and_refuses_long_ones(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    (void)testkit_start(k, 0, NULL);
    testkit_add_record(k, "matomo", "1", "pageview", "{\"a\":1}");
    testkit_add_record(k, "matomo", "1", "pageview", "{\"a\":\"much too long\"}");
    testkit_add_record(k, "matomo", "1", "pageview", "{\"a\":3}");
    (void)testkit_deliver(k);
    SAME(written(), "{\"a\":1}\n{\"a\":3}\n");
    SAME(testkit_record_text(k, 1), "longer than line_max");
    SAME(testkit_problems(k), "");
    testkit_free(k);
}

static void says_why_it_cannot_open(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"file\": \"/nonexistent/file\"}");
    (void)testkit_start(k, 0, NULL);
    SAME(testkit_error(k), "@NAME@: cannot open /nonexistent/file: No such file or directory");
    testkit_free(k);
}

/* Runs once for each call of the host, and each allocation, that can fail. */
static void whatever_fails(testkit *k)
{
    if (testkit_start(k, 0, NULL) != SS_OK)
        return;
    testkit_add_record(k, "matomo", "1", "pageview", "{\"a\":1}");
    (void)testkit_deliver(k);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(file, sizeof file, "%s/out", folder);
    (void)snprintf(options, sizeof options, "{\"file\": \"%s\", \"line_max\": 16}", file);
    appends_lines_and_refuses_long_ones();
    says_why_it_cannot_open();
    SAME(testkit_torture(ss_plugin_v0(), options, whatever_fails), "");
    (void)remove(file);
    (void)remove(folder);
    (void)printf("%s: %s\n", __FILE__, failed ? "FAILED" : "passed");
    return failed ? 1 : 0;
}

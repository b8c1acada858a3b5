/* Nodes of the checked configuration: paths, types, secrets. */
#include "core/config/node.h"

#include <fcntl.h>
#include <limits.h>

#include "core/base/log.h"
#include "tests/unit/check.h"

static ss_config *parse(const char *json)
{
    ss_error err = error_init();
    ss_config *n = node_parse(json, strlen(json), &err);
    if (!n)
        printf("# %s\n", err.text);
    return n;
}

static void finds_by_path(void)
{
    ss_config *n =
        parse("{\"roll\":{\"bytes\":25000000,\"age\":60000},\"sites\":{\"example.org\":{\"id\":7}},"
              "\"names\":[\"a\",\"b\"],\"on\":true,\"ratio\":0.5,\"empty\":null}");
    REQUIRE(n);
    CHECK_INT(node_int(n, "roll.bytes"), 25000000);
    CHECK_INT(node_int(node_get(n, "roll"), "age"), 60000);
    CHECK_INT(node_int(n, "sites.example.org"), 0);
    CHECK_INT(node_int(node_get(n, "sites"), "example.org.id"),
              0); /* cut at the first dot: use at() and key() */
    CHECK_INT(node_int(node_get(node_get(n, "sites"), "example.org"), "id"), 7);
    CHECK_INT(node_len(node_get(n, "names")), 2);
    CHECK_STR(node_str(node_at(node_get(n, "names"), 1), "").ptr, "b");
    CHECK(node_at(node_get(n, "names"), 2) == NULL);
    CHECK_STR(node_key(node_get(n, "sites"), 0).ptr, "example.org");
    CHECK_INT(node_int(n, "on"), 1);
    CHECK(node_float(n, "ratio") == 0.5);
    CHECK(node_get(n, "empty") == NULL);
    CHECK(node_get(n, "") == n);
    CHECK(node_is_list(node_get(n, "names")) && !node_is_list(n));
    node_free(n);
}

static void absent_values_are_empty(void)
{
    ss_config *n = parse("{\"a\":{\"b\":\"x\"}}");
    REQUIRE(n);
    CHECK(node_get(n, "a.c") == NULL);
    CHECK(node_get(n, "a.b.c") == NULL);
    CHECK(node_get(NULL, "a") == NULL);
    CHECK_INT(node_len(NULL), 0);
    CHECK_INT(node_len(node_get(n, "a.b")), 0);
    CHECK(node_at(NULL, 0) == NULL);
    CHECK_INT(node_key(NULL, 0).len, 0);
    CHECK_STR(node_str(n, "nothing").ptr, "");
    CHECK_STR(node_str(NULL, "").ptr, "");
    CHECK_INT(node_int(n, "a.b"), 0);
    node_free(n);
    node_free(NULL);
}

static void keys_keep_the_order_of_the_file(void)
{
    ss_config *n = parse("{\"z\":1,\"a\":2,\"m\":3}");
    REQUIRE(n);
    CHECK_STR(node_key(n, 0).ptr, "z");
    CHECK_STR(node_key(n, 1).ptr, "a");
    CHECK_STR(node_key(n, 2).ptr, "m");
    CHECK_INT(node_int(node_at(n, 1), ""), 2);
    CHECK(node_at(n, 3) == NULL);
    node_free(n);
}

static void a_secret_is_a_value(void)
{
    ss_config *n =
        parse("{\"password\":{\"$secret\":\"hunter2hunter2\"},\"list\":[{\"$secret\":\"other-one\"}]}");
    REQUIRE(n);
    char out[64];
    ss_error err = error_init();
    CHECK_STR(node_str(n, "password").ptr, "hunter2hunter2");
    CHECK_INT(node_len(node_get(n, "password")), 0);
    CHECK_INT(node_secret(n, "password", out, sizeof out, &err), 14);
    CHECK_STR(out, "hunter2hunter2");
    CHECK_INT(node_secret(n, "password", out, 5, &err), -1);
    CHECK(strstr(err.text, "hunter2") == NULL);
    CHECK_STR(node_str(node_at(node_get(n, "list"), 0), "").ptr, "other-one");
    node_free(n);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void a_secret_file_is_read_on_each_use(void)
{
    char path[] = "/tmp/streamsteam-node-XXXXXX", json[128], out[64];
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    (void)close(fd);
    put(path, "first-value\n");
    (void)snprintf(json, sizeof json, "{\"password\":{\"$file\":\"%s\"}}", path);
    ss_config *n = parse(json);
    REQUIRE(n);
    ss_error err = error_init();
    CHECK_INT(node_secret(n, "password", out, sizeof out, &err), 11);
    CHECK_STR(out, "first-value");
    put(path, "second");
    CHECK_INT(node_secret(n, "password", out, sizeof out, &err), 6);
    CHECK_STR(out, "second");
    CHECK_STR(node_str(n, "password").ptr, "");
    (void)unlink(path);
    CHECK_INT(node_secret(n, "password", out, sizeof out, &err), -1);
    CHECK(strstr(err.text, "No such file") != NULL);
    node_free(n);
}

static void the_log_never_prints_a_secret(void)
{
    char path[] = "/tmp/streamsteam-log-XXXXXX", text[4096] = "";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    REQUIRE(fd >= 0 && saved >= 0);
    ss_config *n = parse("{\"deep\":[{\"password\":{\"$secret\":\"correct-horse\"}}]}");
    (void)dup2(fd, STDERR_FILENO);
    log_error("connecting with correct-horse as password");
    (void)dup2(saved, STDERR_FILENO);
    CHECK(pread(fd, text, sizeof text - 1, 0) > 0);
    CHECK(strstr(text, "correct-horse") == NULL);
    CHECK(strstr(text, "connecting with *** as password") != NULL);
    (void)close(fd), (void)close(saved);
    (void)unlink(path);
    node_free(n);
}

static void bad_json_is_refused(void)
{
    ss_error err = error_init();
    CHECK(node_parse("{\"a\":1", 6, &err) == NULL);
    CHECK(strstr(err.text, "not JSON") != NULL);
    CHECK(node_parse("{\"a\":1,\"a\":2}", 13, &err) == NULL);
}

static const check_test tests[] = {
    TEST(finds_by_path),       TEST(absent_values_are_empty),           TEST(keys_keep_the_order_of_the_file),
    TEST(a_secret_is_a_value), TEST(a_secret_file_is_read_on_each_use), TEST(the_log_never_prints_a_secret),
    TEST(bad_json_is_refused),
};
CHECK_MAIN(tests)

/* What the tests of the AWS client share: a scripted service on the loopback, an environment of their own,
   and signatures that are verified. */
#ifndef TESTS_UNIT_AWS_FIXTURE_H
#define TESTS_UNIT_AWS_FIXTURE_H

#include <stdarg.h>
#include <sys/stat.h>

#include "plugins/common/aws/inside.h"
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

#define ACCESS "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define NOW_US 1764559445000000LL

typedef struct fixture {
    testkit_remote *remote;
    aws_client *client;
    aws_settings settings;
    ss_error err;
    int64_t now_us;
    char dir[64], log[4096];
} fixture;

extern char **environ;

static int64_t fixture_now(void *arg)
{
    return ((fixture *)arg)->now_us;
}

static void fixture_log(void *arg, int32_t level, const char *text)
{
    fixture *f = arg;
    size_t len = strlen(f->log);
    (void)level;
    (void)snprintf(f->log + len, sizeof f->log - len, "%s\n", text);
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        abort();
    (void)fputs(text, file);
    (void)fclose(file);
}

/* Nothing of the machine's own: no home, no profiles, no metadata service. */
static inline void fixture_init(fixture *f)
{
    memset(f, 0, sizeof *f);
    f->err.struct_size = sizeof f->err;
    f->now_us = NOW_US;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/ss-aws-XXXXXX");
    if (!mkdtemp(f->dir))
        abort();
    (void)clearenv();
    (void)setenv("PATH", "/usr/bin:/bin", 1);
    (void)setenv("HOME", f->dir, 1);
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    f->remote = testkit_remote_new();
    if (!f->remote)
        abort();
    f->settings = (aws_settings){
        .region = SS_LIT("eu-central-1"), .now_us = fixture_now, .log = fixture_log, .host_arg = f};
    f->settings.endpoint = ss_cstr(testkit_remote_url(f->remote));
}

static inline void fixture_keys(void)
{
    (void)setenv("AWS_ACCESS_KEY_ID", ACCESS, 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
}

static inline bool fixture_open(fixture *f)
{
    f->client = aws_client_new(&f->settings, &f->err);
    return f->client != NULL;
}

static inline void fixture_fini(fixture *f)
{
    char command[128];
    aws_client_free(f->client);
    testkit_remote_free(f->remote);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->dir);
    if (system(command) != 0)
        abort();
}

static inline void step(fixture *f, uint32_t status, const char *headers, const char *body)
{
    const testkit_step s = {.act = TESTKIT_ANSWER, .status = status, .headers = headers, .body = body};
    testkit_remote_step(f->remote, &s);
}

static inline void step_act(fixture *f, enum testkit_act act)
{
    const testkit_step s = {.act = act, .body = "{\"cut\":true}"};
    testkit_remote_step(f->remote, &s);
}

/* One call to its end; the caller frees it. */
static inline aws_call *call_json(fixture *f, const char *operation, const char *body)
{
    aws_call *call = aws_json(f->client, AWS_KINESIS, operation, ss_cstr(body), 0, f);
    if (!call)
        abort();
    (void)aws_wait(call);
    return call;
}

static inline bool seen_header(const testkit_seen *seen, const char *name, char *out, size_t size)
{
    char needle[128];
    (void)snprintf(needle, sizeof needle, "\n%s: ", name);
    const char *at = strncasecmp(seen->headers, needle + 1, strlen(needle) - 1) == 0
                         ? seen->headers - 1
                         : strcasestr(seen->headers, needle);
    *out = '\0';
    if (!at)
        return false;
    at += strlen(needle);
    size_t len = strcspn(at, "\n");
    len = len < size ? len : size - 1;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

/* Verifies what the remote end saw as AWS would. */
static inline enum sigv4_result verify_seen(const testkit_seen *seen, const char *service, const char *secret,
                                            int64_t now_us, uint32_t flags)
{
    ss_pair headers[SIGV4_HEADERS_MAX];
    size_t count = 0;
    for (const char *at = seen->headers; *at && count < SIGV4_HEADERS_MAX;
         at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != 0)) {
        const char *colon = strchr(at, ':');
        size_t end = strcspn(at, "\n");
        headers[count++] =
            (ss_pair){ss_s(at, (size_t)(colon - at)), ss_s(colon + 2, end - (size_t)(colon - at) - 2)};
    }
    const char *mark = strchr(seen->target, '?');
    size_t path = mark ? (size_t)(mark - seen->target) : strlen(seen->target);
    sigv4_request r = {ss_cstr(seen->method),
                       ss_s(seen->target, path),
                       ss_cstr(mark ? mark + 1 : ""),
                       headers,
                       count,
                       SS_LIT(""),
                       flags};
    sigv4_claim claim;
    enum sigv4_result result = sigv4_read(&r, &claim);
    const sigv4_policy policy = {SS_LIT("eu-central-1"), ss_cstr(service), now_us, 300, false};
    return result == SIGV4_OK
               ? sigv4_verify(&r, &claim, &policy, ss_cstr(secret), ss_s(seen->body, seen->body_len))
               : result;
}

#endif

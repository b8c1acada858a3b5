/* Credentials that a server beside this machine gives: of a container, or of an instance (IMDSv2). */
#include <errno.h>
#include <strings.h>

#include "plugins/common/aws/inside.h"

#define ANSWER_MAX     (64u * 1024u)
#define CONTAINER_HOST "http://169.254.170.2"
#define CONTAINER_MS   2000
#define INSTANCE_V4    "http://169.254.169.254"
#define INSTANCE_V6    "http://[fd00:ec2::254]"
#define INSTANCE_MS    1000
#define TRIES          3u
#define TOKEN_MAX      4096u
#define ROLE_PATH      "/latest/meta-data/iam/security-credentials/"

typedef struct ask {
    const char *method, *url, *header, *value;
    int64_t timeout_ms;
} ask;

/* The answer of the last try; free it. Tries again what is transient. NULL: no memory. */
static http_call *fetch(http_client *http, const ask *a)
{
    const ss_pair header = {ss_cstr(a->header), ss_cstr(a->value)};
    http_request r = {.method = a->method,
                      .url = a->url,
                      .headers = &header,
                      .header_count = a->header ? 1 : 0,
                      .connect_timeout_ms = a->timeout_ms,
                      .timeout_ms = a->timeout_ms,
                      .max_body = ANSWER_MAX,
                      .direct = true};
    for (uint32_t i = 1;; i++) {
        http_call *call = http_start(http, &r);
        if (!call)
            return NULL;
        http_wait(http, call);
        const http_reply *reply = http_reply_of(call);
        bool again = (reply->failure == HTTP_FINE && (reply->status >= 500 || reply->status == 429)) ||
                     reply->failure == HTTP_CUT;
        if (!again || i == TRIES)
            return call;
        http_call_free(call);
    }
}

static const char *phrase(const http_reply *reply, char out[96])
{
    if (reply->failure != HTTP_FINE)
        return reply->problem;
    (void)snprintf(out, 96, "it answered %u", reply->status);
    return out;
}

/* ---- container ---- */

static bool host_is(const char *url, const char *host)
{
    size_t len = strlen(host);
    const char *at = strstr(url, "://");
    return at && strncmp(at + 3, host, len) == 0 &&
           (at[3 + len] == '/' || at[3 + len] == ':' || !at[3 + len]);
}

/* The token must not go to just any host over http. */
static bool may_ask(const char *url)
{
    static const char *const hosts[] = {"localhost",     "127.0.0.1",      "[::1]",
                                        "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    if (strchr(url, '@') || strpbrk(url, " \t\r\n"))
        return false;
    if (strncmp(url, "https://", 8) == 0)
        return true;
    if (strncmp(url, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (host_is(url, hosts[i]))
            return true;
    return false;
}

static int32_t container_token(char *out, size_t size, ss_error *err)
{
    const char *file = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
               *token = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    *out = '\0';
    /* Read each time: EKS writes a new token into the file every day. */
    if (file && aws_file_text(file, out, size) < 0)
        return ss_fail(err, SS_RETRY, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %.200s: %s", file,
                       strerror(errno));
    if (!file && token)
        (void)snprintf(out, size, "%s", token);
    if (strpbrk(out, "\r\n"))
        return ss_fail(err, SS_PAUSE, "the container's authorization token holds a line break");
    return SS_OK;
}

int32_t aws_keys_container(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
               *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[AWS_URL_MAX], token[TOKEN_MAX], text[96];
    if (!relative && !full)
        return SS_DECLINE;
    if (relative)
        (void)snprintf(url, sizeof url, "%s%s%s", CONTAINER_HOST, *relative == '/' ? "" : "/", relative);
    else
        (void)snprintf(url, sizeof url, "%s", full);
    if (!may_ask(url))
        return ss_fail(err, SS_PAUSE,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to this machine: %.200s",
                       url);
    int32_t rc = container_token(token, sizeof token, err);
    if (rc != SS_OK)
        return rc;
    http_call *call =
        fetch(from->http, &(ask){"GET", url, *token ? "Authorization" : NULL, token, CONTAINER_MS});
    aws_wipe(token, sizeof token);
    if (!call)
        return ss_fail(err, SS_RETRY, "no memory for the container's credentials");
    const http_reply *reply = http_reply_of(call);
    bool answered = reply->failure == HTTP_FINE && reply->status == 200;
    if (answered && aws_keys_json(reply->body, out))
        (void)snprintf(out->source, sizeof out->source, "container");
    else
        rc = ss_fail(err,
                     reply->failure == HTTP_FINE && reply->status >= 400 && reply->status < 500 ? SS_PAUSE
                                                                                                : SS_RETRY,
                     "the container's credentials (%.200s): %s", url,
                     answered ? "the answer holds none" : phrase(reply, text));
    http_call_free(call);
    return rc;
}

/* ---- instance ---- */

static bool truth(const char *name)
{
    const char *value = aws_env(name);
    return value && strcasecmp(value, "true") == 0;
}

static const char *instance_base(void)
{
    const char *base = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
               *mode = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (base)
        return base;
    return mode && strcasecmp(mode, "ipv6") == 0 ? INSTANCE_V6 : INSTANCE_V4;
}

static int64_t instance_ms(void)
{
    const char *seconds = aws_env("AWS_METADATA_SERVICE_TIMEOUT");
    long value = seconds ? strtol(seconds, NULL, 10) : 0;
    return value > 0 && value <= 10 ? value * 1000 : INSTANCE_MS;
}

/* IMDSv2: a session token first. SS_DECLINE: nobody is there. */
static int32_t session_token(http_client *http, const char *base, char *out, size_t size, ss_error *err)
{
    char url[AWS_URL_MAX];
    (void)snprintf(url, sizeof url, "%.1024s/latest/api/token", base);
    *out = '\0';
    http_call *call =
        fetch(http, &(ask){"PUT", url, "x-aws-ec2-metadata-token-ttl-seconds", "21600", instance_ms()});
    if (!call)
        return ss_fail(err, SS_RETRY, "no memory for the instance's credentials");
    const http_reply *reply = http_reply_of(call);
    uint32_t status = reply->failure == HTTP_FINE ? reply->status : 0;
    int32_t rc = SS_OK;
    if (status == 200 && reply->body.len < size && reply->body.len) {
        memcpy(out, reply->body.ptr, reply->body.len);
        out[reply->body.len] = '\0';
    } else if (status == 403 || status == 404 || status == 405) {
        if (truth("AWS_EC2_METADATA_V1_DISABLED"))
            rc = ss_fail(err, SS_PAUSE,
                         "the instance's metadata service knows version 1 only, and "
                         "AWS_EC2_METADATA_V1_DISABLED is set");
    } else if (reply->failure == HTTP_CONNECT || reply->failure == HTTP_TIMEOUT) {
        rc = SS_DECLINE;
    } else {
        rc = ss_fail(err, SS_RETRY, "the instance's metadata service gave no token (status %u)", status);
    }
    http_call_free(call);
    return rc;
}

/* One GET with the token; its body as text. */
static int32_t metadata(http_client *http, const char *url, const char *token, char *out, size_t size,
                        ss_error *err)
{
    char text[96];
    http_call *call =
        fetch(http, &(ask){"GET", url, *token ? "x-aws-ec2-metadata-token" : NULL, token, instance_ms()});
    if (!call)
        return ss_fail(err, SS_RETRY, "no memory for the instance's credentials");
    const http_reply *reply = http_reply_of(call);
    int32_t rc = SS_OK;
    if (reply->failure == HTTP_FINE && reply->status == 404)
        rc = SS_DECLINE; /* the instance has no role */
    else if (reply->failure != HTTP_FINE || reply->status != 200 || reply->body.len >= size)
        rc = ss_fail(err, SS_RETRY, "the instance's metadata service: %s", phrase(reply, text));
    else {
        memcpy(out, reply->body.ptr, reply->body.len);
        out[reply->body.len] = '\0';
    }
    http_call_free(call);
    return rc;
}

int32_t aws_keys_instance(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    char token[TOKEN_MAX], role[AWS_NAME_MAX], url[AWS_URL_MAX], json[8192];
    const char *base = instance_base();
    if (truth("AWS_EC2_METADATA_DISABLED"))
        return SS_DECLINE;
    int32_t rc = session_token(from->http, base, token, sizeof token, err);
    if (rc != SS_OK)
        return rc;
    (void)snprintf(url, sizeof url, "%.1024s" ROLE_PATH, base);
    rc = metadata(from->http, url, token, role, sizeof role, err);
    if (rc != SS_OK)
        return rc;
    role[strcspn(role, "\r\n")] = '\0';
    (void)snprintf(url, sizeof url, "%.1024s" ROLE_PATH "%s", base, role);
    rc = metadata(from->http, url, token, json, sizeof json, err);
    if (rc == SS_OK && !aws_keys_json(ss_cstr(json), out))
        rc = ss_fail(err, SS_RETRY, "the instance's metadata service gave no keys for the role %.100s", role);
    if (rc == SS_OK)
        (void)snprintf(out->source, sizeof out->source, "instance role %.200s", role);
    aws_wipe(json, sizeof json);
    aws_wipe(token, sizeof token);
    return rc;
}

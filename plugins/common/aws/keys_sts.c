/* Credentials of a role that STS lends: assumed with keys, or with a token of somebody who is trusted. */
#include <errno.h>
#include <unistd.h>

#include "plugins/common/aws/inside.h"
#include "plugins/common/url.h"

#define QUERY_MAX   (64u * 1024u)
#define TOKEN_MAX   (20u * 1024u) /* what STS takes */
#define TIMEOUT_MS  10000
#define TRIES       3u
#define DURATION_S  "3600"
#define GLOBAL_STS  "https://sts.amazonaws.com"
#define HOME_REGION "us-east-1"

static void put_pair(grow *query, const char *name, ss_str value)
{
    if (!value.len || !grow_room(query, strlen(name) + 2 + value.len * 3))
        return;
    (void)grow_puts(query, query->len ? "&" : "");
    (void)grow_puts(query, name);
    (void)grow_puts(query, "=");
    query->len += url_encode(query->at + query->len, value);
}

/* What STS logs as the session: our name and process, where none was given. */
static ss_str session_name(const char *given, char *out, size_t size)
{
    if (given && *given)
        return ss_cstr(given);
    (void)snprintf(out, size, "streamsteam-%ld", (long)getpid());
    return ss_cstr(out);
}

static bool copy_keys(ss_str xml, aws_keys_found *out)
{
    char expires[64];
    bool good = aws_xml_text(xml, "AccessKeyId", out->text.access_key, sizeof out->text.access_key) &&
                aws_xml_text(xml, "SecretAccessKey", out->text.secret, sizeof out->text.secret) &&
                aws_xml_text(xml, "SessionToken", out->text.token, sizeof out->text.token) &&
                aws_xml_text(xml, "Expiration", expires, sizeof expires);
    out->expires_us = good ? aws_time_us(ss_cstr(expires)) : 0;
    return good && out->expires_us && *out->text.access_key && *out->text.secret;
}

static http_call *post(const aws_keys_from *from, const aws_keys_text *with, const char *url, int64_t now_us,
                       ss_str body)
{
    const ss_pair type = {SS_LIT("content-type"), SS_LIT("application/x-www-form-urlencoded; charset=utf-8")};
    const aws_message m = {.service = AWS_STS,
                           .method = SS_LIT("POST"),
                           .path = SS_LIT("/"),
                           .body = body,
                           .headers = &type,
                           .header_count = 1};
    const aws_send how = {.http = from->http,
                          .endpoint = url,
                          .region = *from->place->region ? from->place->region : HOME_REGION,
                          .keys = with,
                          .now_us = now_us,
                          .timeout_ms = TIMEOUT_MS,
                          .max_body = QUERY_MAX};
    http_call *call = aws_send_message(&m, &how);
    if (call)
        http_wait(from->http, call);
    return call;
}

static int32_t judge(const http_reply *reply, const char *what, const char *role, int64_t *now_us,
                     aws_keys_found *out, ss_error *err)
{
    aws_error e;
    if (reply->failure != HTTP_FINE)
        return ss_fail(err, SS_RETRY, "sts %s (%.120s): %s", what, role, reply->problem);
    if (reply->status == 200 && copy_keys(reply->body, out)) {
        (void)snprintf(out->source, sizeof out->source, "role %.200s", role);
        return SS_OK;
    }
    aws_error_read(&e, AWS_STS, reply);
    enum aws_result result = reply->status == 200 ? AWS_RETRY : aws_classify(reply->status, ss_cstr(e.code));
    int64_t theirs = aws_http_date(http_header(reply, "date"));
    if (theirs && theirs != *now_us && aws_code_is_about_clock(e.code, e.message)) {
        *now_us = theirs; /* our clock is wrong: once more, with theirs */
        result = AWS_RETRY;
    }
    /* "IDPCommunicationError" is the only 4xx of STS that passes by itself. */
    if (strcmp(e.code, "IDPCommunicationError") == 0)
        result = AWS_RETRY;
    return ss_fail(err, result == AWS_RETRY || result == AWS_THROTTLE ? SS_RETRY : SS_PAUSE,
                   "sts %s (%.120s): %s: %.200s (request %.60s)", what, role,
                   *e.code ? e.code : "an answer without keys", e.message, e.request_id);
}

static int32_t exchange(const aws_keys_from *from, const aws_keys_text *with, const char *what,
                        const char *role, grow *query, aws_keys_found *out, ss_error *err)
{
    char url[AWS_URL_MAX];
    aws_place place = *from->place;
    if (!*place.region) /* STS alone works without one */
        (void)snprintf(place.region, sizeof place.region, HOME_REGION);
    int32_t rc = query->full ? ss_fail(err, SS_PAUSE, "sts %s (%.120s): the request is too long", what, role)
                             : aws_place_url(&place, from->profiles, AWS_STS, url, sizeof url, err);
    if (rc == SS_OK && !*from->place->region && strcmp(url, "https://sts." HOME_REGION ".amazonaws.com") == 0)
        (void)snprintf(url, sizeof url, GLOBAL_STS);
    int64_t now_us = from->now_us;
    for (uint32_t i = 0; rc == SS_OK && i < TRIES; i++) {
        http_call *call = post(from, with, url, now_us, grow_str(query));
        if (!call)
            return ss_fail(err, SS_RETRY, "no memory for sts %s", what);
        int32_t got = judge(http_reply_of(call), what, role, &now_us, out, err);
        http_call_free(call);
        if (got != SS_RETRY || i + 1 == TRIES)
            return got;
        http_poll(from->http, 100 * (int64_t)(i + 1)); /* others move on meanwhile */
    }
    return rc;
}

int32_t aws_keys_assume(const aws_keys_from *from, const aws_keys_text *with, const aws_role *role,
                        aws_keys_found *out, ss_error *err)
{
    char name[64];
    grow query = {.limit = QUERY_MAX};
    memset(out, 0, sizeof *out);
    put_pair(&query, "Action", SS_LIT("AssumeRole"));
    put_pair(&query, "Version", SS_LIT("2011-06-15"));
    put_pair(&query, "RoleArn", ss_cstr(role->arn));
    put_pair(&query, "RoleSessionName", session_name(role->session, name, sizeof name));
    put_pair(&query, "DurationSeconds", ss_cstr(role->duration_s ? role->duration_s : DURATION_S));
    put_pair(&query, "ExternalId", ss_cstr(role->external_id));
    int32_t rc = exchange(from, with, "AssumeRole", role->arn, &query, out, err);
    grow_free(&query);
    return rc;
}

int32_t aws_keys_web(const aws_keys_from *from, const char *role, const char *token_file, const char *session,
                     aws_keys_found *out, ss_error *err)
{
    char name[64], *token = malloc(TOKEN_MAX);
    if (!token)
        return ss_fail(err, SS_RETRY, "no memory for the web identity token");
    /* Read each time: Kubernetes writes a new one before the old one ends. */
    int64_t len = aws_file_text(token_file, token, TOKEN_MAX);
    if (len <= 0) {
        (void)ss_fail(err, SS_RETRY, "the web identity token %.200s: %s", token_file,
                      len < 0 ? strerror(errno) : "is empty");
        free(token);
        return SS_RETRY;
    }
    grow query = {.limit = QUERY_MAX};
    memset(out, 0, sizeof *out);
    put_pair(&query, "Action", SS_LIT("AssumeRoleWithWebIdentity"));
    put_pair(&query, "Version", SS_LIT("2011-06-15"));
    put_pair(&query, "RoleArn", ss_cstr(role));
    put_pair(&query, "RoleSessionName", session_name(session, name, sizeof name));
    put_pair(&query, "WebIdentityToken", ss_s(token, (size_t)len));
    int32_t rc = exchange(from, NULL, "AssumeRoleWithWebIdentity", role, &query, out, err);
    aws_wipe(token, TOKEN_MAX);
    if (query.at)
        aws_wipe(query.at, query.len);
    grow_free(&query);
    free(token);
    return rc;
}

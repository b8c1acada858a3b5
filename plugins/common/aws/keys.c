/* Where credentials come from: the chain, in the order of the AWS command line. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "plugins/common/aws/inside.h"
#include "plugins/common/json.h"
#include "plugins/common/rfc3339.h"

void aws_wipe(void *memory, size_t len)
{
    if (memory)
        OPENSSL_cleanse(memory, len);
}

bool aws_keys_set(char *out, size_t size, ss_str value)
{
    if (value.len == 0 || value.len >= size || memchr(value.ptr, '\0', value.len))
        return false;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] <= 0x20 ||
            value.ptr[i] == 0x7F) /* would break the header it goes into */
            return false;
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
    return true;
}

int64_t aws_time_us(ss_str text)
{
    int64_t us = 0;
    return rfc3339_date_time(text, &us) ? us : 0;
}

int64_t aws_file_text(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return -1;
    size_t len = fread(out, 1, size, f);
    bool good = !ferror(f) && len < size;
    if (!good)
        errno = ferror(f) ? EIO : EFBIG;
    (void)fclose(f);
    if (!good)
        return -1;
    while (len && strchr(" \t\r\n", out[len - 1]) && out[len - 1])
        len--;
    size_t skip = 0;
    while (skip < len && strchr(" \t\r\n", out[skip]) && out[skip])
        skip++;
    memmove(out, out + skip, len - skip);
    out[len - skip] = '\0';
    return (int64_t)(len - skip);
}

/* ---- the JSON form that processes, containers and instances share ---- */

static bool put_text(const json_value *v, char *out, size_t size)
{
    char text[8192];
    if (v->kind != JSON_STRING || v->text.len > sizeof text)
        return false;
    size_t len = json_unescape(text, v->text);
    bool good = aws_keys_set(out, size, ss_s(text, len));
    aws_wipe(text, len);
    return good;
}

bool aws_keys_json(ss_str json, aws_keys_found *out)
{
    json_scan s;
    json_value v, key;
    bool access = false, secret = false, good = true;
    char expires[64] = "";
    json_start(&s, json);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    out->text.token[0] = '\0';
    while (json_member(&s, &key)) {
        bool token = json_is(&key, "Token") || json_is(&key, "SessionToken");
        bool first = json_is(&key, "AccessKeyId"), second = json_is(&key, "SecretAccessKey"),
             time = json_is(&key, "Expiration");
        if (!token && !first && !second && !time) {
            (void)json_skip(&s, NULL);
            continue;
        }
        if (!json_read(&s, &v))
            break;
        if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
            return false;
        if (v.kind == JSON_NULL || (v.kind == JSON_STRING && v.text.len == 0))
            continue;
        if (first)
            access = put_text(&v, out->text.access_key, sizeof out->text.access_key);
        else if (second)
            secret = put_text(&v, out->text.secret, sizeof out->text.secret);
        else if (token)
            good &= put_text(&v, out->text.token, sizeof out->text.token);
        else
            good &= put_text(&v, expires, sizeof expires);
    }
    out->expires_us = *expires ? aws_time_us(ss_cstr(expires)) : 0;
    return json_finish(&s) && access && secret && good && (!*expires || out->expires_us);
}

/* ---- sources without a network ---- */

int32_t aws_keys_environment(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    (void)from;
    const char *access = aws_env("AWS_ACCESS_KEY_ID"), *secret = aws_env("AWS_SECRET_ACCESS_KEY"),
               *token = aws_env("AWS_SESSION_TOKEN");
    if (!access && !secret)
        return SS_DECLINE;
    if (!access || !secret)
        return ss_fail(err, SS_PAUSE, "the environment has %s but not %s: set both, or none",
                       access ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                       access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    if (!aws_keys_set(out->text.access_key, sizeof out->text.access_key, ss_cstr(access)) ||
        !aws_keys_set(out->text.secret, sizeof out->text.secret, ss_cstr(secret)) ||
        (token && !aws_keys_set(out->text.token, sizeof out->text.token, ss_cstr(token))))
        return ss_fail(
            err, SS_PAUSE,
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN holds a blank or is too long");
    (void)snprintf(out->source, sizeof out->source, "environment");
    return SS_OK;
}

static int32_t from_options(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    int there = from->settings->keys ? from->settings->keys(from->settings->arg, &out->text, err) : 0;
    if (there < 0)
        return SS_PAUSE;
    if (there > 0)
        (void)snprintf(out->source, sizeof out->source, "options");
    return there ? SS_OK : SS_DECLINE;
}

static int32_t from_web(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    const char *file = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = aws_env("AWS_ROLE_ARN");
    if (!file)
        return SS_DECLINE;
    if (!role)
        return ss_fail(err, SS_PAUSE,
                       "AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not: set both, or none");
    return aws_keys_web(from, role, file, aws_env("AWS_ROLE_SESSION_NAME"), out, err);
}

static int32_t from_profile(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    return aws_keys_profile(from, from->place->profile, 0, out, err);
}

typedef int32_t source(const aws_keys_from *from, aws_keys_found *out, ss_error *err);

/* The first source that is there decides, whether it works or not: a service must not get another identity
   because its own could not be had for a moment. */
static int32_t base_keys(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    source *const usual[] = {from_options, aws_keys_environment, from_web,
                             from_profile, aws_keys_container,   aws_keys_instance};
    source *const named[] = {from_options, from_profile};
    source *const *list = from->explicit_profile ? named : usual;
    size_t count = from->explicit_profile ? sizeof named / sizeof *named : sizeof usual / sizeof *usual;
    for (size_t i = 0; i < count; i++) {
        memset(out, 0, sizeof *out);
        int32_t rc = list[i](from, out, err);
        if (rc != SS_DECLINE)
            return rc;
    }
    if (from->explicit_profile)
        return ss_fail(
            err, SS_PAUSE,
            "the profile %s has no credentials: give it aws_access_key_id and aws_secret_access_key, "
            "role_arn or credential_process, or take `profile` away",
            from->place->profile);
    return ss_fail(err, SS_PAUSE,
                   "no AWS credentials: looked at the options access_key and secret_key, AWS_ACCESS_KEY_ID, "
                   "AWS_WEB_IDENTITY_TOKEN_FILE, the profile %s, AWS_CONTAINER_CREDENTIALS_*_URI and the "
                   "instance's role",
                   from->place->profile);
}

int32_t aws_keys_chain(const aws_keys_from *from, aws_keys_found *out, ss_error *err)
{
    int32_t rc = base_keys(from, out, err);
    if (rc != SS_OK || !from->settings->role_arn.len)
        return rc;
    aws_keys_text with = out->text;
    char arn[AWS_NAME_MAX], session[AWS_NAME_MAX], external[AWS_NAME_MAX * 4];
    (void)snprintf(arn, sizeof arn, "%.*s", (int)from->settings->role_arn.len, from->settings->role_arn.ptr);
    (void)snprintf(session, sizeof session, "%.*s", (int)from->settings->role_session_name.len,
                   from->settings->role_session_name.ptr);
    (void)snprintf(external, sizeof external, "%.*s", (int)from->settings->external_id.len,
                   from->settings->external_id.ptr);
    rc = aws_keys_assume(from, &with, &(aws_role){arn, session, external, NULL}, out, err);
    aws_wipe(&with, sizeof with);
    return rc;
}

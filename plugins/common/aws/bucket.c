#include "plugins/common/aws/bucket.h"

#include <stdio.h>
#include <string.h>

#include "plugins/common/url.h"

bool aws_bucket_is(ss_str path)
{
    return path.len >= sizeof S3_SCHEME - 1 && memcmp(path.ptr, S3_SCHEME, sizeof S3_SCHEME - 1) == 0;
}

/* "." and ".." would be folded away on the wire. */
static bool prefix_is_plain(const char *prefix)
{
    for (const char *at = prefix; *at;) {
        size_t len = strcspn(at, "/");
        if (len == 0 || (len <= 2 && at[0] == '.' && at[len - 1] == '.'))
            return false;
        at += len + (at[len] == '/');
    }
    return true;
}

static bool bucket_is_name(const char *bucket, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char b = bucket[i];
        if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
              (i > 0 && (b == '.' || b == '-' || b == '_'))))
            return false;
    }
    return len >= 3 && len <= AWS_BUCKET_MAX;
}

/* An endpoint that cannot be told yet (no region) is told by the first request. */
static bool path_style(const aws_bucket *b, aws_client *aws, ss_str style)
{
    char url[2048] = "";
    ss_error ignored = {.struct_size = sizeof ignored};
    if (ss_eq(style, SS_LIT("true")) || ss_eq(style, SS_LIT("false")))
        return ss_eq(style, SS_LIT("true"));
    if (strchr(b->name, '.') || aws_endpoint(aws, AWS_S3, url, sizeof url, &ignored) != SS_OK)
        return strchr(b->name, '.') != NULL;
    return !strstr(url, ".amazonaws.com") && !strstr(url, ".c2s.ic.gov") && !strstr(url, ".sc2s.sgov.gov");
}

bool aws_bucket_at(aws_bucket *b, aws_client *aws, ss_str style, const char *what, const char *path,
                   ss_error *err)
{
    const char *bucket = path + sizeof S3_SCHEME - 1, *slash = strchr(bucket, '/');
    size_t len = slash ? (size_t)(slash - bucket) : strlen(bucket);
    const char *prefix = slash ? slash + 1 : "";
    if (!bucket_is_name(bucket, len))
        return ss_fail(err, 0, "%s: \"%.*s\" is no name of a bucket; write s3://bucket/prefix", what,
                       len < 100 ? (int)len : 100, bucket);
    if (!prefix_is_plain(prefix) || strlen(prefix) + 1 >= sizeof b->prefix / 2)
        return ss_fail(err, 0,
                       "%s: the prefix \"%.100s\" must have no empty part, no . or .., and up to %zu bytes",
                       what, prefix, sizeof b->prefix / 2 - 2);
    (void)snprintf(b->name, sizeof b->name, "%.*s", (int)len, bucket);
    size_t prefix_len = strlen(prefix);
    bool closed = prefix_len == 0 || prefix[prefix_len - 1] == '/';
    (void)snprintf(b->prefix, sizeof b->prefix, "%s%s", prefix, closed ? "" : "/");
    (void)snprintf(b->host_prefix, sizeof b->host_prefix, "%s.", b->name);
    if (path_style(b, aws, style))
        b->host_prefix[0] = '\0';
    return true;
}

ss_str aws_bucket_path(const aws_bucket *b, const char *key, char out[AWS_BUCKET_PATH_MAX])
{
    size_t len = 0;
    out[len++] = '/';
    if (!b->host_prefix[0]) {
        len += url_encode(out + len, ss_cstr(b->name));
        if (*key)
            out[len++] = '/';
    }
    for (const char *at = key; *at;) {
        size_t part = strcspn(at, "/");
        len += url_encode(out + len, ss_s(at, part));
        at += part;
        if (*at == '/')
            out[len++] = *at++;
    }
    return ss_s(out, len);
}

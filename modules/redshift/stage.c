#include "modules/redshift/stage.h"

#include <zlib.h>

#include "plugins/common/url.h"

#define SCHEME        "s3://"
#define URL_PATH_MAX  (3u * (STAGE_KEY_SIZE + 256u) + 4u)
#define SLOWEST_BYTES (256 * 1024) /* a second, on top of the client's timeout */
#define TIMEOUT_MS    30000
#define GZIP_WINDOW   31 /* 15 bits, with gzip's header */
#define GZIP_LEVEL    1
#define GZIP_MEMORY   8

/* ---- the target ---- */

static bool name_is_bucket(ss_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char b = name.ptr[i];
        if (!((b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || (i && (b == '.' || b == '-'))))
            return false;
    }
    return name.len >= 3 && name.len <= 63;
}

static bool in_path(stage *s)
{
    char url[2048];
    ss_error ignored = {.struct_size = sizeof ignored};
    if (strchr(s->bucket, '.'))
        return true;
    return aws_endpoint(s->aws, AWS_S3, url, sizeof url, &ignored) == SS_OK && !strstr(url, ".amazonaws.com");
}

bool stage_target(stage *s, ss_str path, ss_error *err)
{
    size_t scheme = sizeof SCHEME - 1;
    bool good = path.len > scheme && memcmp(path.ptr, SCHEME, scheme) == 0;
    ss_str rest = good ? ss_s(path.ptr + scheme, path.len - scheme) : ss_s("", 0);
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    ss_str bucket = slash ? ss_s(rest.ptr, (size_t)(slash - rest.ptr)) : rest;
    ss_str prefix = slash ? ss_s(slash + 1, rest.len - bucket.len - 1) : ss_s("", 0);
    if (!name_is_bucket(bucket) || prefix.len + 2 > sizeof s->prefix || memchr(prefix.ptr, '\'', prefix.len))
        return ss_fail(err, 0, "redshift: staging must be s3://bucket/prefix, without quotes");
    memcpy(s->bucket, bucket.ptr, bucket.len);
    s->bucket[bucket.len] = '\0';
    bool closed = prefix.len == 0 || prefix.ptr[prefix.len - 1] == '/';
    (void)snprintf(s->prefix, sizeof s->prefix, "%.*s%s", (int)prefix.len, prefix.ptr, closed ? "" : "/");
    (void)snprintf(s->host_prefix, sizeof s->host_prefix, "%s.", s->bucket);
    if (in_path(s))
        s->host_prefix[0] = '\0';
    return true;
}

/* Everything encoded but the slashes. */
static ss_str wire_path(const stage *s, const char *key, char out[URL_PATH_MAX])
{
    size_t len = 0;
    out[len++] = '/';
    if (!s->host_prefix[0]) {
        len += url_encode(out + len, ss_cstr(s->bucket));
        if (*key)
            out[len++] = '/';
    }
    while (*key) {
        size_t part = strcspn(key, "/");
        len += url_encode(out + len, ss_s(key, part));
        key += part;
        if (*key == '/')
            out[len++] = *key++;
    }
    return ss_s(out, len);
}

/* ---- requests ---- */

static aws_call *start(stage *s, const char *method, const char *key, ss_str body, const ss_pair *headers,
                       size_t count, int64_t deadline_us)
{
    char path[URL_PATH_MAX];
    const aws_request r = {.service = AWS_S3,
                           .method = ss_cstr(method),
                           .path = wire_path(s, key, path),
                           .host_prefix = ss_cstr(s->host_prefix),
                           .headers = headers,
                           .header_count = count,
                           .body = body,
                           .deadline_us = deadline_us,
                           .timeout_ms =
                               body.len ? TIMEOUT_MS + (int64_t)body.len * 1000 / SLOWEST_BYTES : 0};
    return aws_start(s->aws, &r);
}

static int32_t judge(stage *s, const char *what, aws_call *call, uint32_t fine, ss_error *err)
{
    s->retry_after_ms = 0;
    if (!call)
        return ss_fail(err, SS_RETRY, "redshift: no memory");
    const aws_reply *reply = aws_wait(call);
    int32_t rc =
        reply->result == AWS_OK || (fine && reply->status == fine) ? SS_OK : aws_status(reply->result);
    if (rc != SS_OK) {
        s->retry_after_ms = reply->retry_after_ms;
        rc = ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "staging %s: %s", what, reply->text);
    }
    aws_call_free(call);
    return rc;
}

int32_t stage_put(stage *s, const char *key, ss_str body, const char *type, int64_t deadline_us,
                  ss_error *err)
{
    const ss_pair headers[] = {{SS_LIT("Content-Type"), ss_cstr(type)},
                               {SS_LIT("If-None-Match"), SS_LIT("*")}};
    return judge(s, key, start(s, "PUT", key, body, headers, 2, deadline_us), 412, err);
}

int32_t stage_delete(stage *s, const char *key, int64_t deadline_us, ss_error *err)
{
    return judge(s, key, start(s, "DELETE", key, ss_s("", 0), NULL, 0, deadline_us), 404, err);
}

int32_t stage_check(stage *s, ss_error *err)
{
    return judge(s, s->bucket, start(s, "HEAD", "", ss_s("", 0), NULL, 0, 0), 0, err);
}

/* ---- bytes ---- */

bool stage_gzip(ss_str in, buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.ptr, .avail_in = (uInt)in.len};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t room = deflateBound(&z, (uLong)in.len);
    bool good = buf_reserve(out, room);
    if (good) {
        z.next_out = (Bytef *)(out->ptr + out->len);
        z.avail_out = (uInt)room;
        good = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->len += good ? z.total_out : 0;
    }
    (void)deflateEnd(&z);
    return good;
}

uint32_t stage_crc(uint32_t crc, ss_str bytes)
{
    return (uint32_t)crc32(crc, (const Bytef *)bytes.ptr, (uInt)bytes.len);
}

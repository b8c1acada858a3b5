#include "modules/lake/s3.h"

#include <stdlib.h>
#include <strings.h>

#include "plugins/common/base64.h"
#include "plugins/common/grow.h"
#include "plugins/common/sha256.h"
#include "plugins/common/url.h"

#define TAGS_MAX       10
#define TAGS_BYTES_MAX 8192u
#define NUMBER_MAX     24u
#define SLOWEST_BYTES  (256 * 1024) /* a second: an attempt gets time for that rate on top of `timeout` */

enum condition { CONDITION_AUTO, CONDITION_ON, CONDITION_OFF };

struct s3 {
    const ss_host *host;
    aws_origin origin;
    aws_client *aws;
    aws_bucket at;
    ss_str storage_class, kms_key, sse, owner;
    char tags[TAGS_BYTES_MAX];
    enum condition condition;
    ss_str style;
    bool no_condition; /* the store does not know If-None-Match */
    uint32_t uploads;
    int64_t timeout_ms, retry_after_ms;
};

static const ss_option tag_options[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "The tag's value."},
    {.name = NULL},
};

const ss_option s3_options[] = {
    AWS_OPTIONS,
    {.name = "storage_class",
     .type = SS_T_STRING,
     .doc = "The storage class of objects, as STANDARD_IA; without it the bucket's own."},
    {.name = "sse",
     .type = SS_T_ENUM,
     .dflt = "none",
     .choices = "none|AES256|aws:kms",
     .doc = "The encryption that each object asks for; none = what the bucket does by itself."},
    {.name = "kms_key",
     .type = SS_T_STRING,
     .doc = "With sse: aws:kms the key's id or ARN; without it AWS's own key for S3."},
    {.name = "tags",
     .type = SS_T_MAP,
     .children = tag_options,
     .min = 0,
     .max = TAGS_MAX,
     .doc = "Tags of each object; they need the right s3:PutObjectTagging."},
    AWS_BUCKET_OPTIONS,
    {.name = "if_none_match",
     .type = SS_T_ENUM,
     .dflt = "auto",
     .choices = "auto|on|off",
     .doc = "Let the store refuse to overwrite (If-None-Match); auto goes on without it where a store does "
            "not know it, and says so once."},
    {.name = "uploads_in_flight",
     .type = SS_T_INT,
     .dflt = "4",
     .min = 1,
     .max = S3_UPLOADS_MAX,
     .doc = "How many objects are sent at the same time."},
    {.name = "work_dir",
     .type = SS_T_PATH,
     .dflt = "",
     .doc = "Where a cut is written before it is sent; without it the module's own folder below data_dir."},
    {.name = NULL},
};

/* ---- life ---- */

static bool read_tags(s3 *s, const ss_config *cfg, ss_error *err)
{
    const ss_config *tags = s->host->cfg_get(cfg, "tags");
    size_t len = 0;
    for (size_t i = 0; tags && i < s->host->cfg_len(tags); i++) {
        ss_str key = s->host->cfg_key(tags, i), value = s->host->cfg_str(s->host->cfg_at(tags, i), "");
        if (len + 3 * (key.len + value.len) + 3 > sizeof s->tags)
            return ss_fail(err, 0, "lake: s3.tags are longer than %u bytes", TAGS_BYTES_MAX);
        if (len > 0)
            s->tags[len++] = '&';
        len += url_encode(s->tags + len, key);
        s->tags[len++] = '=';
        len += url_encode(s->tags + len, value);
    }
    s->tags[len] = '\0';
    return true;
}

static bool read_options(s3 *s, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = s->host;
    ss_str condition = h->cfg_str(cfg, "if_none_match");
    s->storage_class = h->cfg_str(cfg, "storage_class");
    s->kms_key = h->cfg_str(cfg, "kms_key");
    s->sse = h->cfg_str(cfg, "sse");
    s->owner = h->cfg_str(cfg, "expected_bucket_owner");
    s->style = h->cfg_str(cfg, "path_style");
    s->condition = ss_eq(condition, SS_LIT("on"))    ? CONDITION_ON
                   : ss_eq(condition, SS_LIT("off")) ? CONDITION_OFF
                                                     : CONDITION_AUTO;
    s->uploads = (uint32_t)h->cfg_int(cfg, "uploads_in_flight");
    s->uploads = s->uploads < 1 ? 1 : s->uploads > S3_UPLOADS_MAX ? S3_UPLOADS_MAX : s->uploads;
    s->timeout_ms = h->cfg_int(cfg, "timeout");
    if (s->kms_key.len && !ss_eq(s->sse, SS_LIT("aws:kms")))
        return ss_fail(err, 0, "lake: s3.kms_key needs s3.sse: aws:kms");
    return read_tags(s, cfg, err);
}

s3 *s3_new(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    s3 *s = calloc(1, sizeof *s);
    if (!s) {
        (void)ss_fail(err, SS_RETRY, "lake: out of memory");
        return NULL;
    }
    s->host = host;
    aws_settings settings = aws_settings_of(&s->origin, host, cfg);
    settings.max_in_flight = S3_UPLOADS_MAX;
    if (read_options(s, cfg, err))
        s->aws = aws_client_new(&settings, err);
    if (s->aws)
        return s;
    s3_free(s);
    return NULL;
}

void s3_free(s3 *s)
{
    if (!s)
        return;
    aws_client_free(s->aws);
    free(s);
}

aws_client *s3_client(s3 *s)
{
    return s->aws;
}

uint32_t s3_uploads(const s3 *s)
{
    return s->uploads;
}

int64_t s3_retry_after_ms(const s3 *s)
{
    return s->retry_after_ms;
}

/* ---- the target ---- */

bool s3_target(s3 *s, const char *path, ss_error *err)
{
    return aws_bucket_at(&s->at, s->aws, s->style, "lake: path", path, err);
}

bool s3_key(const s3 *s, const char *dir, const char *name, const char *extension, char out[S3_KEY_MAX + 1])
{
    int n = snprintf(out, S3_KEY_MAX + 1, "%s%s%s%s", s->at.prefix, dir, name, extension);
    return n > 0 && n <= (int)S3_KEY_MAX;
}

/* ---- requests ---- */

typedef struct head_list {
    ss_pair pairs[AWS_HEADERS_MAX];
    size_t count;
    char numbers[8][NUMBER_MAX];
    size_t number_count;
} head_list;

static void add(head_list *h, const char *name, ss_str value)
{
    if (value.len)
        h->pairs[h->count++] = (ss_pair){ss_cstr(name), value};
}

static void add_number(head_list *h, const char *name, const char *format, unsigned long long value)
{
    char *out = h->numbers[h->number_count++];
    (void)snprintf(out, NUMBER_MAX, format, value);
    add(h, name, ss_cstr(out));
}

static void add_metadata(head_list *h, const s3_object *o)
{
    add_number(h, "x-amz-meta-journal", "%016llx", o->journal);
    add(h, "x-amz-meta-module", ss_cstr(o->module));
    add_number(h, "x-amz-meta-from", "%llu", o->from);
    add_number(h, "x-amz-meta-through", "%llu", o->through);
    add_number(h, "x-amz-meta-count", "%llu", o->count);
    add_number(h, "x-amz-meta-crc32", "%08llx", o->crc);
}

static unsigned hex_digit(char b)
{
    return (unsigned)(b <= '9' ? b - '0' : b - 'a' + 10);
}

static ss_str checksum(const char *sha_hex, char out[BASE64_SIZE(SHA256_BYTES)])
{
    char hash[SHA256_BYTES];
    for (size_t i = 0; i < SHA256_BYTES; i++)
        hash[i] = (char)(hex_digit(sha_hex[2 * i]) << 4 | hex_digit(sha_hex[2 * i + 1]));
    return ss_s(out, base64_put(out, ss_s(hash, sizeof hash)));
}

static aws_call *start(s3 *s, const char *method, const char *key, const head_list *h, const s3_object *o,
                       void *user)
{
    char path[AWS_BUCKET_PATH_MAX];
    bool put = *method == 'P';
    const aws_request r = {.service = AWS_S3,
                           .method = ss_cstr(method),
                           .path = aws_bucket_path(&s->at, key, path),
                           .host_prefix = ss_cstr(s->at.host_prefix),
                           .headers = h->pairs,
                           .header_count = h->count,
                           .body = put ? o->body : ss_s("", 0),
                           .payload_hash = put ? ss_cstr(o->sha_hex) : ss_s("", 0),
                           .timeout_ms = put ? s->timeout_ms + (int64_t)o->body.len * 1000 / SLOWEST_BYTES
                                             : s->timeout_ms,
                           .user = user};
    return aws_start(s->aws, &r);
}

aws_call *s3_put(s3 *s, const s3_object *o, void *user)
{
    char sum[BASE64_SIZE(SHA256_BYTES)];
    head_list h = {.count = 0};
    bool conditional = s->condition != CONDITION_OFF && !s->no_condition && !o->overwrite;
    add(&h, "content-type", ss_cstr(o->type));
    add(&h, "if-none-match", conditional ? SS_LIT("*") : ss_s("", 0));
    add(&h, "x-amz-checksum-sha256", checksum(o->sha_hex, sum));
    add(&h, "x-amz-expected-bucket-owner", s->owner);
    add(&h, "x-amz-storage-class", s->storage_class);
    add(&h, "x-amz-tagging", ss_cstr(s->tags));
    if (!ss_eq(s->sse, SS_LIT("none")))
        add(&h, "x-amz-server-side-encryption", s->sse);
    add(&h, "x-amz-server-side-encryption-aws-kms-key-id", s->kms_key);
    add_metadata(&h, o);
    return start(s, "PUT", o->key, &h, o, user);
}

aws_call *s3_head(s3 *s, const s3_object *o, void *user)
{
    head_list h = {.count = 0};
    add(&h, "x-amz-expected-bucket-owner", s->owner);
    return start(s, "HEAD", o->key, &h, o, user);
}

/* ---- what answers mean ---- */

static bool knows_no_condition(const aws_reply *r)
{
    return r->status == 501 || strcmp(r->code, "NotImplemented") == 0 ||
           (r->status == 400 && strstr(r->message, "If-None-Match"));
}

static bool says_damaged(const aws_reply *r)
{
    static const char *const codes[] = {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch",
                                        "IncompleteBody", NULL};
    for (size_t i = 0; codes[i]; i++)
        if (strcmp(r->code, codes[i]) == 0)
            return true;
    return strcmp(r->code, "InvalidRequest") == 0 && strstr(r->message, "x-amz-checksum");
}

static enum s3_verdict failed(s3 *s, const s3_object *o, const aws_reply *r, int32_t *rc, ss_error *err)
{
    *rc = aws_status(r->result);
    s->retry_after_ms = r->retry_after_ms;
    if (*rc == SS_REJECT) /* no line is at fault: the request's settings are */
        *rc = SS_PAUSE;
    (void)ss_fail(err, *rc, "lake: s3://%s/%.200s: %s", s->at.name, o->key, r->text);
    return S3_FAILED;
}

static enum s3_verdict without_condition(s3 *s, const s3_object *o, const aws_reply *r, int32_t *rc,
                                         ss_error *err)
{
    if (s->condition == CONDITION_ON) {
        *rc =
            ss_fail(err, SS_PAUSE,
                    "lake: the store of s3://%s does not know If-None-Match (%s); set s3.if_none_match: auto",
                    s->at.name, r->text);
        return S3_FAILED;
    }
    if (s->no_condition || o->overwrite)
        return failed(s, o, r, rc, err);
    s->no_condition = true;
    ss_logf(
        s->host, SS_WARNING,
        "the store of s3://%s does not know If-None-Match: objects are written without it, under names that "
        "no other server uses",
        s->at.name);
    return S3_AGAIN;
}

/* 200 is AWS's only with an ETag; and the store may say what it has. */
static enum s3_verdict taken(s3 *s, const s3_object *o, const aws_call *call, int32_t *rc, ss_error *err)
{
    char sum[BASE64_SIZE(SHA256_BYTES)];
    ss_str said = aws_header(call, "x-amz-checksum-sha256");
    if (aws_header(call, "etag").len == 0) {
        *rc = ss_fail(err, SS_RETRY, "lake: s3://%s/%.200s: the answer has no ETag, so it is not from an S3",
                      s->at.name, o->key);
        return S3_FAILED;
    }
    if (said.len == 0 || ss_eq(said, checksum(o->sha_hex, sum)))
        return S3_THERE;
    *rc = ss_fail(err, SS_RETRY,
                  "lake: s3://%s/%.200s: the store has another checksum (%.*s) than what was sent",
                  s->at.name, o->key, said.len < 64 ? (int)said.len : 64, said.ptr);
    return S3_DAMAGED;
}

enum s3_verdict s3_put_verdict(s3 *s, const s3_object *o, const aws_call *call, int32_t *rc, ss_error *err)
{
    const aws_reply *r = aws_reply_of(call);
    if (r->result == AWS_OK)
        return taken(s, o, call, rc, err);
    if (r->status == 412)
        return S3_LOOK;
    if (knows_no_condition(r))
        return without_condition(s, o, r, rc, err);
    enum s3_verdict verdict = failed(s, o, r, rc, err);
    if (!says_damaged(r))
        return verdict;
    *rc = SS_RETRY;
    return S3_DAMAGED;
}

static bool number_is(const aws_call *call, const char *name, int base, uint64_t wanted)
{
    char text[NUMBER_MAX] = "", *end = text;
    ss_str value = aws_header(call, name);
    if (value.len == 0 || value.len >= sizeof text)
        return false;
    memcpy(text, value.ptr, value.len);
    return strtoull(text, &end, base) == wanted && !*end;
}

static bool is_ours(const s3_object *o, const aws_call *call)
{
    return number_is(call, "x-amz-meta-journal", 16, o->journal) &&
           ss_eq(aws_header(call, "x-amz-meta-module"), ss_cstr(o->module)) &&
           number_is(call, "x-amz-meta-from", 10, o->from) &&
           number_is(call, "x-amz-meta-through", 10, o->through) &&
           number_is(call, "x-amz-meta-count", 10, o->count) &&
           number_is(call, "x-amz-meta-crc32", 16, o->crc);
}

enum s3_verdict s3_head_verdict(s3 *s, const s3_object *o, const aws_call *call, uint64_t *bytes, int32_t *rc,
                                ss_error *err)
{
    const aws_reply *r = aws_reply_of(call);
    if (r->result != AWS_OK && r->status == 404) { /* gone between two requests */
        *rc = ss_fail(err, SS_RETRY, "lake: s3://%s/%.200s was there and is gone", s->at.name, o->key);
        return S3_FAILED;
    }
    if (r->result != AWS_OK && r->status == 403) {
        *rc = ss_fail(
            err, SS_PAUSE,
            "lake: s3://%s/%.200s is there already and may not be looked at: give the right s3:GetObject",
            s->at.name, o->key);
        return S3_FAILED;
    }
    if (r->result != AWS_OK)
        return failed(s, o, r, rc, err);
    if (is_ours(o, call)) {
        char text[NUMBER_MAX] = "";
        ss_str length = aws_header(call, "content-length");
        (void)snprintf(text, sizeof text, "%.*s", length.len < sizeof text ? (int)length.len : 0, length.ptr);
        *bytes = strtoull(text, NULL, 10);
        return S3_THERE;
    }
    *rc = ss_fail(
        err, SS_PAUSE,
        "lake: s3://%s/%.300s is there already and is not this cut's (records %llu to %llu): nothing is "
        "overwritten; move it away",
        s->at.name, o->key, (unsigned long long)o->from + 1, (unsigned long long)o->through);
    return S3_FAILED;
}

/* ---- is it there at all? ---- */

static int32_t bucket_verdict(const s3 *s, const aws_call *call, ss_error *err)
{
    const aws_reply *r = aws_reply_of(call);
    ss_str region = aws_header(call, "x-amz-bucket-region");
    int len = region.len < 40 ? (int)region.len : 0;
    if (r->result == AWS_OK)
        return SS_OK;
    if (r->status == 404)
        return ss_fail(err, SS_PAUSE, "there is no bucket %s", s->at.name);
    if (len && strncmp(region.ptr, aws_region(s->aws), region.len) != 0)
        return ss_fail(err, SS_PAUSE, "the bucket %s is in the region %.*s: set s3.region", s->at.name, len,
                       region.ptr);
    if (r->status == 403)
        return ss_fail(err, SS_PAUSE,
                       "the bucket %s may not be looked at (keys, s3:ListBucket, its owner): %s", s->at.name,
                       r->text);
    int32_t rc = aws_status(r->result);
    return ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "bucket %s: %s", s->at.name, r->text);
}

/* query: empty, or a listing of nothing, whose answer says in words what a HEAD cannot. */
static int32_t ask_bucket(s3 *s, const char *method, ss_str query, uint32_t *status, ss_error *err)
{
    head_list h = {.count = 0};
    char path[AWS_BUCKET_PATH_MAX];
    add(&h, "x-amz-expected-bucket-owner", s->owner);
    const aws_request r = {.service = AWS_S3,
                           .method = ss_cstr(method),
                           .path = aws_bucket_path(&s->at, "", path),
                           .query = query,
                           .host_prefix = ss_cstr(s->at.host_prefix),
                           .headers = h.pairs,
                           .header_count = h.count};
    aws_call *call = aws_start(s->aws, &r);
    if (!call)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    *status = aws_wait(call)->status;
    int32_t rc = bucket_verdict(s, call, err);
    aws_call_free(call);
    return rc;
}

int32_t s3_check(s3 *s, ss_error *err)
{
    uint32_t status = 0;
    int32_t rc = aws_connect(s->aws, err);
    if (rc == SS_OK)
        rc = ask_bucket(s, "HEAD", ss_s("", 0), &status, err);
    if (rc == SS_OK || (status != 403 && status != 400))
        return rc;
    return ask_bucket(s, "GET", SS_LIT("list-type=2&max-keys=0"), &status, err);
}

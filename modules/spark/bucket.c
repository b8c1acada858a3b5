/* The lake in a bucket: manifests are listed page by page, and each is got once. A listing goes on behind
   what is known of a stream, so that a look costs a request or two a stream however many manifests there are.
 */
#include <limits.h>

#include "modules/spark/lake.h"
#include "plugins/common/aws/bucket.h"
#include "plugins/common/aws/options.h"
#include "plugins/common/url.h"

#define MANIFESTS  "_manifest/"
#define PAGE_BYTES (4u << 20) /* of a listing's answer: a thousand keys have about 0.4 MB */
#define RESULT     "<ListBucketResult"
#define PAGES_MAX  100000u
#define QUERY_MAX  (3u * S3_KEY_MAX * 2 + 100u)
#define AHEAD      16u /* manifests in flight: one after the other they would cost a round trip each */
#define FAILED_US  10000000ll

typedef struct ahead { /* a manifest that is under way before its turn */
    char name[SPARK_MANIFEST_MAX];
    aws_call *call;
} ahead;

typedef struct bucket {
    const ss_host *host;
    aws_origin origin;
    aws_client *aws;
    aws_bucket at;
    ss_str owner;
    char base[S3_KEY_MAX + AWS_BUCKET_MAX + 8];
    int64_t every_us, next_us;
    bool failed;
    ahead ahead[AHEAD]; /* a ring */
    size_t first, count;
} bucket;

const ss_option lake_bucket_options[] = {AWS_OPTIONS,
                                         AWS_BUCKET_OPTIONS,
                                         {.name = "every",
                                          .type = SS_T_DURATION,
                                          .dflt = "30s",
                                          .min = 100,
                                          .max = 86400000,
                                          .doc = "How often the bucket is asked for new manifests; each time "
                                                 "costs a LIST request or two for each module "
                                                 "lake that ever wrote there."},
                                         {.name = NULL}};

static aws_call *start(bucket *b, const char *method, const char *key, ss_str query, ss_str body,
                       size_t max_body)
{
    char path[AWS_BUCKET_PATH_MAX];
    const ss_pair owner = {SS_LIT("x-amz-expected-bucket-owner"), b->owner};
    const aws_request r = {.service = AWS_S3,
                           .method = ss_cstr(method),
                           .path = aws_bucket_path(&b->at, key, path),
                           .query = query,
                           .host_prefix = ss_cstr(b->at.host_prefix),
                           .headers = &owner,
                           .header_count = b->owner.len ? 1 : 0,
                           .body = body,
                           .max_body = max_body};
    return aws_start(b->aws, &r);
}

static aws_call *ask(bucket *b, const char *method, const char *key, ss_str query, ss_str body,
                     size_t max_body)
{
    aws_call *call = start(b, method, key, query, body, max_body);
    if (call)
        (void)aws_wait(call);
    return call;
}

static aws_call *get(bucket *b, ss_str name)
{
    char key[2 * S3_KEY_MAX];
    (void)snprintf(key, sizeof key, "%s" MANIFESTS "%.*s", b->at.prefix, (int)name.len, name.ptr);
    return start(b, "GET", key, ss_s("", 0), ss_s("", 0), LAKE_MANIFEST_MAX);
}

static bool wrong(bucket *b, const aws_call *call, const char *what, ss_error *err)
{
    b->failed = true;
    const aws_reply *reply = call ? aws_reply_of(call) : NULL;
    int32_t rc = reply ? aws_status(reply->result) : SS_RETRY;
    const char *why = !reply ? "no memory" : reply->result == AWS_OK ? "what answers is no S3" : reply->text;
    return ss_fail(err, rc == SS_REJECT || rc == SS_OK ? SS_PAUSE : rc, "s3://%.100s, %.80s: %.300s",
                   b->at.name, what, why),
           false;
}

/* A proxy's page may come with 200; an object has an ETag, a listing its element. */
static bool is_answer(const aws_call *call, const char *element)
{
    if (!call || aws_reply_of(call)->result != AWS_OK)
        return false;
    ss_str body = aws_reply_of(call)->body;
    return element ? body.len && memmem(body.ptr, body.len, element, strlen(element)) != NULL
                   : aws_header(call, "ETag").len > 0;
}

/* ---- listing ---- */

/* The next key of the answer; what is escaped in it is no manifest's. */
static bool next_key(ss_str *xml, ss_str *key)
{
    static const char open[] = "<Key>";
    const char *from = xml->len ? memmem(xml->ptr, xml->len, open, sizeof open - 1) : NULL;
    if (!from)
        return false;
    from += sizeof open - 1;
    const char *end = memchr(from, '<', xml->len - (size_t)(from - xml->ptr));
    if (!end)
        return false;
    *key = ss_s(from, (size_t)(end - from));
    *xml = ss_s(end, xml->len - (size_t)(end - xml->ptr));
    return true;
}

static bool is_manifest(const bucket *b, ss_str key, ss_str *name)
{
    size_t before = strlen(b->at.prefix) + sizeof MANIFESTS - 1;
    *name = key.len > before ? ss_s(key.ptr + before, key.len - before) : ss_s("", 0);
    return name->len > 5 && name->len < SPARK_MANIFEST_MAX && !memchr(name->ptr, '/', name->len) &&
           !memchr(name->ptr, '&', name->len) && memcmp(name->ptr + name->len - 5, ".json", 5) == 0;
}

typedef struct page {
    char after[SPARK_MANIFEST_MAX]; /* the last name of it, or what is known behind that */
    bool more, ended;               /* ended: the visitor wants no more */
} page;

static void get_ahead(bucket *b, ss_str *scout, const lake_names *names)
{
    ss_str key, name;
    while (b->count < AHEAD && next_key(scout, &key)) {
        if (!is_manifest(b, key, &name) || !names->wanted(names->arg, name))
            continue;
        ahead *a = &b->ahead[(b->first + b->count++) % AHEAD];
        (void)snprintf(a->name, sizeof a->name, "%.*s", (int)name.len, name.ptr);
        a->call = get(b, name);
    }
}

static aws_call *take_ahead(bucket *b)
{
    aws_call *call = b->ahead[b->first].call;
    b->first = (b->first + 1) % AHEAD;
    b->count--;
    return call;
}

static void read_page(bucket *b, ss_str xml, const lake_names *names, page *p)
{
    ss_str key, name, last = {0}, scout = xml;
    p->more = xml.len && memmem(xml.ptr, xml.len, "<IsTruncated>true<", 18) != NULL;
    while (!p->ended && next_key(&xml, &key)) {
        size_t before = strlen(b->at.prefix) + sizeof MANIFESTS - 1;
        if (key.len > before && key.len - before < sizeof p->after)
            last = ss_s(key.ptr + before, key.len - before);
        get_ahead(b, &scout, names);
        if (is_manifest(b, key, &name))
            p->ended = !names->visit(names->arg, name);
    }
    while (b->count)
        aws_call_free(take_ahead(b));
    if (!last.len)
        p->more = false;
    else if (!names->known(names->arg, last, p->after))
        (void)snprintf(p->after, sizeof p->after, "%.*s", (int)last.len, last.ptr);
}

static bool list_page(bucket *b, const lake_names *names, page *p, ss_error *err)
{
    char query[QUERY_MAX], key[2 * S3_KEY_MAX], encoded[3 * sizeof key];
    size_t len = 0;
    /* In the order in which the signature wants them. */
    len += (size_t)snprintf(query, sizeof query, "list-type=2&max-keys=1000&prefix=");
    (void)snprintf(key, sizeof key, "%s" MANIFESTS, b->at.prefix);
    encoded[url_encode(encoded, ss_cstr(key))] = '\0';
    len += (size_t)snprintf(query + len, sizeof query - len, "%s", encoded);
    if (p->after[0]) {
        (void)snprintf(key, sizeof key, "%s" MANIFESTS "%s", b->at.prefix, p->after);
        encoded[url_encode(encoded, ss_cstr(key))] = '\0';
        len += (size_t)snprintf(query + len, sizeof query - len, "&start-after=%s", encoded);
    }
    aws_call *call = ask(b, "GET", "", ss_s(query, len), ss_s("", 0), PAGE_BYTES);
    bool good = is_answer(call, RESULT) || wrong(b, call, MANIFESTS, err);
    if (good)
        read_page(b, aws_reply_of(call)->body, names, p);
    aws_call_free(call);
    return good;
}

static bool bucket_list(void *self, const lake_names *names, ss_error *err)
{
    bucket *b = self;
    page p = {.more = true};
    bool good = true;
    b->failed = false;
    for (unsigned n = 0; good && p.more && !p.ended && n < PAGES_MAX; n++)
        good = list_page(b, names, &p, err);
    int64_t now_us = b->host->now_us(b->host->self);
    b->next_us = b->failed ? now_us + (b->every_us < FAILED_US ? b->every_us : FAILED_US)
                 : p.ended ? now_us /* there is more */
                           : now_us + b->every_us;
    return good;
}

/* ---- the rest ---- */

static bool bucket_read(void *self, ss_str name, grow *out, ss_error *err)
{
    bucket *b = self;
    bool there = b->count && ss_eq(name, ss_cstr(b->ahead[b->first].name));
    aws_call *call = there ? take_ahead(b) : get(b, name);
    if (call)
        (void)aws_wait(call);
    grow_clear(out);
    bool good = is_answer(call, NULL) || wrong(b, call, "a manifest", err);
    good = good && (grow_put(out, aws_reply_of(call)->body) || wrong(b, NULL, "a manifest", err));
    aws_call_free(call);
    return good;
}

static bool bucket_put(void *self, const char *name, ss_str body, ss_error *err)
{
    bucket *b = self;
    char key[2 * S3_KEY_MAX];
    (void)snprintf(key, sizeof key, "%s%s", b->at.prefix, name);
    aws_call *call = ask(b, "PUT", key, ss_s("", 0), body, 0);
    bool good = is_answer(call, NULL) || wrong(b, call, "a list", err);
    aws_call_free(call);
    return good;
}

static int64_t bucket_now_us(void *self)
{
    const ss_host *h = ((bucket *)self)->host;
    return h->now_us(h->self);
}

static bool bucket_changed(void *self)
{
    return bucket_now_us(self) >= ((bucket *)self)->next_us;
}

static int32_t bucket_check(void *self, ss_error *err)
{
    bucket *b = self;
    int32_t rc = aws_connect(b->aws, err);
    if (rc != SS_OK)
        return rc;
    aws_call *call = ask(b, "GET", "", SS_LIT("list-type=2&max-keys=1"), ss_s("", 0), PAGE_BYTES);
    bool good = is_answer(call, RESULT) || wrong(b, call, "its listing", err);
    aws_call_free(call);
    return good ? SS_OK : SS_PAUSE;
}

static const char *bucket_base(void *self)
{
    return ((bucket *)self)->base;
}

static void bucket_free(void *self)
{
    bucket *b = self;
    aws_client_free(b->aws);
    free(b);
}

bool lake_bucket(lake_source *out, const ss_host *host, const ss_config *cfg, ss_str path, ss_error *err)
{
    bucket *b = calloc(1, sizeof *b);
    if (!b)
        return ss_fail(err, SS_RETRY, "no memory"), false;
    b->host = host;
    b->owner = host->cfg_str(cfg, "expected_bucket_owner");
    b->every_us = host->cfg_int(cfg, "every") * 1000;
    aws_settings settings = aws_settings_of(&b->origin, host, cfg);
    int n = snprintf(b->base, sizeof b->base, "%.*s", (int)path.len, path.ptr);
    bool fits = n > 0 && (size_t)n < sizeof b->base;
    if (!fits)
        (void)ss_fail(err, SS_REJECT, "lake: \"%.*s...\" is too long", 60, path.ptr);
    while (fits && n > 0 && b->base[n - 1] == '/')
        b->base[--n] = '\0';
    if (!fits || !(b->aws = aws_client_new(&settings, err)) ||
        !aws_bucket_at(&b->at, b->aws, host->cfg_str(cfg, "path_style"), "lake", b->base, err)) {
        bucket_free(b);
        return false;
    }
    *out = (lake_source){.self = b,
                         .slow = true,
                         .list = bucket_list,
                         .read = bucket_read,
                         .now_us = bucket_now_us,
                         .changed = bucket_changed,
                         .check = bucket_check,
                         .put = bucket_put,
                         .free = bucket_free,
                         .base = bucket_base};
    return true;
}

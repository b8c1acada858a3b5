/* Tokens for the login by OAUTHBEARER: signed for MSK as AWS's own signers do it, or read from a file. */
#include <stdlib.h>
#include <time.h>

#include "plugins/common/aws/aws.h"
#include "plugins/common/base64.h"
#include "plugins/common/json.h"
#include "plugins/common/kafka_client.h"
#include "plugins/common/sigv4.h"

#define QUERY_MAX   4096u
#define FILE_MAX    65536u
#define PRINCIPAL   "streamsteam"
#define RETRY_TEXT  400u
#define FILE_LIFE_S 300 /* of a token that does not say when it ends */

/* ---- MSK ---- */

bool kafka_msk_token(const aws_keys_text *keys, const char *region, int64_t now_us,
                     char out[KAFKA_MSK_TOKEN_MAX])
{
    char host[160], query[QUERY_MAX], url[QUERY_MAX + 400], hash[SIGV4_HEX + 1];
    (void)snprintf(host, sizeof host, "kafka.%.63s.amazonaws.com", region);
    sigv4_hash(hash, ss_s("", 0));
    const ss_pair header = {SS_LIT("host"), ss_cstr(host)};
    const sigv4_request r = {
        SS_LIT("GET"), SS_LIT("/"), SS_LIT("Action=kafka-cluster%3AConnect"), &header, 1, ss_cstr(hash), 0};
    sigv4_scope scope = {ss_cstr(region), SS_LIT("kafka-cluster"), ""};
    sigv4_date(scope.date, now_us);
    const sigv4_keys k = {ss_cstr(keys->access_key), ss_cstr(keys->secret), ss_cstr(keys->token)};
    int64_t len = sigv4_presign(&r, &scope, &k, KAFKA_MSK_LIFE_S, false, query, sizeof query - 1);
    if (len < 0)
        return false;
    query[len] = '\0';
    int n = snprintf(url, sizeof url, "https://%s/?%s&User-Agent=" KAFKA_MSK_AGENT, host, query);
    if (n < 0 || (size_t)n >= sizeof url || ((size_t)n + 2) / 3 * 4 >= KAFKA_MSK_TOKEN_MAX)
        return false;
    out[base64url_put(out, ss_s(url, (size_t)n))] = '\0';
    explicit_bzero(query, sizeof query);
    explicit_bzero(url, sizeof url);
    return true;
}

/* NULL: err says why. The client is the renewal's own: librdkafka calls it on one thread. */
static aws_client *client_of(kafka_client *c, ss_error *err)
{
    const ss_host *h = c->host;
    aws_settings settings = {.region = ss_cstr(c->region),
                             .profile = h->cfg_str(c->sasl, "profile"),
                             .role_arn = h->cfg_str(c->sasl, "role_arn")};
    if (!c->aws)
        c->aws = aws_client_new(&settings, err);
    return c->aws;
}

static bool msk_token(kafka_client *c, char out[KAFKA_MSK_TOKEN_MAX], int64_t *until_us, ss_error *err)
{
    aws_keys_text keys;
    int64_t expires_us = 0, now_us = c->host->now_us(c->host->self);
    aws_client *aws = client_of(c, err);
    if (!aws || aws_keys_copy(aws, &keys, &expires_us, err) != SS_OK)
        return false;
    bool good = kafka_msk_token(&keys, aws_region(aws), now_us, out);
    explicit_bzero(&keys, sizeof keys);
    *until_us = now_us + KAFKA_MSK_LIFE_S * 1000000LL;
    if (expires_us && expires_us < *until_us) /* a signature dies with the keys that made it */
        *until_us = expires_us;
    return good || ss_fail(err, SS_REJECT, "the token for MSK is longer than %u bytes", KAFKA_MSK_TOKEN_MAX);
}

/* ---- a file ---- */

/* When a JSON Web Token says that it ends: member exp of its middle part; 0: it does not say. */
static int64_t end_of(ss_str token)
{
    char claims[FILE_MAX];
    const char *first = memchr(token.ptr, '.', token.len);
    size_t left = first ? token.len - (size_t)(first + 1 - token.ptr) : 0;
    const char *second = left ? memchr(first + 1, '.', left) : NULL;
    if (!second)
        return 0;
    json_scan scan;
    json_value v, key;
    int64_t seconds = 0;
    size_t len;
    if (!base64url_read(ss_s(first + 1, (size_t)(second - first - 1)), claims, &len))
        return 0;
    json_start(&scan, ss_s(claims, len));
    if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
        return 0;
    while (json_member(&scan, &key)) {
        bool wanted = json_is(&key, "exp");
        if (!wanted && !json_skip(&scan, NULL))
            break;
        if (wanted && json_read(&scan, &v) && v.kind == JSON_NUMBER)
            return json_i64(v.text, &seconds) ? seconds * 1000000 : 0;
    }
    return 0;
}

static bool file_token(const kafka_client *c, char out[FILE_MAX], int64_t *until_us, ss_error *err)
{
    FILE *f = fopen(c->token_file, "rb");
    size_t len = f ? fread(out, 1, FILE_MAX - 1, f) : 0;
    if (f)
        (void)fclose(f);
    while (len > 0 && (unsigned char)out[len - 1] <= ' ')
        len--;
    out[len] = '\0';
    if (len == 0)
        return ss_fail(err, SS_REJECT, "sasl.token_file: there is no token in %.300s", c->token_file);
    *until_us = end_of(ss_s(out, len));
    if (*until_us == 0)
        *until_us = c->host->now_us(c->host->self) + FILE_LIFE_S * 1000000LL;
    return true;
}

/* ---- what librdkafka calls ---- */

void kafka_token_refresh(rd_kafka_t *rk, const char *config, void *opaque)
{
    static _Thread_local char token[FILE_MAX];
    (void)config;
    kafka_client *c = opaque;
    ss_error err = {.struct_size = sizeof err};
    char why[RETRY_TEXT];
    int64_t until_us = 0;
    bool good = *c->token_file ? file_token(c, token, &until_us, &err) : msk_token(c, token, &until_us, &err);
    if (good && rd_kafka_oauthbearer_set_token(rk, token, until_us / 1000, PRINCIPAL, NULL, 0, why,
                                               sizeof why) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        explicit_bzero(token, sizeof token);
        return;
    }
    explicit_bzero(token, sizeof token);
    (void)rd_kafka_oauthbearer_set_token_failure(rk, good ? why : err.text); /* asked again in 10 s */
}

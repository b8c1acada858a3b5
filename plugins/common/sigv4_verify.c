/* Requests that others have signed. */
#include <openssl/crypto.h>
#include <strings.h>

#include "plugins/common/sigv4_inside.h"
#include "plugins/common/url.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define NAMES_MAX 4096u
#define DAY       8u

const char *sigv4_reason(enum sigv4_result result)
{
    static const char *const reasons[] = {
        [SIGV4_OK] = "the signature is right",
        [SIGV4_NONE] = "the request is not signed: sign it with Signature Version 4",
        [SIGV4_MALFORMED] =
            "the signature's parts are incomplete, doubled, or of another algorithm than " ALGORITHM,
        [SIGV4_SCOPE] = "the signature is for another region, service or day",
        [SIGV4_UNSIGNED_HEADER] = "host and every x-amz- header must be signed",
        [SIGV4_SKEWED] = "the request is too old, expired, or from the future: set the clock",
        [SIGV4_BODY] = "the body is not what x-amz-content-sha256 says",
        [SIGV4_MISMATCH] = "the signature does not match: check the secret key, and that nothing on the way "
                           "changes the request"};
    return result <= SIGV4_MISMATCH ? reasons[result] : "unknown";
}

/* ---- reading ---- */

/* The only header of that name; doubled ones are nobody's: which of them would count? */
static bool header_one(const sigv4_request *r, const char *name, ss_str *out)
{
    size_t count = 0;
    *out = ss_s("", 0);
    for (size_t i = 0; i < r->header_count; i++)
        if (sigv4_is(r->headers[i].key, name)) {
            *out = r->headers[i].value;
            count++;
        }
    return count <= 1;
}

static ss_str trim(ss_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = ss_s(s.ptr + 1, s.len - 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "AK/20150830/us-east-1/service/aws4_request"; the access key may hold slashes. */
static bool read_credential(sigv4_claim *c, ss_str text)
{
    ss_str parts[4]; /* from the end: aws4_request, service, region, day */
    for (size_t i = 0; i < 4; i++) {
        size_t at = text.len;
        while (at > 0 && text.ptr[at - 1] != '/')
            at--;
        if (at == 0)
            return false;
        parts[i] = ss_s(text.ptr + at, text.len - at);
        text.len = at - 1;
    }
    c->access_key = text;
    c->day = parts[3];
    c->region = parts[2];
    c->service = parts[1];
    return text.len > 0 && ss_eq(parts[0], SS_LIT("aws4_request")) && c->day.len == DAY;
}

static bool is_hex(ss_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
            return false;
    return s.len == SIGV4_HEX;
}

static bool take_date(sigv4_claim *c, ss_str text)
{
    if (text.len != SIGV4_DATE || text.ptr[8] != 'T' || text.ptr[15] != 'Z')
        return false;
    for (size_t i = 0; i < SIGV4_DATE; i++)
        if (i != 8 && i != 15 && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return false;
    memcpy(c->date, text.ptr, SIGV4_DATE);
    c->date[SIGV4_DATE] = '\0';
    return true;
}

static enum sigv4_result read_header(const sigv4_request *r, sigv4_claim *c, ss_str text)
{
    static const size_t algorithm = sizeof ALGORITHM - 1;
    ss_str date, token;
    bool credential = false;
    if (text.len <= algorithm || memcmp(text.ptr, ALGORITHM, algorithm) != 0 || text.ptr[algorithm] != ' ')
        return SIGV4_MALFORMED;
    size_t at = algorithm;
    while (at < text.len) {
        size_t end = at;
        while (end < text.len && text.ptr[end] != ',')
            end++;
        ss_str part = trim(ss_s(text.ptr + at, end - at));
        if (part.len > 11 && memcmp(part.ptr, "Credential=", 11) == 0 && !credential)
            credential = read_credential(c, ss_s(part.ptr + 11, part.len - 11));
        else if (part.len > 14 && memcmp(part.ptr, "SignedHeaders=", 14) == 0 && !c->signed_headers.len)
            c->signed_headers = ss_s(part.ptr + 14, part.len - 14);
        else if (part.len > 10 && memcmp(part.ptr, "Signature=", 10) == 0 && !c->signature.len)
            c->signature = ss_s(part.ptr + 10, part.len - 10);
        else
            return SIGV4_MALFORMED;
        at = end + 1;
    }
    if (!header_one(r, "x-amz-date", &date) || !header_one(r, "x-amz-security-token", &token) ||
        (!date.len && !header_one(r, "date", &date)))
        return SIGV4_MALFORMED;
    c->token = trim(token);
    return credential && is_hex(c->signature) && c->signed_headers.len && take_date(c, trim(date))
               ? SIGV4_OK
               : SIGV4_MALFORMED;
}

/* The decoded value of a pair of the query that may stand there once. */
static bool query_one(const sigv4_request *r, const char *name, char *out, size_t size, ss_str *value)
{
    url_pairs walk;
    url_pair p;
    size_t count = 0;
    *value = ss_s("", 0);
    url_pairs_start(&walk, r->query);
    while (url_pairs_next(&walk, &p)) {
        if (!ss_eq(p.key, ss_cstr(name)))
            continue;
        if (++count > 1 || p.value.len > size)
            return false;
        *value = ss_s(out, url_decode_path(out, p.value));
    }
    return true;
}

static bool take_text(const sigv4_request *r, sigv4_claim *c, size_t *used, const char *name, ss_str *out)
{
    bool good = query_one(r, name, c->texts + *used, sizeof c->texts - *used, out);
    *used += out->len;
    return good;
}

static enum sigv4_result read_query(const sigv4_request *r, sigv4_claim *c)
{
    ss_str algorithm, credential, date, expires;
    size_t used = 0;
    if (!take_text(r, c, &used, "X-Amz-Algorithm", &algorithm) ||
        !take_text(r, c, &used, "X-Amz-Credential", &credential) ||
        !take_text(r, c, &used, "X-Amz-Date", &date) || !take_text(r, c, &used, "X-Amz-Expires", &expires) ||
        !take_text(r, c, &used, "X-Amz-SignedHeaders", &c->signed_headers) ||
        !take_text(r, c, &used, "X-Amz-Signature", &c->signature) ||
        !take_text(r, c, &used, "X-Amz-Security-Token", &c->token))
        return SIGV4_MALFORMED;
    c->presigned = true;
    for (size_t i = 0; i < expires.len; i++) {
        if (expires.ptr[i] < '0' || expires.ptr[i] > '9' || c->expires_s > SIGV4_EXPIRES_MAX)
            return SIGV4_MALFORMED;
        c->expires_s = c->expires_s * 10 + (uint32_t)(expires.ptr[i] - '0');
    }
    bool in_range = expires.len == 0 || (c->expires_s > 0 && c->expires_s <= SIGV4_EXPIRES_MAX);
    bool good = ss_eq(algorithm, SS_LIT(ALGORITHM)) && read_credential(c, credential) && take_date(c, date) &&
                is_hex(c->signature) && c->signed_headers.len && in_range;
    return good ? SIGV4_OK : SIGV4_MALFORMED;
}

enum sigv4_result sigv4_read(const sigv4_request *r, sigv4_claim *claim)
{
    ss_str authorization, marker;
    char text[64];
    *claim = (sigv4_claim){.expires_s = 0};
    if (!header_one(r, "authorization", &authorization))
        return SIGV4_MALFORMED;
    bool once = query_one(r, "X-Amz-Signature", text, sizeof text, &marker),
         in_query = !once || marker.len > 0;
    bool in_header = authorization.len >= 5 && strncasecmp(authorization.ptr, "AWS4-", 5) == 0;
    if (in_header && in_query)
        return SIGV4_MALFORMED; /* two claims: neither counts */
    return in_header ? read_header(r, claim, authorization) : in_query ? read_query(r, claim) : SIGV4_NONE;
}

/* ---- judging ---- */

static int64_t number(const char *digits, size_t len)
{
    int64_t n = 0;
    for (size_t i = 0; i < len; i++)
        n = n * 10 + (digits[i] - '0');
    return n;
}

int64_t sigv4_seconds(const char *date)
{
    int64_t y = number(date, 4), m = number(date + 4, 2), d = number(date + 6, 2);
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400, doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    int64_t days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    return days * 86400 + number(date + 9, 2) * 3600 + number(date + 11, 2) * 60 + number(date + 13, 2);
}

static bool all_signed(const sigv4_request *r, const sigv4_claim *c)
{
    bool host = false;
    for (size_t i = 0; i < r->header_count; i++) {
        ss_str name = r->headers[i].key;
        bool amz = name.len > 6 && strncasecmp(name.ptr, "x-amz-", 6) == 0;
        if (sigv4_is(name, "host"))
            host = sigv4_listed(c->signed_headers, name);
        else if (amz && !sigv4_listed(c->signed_headers, name))
            return false;
    }
    return host;
}

static bool in_time(const sigv4_claim *c, const sigv4_policy *p)
{
    int64_t now = p->now_us / 1000000, at = sigv4_seconds(c->date);
    int64_t until = at + (c->expires_s ? (int64_t)c->expires_s : p->skew_s);
    return at <= now + p->skew_s && now <= until;
}

/* The hash that goes into the canonical request; false: it is not that of the body. */
static bool body_hash(const sigv4_request *r, const sigv4_claim *c, const sigv4_policy *p, ss_str body,
                      char out[SIGV4_HEX + 1], ss_str *hash)
{
    ss_str said;
    if (!header_one(r, "x-amz-content-sha256", &said))
        return false;
    said = trim(said);
    bool open = ss_eq(said, SS_LIT(SIGV4_UNSIGNED));
    *hash = said;
    if (open)
        return p->allow_unsigned_body;
    if (c->presigned && !said.len && p->allow_unsigned_body && ss_eq(p->service, SS_LIT("s3"))) {
        *hash = SS_LIT(SIGV4_UNSIGNED);
        return true;
    }
    sigv4_hash(out, body);
    *hash = ss_s(out, SIGV4_HEX);
    return !said.len || ss_eq(said, *hash);
}

enum sigv4_result sigv4_verify(const sigv4_request *r, const sigv4_claim *c, const sigv4_policy *p,
                               ss_str secret, ss_str body)
{
    char hash_text[SIGV4_HEX + 1], list[NAMES_MAX], signature[SIGV4_HEX + 1];
    ss_str hash;
    if (!ss_eq(c->service, p->service) || (p->region.len && !ss_eq(c->region, p->region)) ||
        memcmp(c->day.ptr, c->date, DAY) != 0)
        return SIGV4_SCOPE;
    if (!all_signed(r, c))
        return SIGV4_UNSIGNED_HEADER;
    if (!in_time(c, p))
        return SIGV4_SKEWED;
    if (!body_hash(r, c, p, body, hash_text, &hash))
        return SIGV4_BODY;
    sigv4_scope scope = {.region = c->region, .service = c->service};
    memcpy(scope.date, c->date, sizeof scope.date);
    sigv4_plan plan = {.signed_list = c->signed_headers,
                       .skip_pair = c->presigned ? SS_LIT("X-Amz-Signature") : SS_LIT("")};
    sigv4_text names = {list, 0, sizeof list, false};
    if (!sigv4_sign_with(r, &plan, &scope, secret, hash, &names, signature))
        return SIGV4_MALFORMED;
    bool same = CRYPTO_memcmp(signature, c->signature.ptr, SIGV4_HEX) == 0;
    /* What the list names must all be there, else a header could be taken away. */
    bool whole = ss_eq(ss_s(list, names.len), c->signed_headers);
    OPENSSL_cleanse(signature, sizeof signature);
    return same && whole ? SIGV4_OK : SIGV4_MISMATCH;
}

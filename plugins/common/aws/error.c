/* What answers say of themselves, in each protocol's form, and what that means. */
#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "plugins/common/aws/inside.h"
#include "plugins/common/json.h"

#define XML_TEXT_MAX (64u * 1024u) /* an error's XML is looked at so far */

static void put(char *out, size_t size, ss_str text)
{
    size_t len = text.len < size ? text.len : size - 1;
    for (size_t i = 0; i < len; i++) /* goes into logs: one line, no control characters */
        out[i] = (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F ? ' ' : text.ptr[i];
    out[len] = '\0';
}

/* "com.amazonaws.kinesis#LimitExceededException:http://..." -> LimitExceededException */
static void put_code(char *out, size_t size, ss_str text)
{
    const char *hash = text.len ? memchr(text.ptr, '#', text.len) : NULL;
    if (hash)
        text = ss_s(hash + 1, text.len - (size_t)(hash + 1 - text.ptr));
    const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    if (colon)
        text.len = (size_t)(colon - text.ptr);
    put(out, size, text);
}

/* ---- XML: the errors of S3 and of the query protocol ---- */

static size_t entity(const char *at, size_t len, char *out)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},
                 {"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].name);
        if (len >= n && memcmp(at, known[i].name, n) == 0) {
            *out = known[i].c;
            return n;
        }
    }
    *out = *at;
    return 1;
}

bool aws_xml_text(ss_str xml, const char *element, char *out, size_t size)
{
    char open[128], close[128];
    (void)snprintf(open, sizeof open, "<%s>", element);
    (void)snprintf(close, sizeof close, "</%s>", element);
    *out = '\0';
    const char *from = xml.len ? memmem(xml.ptr, xml.len, open, strlen(open)) : NULL;
    if (!from)
        return false;
    from += strlen(open);
    size_t left = xml.len - (size_t)(from - xml.ptr), len = 0;
    const char *end = memmem(from, left, close, strlen(close));
    if (!end)
        return false;
    while (from < end && len + 1 < size)
        from += entity(from, (size_t)(end - from), &out[len++]);
    out[len] = '\0';
    return from == end; /* else it is longer than there is room */
}

static void read_xml(aws_error *e, ss_str xml)
{
    char text[1024];
    xml.len = xml.len < XML_TEXT_MAX ? xml.len : XML_TEXT_MAX;
    const char *error = xml.len ? memmem(xml.ptr, xml.len, "<Error>", 7) : NULL;
    ss_str inside = error ? ss_s(error, xml.len - (size_t)(error - xml.ptr)) : xml;
    if (aws_xml_text(inside, "Code", text, sizeof text))
        put_code(e->code, sizeof e->code, ss_cstr(text));
    (void)aws_xml_text(inside, "Message", text, sizeof text);
    put(e->message, sizeof e->message, ss_cstr(text));
    if (aws_xml_text(xml, "RequestId", text, sizeof text) ||
        aws_xml_text(xml, "RequestID", text, sizeof text))
        put(e->request_id, sizeof e->request_id, ss_cstr(text));
}

/* ---- JSON ---- */

static void read_string(json_scan *s, char *out, size_t size, bool code)
{
    char text[1024];
    json_value v;
    if (!json_read(s, &v))
        return;
    if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) {
        (void)json_leave(s);
        return;
    }
    if (v.kind != JSON_STRING)
        return;
    ss_str raw = v.text;
    raw.len = raw.len < sizeof text ? raw.len : sizeof text;
    size_t len = json_unescape(text, raw);
    if (code)
        put_code(out, size, ss_s(text, len));
    else
        put(out, size, ss_s(text, len));
}

static void read_json(aws_error *e, ss_str body)
{
    json_scan s;
    json_value v, key;
    json_start(&s, body);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(&s, &key)) {
        bool type = json_is(&key, "__type"), code = json_is(&key, "code");
        if (type || (code && !*e->code))
            read_string(&s, e->code, sizeof e->code, true);
        else if (json_is(&key, "message") || json_is(&key, "Message"))
            read_string(&s, e->message, sizeof e->message, false);
        else
            (void)json_skip(&s, NULL);
    }
}

static bool speaks_xml(const aws_service *service)
{
    return service->protocol == AWS_QUERY || service->protocol == AWS_REST_XML;
}

void aws_error_read(aws_error *e, const aws_service *service, const http_reply *reply)
{
    static const char *const ids[] = {"x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"};
    *e = (aws_error){.code = ""};
    ss_str type = http_header(reply, "x-amzn-errortype");
    if (speaks_xml(service))
        read_xml(e, reply->body);
    else
        read_json(e, reply->body);
    if (!*e->code && type.len)
        put_code(e->code, sizeof e->code, type);
    for (size_t i = 0; !*e->request_id && i < 3; i++)
        put(e->request_id, sizeof e->request_id, http_header(reply, ids[i]));
}

/* S3 may answer 200 before it knows, and say in the body that it failed; and a JSON answer may be cut where
   nobody announced its length. */
bool aws_error_inside(const aws_service *service, const http_reply *reply)
{
    ss_str body = reply->body;
    if (!speaks_xml(service))
        return body.len && service->protocol != AWS_REST_JSON && !json_valid(body);
    if (service->protocol != AWS_REST_XML)
        return false;
    while (body.len && isspace((unsigned char)*body.ptr))
        body = ss_s(body.ptr + 1, body.len - 1);
    if (body.len > 5 && memcmp(body.ptr, "<?xml", 5) == 0) {
        const char *end = memmem(body.ptr, body.len, "?>", 2);
        size_t skip = end ? (size_t)(end + 2 - body.ptr) : body.len;
        body = ss_s(body.ptr + skip, body.len - skip);
    }
    while (body.len && isspace((unsigned char)*body.ptr))
        body = ss_s(body.ptr + 1, body.len - 1);
    return body.len >= 6 && memcmp(body.ptr, "<Error", 6) == 0;
}

/* ---- what a code means ---- */

static bool in(const char *const *list, ss_str code)
{
    for (; *list; list++)
        if (code.len == strlen(*list) && memcmp(code.ptr, *list, code.len) == 0)
            return true;
    return false;
}

static bool begins(ss_str code, const char *with)
{
    size_t len = strlen(with);
    return code.len >= len && memcmp(code.ptr, with, len) == 0;
}

static const char *const throttles[] = {"Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "TooManyRequestsException",
                                        "ProvisionedThroughputExceededException",
                                        "TransactionInProgressException",
                                        "RequestLimitExceeded",
                                        "BandwidthLimitExceeded",
                                        "LimitExceededException",
                                        "SlowDown",
                                        "EC2ThrottledException",
                                        "PriorRequestNotComplete",
                                        "KMSThrottlingException",
                                        "ActiveStatementsExceededException",
                                        "ConcurrentRunsExceededException",
                                        NULL};
static const char *const transients[] = {"RequestTimeout",
                                         "RequestTimeoutException",
                                         "InternalError",
                                         "InternalFailure",
                                         "InternalServerError",
                                         "InternalServerException",
                                         "ServiceUnavailable",
                                         "ServiceUnavailableException",
                                         "InternalServiceException",
                                         "InternalFailureException",
                                         NULL};
static const char *const about_keys[] = {"ExpiredToken",
                                         "ExpiredTokenException",
                                         "InvalidClientTokenId",
                                         "UnrecognizedClientException",
                                         "InvalidAccessKeyId",
                                         "SignatureDoesNotMatch",
                                         "InvalidSignatureException",
                                         "InvalidToken",
                                         "TokenRefreshRequired",
                                         "InvalidIdentityToken",
                                         NULL};
static const char *const refusals[] = {"AccessDenied",
                                       "AccessDeniedException",
                                       "AccessDeniedFault",
                                       "UnauthorizedOperation",
                                       "UnauthorizedException",
                                       "NotAuthorized",
                                       "AuthFailure",
                                       "OptInRequired",
                                       "MissingAuthenticationToken",
                                       "MissingAuthenticationTokenException",
                                       "IncompleteSignature",
                                       "IncompleteSignatureException",
                                       "AuthorizationHeaderMalformed",
                                       "NotAuthorizedException",
                                       "ResourceNotFoundException",
                                       "ResourceInUseException",
                                       "NoSuchBucket",
                                       "EntityNotFoundException",
                                       "PermanentRedirect",
                                       "IllegalLocationConstraintException",
                                       "InvalidSourceException",
                                       "UnknownOperationException",
                                       NULL};
static const char *const conflicts[] = {"PreconditionFailed",      "ConditionalRequestConflict",
                                        "OperationAborted",        "ConditionalCheckFailedException",
                                        "AlreadyExistsException",  "ConcurrentModificationException",
                                        "BucketAlreadyOwnedByYou", NULL};

enum aws_result aws_classify(uint32_t status, ss_str code)
{
    if (in(throttles, code) || status == 429)
        return AWS_THROTTLE;
    if (in(transients, code))
        return AWS_RETRY;
    if (in(about_keys, code) || in(refusals, code) || begins(code, "KMS"))
        return AWS_AUTH;
    if (in(conflicts, code))
        return AWS_CONFLICT;
    if (status >= 500 && status != 501)
        return AWS_RETRY;
    if (status >= 200 && status < 300)
        return code.len ? AWS_POISON : AWS_OK;
    /* 400 without a word of AWS's is a stranger's answer (a proxy, another server), not a verdict on the
     * data. */
    if (status == 401 || status == 403 || status == 404 || status == 407 || status == 501 ||
        (status >= 300 && status < 400) || (status == 400 && !code.len))
        return AWS_AUTH;
    return status == 409 || status == 412 ? AWS_CONFLICT : status == 408 ? AWS_RETRY : AWS_POISON;
}

bool aws_code_is_about_keys(const char *code)
{
    return in(about_keys, ss_cstr(code));
}

bool aws_code_is_about_clock(const char *code, const char *message)
{
    static const char *const codes[] = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", NULL};
    return in(codes, ss_cstr(code)) ||
           ((strcmp(code, "InvalidSignatureException") == 0 || strcmp(code, "SignatureDoesNotMatch") == 0) &&
            (strstr(message, "Signature expired") || strstr(message, "Signature not yet current"))) ||
           (strcmp(code, "AuthFailure") == 0 && strstr(message, "not within the valid"));
}

/* ---- times ---- */

int64_t aws_http_date(ss_str text)
{
    char copy[64];
    struct tm t = {.tm_isdst = 0};
    if (text.len < 20 || text.len >= sizeof copy)
        return 0;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4] = "";
    const char *comma = strchr(copy, ',');
    if (!comma || sscanf(comma + 1, " %2d %3s %4d %2d:%2d:%2d GMT", &t.tm_mday, month, &t.tm_year, &t.tm_hour,
                         &t.tm_min, &t.tm_sec) != 6)
        return 0;
    const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (!at || (at - months) % 3 || t.tm_year < 2000 || t.tm_year > 9999)
        return 0;
    t.tm_mon = (int)((at - months) / 3);
    t.tm_year -= 1900;
    return (int64_t)timegm(&t) * 1000000;
}

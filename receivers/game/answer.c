#include "receivers/game/answer.h"

#define RESULT_OK    "{\"Result\":\"Ok\"}"
#define RESULT_BUSY  "{\"Result\":\"Error\",\"ErrorCode\":\"" CODE_THROUGHPUT "\"}"
#define RESULT_BAD   "{\"Result\":\"Error\",\"ErrorCode\":\"" CODE_INVALID "\",\"ErrorMessage\":"
#define HEAD_BYTES   96u
#define MS           1000
#define MESSAGE_SHOW 300u /* bytes of a reason in a result */

static const ss_pair any_origin[] = {{{"Access-Control-Allow-Origin", 27}, {"*", 1}}};
static const ss_pair preflight[] = {
    {{"Access-Control-Allow-Origin", 27}, {"*", 1}},
    {{"Access-Control-Allow-Methods", 28}, {"DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT", 38}},
    {{"Access-Control-Allow-Headers", 28},
     {"Content-Type,Authorization,X-Amz-Date,X-Api-Key,X-Amz-Security-Token", 68}}};

static void answer(ss_response *response, uint32_t status, ss_str body)
{
    response->status = status;
    response->content_type = SS_LIT("application/json");
    response->body = body;
    response->headers = any_origin;
    response->header_count = 1;
}

void answer_denied(ss_response *response)
{
    answer(response, 403, SS_LIT("{\"error\":\"AccessDenied\"}"));
}

void answer_broken(ss_response *response)
{
    answer(
        response, 500,
        SS_LIT("{\"error\":\"InternalFailure\",\"error_detail\":\"An error occurred on the server side.\"}"));
}

void answer_preflight(ss_response *response)
{
    response->status = 200;
    response->headers = preflight;
    response->header_count = sizeof preflight / sizeof *preflight;
}

static char *put(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

bool answer_bad(const game *g, ss_call *call, ss_response *response, ss_str detail)
{
    char *out = g->host->mem(call, HEAD_BYTES + json_escape_bound(detail.len)), *to = out;
    if (!out)
        return false;
    to = PUT(to, "{\"error\":\"BadRequest\",\"error_detail\":");
    to += json_put_string(to, detail);
    to = PUT(to, "}");
    answer(response, 400, ss_s(out, (size_t)(to - out)));
    return true;
}

static char *put_head(char *to, uint32_t total, uint32_t failed)
{
    to = PUT(to, "{\"Total\":");
    to += json_put_i64(to, total);
    to = PUT(to, ",\"FailedRecordCount\":");
    to += json_put_i64(to, failed);
    return PUT(to, ",\"Events\":[");
}

static bool answer_retry(const game *g, ss_call *call, ss_response *response, uint32_t status, int64_t ms)
{
    ss_pair *headers = g->host->mem(call, 2 * sizeof *headers);
    char *text = g->host->mem(call, JSON_I64_SIZE);
    if (!headers || !text)
        return false;
    int64_t seconds = ms > 0 ? (ms + MS - 1) / MS : 1;
    headers[0] = any_origin[0];
    headers[1] = (ss_pair){SS_LIT("Retry-After"), ss_s(text, json_put_i64(text, seconds))};
    answer(response, status,
           SS_LIT("{\"error\":\"" CODE_THROUGHPUT "\",\"error_detail\":\"Nothing was stored: send the events "
                  "again, later.\"}"));
    response->headers = headers;
    response->header_count = 2;
    return true;
}

bool answer_busy(const game *g, ss_call *call, ss_response *response, uint32_t count, uint32_t http_status,
                 int64_t retry_after_ms)
{
    if (g->http_status)
        return answer_retry(g, call, response, http_status, retry_after_ms);
    char *out = g->host->mem(call, HEAD_BYTES + count * sizeof RESULT_BUSY), *to = out;
    if (!out)
        return false;
    to = put_head(to, count, count);
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            *to++ = ',';
        to = PUT(to, RESULT_BUSY);
    }
    to = PUT(to, "]}");
    answer(response, 200, ss_s(out, (size_t)(to - out)));
    return true;
}

static bool put_bad(const game *g, ss_call *call, const game_batch *b, uint32_t index, char **to)
{
    ss_str reason;
    if (!game_item_reason(b, g, call, index, &reason))
        return false;
    if (reason.len > MESSAGE_SHOW)
        reason.len = MESSAGE_SHOW;
    *to = PUT(*to, RESULT_BAD);
    *to += json_put_string(*to, reason);
    *to = PUT(*to, "}");
    return true;
}

bool answer_results(const game *g, ss_call *call, ss_response *response, const game_batch *b)
{
    size_t bound = HEAD_BYTES + b->count * sizeof RESULT_OK +
                   b->bad * (sizeof RESULT_BAD + json_escape_bound(MESSAGE_SHOW));
    char *out = g->host->mem(call, bound), *to = out;
    if (!out)
        return false;
    to = put_head(to, b->count, b->bad);
    for (uint32_t i = 0; i < b->count; i++) {
        if (i)
            *to++ = ',';
        if (b->bad == 0 || (b->items[i].error.rule == RULE_NONE && !b->items[i].large))
            to = PUT(to, RESULT_OK);
        else if (!put_bad(g, call, b, i, &to))
            return false;
    }
    to = PUT(to, "]}");
    answer(response, 200, ss_s(out, (size_t)(to - out)));
    return true;
}

/* What a receiver could not make an event of: stored as a record of its own kind, in the same group. */
#include "core/base/clock.h"
#include "core/pipeline/internal.h"
#include "plugins/common/base64.h"
#include "plugins/common/json.h"

#define FAILED_CODE_MAX 64u /* letters, digits and '-': it becomes a folder's name */
#define FAILED_TEXT_MAX 1024u

static bool code_ok(ss_str code)
{
    if (code.len == 0 || code.len > FAILED_CODE_MAX)
        return false;
    for (size_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

/* The line as Amazon Data Firehose writes it below its error prefix. */
static size_t put_line(char *out, int64_t arrival_us, ss_str code, ss_str text, ss_str raw)
{
    char *at = put_text(out, "{\"attemptsMade\":1,\"arrivalTimestamp\":");
    at += json_put_i64(at, arrival_us / 1000);
    at = put_text(at, ",\"errorCode\":");
    at += json_put_string(at, code);
    at = put_text(at, ",\"errorMessage\":");
    at += json_put_string(at, text);
    at = put_text(at, ",\"attemptEndingTimestamp\":");
    at += json_put_i64(at, clock_now_us() / 1000);
    at = put_text(at, ",\"rawData\":\"");
    at += base64_put(at, raw);
    at = put_text(at, "\"}");
    return (size_t)(at - out);
}

int32_t pipeline_failed(ss_call *call, ss_str app, const char *code_text, ss_str text, ss_str raw)
{
    pipeline_lane *lane = call->lane;
    ss_str code = ss_cstr(code_text);
    char id[EVENT_UUID_SIZE];
    if (!code_ok(code))
        return SS_REJECT;
    if (text.len > FAILED_TEXT_MAX)
        text.len = FAILED_TEXT_MAX;
    if (call->refused || !pipeline_ready(lane->pipeline)) {
        call->refused = true;
        return SS_RETRY;
    }
    if (raw.len > JOURNAL_RECORD_MAX)
        return SS_LIMIT;
    event_uuid7(id, lane->now_us);
    app = pipeline_cut_name(app);
    size_t names = app.len + code.len + 2 * sizeof id;
    size_t bound = 256 + json_escape_bound(code.len) + json_escape_bound(text.len) + BASE64_SIZE(raw.len);
    size_t at_offset = stage_mark_here(&lane->stage).bytes;
    char *at = stage_reserve(&lane->stage, sizeof(journal_record_head) + names + bound + 8);
    if (!at)
        return SS_LIMIT;
    char *to = at + sizeof(journal_record_head);
    memcpy(to, app.ptr ? app.ptr : "", app.len);
    to += app.len;
    memcpy(to, code.ptr, code.len);
    to += code.len;
    memcpy(to, id, sizeof id);
    memcpy(to + sizeof id, id, sizeof id);
    to += 2 * sizeof id;
    size_t line_len = put_line(to, lane->now_us, code, text, raw);
    size_t length = (size_t)(to - at) + line_len;
    if (length > JOURNAL_RECORD_MAX)
        return SS_LIMIT;
    journal_record_head head = {.length = (uint32_t)length,
                                .receive_us = lane->now_us,
                                .event_us = lane->now_us,
                                .source = call->receiver->source,
                                .flags = JOURNAL_RECORD_FAILED,
                                .app_len = (uint16_t)app.len,
                                .type_len = (uint16_t)code.len,
                                .id_len = sizeof id,
                                .key_len = sizeof id,
                                .json_len = (uint32_t)line_len};
    memcpy(at, &head, sizeof head);
    stage_add(&lane->stage, length);
    call->last_record = at_offset;
    call->bytes += line_len;
    return SS_OK;
}

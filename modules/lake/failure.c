#include "modules/lake/failure.h"

#include <stdlib.h>

#include "plugins/common/base64.h"
#include "plugins/common/json.h"

#define MESSAGE_MAX 256u

bool failure_time_usable(ss_str json, const char *field)
{
    json_scan s;
    json_value v, key;
    json_start(&s, json);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (json_is(&key, field))
            return json_read(&s, &v) && (v.kind == JSON_NUMBER || (v.kind == JSON_STRING && v.text.len > 0));
        if (!json_skip(&s, NULL))
            return false;
    }
    return false;
}

static char *put(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

bool failure_of(const ss_record *r, const char *field, ss_record *out, char **owned)
{
    char message[MESSAGE_MAX];
    (void)snprintf(message, sizeof message,
                   "%.100s is absent, null or no time: no partition can be made of it", field);
    char *line = malloc(256 + json_escape_bound(sizeof message) + BASE64_SIZE(r->body.len));
    if (!line)
        return false;
    char *at = put(line, "{\"attemptsMade\":1,\"arrivalTimestamp\":");
    at += json_put_i64(at, r->receive_us / 1000);
    at = put(at, ",\"errorCode\":\"" FAILURE_BAD_TIME "\",\"errorMessage\":");
    at += json_put_string(at, ss_cstr(message));
    /* A cut that is done again must give the same bytes: the time of the attempt would not. */
    at = put(at, ",\"attemptEndingTimestamp\":");
    at += json_put_i64(at, r->receive_us / 1000);
    at = put(at, ",\"rawData\":\"");
    at += base64_put(at, r->body);
    at = put(at, "\"}");
    *out = *r;
    out->type = SS_LIT(FAILURE_BAD_TIME);
    out->json = out->body = ss_s(line, (size_t)(at - line));
    out->event_us = r->receive_us;
    out->flags |= SS_RECORD_FAILED;
    *owned = line;
    return true;
}

#include "modules/kinesis/stream.h"

#include "plugins/common/json.h"

bool stream_init(stream *s, ss_str name, ss_error *err)
{
    memset(s, 0, sizeof *s);
    if (name.len == 0 || name.len >= sizeof s->name)
        return ss_fail(err, 0, "kinesis: stream must have 1 to %u bytes", STREAM_NAME_MAX - 1);
    memcpy(s->name, name.ptr, name.len);
    s->is_arn = strncmp(s->name, "arn:", 4) == 0;
    s->max_record_bytes = STREAM_RECORD_BYTES;
    return true;
}

ss_str stream_head(const stream *s, char out[STREAM_HEAD_MAX])
{
    size_t len = (size_t)snprintf(out, STREAM_HEAD_MAX, "{\"%s\":", s->is_arn ? "StreamARN" : "StreamName");
    len += json_put_string(out + len, ss_cstr(s->name));
    return ss_s(out, len);
}

/* Reads StreamDescriptionSummary.MaxRecordSizeInKiB. */
static void read_summary(stream *s, ss_str body)
{
    json_scan scan;
    json_value v, key;
    int64_t kib;
    json_start(&scan, body);
    if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(&scan, &key)) {
        if (json_is(&key, "StreamDescriptionSummary")) {
            if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
                return;
            continue; /* on with its members */
        }
        if (!json_is(&key, "MaxRecordSizeInKiB")) {
            (void)json_skip(&scan, NULL);
            continue;
        }
        if (json_read(&scan, &v) && v.kind == JSON_NUMBER && json_i64(v.text, &kib) && kib > 0 &&
            kib <= 10240)
            s->max_record_bytes = (size_t)kib << 10;
        return;
    }
}

int32_t stream_look(stream *s, const ss_host *host, aws_client *aws, int64_t deadline_us, ss_error *err)
{
    char body[STREAM_HEAD_MAX + 1];
    ss_str head = stream_head(s, body);
    body[head.len] = '}';
    aws_call *call =
        aws_json(aws, AWS_KINESIS, "DescribeStreamSummary", ss_s(body, head.len + 1), deadline_us, NULL);
    if (!call)
        return ss_fail(err, SS_RETRY, "kinesis: no memory");
    const aws_reply *reply = aws_wait(call);
    int32_t rc = aws_status(reply->result);
    if (reply->result == AWS_OK) {
        read_summary(s, reply->body);
        s->seen = true;
    } else if (strcmp(reply->code, "AccessDeniedException") == 0) {
        ss_logf(host, SS_WARNING,
                "the stream %s may not be described: its limits are taken to be AWS's defaults (%s)", s->name,
                reply->text);
        rc = SS_OK;
    } else {
        rc = ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "stream %s: %s", s->name, reply->text);
    }
    s->looked = rc == SS_OK;
    aws_call_free(call);
    return rc;
}

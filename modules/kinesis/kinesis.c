/* Records into an Amazon Kinesis data stream: PutRecords with full calls, several in flight, and only what
   failed sent again. plugins/common/aws/puts.h does that; here is what is Kinesis about it. */
#include <stdlib.h>

#include "modules/kinesis/stream.h"
#include "plugins/common/aws/options.h"
#include "plugins/common/aws/puts.h"
#include "plugins/common/template.h"

#define KINESIS_BATCH_RECORDS 5000u
#define KINESIS_BATCH_BYTES   (16u << 20)
#define KINESIS_CALL_RECORDS  500u
#define KINESIS_KEY_MAX       256u

typedef struct kinesis {
    const ss_host *host;
    aws_origin origin;
    aws_client *aws;
    aws_puts *puts;
    record_template key;
    stream stream;
    size_t newline_bytes;
} kinesis;

static const ss_option kinesis_options[] = {
    AWS_OPTIONS,
    {.name = "stream",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc =
         "The stream's name or its ARN; the ARN saves AWS a look-up and reaches streams of other accounts."},
    {.name = "partition_key",
     .type = SS_T_STRING,
     .dflt = "{key}",
     .doc = "The partition key, which chooses the shard: text with {key}, {id}, {app}, {type}, {receiver} or "
            "{json:path.to.member}; at most 256 bytes of it count, and where it is empty the event's id."},
    {.name = "order",
     .type = SS_T_ENUM,
     .dflt = "none",
     .choices = "none|key",
     .doc = "key: records of one partition key arrive in their order, also when some are refused and sent "
            "again: at "
            "most one of them is in flight at a time."},
    {.name = "newline", .type = SS_T_BOOL, .dflt = "false", .doc = "Put a line break behind each record."},
    PUTS_CALLS_OPTION,
    {.name = "call_bytes",
     .type = SS_T_SIZE,
     .dflt = "5MiB",
     .min = 64 << 10,
     .max = 10 << 20,
     .doc = "Most bytes of one call, data and keys; AWS takes up to 10 MiB."},
    {.name = NULL},
};

static bool make_puts(kinesis *k, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = k->host;
    k->newline_bytes = h->cfg_int(cfg, "newline") ? 1 : 0;
    puts_rules rules = {.service = AWS_KINESIS,
                        .operation = "PutRecords",
                        .results = "Records",
                        .max_items = KINESIS_CALL_RECORDS,
                        .max_call_bytes = (size_t)h->cfg_int(cfg, "call_bytes"),
                        .keys = true,
                        .ordered = ss_eq(h->cfg_str(cfg, "order"), SS_LIT("key")),
                        .newline = k->newline_bytes ? '\n' : '\0',
                        .calls = (uint32_t)h->cfg_int(cfg, "calls_in_flight")};
    k->puts = puts_new(&rules, h, k->aws, err);
    return k->puts != NULL;
}

static void kinesis_destroy(void *inst)
{
    kinesis *k = inst;
    puts_free(k->puts);
    aws_client_free(k->aws);
    free(k);
}

static int32_t kinesis_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    kinesis *k = calloc(1, sizeof *k);
    if (!k)
        return ss_fail(err, SS_RETRY, "kinesis: no memory");
    k->host = host;
    aws_settings settings = aws_settings_of(&k->origin, host, cfg);
    settings.max_in_flight = PUTS_CALLS_MAX;
    if (stream_init(&k->stream, host->cfg_str(cfg, "stream"), err) &&
        template_compile(&k->key, host->cfg_str(cfg, "partition_key"), err) &&
        (k->aws = aws_client_new(&settings, err)) != NULL && make_puts(k, cfg, err)) {
        *inst = k;
        return SS_OK;
    }
    kinesis_destroy(k);
    return SS_REJECT;
}

/* Looks at the stream: its limits, and whether it is there at all. */
static int32_t look(kinesis *k, int64_t deadline_us, ss_error *err)
{
    int32_t rc = stream_look(&k->stream, k->host, k->aws, deadline_us, err);
    char head[STREAM_HEAD_MAX];
    if (rc != SS_OK)
        return rc;
    if (k->stream.seen)
        puts_works(k->puts);
    if (!puts_target(k->puts, stream_head(&k->stream, head)))
        return ss_fail(err, SS_RETRY, "kinesis: no memory");
    return SS_OK;
}

static int32_t kinesis_check(void *inst, ss_error *err)
{
    kinesis *k = inst;
    int32_t rc = aws_connect(k->aws, err);
    return rc == SS_OK ? look(k, 0, err) : rc;
}

static void refuse(kinesis *k, ss_result *result, uint32_t i, size_t bytes)
{
    char text[256];
    int n =
        snprintf(text, sizeof text,
                 "the record has %zu bytes with its partition key, the stream takes %zu (MaxRecordSizeInKiB)",
                 bytes, k->stream.max_record_bytes);
    k->host->result(k->host->self, result, i, SS_RECORD_REJECT, 0, ss_s(text, (size_t)n));
}

static int32_t kinesis_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    kinesis *k = inst;
    char key[KINESIS_KEY_MAX];
    int32_t rc = k->stream.looked ? SS_OK : look(k, batch->deadline_us, err);
    if (rc != SS_OK)
        return rc;
    bool fits = puts_begin(k->puts, batch);
    for (uint32_t i = 0; fits && i < batch->count; i++) {
        const ss_record *r = ss_record_at(batch, i);
        size_t len = template_write(&k->key, r, key, sizeof key);
        ss_str text = len ? ss_s(key, len) : r->id;
        size_t bytes = r->body.len + k->newline_bytes;
        if (bytes + text.len > k->stream.max_record_bytes)
            refuse(k, result, i, bytes + text.len);
        else
            fits = puts_add(k->puts, i, 1, text, bytes);
    }
    if (!fits)
        return ss_fail(err, SS_RETRY, "kinesis: no memory for a batch of %u records", batch->count);
    return puts_run(k->puts, result, err);
}

static const ss_module kinesis_ops = {
    .struct_size = sizeof kinesis_ops,
    .max_records = KINESIS_BATCH_RECORDS,
    .max_bytes = KINESIS_BATCH_BYTES,
    .deliver = kinesis_deliver,
};

static const ss_plugin kinesis_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "kinesis",
    .version = "1.0.0",
    .summary = "Puts records into an Amazon Kinesis data stream.",
    .license = "MIT",
    .options = kinesis_options,
    .module = &kinesis_ops,
    .create = kinesis_create,
    .check = kinesis_check,
    .destroy = kinesis_destroy,
    .warning = "AWS bills what is put into the stream; records leave this machine.",
};

SS_PLUGIN(kinesis_plugin);

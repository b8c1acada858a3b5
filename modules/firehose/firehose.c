/* Records into an Amazon Data Firehose stream: PutRecordBatch with full calls, several in flight, and only
   what failed sent again. plugins/common/aws/puts.h does that; here is what is Firehose about it. */
#include <stdlib.h>

#include "plugins/common/aws/options.h"
#include "plugins/common/aws/puts.h"
#include "plugins/common/json.h"

#define FIREHOSE_BATCH_RECORDS 5000u
#define FIREHOSE_BATCH_BYTES   (16u << 20)
#define FIREHOSE_CALL_RECORDS  500u
#define FIREHOSE_RECORD_BYTES  (1000u << 10)
#define FIREHOSE_NAME_MAX      64u

typedef struct firehose {
    const ss_host *host;
    aws_origin origin;
    aws_client *aws;
    aws_puts *puts;
    size_t newline_bytes, pack_bytes; /* pack_bytes 0: one event a record */
    char stream[FIREHOSE_NAME_MAX + 1];
    char head[FIREHOSE_NAME_MAX * 6 + 64]; /* {"DeliveryStreamName":"x" */
    bool looked;
} firehose;

static const ss_option firehose_options[] = {
    AWS_OPTIONS,
    {.name = "stream",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The delivery stream's name; its source must be Direct PUT."},
    {.name = "newline",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Put a line break behind each event, since Firehose puts nothing between records."},
    {.name = "pack",
     .type = SS_T_SIZE,
     .dflt = "0",
     .min = 0,
     .max = FIREHOSE_RECORD_BYTES,
     .doc =
         "Put several events into one record of up to so many bytes, since AWS bills records rounded up to 5 "
         "KB; 0 = "
         "each event is a record, which a transformation Lambda that parses each record as one event needs."},
    PUTS_CALLS_OPTION,
    {.name = "call_bytes",
     .type = SS_T_SIZE,
     .dflt = "4MiB",
     .min = 64 << 10,
     .max = 4 << 20,
     .doc = "Most bytes of one call; AWS takes up to 4 MiB."},
    {.name = NULL},
};

static bool read_options(firehose *f, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = f->host;
    ss_str name = h->cfg_str(cfg, "stream");
    f->newline_bytes = h->cfg_int(cfg, "newline") ? 1 : 0;
    f->pack_bytes = (size_t)h->cfg_int(cfg, "pack");
    if (f->pack_bytes && !f->newline_bytes)
        return ss_fail(err, 0, "firehose: pack needs newline, or nobody could tell the events apart");
    if (name.len == 0 || name.len > FIREHOSE_NAME_MAX)
        return ss_fail(err, 0, "firehose: stream must have 1 to %u bytes", FIREHOSE_NAME_MAX);
    memcpy(f->stream, name.ptr, name.len);
    static const char start[] = "{\"DeliveryStreamName\":";
    memcpy(f->head, start, sizeof start - 1);
    f->head[sizeof start - 1 + json_put_string(f->head + sizeof start - 1, name)] = '\0';
    return true;
}

static bool make_puts(firehose *f, const ss_config *cfg, ss_error *err)
{
    puts_rules rules = {.service = AWS_FIREHOSE,
                        .operation = "PutRecordBatch",
                        .results = "RequestResponses",
                        .max_items = FIREHOSE_CALL_RECORDS,
                        .max_call_bytes = (size_t)f->host->cfg_int(cfg, "call_bytes"),
                        .newline = f->newline_bytes ? '\n' : '\0',
                        .calls = (uint32_t)f->host->cfg_int(cfg, "calls_in_flight")};
    f->puts = puts_new(&rules, f->host, f->aws, err);
    if (f->puts && puts_target(f->puts, ss_cstr(f->head)))
        return true;
    return f->puts ? ss_fail(err, 0, "firehose: no memory") : false;
}

static void firehose_destroy(void *inst)
{
    firehose *f = inst;
    puts_free(f->puts);
    aws_client_free(f->aws);
    free(f);
}

static int32_t firehose_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    firehose *f = calloc(1, sizeof *f);
    if (!f)
        return ss_fail(err, SS_RETRY, "firehose: no memory");
    f->host = host;
    aws_settings settings = aws_settings_of(&f->origin, host, cfg);
    settings.max_in_flight = PUTS_CALLS_MAX;
    if (read_options(f, cfg, err) && (f->aws = aws_client_new(&settings, err)) != NULL &&
        make_puts(f, cfg, err)) {
        *inst = f;
        return SS_OK;
    }
    firehose_destroy(f);
    return SS_REJECT;
}

/* Is the stream there? Who may put may not always describe: then the first call will tell. */
static int32_t look(firehose *f, int64_t deadline_us, ss_error *err)
{
    char body[sizeof f->head + 1];
    int n = snprintf(body, sizeof body, "%s}", f->head);
    aws_call *call =
        aws_json(f->aws, AWS_FIREHOSE, "DescribeDeliveryStream", ss_s(body, (size_t)n), deadline_us, NULL);
    if (!call)
        return ss_fail(err, SS_RETRY, "firehose: no memory");
    const aws_reply *reply = aws_wait(call);
    int32_t rc = aws_status(reply->result);
    bool hidden = strcmp(reply->code, "AccessDeniedException") == 0;
    if (reply->result == AWS_OK)
        puts_works(f->puts);
    else if (hidden)
        rc = SS_OK;
    else
        rc = ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "delivery stream %s: %s", f->stream, reply->text);
    if (hidden)
        ss_logf(f->host, SS_WARNING, "the delivery stream %s may not be described (%s)", f->stream,
                reply->text);
    f->looked = rc == SS_OK;
    aws_call_free(call);
    return rc;
}

static int32_t firehose_check(void *inst, ss_error *err)
{
    firehose *f = inst;
    int32_t rc = aws_connect(f->aws, err);
    return rc == SS_OK ? look(f, 0, err) : rc;
}

static size_t bytes_of(const firehose *f, const ss_batch *batch, uint32_t i)
{
    return ss_record_at(batch, i)->body.len + f->newline_bytes;
}

/* How many events from i on go into one record, and its bytes; 0: the event alone is too large. */
static uint32_t pack(const firehose *f, const ss_batch *batch, uint32_t i, size_t *bytes)
{
    uint32_t n = 1;
    *bytes = bytes_of(f, batch, i);
    if (*bytes > FIREHOSE_RECORD_BYTES)
        return 0;
    while (f->pack_bytes && i + n < batch->count && *bytes + bytes_of(f, batch, i + n) <= f->pack_bytes)
        *bytes += bytes_of(f, batch, i + n++);
    return n;
}

static void refuse(firehose *f, ss_result *result, uint32_t i, size_t bytes)
{
    char text[160];
    int n = snprintf(text, sizeof text, "the record has %zu bytes, Firehose takes %u (1000 KiB)", bytes,
                     FIREHOSE_RECORD_BYTES);
    f->host->result(f->host->self, result, i, SS_RECORD_REJECT, 0, ss_s(text, (size_t)n));
}

static int32_t firehose_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    firehose *f = inst;
    int32_t rc = f->looked ? SS_OK : look(f, batch->deadline_us, err);
    if (rc != SS_OK)
        return rc;
    bool fits = puts_begin(f->puts, batch);
    for (uint32_t i = 0, n = 1; fits && i < batch->count; i += n) {
        size_t bytes;
        n = pack(f, batch, i, &bytes);
        if (n > 0) {
            fits = puts_add(f->puts, i, n, ss_s("", 0), bytes);
        } else {
            refuse(f, result, i, bytes);
            n = 1;
        }
    }
    if (!fits)
        return ss_fail(err, SS_RETRY, "firehose: no memory for a batch of %u records", batch->count);
    return puts_run(f->puts, result, err);
}

static const ss_module firehose_ops = {
    .struct_size = sizeof firehose_ops,
    .max_records = FIREHOSE_BATCH_RECORDS,
    .max_bytes = FIREHOSE_BATCH_BYTES,
    .deliver = firehose_deliver,
};

static const ss_plugin firehose_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "firehose",
    .version = "1.0.0",
    .summary = "Puts records into an Amazon Data Firehose stream.",
    .license = "MIT",
    .options = firehose_options,
    .module = &firehose_ops,
    .create = firehose_create,
    .check = firehose_check,
    .destroy = firehose_destroy,
    .warning =
        "AWS bills what is put into the stream, each record rounded up to 5 KB; records leave this machine.",
};

SS_PLUGIN(firehose_plugin);

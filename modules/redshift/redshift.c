/* Events into Amazon Redshift: by COPY of staged objects, by INSERT, or by letting Redshift read the stream
   itself. What is promised: every record is in its table exactly once, because the position that says how far
   the loading came moves in the same transaction as the rows. docs/redshift.md is for those who use it. */
#include "modules/redshift/redshift.h"

#include <ctype.h>
#include <stdlib.h>

#include "plugins/common/fault.h"

#define BATCH_RECORDS 50000u
#define BATCH_BYTES   (64u << 20)
#define SETUP_HINT    "streamsteam module setup"

static const ss_option table_option[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "The table's name."},
    {.name = NULL},
};

const ss_option redshift_options[] = {
    AWS_OPTIONS,
    {.name = "mode",
     .type = SS_T_ENUM,
     .dflt = "copy",
     .choices = "copy|insert|streaming",
     .doc = "copy: objects on S3 that Redshift loads, told through the Data API or, where connection is "
            "given, through that; insert: rows through a "
            "connection; "
            "streaming: Redshift reads a stream itself, and this only sets that up."},
    {.name = "workgroup", .type = SS_T_STRING, .doc = "The workgroup of Redshift Serverless."},
    {.name = "cluster",
     .type = SS_T_STRING,
     .doc = "The identifier of a provisioned cluster, in place of workgroup."},
    {.name = "database", .type = SS_T_STRING, .dflt = "dev", .doc = "The database."},
    {.name = "user",
     .type = SS_T_STRING,
     .doc = "The database user with cluster; without it and credentials_arn the one of the AWS identity."},
    {.name = "credentials_arn",
     .type = SS_T_STRING,
     .doc =
         "The ARN of a secret in Secrets Manager with the database's user and password, for the Data API."},
    {.name = "connection",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "For insert, and for copy in place of the Data API: how to reach the database, as host=... "
            "port=5439 dbname=... user=... password=... "
            "sslmode=verify-full; as ${file:PATH} it is read again at each connection."},
    {.name = "iam",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "With connection: user and password of 15 minutes from AWS at each connection, for workgroup or "
            "cluster."},
    {.name = "schema",
     .type = SS_T_STRING,
     .dflt = "public",
     .doc = "The schema of tables and views; it has to be there."},
    {.name = "tables",
     .type = SS_T_MAP,
     .children = table_option,
     .min = 0,
     .max = REDSHIFT_TABLES_MAX,
     .doc = "Names of tables by receiver, as {game: event_data}; without one the table is named after the "
            "receiver."},
    {.name = "views",
     .type = SS_T_ENUM,
     .dflt = "late",
     .choices = "late|bound|none",
     .doc = "The eleven views that setup makes over the table of game events: late = WITH NO SCHEMA BINDING, "
            "bound = "
            "without, as PostgreSQL has them."},
    {.name = "staging",
     .type = SS_T_STRING,
     .doc = "For copy: where objects wait to be loaded, as s3://bucket/prefix; they are deleted after the "
            "load."},
    {.name = "staging_region",
     .type = SS_T_STRING,
     .doc = "The bucket's region where it is not the database's."},
    {.name = "iam_role",
     .type = SS_T_STRING,
     .dflt = "default",
     .doc = "The role with which Redshift reads the bucket or the stream: an ARN, or default for the one "
            "that the "
            "database has."},
    {.name = "source",
     .type = SS_T_ENUM,
     .dflt = "kinesis",
     .choices = "kinesis|msk",
     .doc = "For streaming: what Redshift reads."},
    {.name = "stream",
     .type = SS_T_STRING,
     .doc = "For streaming: the name of the Kinesis stream or the topic."},
    {.name = "external_schema",
     .type = SS_T_STRING,
     .dflt = "kds",
     .doc = "For streaming: the external schema that stands for the source."},
    {.name = "msk_cluster_arn", .type = SS_T_STRING, .doc = "For streaming from MSK: the cluster's ARN."},
    {.name = "msk_authentication",
     .type = SS_T_ENUM,
     .dflt = "iam",
     .choices = "iam|none|mtls",
     .doc = "For streaming from MSK: how Redshift signs in."},
    {.name = NULL},
};

bool redshift_uses_pg(const redshift *r)
{
    return r->mode == MODE_INSERT || (r->mode == MODE_COPY && r->host->cfg_get(r->cfg, "connection"));
}

/* ---- configuration ---- */

/* They stand in SQL between quotes. */
static bool plain(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\' || text.ptr[i] == '"' ||
            iscntrl((unsigned char)text.ptr[i]))
            return false;
    return true;
}

static bool texts_good(const redshift *r, ss_error *err)
{
    static const char *const names[] = {"schema", "iam_role",        "staging_region", "staging",
                                        "stream", "external_schema", "msk_cluster_arn"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!plain(r->host->cfg_str(r->cfg, names[i])))
            return ss_fail(err, 0, "redshift: %s must have no quotes, backslashes or control characters",
                           names[i]);
    ss_str schema = r->host->cfg_str(r->cfg, "schema");
    if (schema.len == 0 || schema.len >= sizeof r->schema)
        return ss_fail(err, 0, "redshift: schema must have 1 to %u bytes", REDSHIFT_NAME_SIZE - 1);
    return true;
}

static bool wants(const redshift *r, const char *name, const char *mode, ss_error *err)
{
    return r->host->cfg_str(r->cfg, name).len > 0 ||
           ss_fail(err, 0, "redshift: mode %s needs %s", mode, name);
}

static bool options_good(redshift *r, ss_error *err)
{
    bool targets = r->api.workgroup.len > 0, cluster = r->api.cluster.len > 0;
    bool iam = r->host->cfg_int(r->cfg, "iam") != 0;
    if (!texts_good(r, err))
        return false;
    if (targets && cluster)
        return ss_fail(err, 0, "redshift: set workgroup (serverless) or cluster (provisioned), not both");
    if (!targets && !cluster && (!redshift_uses_pg(r) || iam))
        return ss_fail(err, 0, "redshift: set workgroup (serverless) or cluster (provisioned)");
    if (cluster && iam && r->api.user.len == 0)
        return ss_fail(err, 0, "redshift: iam with cluster needs user");
    if (r->mode == MODE_INSERT)
        return r->host->cfg_get(r->cfg, "connection") ||
               ss_fail(err, 0, "redshift: mode insert needs connection");
    if (r->mode == MODE_STREAMING)
        return wants(r, "stream", "streaming", err) &&
               (ss_eq(r->host->cfg_str(r->cfg, "source"), SS_LIT("kinesis")) ||
                wants(r, "msk_cluster_arn", "streaming from msk", err));
    return wants(r, "staging", "copy", err);
}

static void read_options(redshift *r)
{
    const ss_host *h = r->host;
    ss_str mode = h->cfg_str(r->cfg, "mode"), schema = h->cfg_str(r->cfg, "schema");
    r->mode = ss_eq(mode, SS_LIT("insert"))      ? MODE_INSERT
              : ss_eq(mode, SS_LIT("streaming")) ? MODE_STREAMING
                                                 : MODE_COPY;
    r->api = (api){.host = h,
                   .workgroup = h->cfg_str(r->cfg, "workgroup"),
                   .cluster = h->cfg_str(r->cfg, "cluster"),
                   .database = h->cfg_str(r->cfg, "database"),
                   .user = h->cfg_str(r->cfg, "user"),
                   .secret_arn = h->cfg_str(r->cfg, "credentials_arn")};
    (void)snprintf(r->schema, sizeof r->schema, "%.*s", (int)schema.len, schema.ptr);
}

redshift *redshift_new(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    redshift *r = calloc(1, sizeof *r);
    if (!r) {
        (void)ss_fail(err, SS_RETRY, "redshift: no memory");
        return NULL;
    }
    r->host = host;
    r->cfg = cfg;
    row_init(&r->row);
    pg_init(&r->pg);
    read_options(r);
    aws_settings settings = aws_settings_of(&r->origin, host, cfg);
    if (options_good(r, err) && (r->aws = aws_client_new(&settings, err)) != NULL) {
        r->api.aws = r->aws;
        r->stage = (stage){.host = host, .aws = r->aws};
        if (r->mode != MODE_COPY || stage_target(&r->stage, host->cfg_str(cfg, "staging"), err))
            return r;
    }
    redshift_free(r);
    return NULL;
}

void redshift_free(redshift *r)
{
    if (!r)
        return;
    pg_close(&r->pg);
    tables_free(r);
    row_fini(&r->row);
    aws_client_free(r->aws);
    free(r);
}

/* ---- life ---- */

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    redshift *r = redshift_new(host, cfg, err);
    if (!r)
        return SS_REJECT;
    r->metrics.rows = host->counter(host->self, "redshift_rows_total", "Rows that were loaded.", "");
    r->metrics.loads =
        host->counter(host->self, "redshift_loads_total", "Transactions that loaded rows.", "");
    r->metrics.seconds = host->counter(host->self, "redshift_seconds_total", "Time that loading took.", "");
    r->metrics.staged =
        host->counter(host->self, "redshift_staged_bytes_total", "Bytes of objects written for COPY.", "");
    r->metrics.unknown =
        host->counter(host->self, "redshift_unknown_total",
                      "Statements of which nobody knew whether they had been taken in; asked about.", "");
    r->metrics.lag =
        host->gauge(host->self, "redshift_lag_seconds", "Age of the newest row when it was loaded.", "");
    *inst = r;
    return SS_OK;
}

static void destroy(void *inst)
{
    redshift_free(inst);
}

/* The name of a replay, or NULL: it keeps a position of its own. */
static const char *replay_of(const ss_host *host)
{
    static const char mark[] = "/replay-";
    ss_str dir = host->data_dir(host->self);
    size_t at = dir.len;
    while (at > 0 && dir.ptr[at - 1] != '/')
        at--;
    bool is =
        at > 0 && dir.len - at + 1 >= sizeof mark - 1 && memcmp(dir.ptr + at - 1, mark, sizeof mark - 1) == 0;
    return is ? dir.ptr + at - 1 : NULL;
}

static int32_t load_again(redshift *r, uint64_t had, ss_error *err)
{
    const ss_host *h = r->host;
    uint64_t from = r->position;
    int32_t rc = SS_HAS(ss_host, h, rewind) && h->rewind ? h->rewind(h->self, &from, err) : SS_DECLINE;
    if (rc == SS_OK && from == r->position) {
        ss_logf(h, SS_WARNING, "the database ends at record %llu, it had %llu: the rest is loaded again",
                (unsigned long long)r->position, (unsigned long long)had);
    } else {
        char text[200];
        (void)snprintf(
            text, sizeof text,
            "the database ends at record %llu, it had %llu, and the journal has let go of some of them",
            (unsigned long long)r->position, (unsigned long long)had);
        ss_logf(h, SS_ERROR, "%s", text);
        h->alarm(h->self, "restored", text);
    }
    r->cursor = rc == SS_OK ? from : r->cursor;
    return SS_OK;
}

static int32_t start(void *inst, const ss_resume *resume, ss_error *err)
{
    redshift *r = inst;
    uint64_t had = 0;
    const char *replay = replay_of(r->host);
    r->cursor = resume->seq;
    (void)snprintf(r->journal, sizeof r->journal, "%016llx", (unsigned long long)resume->journal_id);
    (void)snprintf(r->key, sizeof r->key, "%.*s%.40s",
                   (int)(r->host->instance.len < 80 ? r->host->instance.len : 80), r->host->instance.ptr,
                   replay ? replay : "");
    r->replay = replay != NULL;
    redshift_read_note(r, resume->state, &had);
    if (r->mode == MODE_STREAMING || had == 0)
        return SS_OK;
    int32_t rc = tables_bookkeeping(r, err);
    if (rc == SS_OK)
        rc = link_position(r, r->key, &r->position, err);
    if (rc != SS_OK)
        return redshift_failed(r, rc, err);
    r->known = true;
    FAULT_POINT("redshift.started");
    return r->position < had && !r->replay ? load_again(r, had, err) : SS_OK;
}

static int32_t flush(void *inst, int64_t deadline_us, ss_error *err)
{
    redshift *r = inst;
    (void)deadline_us;
    return r->broken ? ss_fail(err, SS_FATAL, "%s", r->why) : redshift_settle(r, err);
}

static int32_t health(void *inst, ss_error *err)
{
    const redshift *r = inst;
    return r->broken ? ss_fail(err, SS_FATAL, "%s", r->why) : SS_OK;
}

static void ignore(void *arg, ss_str text)
{
    (void)arg;
    (void)text;
}

/* check --connect: credentials, the bucket, the database. */
static int32_t check(void *inst, ss_error *err)
{
    redshift *r = inst;
    bool aws = r->mode != MODE_INSERT || r->host->cfg_int(r->cfg, "iam") != 0;
    int32_t rc = aws ? aws_connect(r->aws, err) : SS_OK;
    if (rc == SS_OK && r->mode == MODE_COPY)
        rc = stage_check(&r->stage, err);
    if (rc == SS_OK)
        rc = link_rows(r, "SELECT 1", ignore, NULL, err);
    link_close(r);
    return rc;
}

static int32_t howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    static const char text[] =
        "Make the tables and the eleven views first, and again after an update:\n\n"
        "  " SETUP_HINT " redshift        or: POST .../redshift/setup\n\n"
        "Then in any SQL client, or Redshift's query editor:\n\n"
        "  SELECT * FROM level_completion_rate;\n"
        "  SELECT through FROM ss_load_position;   -- how far the journal is in the database\n";
    static const char streaming[] = "\nIn the mode streaming this module delivers nothing: the modules "
                                    "kinesis or kafka (view: stream) put the "
                                    "events into the stream that Redshift reads.\n";
    (void)err;
    (void)out->write(out->self, text, sizeof text - 1);
    if (ss_eq(host->cfg_str(cfg, "mode"), SS_LIT("streaming")))
        (void)out->write(out->self, streaming, sizeof streaming - 1);
    return SS_OK;
}

static const ss_module module = {
    .struct_size = sizeof module,
    .flags = SS_MODULE_COMMITS,
    .max_records = BATCH_RECORDS,
    .max_bytes = BATCH_BYTES,
    .deliver = redshift_deliver,
    .flush = flush,
    .health = health,
};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "redshift",
    .version = "1.0.0",
    .summary = "Loads events into Amazon Redshift, each exactly once.",
    .license = "MIT",
    .options = redshift_options,
    .module = &module,
    .create = create,
    .check = check,
    .start = start,
    .destroy = destroy,
    .setup = redshift_setup,
    .teardown = redshift_teardown,
    .howto = howto,
    .warning = "AWS bills the time that Redshift computes (each load wakes a serverless workgroup, a minute "
               "at the least) "
               "and what is put into S3; records leave this machine.",
};

SS_PLUGIN(plugin);

/* config.yaml of the Guidance for Game Analytics Pipeline on AWS, as its present validator reads it and as
   its earlier one did: the newer files say REAL_TIME_ANALYTICS. */
#include <ctype.h>

#include "core/cli/init.h"
#include "core/config/suggest.h"
#include "core/config/tree.h"

#define ARENA_BYTES_MAX (8u << 20)
#define NAME_MAX_BYTES  255u
#define WORKLOAD_MAX    128u
#define STAGE_MAX       128u
#define PREFIX_MAX      200u
#define TABLE_MAX       63u /* of the warehouse */
#define REDSHIFT_TABLE  "event_data"
#define WHOLE_NUMBER    18u /* digits */

#define LAKE_AGE_DEV  "60s"
#define LAKE_AGE_LIVE "900s"
#define BACKUP_PREFIX "FirehoseS3SourceRecordBackup/"

enum key {
    K_WORKLOAD_NAME,
    K_INGEST_MODE,
    K_REAL_TIME_ANALYTICS,
    K_DATA_STACK,
    K_ENABLE_APACHE_ICEBERG_SUPPORT,
    K_EVENTS_DATABASE,
    K_RAW_EVENTS_TABLE,
    K_RAW_EVENTS_PREFIX,
    K_PROCESSED_EVENTS_PREFIX,
    K_GLUE_TMP_PREFIX,
    K_STREAM_PROVISIONED,
    K_STREAM_SHARD_COUNT,
    K_API_STAGE_NAME,
    K_DEV_MODE,
    K_S3_BACKUP_MODE,
    K_EMAIL_ADDRESS,
    K_CLOUDWATCH_RETENTION_DAYS,
    K_CDK_VERSION,
    K_NODE_VERSION,
    K_PYTHON_VERSION,
    K_COUNT
};

enum stream { STREAM_NONE, STREAM_KINESIS, STREAM_MSK };

typedef struct guidance {
    init_notes *notes;
    place whole; /* the file */
    const tree_item *items[K_COUNT];
    bool newer, real_time, redshift, dev, backup;
    enum stream stream;
    char workload[WORKLOAD_MAX + 1], stage[STAGE_MAX + 1], prefix[PREFIX_MAX + 1], table[TABLE_MAX + 1];
} guidance;

/* ---- reading values ----------------------------------------------------------------------------------- */

static const char *const key_names[K_COUNT] = {
    "WORKLOAD_NAME",
    "INGEST_MODE",
    "REAL_TIME_ANALYTICS",
    "DATA_STACK",
    "ENABLE_APACHE_ICEBERG_SUPPORT",
    "EVENTS_DATABASE",
    "RAW_EVENTS_TABLE",
    "RAW_EVENTS_PREFIX",
    "PROCESSED_EVENTS_PREFIX",
    "GLUE_TMP_PREFIX",
    "STREAM_PROVISIONED",
    "STREAM_SHARD_COUNT",
    "API_STAGE_NAME",
    "DEV_MODE",
    "S3_BACKUP_MODE",
    "EMAIL_ADDRESS",
    "CLOUDWATCH_RETENTION_DAYS",
    "CDK_VERSION",
    "NODE_VERSION",
    "PYTHON_VERSION",
};

/* Keys of versions before the modes, and what to write instead; NULL: it has no part here any more. */
static const struct {
    const char *name, *instead;
} older_keys[] = {
    {"ENABLE_STREAMING_ANALYTICS",
     "write INGEST_MODE: REAL_TIME_KDS where it was true, DIRECT_BATCH otherwise"},
    {"STREAMING_MODE",
     "write INGEST_MODE: its BATCH_FIREHOSE is DIRECT_BATCH there, the others have the same names"},
    {"ENABLE_REDSHIFT", "write DATA_STACK: REDSHIFT where it was true, DATA_LAKE otherwise"},
    {"METRIC_STREAM_SHARD_COUNT", NULL},
    {"REDSHIFT_DB_NAME", NULL},
    {"DEMO", NULL},
    {"REGION", NULL},
    {"GITHUB_USERNAME", NULL},
    {"GITHUB_REPO_NAME", NULL},
    {"CONNECTION_ARN", NULL},
    {"accounts", NULL},
};

static place place_of(const guidance *g, enum key k)
{
    return g->items[k] ? g->items[k]->key->at : g->whole;
}

static void note(guidance *g, enum key k, enum init_fate fate, const char *text)
{
    init_note(g->notes, place_of(g, k), fate, key_names[k], "%s", text);
}

/* The scalar's text; NULL where the key is absent, says nothing or is no scalar (which is refused). */
static const char *text_of(guidance *g, enum key k)
{
    const tree_item *item = g->items[k];
    if (!item || tree_is_null(item->value))
        return NULL;
    if (item->value->kind == TREE_SCALAR)
        return item->value->text.ptr;
    note(g, k, INIT_REFUSED, "must be one value");
    return NULL;
}

static bool is_word(const tree *value, const char *a, const char *b, const char *c)
{
    const char *text = value->text.ptr;
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

/* Absent is false, as in their code. */
static bool bool_of(guidance *g, enum key k)
{
    const tree_item *item = g->items[k];
    if (!text_of(g, k))
        return false;
    bool yes = is_word(item->value, "true", "True", "TRUE");
    if (item->value->quoted || !(yes || is_word(item->value, "false", "False", "FALSE")))
        note(g, k, INIT_REFUSED, "must be true or false, without quotes");
    return yes;
}

/* ^[a-zA-Z0-9 or a-zA-Z][a-zA-Z0-9 and more]{0,}$ */
static bool is_name(const char *text, bool digit_first, char more, size_t max)
{
    size_t len = strlen(text);
    if (len == 0 || len > max ||
        !(isalpha((unsigned char)*text) || (digit_first && isdigit((unsigned char)*text))))
        return false;
    for (const char *p = text; *p; p++)
        if (!isascii((unsigned char)*p) || !(isalnum((unsigned char)*p) || *p == more))
            return false;
    return true;
}

static const char *required(guidance *g, enum key k)
{
    const char *text = text_of(g, k);
    if (text || (g->items[k] && g->items[k]->value->kind != TREE_SCALAR))
        return text;
    note(g, k, INIT_REFUSED, "is missing, and the guidance's validator wants it");
    return NULL;
}

/* ---- what each key becomes ---------------------------------------------------------------------------- */

static void take_workload(guidance *g)
{
    const char *text = required(g, K_WORKLOAD_NAME);
    if (!text)
        return;
    if (!is_name(text, false, '-', WORKLOAD_MAX)) {
        note(g, K_WORKLOAD_NAME, INIT_REFUSED,
             "must match ^[a-zA-Z][-a-zA-Z0-9]{0,127}$, as the guidance's validator says");
        return;
    }
    (void)snprintf(g->workload, sizeof g->workload, "%s", text);
    init_note(g->notes, place_of(g, K_WORKLOAD_NAME), INIT_MAPPED, key_names[K_WORKLOAD_NAME],
              "server.data_dir: var/%s, where $STREAMSTEAM_DATA is not set", text);
}

static void say_unknown_mode(guidance *g, const char *text)
{
    bool other = strcmp(text, g->newer ? "REAL_TIME_KDS" : "KINESIS_DATA_STREAMS") == 0 ||
                 (g->newer && strcmp(text, "REAL_TIME_MSK") == 0);
    init_note(g->notes, place_of(g, K_INGEST_MODE), INIT_REFUSED, key_names[K_INGEST_MODE],
              "unknown mode '%.64s': %s%s", text,
              g->newer
                  ? "with REAL_TIME_ANALYTICS there are KINESIS_DATA_STREAMS and DIRECT_BATCH"
                  : "without REAL_TIME_ANALYTICS there are DIRECT_BATCH, REAL_TIME_KDS and REAL_TIME_MSK",
              !other     ? ""
              : g->newer ? "; files with this mode have no REAL_TIME_ANALYTICS: take that key out"
                         : "; files with this mode have REAL_TIME_ANALYTICS beside it: add that key");
}

static void take_newer_mode(guidance *g, const char *text)
{
    g->real_time = bool_of(g, K_REAL_TIME_ANALYTICS);
    if (strcmp(text, "KINESIS_DATA_STREAMS") == 0)
        g->stream = STREAM_KINESIS;
    else if (strcmp(text, "DIRECT_BATCH") != 0)
        say_unknown_mode(g, text);
    else if (g->real_time)
        note(g, K_REAL_TIME_ANALYTICS, INIT_REFUSED,
             "needs INGEST_MODE: KINESIS_DATA_STREAMS, as the guidance's validator says");
}

static void take_older_mode(guidance *g, const char *text)
{
    if (strcmp(text, "REAL_TIME_KDS") == 0)
        g->stream = STREAM_KINESIS;
    else if (strcmp(text, "REAL_TIME_MSK") == 0)
        g->stream = STREAM_MSK;
    else if (strcmp(text, "DIRECT_BATCH") != 0)
        say_unknown_mode(g, text);
    g->real_time = g->stream != STREAM_NONE;
}

static void take_mode(guidance *g)
{
    static const char *const became[] = {
        [STREAM_NONE] = "the journal, from which each module takes its batches",
        [STREAM_KINESIS] =
            "the journal is the stream (server.journal.retain: 24h); an existing Kinesis stream is fed "
            "by config/modes/parts/kinesis.yaml",
        [STREAM_MSK] =
            "the journal is the stream (server.journal.retain: 24h); an existing MSK topic is fed by "
            "config/modes/parts/msk.yaml",
    };
    size_t refused = g->notes->counts[INIT_REFUSED];
    const char *text = required(g, K_INGEST_MODE);
    if (text)
        (g->newer ? take_newer_mode : take_older_mode)(g, text);
    if (!text || g->notes->counts[INIT_REFUSED] > refused)
        return;
    note(g, K_INGEST_MODE, INIT_MAPPED, became[g->stream]);
    if (g->newer)
        note(
            g, K_REAL_TIME_ANALYTICS, g->real_time ? INIT_WARNED : INIT_MAPPED,
            g->real_time
                ? "Flink and OpenSearch: take config/modes/parts/windows.yaml and opensearch.yaml in for the "
                  "same four metrics"
                : "nothing to add");
}

static void take_stack(guidance *g)
{
    const char *text = required(g, K_DATA_STACK);
    if (!text)
        return;
    g->redshift = strcmp(text, "REDSHIFT") == 0;
    if (!g->redshift && strcmp(text, "DATA_LAKE") != 0)
        init_note(g->notes, place_of(g, K_DATA_STACK), INIT_REFUSED, key_names[K_DATA_STACK],
                  "unknown stack '%.64s': there are DATA_LAKE and REDSHIFT", text);
    else if (g->redshift && g->newer && g->stream == STREAM_NONE)
        note(g, K_DATA_STACK, INIT_REFUSED,
             "REDSHIFT needs INGEST_MODE: KINESIS_DATA_STREAMS, as the guidance's validator says; a file "
             "without "
             "REAL_TIME_ANALYTICS may have it with DIRECT_BATCH");
    else
        note(g, K_DATA_STACK, INIT_MAPPED,
             g->redshift
                 ? "modules.warehouse, with the same views; a Redshift cluster is loaded by "
                   "config/modes/parts/redshift.yaml"
                 : "modules.lake in the layout of their bucket, and modules.warehouse in place of Athena");
}

static void take_iceberg(guidance *g)
{
    bool wanted = bool_of(g, K_ENABLE_APACHE_ICEBERG_SUPPORT);
    if (!g->items[K_ENABLE_APACHE_ICEBERG_SUPPORT])
        return;
    if (wanted && g->redshift)
        note(g, K_ENABLE_APACHE_ICEBERG_SUPPORT, INIT_REFUSED,
             "not with DATA_STACK: REDSHIFT, as the guidance's validator says");
    else if (wanted)
        note(g, K_ENABLE_APACHE_ICEBERG_SUPPORT, INIT_REFUSED,
             "there are no Iceberg tables here: set it to false, and let a batch job copy the lake's files "
             "into one");
    else
        note(g, K_ENABLE_APACHE_ICEBERG_SUPPORT, INIT_MAPPED, "nothing to do");
}

/* The value of a name that their validator checks, or NULL after saying why not. */
static const char *table_name_of(guidance *g, enum key k)
{
    const char *text = required(g, k);
    if (!text || is_name(text, true, '_', NAME_MAX_BYTES))
        return text;
    note(g, k, INIT_REFUSED, "must match ^[a-zA-Z0-9][a-zA-Z0-9_]{0,254}$, as the guidance's validator says");
    return NULL;
}

static void take_database(guidance *g)
{
    if (table_name_of(g, K_EVENTS_DATABASE))
        note(g, K_EVENTS_DATABASE, INIT_WARNED,
             "named the Glue database: `database` in config/modes/parts/glue.yaml; the warehouse is one of "
             "its own");
}

/* Names that the warehouse keeps for itself and for the views. */
static bool is_taken(const char *name)
{
    static const char *const beginnings[] = {"load_", "ss_", "pg_", "sqlite_"};
    static const char *const views[] = {"latest_events",
                                        "total_events",
                                        "total_events_last_month",
                                        "total_iap_transactions_last_month",
                                        "new_users_last_month",
                                        "total_plays_by_level",
                                        "total_failures_by_level",
                                        "total_completions_by_level",
                                        "level_completion_rate",
                                        "average_sentiment_per_day",
                                        "user_reported_reasons_count"};
    bool taken = strlen(name) > TABLE_MAX;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        taken |= strncasecmp(name, beginnings[i], strlen(beginnings[i])) == 0;
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        taken |= strcasecmp(name, views[i]) == 0;
    return taken;
}

static void take_table(guidance *g)
{
    const char *text = table_name_of(g, K_RAW_EVENTS_TABLE);
    if (!text)
        return;
    bool taken = is_taken(text);
    if (g->redshift)
        note(g, K_RAW_EVENTS_TABLE, INIT_WARNED,
             "without part here: their REDSHIFT stack calls the table " REDSHIFT_TABLE
             ", and so does modules.warehouse");
    else if (taken)
        note(g, K_RAW_EVENTS_TABLE, INIT_WARNED,
             "the warehouse cannot have a table of this name: it is called game there; `table` in "
             "config/modes/parts/glue.yaml");
    else
        init_note(g->notes, place_of(g, K_RAW_EVENTS_TABLE), INIT_MAPPED, key_names[K_RAW_EVENTS_TABLE],
                  "modules.warehouse.tables: {game: %s}", text);
    (void)snprintf(g->table, sizeof g->table, "%s", g->redshift ? REDSHIFT_TABLE : taken ? "game" : text);
}

/* Into modules.lake.partition: a prefix there may hold no template of ours. */
static void take_prefix(guidance *g)
{
    const char *text = text_of(g, K_RAW_EVENTS_PREFIX);
    text = text ? text : "raw_events";
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '/')
        len--;
    if (len == 0 || len > PREFIX_MAX || text[0] == '/' || strpbrk(text, "{}%\"\\") || strstr(text, "..") ||
        strstr(text, "//")) {
        note(g, K_RAW_EVENTS_PREFIX, INIT_REFUSED,
             "must be a relative path of at most 200 bytes without '..', '//', quotes and any of { } % \\");
        return;
    }
    (void)snprintf(g->prefix, sizeof g->prefix, "%.*s", (int)len, text);
    if (g->items[K_RAW_EVENTS_PREFIX])
        init_note(g->notes, place_of(g, K_RAW_EVENTS_PREFIX), g->redshift ? INIT_WARNED : INIT_MAPPED,
                  key_names[K_RAW_EVENTS_PREFIX],
                  g->redshift ? "without part here: DATA_STACK: REDSHIFT keeps no raw events in files"
                              : "modules.lake.partition: %s/year=%%Y/month=%%m/day=%%d/",
                  g->prefix);
}

static void take_stage(guidance *g)
{
    const char *text = text_of(g, K_API_STAGE_NAME);
    bool given = text != NULL;
    text = given ? text : "live";
    bool good = *text && strlen(text) <= STAGE_MAX;
    for (const char *p = text; *p; p++)
        good &= isascii((unsigned char)*p) && (isalnum((unsigned char)*p) || *p == '_' || *p == '-');
    if (!good) {
        note(g, K_API_STAGE_NAME, INIT_REFUSED,
             "must be letters, digits, '-' and '_', at most 128, as API Gateway says");
        return;
    }
    (void)snprintf(g->stage, sizeof g->stage, "%s", text);
    if (given)
        init_note(g->notes, place_of(g, K_API_STAGE_NAME), INIT_MAPPED, key_names[K_API_STAGE_NAME],
                  "receivers.game.stage and server.applications.api.stage: %s", text);
}

static void take_dev_mode(guidance *g)
{
    g->dev = bool_of(g, K_DEV_MODE);
    if (g->items[K_DEV_MODE])
        note(g, K_DEV_MODE, INIT_MAPPED,
             g->dev ? "modules.lake.roll.age: " LAKE_AGE_DEV
                      "; nothing is ever deleted with the server, whatever it says"
                    : "modules.lake.roll.age: " LAKE_AGE_LIVE "; data stays, as there");
}

static void take_backup(guidance *g)
{
    g->backup = bool_of(g, K_S3_BACKUP_MODE);
    if (!g->items[K_S3_BACKUP_MODE])
        return;
    note(g, K_S3_BACKUP_MODE, g->backup && g->redshift ? INIT_WARNED : INIT_MAPPED,
         !g->backup    ? "no modules.backup"
         : g->redshift ? "modules.backup, below " BACKUP_PREFIX "; their REDSHIFT stack had no such backup"
                       : "modules.backup, below " BACKUP_PREFIX);
}

/* A whole number above zero, or nothing. */
static void take_number(guidance *g, enum key k, const char *became)
{
    const char *text = text_of(g, k);
    if (!text)
        return;
    bool good = strlen(text) <= WHOLE_NUMBER && text[strspn(text, "0123456789")] == '\0' &&
                strspn(text, "0") < strlen(text);
    note(g, k, good ? INIT_WARNED : INIT_REFUSED, good ? became : "must be a whole number above zero");
}

static void take_text(guidance *g, enum key k, const char *became)
{
    const char *text = text_of(g, k);
    if (text)
        note(g, k, *text ? INIT_WARNED : INIT_MAPPED, *text ? became : "it says nothing: nothing to do");
}

static void take_replaced(guidance *g)
{
    static const char version[] =
        "without part: there is nothing to deploy, and nothing of Node.js or Python runs";
    take_text(
        g, K_PROCESSED_EVENTS_PREFIX,
        "the Glue job wrote there; the lake's manifests and the warehouse take its place (docs/lake.md)");
    take_text(g, K_GLUE_TMP_PREFIX, "without part: no Glue job runs");
    if (g->items[K_STREAM_PROVISIONED]) {
        (void)bool_of(g, K_STREAM_PROVISIONED);
        note(g, K_STREAM_PROVISIONED, INIT_WARNED, "without part: the journal has no capacity to order");
    }
    take_number(g, K_STREAM_SHARD_COUNT,
                "without part: the journal has no shards; server.journal.max_bytes bounds it");
    take_stage(g);
    take_dev_mode(g);
    take_backup(g);
    take_text(g, K_EMAIL_ADDRESS,
              "alarms stand in /metrics and the log: let your monitoring send the mail "
              "(docs/operations.md)");
    take_number(g, K_CLOUDWATCH_RETENTION_DAYS,
                "the log goes to standard error: journald or the container keeps it");
    take_text(g, K_CDK_VERSION, version);
    take_text(g, K_NODE_VERSION, version);
    take_text(g, K_PYTHON_VERSION, version);
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static bool take_older(guidance *g, const tree_item *item)
{
    for (size_t i = 0; i < sizeof older_keys / sizeof older_keys[0]; i++) {
        if (strcmp(older_keys[i].name, item->key->text.ptr) != 0)
            continue;
        const char *instead = older_keys[i].instead;
        init_note(g->notes, item->key->at, instead ? INIT_REFUSED : INIT_WARNED, older_keys[i].name, "%s%s",
                  instead ? "a key of an early version: " : "a key of an early version, without part here",
                  instead ? instead : "");
        return true;
    }
    return false;
}

static void collect(guidance *g, const tree *root)
{
    for (const tree_item *item = root->first; item; item = item->next) {
        enum key k = 0;
        suggest near;
        char hint[96];
        suggest_init(&near, item->key->text);
        for (; k < K_COUNT && strcmp(key_names[k], item->key->text.ptr) != 0; k++)
            suggest_offer(&near, ss_cstr(key_names[k]));
        if (k < K_COUNT)
            g->items[k] = item;
        else if (!take_older(g, item))
            init_note(g->notes, item->key->at, INIT_REFUSED, item->key->text.ptr, "an unknown key%s",
                      suggest_text(&near, hint, sizeof hint));
    }
    g->newer = g->items[K_REAL_TIME_ANALYTICS] != NULL;
}

static void translate(guidance *g)
{
    take_workload(g);
    take_mode(g);
    take_stack(g);
    take_iceberg(g);
    take_database(g);
    take_table(g);
    take_prefix(g);
    take_replaced(g);
}

/* ---- the configuration -------------------------------------------------------------------------------- */

static void put_server(const guidance *g, buf *out)
{
    char title[WORKLOAD_MAX + 128], dir[WORKLOAD_MAX + 8];
    (void)snprintf(title, sizeof title,
                   "StreamSteam in place of the Game Analytics Pipeline %s, made by `streamsteam init`.",
                   g->workload);
    (void)snprintf(dir, sizeof dir, "var/%s", g->workload);
    init_put_head(out, title, dir);
    buf_addf(out,
             "  # In data-lake, POST redshift/setup is refused, as there.\n"
             "  mode: %s\n"
             "  # Applications, their keys, and the API that manages them.\n"
             "  applications: {api: {stage: \"%s\"}}\n",
             g->redshift ? "redshift" : "data-lake", g->stage);
    if (g->stream != STREAM_NONE)
        buf_adds(out, "  # The journal is the stream: as long as Kinesis keeps records, also for replay.\n"
                      "  journal: {retain: 24h}\n");
}

static void put_receivers(const guidance *g, buf *out)
{
    buf_adds(out,
             "\nreceivers:\n"
             "  # POST /STAGE/applications/{id}/events, with the checks and answers of the pipeline's API.\n"
             "  game:\n"
             "    stage: ");
    buf_addf(out, "\"%s\"\n", g->stage);
}

static void put_lake(const guidance *g, buf *out)
{
    buf_addf(out,
             "  # In place of Firehose and the bucket: raw events by the day on which they happened.\n"
             "  lake:\n"
             "    receivers: [game]\n"
             "    partition: \"%s/year=%%Y/month=%%m/day=%%d/\"\n"
             "    # Without a usable event_timestamp: below errors, as metadata-extraction-failed.\n"
             "    errors: firehose-errors/{type}/\n"
             "    time_field: event_timestamp\n"
             "    bad_time: error\n"
             "    # Firehose's buffer%s.\n"
             "    roll: {bytes: 128MiB, age: %s}\n",
             g->prefix, g->dev ? " in DEV_MODE; 900s otherwise" : "; DEV_MODE had 60s",
             g->dev ? LAKE_AGE_DEV : LAKE_AGE_LIVE);
}

static void put_backup(buf *out)
{
    buf_adds(out, "  # S3_BACKUP_MODE: the records as they came, by the day of their arrival.\n"
                  "  backup:\n"
                  "    use: lake\n"
                  "    receivers: [game]\n"
                  "    view: stream\n"
                  "    partition: " BACKUP_PREFIX "year=%Y/month=%m/day=%d/\n"
                  "    partition_time: receive\n"
                  "    errors: " BACKUP_PREFIX "firehose-errors/%Y/%m/%d/{type}/\n"
                  "    roll: {bytes: 128MiB, age: 900s}\n");
}

static void put_parts(const guidance *g, buf *out)
{
    static const char *const stream[] = {
        [STREAM_NONE] = "", [STREAM_KINESIS] = " kinesis", [STREAM_MSK] = " msk"};
    buf_addf(
        out,
        "\n# Parts on AWS, ready in config/modes/parts/: copy what is wanted into conf.d/ beside this file.\n"
        "# For this mode:%s%s%s.\n",
        g->redshift ? " redshift" : " firehose glue", stream[g->stream],
        g->real_time ? " windows opensearch" : "");
}

static void put_configuration(const guidance *g, buf *out)
{
    put_server(g, out);
    put_receivers(g, out);
    buf_adds(out, "\nmodules:\n");
    if (!g->redshift)
        put_lake(g, out);
    if (g->backup)
        put_backup(out);
    buf_addf(out,
             "  # In place of %s: tables, views and saved queries, for `streamsteam query`.\n"
             "  warehouse:\n"
             "    receivers: [game]\n"
             "    tables: {game: \"%s\"}\n",
             g->redshift ? "Redshift" : "Athena", g->table);
    put_parts(g, out);
}

/* ---- entry -------------------------------------------------------------------------------------------- */

static void take_problems(init_notes *n, const problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        init_note(n, p->list[i].at, INIT_REFUSED, NULL, "%s", p->list[i].text);
    n->counts[INIT_REFUSED] += p->dropped;
}

void init_from_guidance(const char *file, ss_str text, init_notes *n, buf *out)
{
    arena a;
    problems p;
    guidance g = {.notes = n, .whole = {.file = file}};
    arena_init(&a, ARENA_BYTES_MAX);
    problems_init(&p, &a);
    problems_file(&p, file);
    const tree *root = tree_parse(&a, &p, file, text.ptr ? text.ptr : "", text.len);
    take_problems(n, &p);
    if (!root || root->kind != TREE_MAP || !root->first) {
        if (p.count == 0)
            init_note(n, g.whole, INIT_REFUSED, NULL,
                      "this is no configuration of the guidance: a mapping with WORKLOAD_NAME, INGEST_MODE, "
                      "... is wanted");
    } else {
        collect(&g, root);
        translate(&g);
        if (n->counts[INIT_REFUSED] == 0)
            put_configuration(&g, out);
    }
    arena_fini(&a);
}

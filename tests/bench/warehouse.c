/* Rows per second into the warehouse, against a plain loop of bound INSERTs of values that are taken apart
   already: the same rows, table, indexes, pragmas and transactions. One core.

     build/bench/warehouse PLUGIN.so DIRECTORY [ROWS [CONNINFO]]      CONNINFO: the module into PostgreSQL */
#include <dlfcn.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "streamsteam/plugin.h"

#define BATCH     10000u
#define LINE_SIZE 1000u

/* ---- the rows ---- */

static const ss_field fields[] = {{"metadata", SS_FIELD_JSON, 0, "d", NULL},
                                  {"event_id", SS_FIELD_STRING, 0, "d", NULL},
                                  {"event_type", SS_FIELD_STRING, 0, "d", NULL},
                                  {"event_name", SS_FIELD_STRING, 0, "d", NULL},
                                  {"event_version", SS_FIELD_STRING, 0, "d", NULL},
                                  {"event_timestamp", SS_FIELD_INT, 0, "d", NULL},
                                  {"app_version", SS_FIELD_STRING, 0, "d", NULL},
                                  {"event_data", SS_FIELD_JSON, 0, "d", NULL},
                                  {"application_name", SS_FIELD_STRING, 0, "d", NULL},
                                  {"application_id", SS_FIELD_STRING, 0, "d", NULL},
                                  {NULL, 0, 0, NULL, NULL}};

typedef struct event { /* taken apart, for the plain loop */
    char metadata[200], id[40], data[300];
    const char *type, *version, *app;
    int64_t time;
} event;

static const struct {
    const char *type, *data;
} kinds[] = {
    {"user_knockout", "{\"match_id\":\"3f0e8d4e-11aa-4b58-9d43-0c8c7e1f2a55\",\"map_id\":\"CASTLE\",\"spell_"
                      "id\":\"FIRE\",\"exp_gained\":%u}"},
    {"item_viewed", "{\"item_id\":\"0b9bb9b8-2d5c-4f8b-bf7e-6f5a0f6f2f11\",\"item_version\":%u}"},
    {"iap_transaction", "{\"item_id\":\"0b9bb9b8-2d5c-4f8b-bf7e-6f5a0f6f2f11\",\"item_version\":1,\"item_"
                        "amount\":2,\"currency_type\":\"EUR\",\"country_id\":\"GERMANY\",\"currency_amount\":"
                        "%u,\"transaction_id\":\"7a2ce7a2-1f0e-4fd5-8a5e-0d0c4c6d1d02\"}"},
    {"login", "{\"platform\":\"pc\",\"last_login_time\":17376584%u}"},
    {"logout", "{\"last_screen_seen\":\"the end %u\"}"},
    {"match_end", "{\"match_id\":\"3f0e8d4e-11aa-4b58-9d43-0c8c7e1f2a55\",\"map_id\":\"CASTLE\",\"match_"
                  "result_type\":\"WIN\",\"exp_gained\":%u,\"most_used_spell\":\"WATER\"}"},
    {"level_started", "{\"level_id\":\"%u\",\"level_version\":1}"},
    {"level_completed", "{\"level_id\":\"%u\",\"level_version\":2}"},
    {"level_failed", "{\"level_id\":\"%u\",\"level_version\":2}"},
    {"user_sentiment", "{\"user_rating\":%u}"},
};

static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static event events[BATCH];
static char lines[BATCH][LINE_SIZE];
static ss_record records[BATCH];

static void make_batch(uint64_t first)
{
    static const char *const versions[] = {"1.0.0", "1.1.0", "1.2.0"};
    for (unsigned i = 0; i < BATCH; i++) {
        event *e = &events[i];
        uint64_t a = next_random(), b = next_random();
        unsigned kind = (unsigned)(a % (sizeof kinds / sizeof *kinds));
        (void)snprintf(e->id, sizeof e->id, "%08x-%04x-4%03x-9%03x-%012llx", (unsigned)(a >> 32),
                       (unsigned)(a >> 16) & 0xFFFFu, (unsigned)(b >> 4) & 0xFFFu,
                       (unsigned)(b >> 16) & 0xFFFu, (unsigned long long)(b >> 16));
        e->type = kinds[kind].type;
        e->version = versions[b % 3];
        e->app = "ce8b748f-1d4a-4a3b-9c0c-9d2b6a2d7d10";
        e->time = 1795300000 + (int64_t)(first + i) / 500 - (int64_t)(b % 20);
        (void)snprintf(e->data, sizeof e->data, kinds[kind].data, (unsigned)(b % 90 + 10));
        (void)snprintf(e->metadata, sizeof e->metadata,
                       "{\"ingestion_id\":\"%s\",\"processing_timestamp\":%lld,\"api\":{\"request_id\":\"req-"
                       "%u\",\"request_time_"
                       "epoch\":1737658980123},\"processing_result\":{\"status\":\"ok\"}}",
                       e->id, (long long)e->time, i);
        int n =
            snprintf(lines[i], LINE_SIZE,
                     "{\"metadata\":%s,\"event_id\":\"%s\",\"event_type\":\"%s\",\"event_name\":\"%s\","
                     "\"event_version\":\"1.0.0\","
                     "\"event_timestamp\":%lld,\"app_version\":\"%s\",\"event_data\":%s,\"application_name\":"
                     "\"TestGame\","
                     "\"application_id\":\"%s\"}",
                     e->metadata, e->id, e->type, e->type, (long long)e->time, e->version, e->data, e->app);
        if (n >= (int)LINE_SIZE || strlen(e->data) + 1 == sizeof e->data)
            exit(3); /* a line that was cut is no event */
        records[i] = (ss_record){.seq = first + i + 1,
                                 .receive_us = e->time * 1000000,
                                 .event_us = e->time * 1000000,
                                 .receiver = SS_LIT("game"),
                                 .json = ss_s(lines[i], (size_t)n),
                                 .attempt = 1};
    }
}

/* ---- the least host ---- */

static char directory[3000];
static char database[4000];
static const char *conninfo;
static uint64_t committed;

static void h_log(void *self, int32_t level, const char *text)
{
    (void)self;
    if (level >= SS_WARNING)
        (void)fprintf(stderr, "%s\n", text);
}
static int64_t h_now(void *self)
{
    struct timespec t;
    (void)self;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static bool h_stopping(void *self)
{
    (void)self;
    return false;
}
static const ss_config *h_get(const ss_config *node, const char *path)
{
    (void)node, (void)path;
    return NULL;
}
static size_t h_len(const ss_config *node)
{
    (void)node;
    return 0;
}
static ss_str h_str(const ss_config *node, const char *path)
{
    (void)node;
    return strcmp(path, "path") == 0           ? ss_cstr(database)
           : strcmp(path, "views") == 0        ? SS_LIT("game")
           : strcmp(path, "retention_by") == 0 ? SS_LIT("received")
           : conninfo                          ? SS_LIT("postgres")
                                               : SS_LIT("sqlite");
}
static int64_t h_int(const ss_config *node, const char *path)
{
    (void)node;
    return strcmp(path, "wal_max") == 0 ? 1LL << 30 : 0;
}
static int64_t h_secret(void *self, const ss_config *node, const char *path, char *out, size_t size,
                        ss_error *err)
{
    (void)self, (void)node, (void)path, (void)err;
    return snprintf(out, size, "%s", conninfo ? conninfo : "");
}
static int32_t h_commit(void *self, uint64_t through, const void *state, size_t len, uint32_t flags,
                        ss_error *err)
{
    (void)self, (void)state, (void)len, (void)flags, (void)err;
    committed = through;
    return SS_OK;
}
static void h_result(void *self, ss_result *result, uint32_t i, uint32_t status, uint32_t code, ss_str text)
{
    (void)self, (void)code, (void)text;
    ss_mark(result, i, status);
}
static ss_metric *h_metric(void *self, const char *name, const char *help, const char *labels)
{
    (void)self, (void)name, (void)help, (void)labels;
    return NULL;
}
static void h_number(ss_metric *metric, double value)
{
    (void)metric, (void)value;
}
static ss_timer *h_timer(void *self, int64_t ms, void (*callback)(void *arg), void *arg)
{
    (void)self, (void)ms, (void)callback, (void)arg;
    return NULL;
}
static ss_str h_dir(void *self)
{
    (void)self;
    return ss_cstr(directory);
}
static int32_t h_catalog(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field),
                         void *arg)
{
    (void)self, (void)receiver;
    for (const ss_field *f = fields; f->name; f++)
        visit(arg, f);
    return SS_OK;
}
static void h_alarm(void *self, const char *name, const char *text)
{
    (void)self;
    if (text)
        (void)fprintf(stderr, "%s: %s\n", name, text);
}

static const ss_host host = {.struct_size = sizeof host,
                             .instance = {"warehouse", 9},
                             .log = h_log,
                             .now_us = h_now,
                             .stopping = h_stopping,
                             .cfg_get = h_get,
                             .cfg_len = h_len,
                             .cfg_str = h_str,
                             .cfg_int = h_int,
                             .secret = h_secret,
                             .commit = h_commit,
                             .result = h_result,
                             .counter = h_metric,
                             .gauge = h_metric,
                             .metric_add = h_number,
                             .metric_set = h_number,
                             .every = h_timer,
                             .once = h_timer,
                             .data_dir = h_dir,
                             .catalog = h_catalog,
                             .alarm = h_alarm};

/* ---- the two ways ---- */

static double cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double module_s(const ss_plugin *plugin, uint64_t first)
{
    static void *inst;
    static ss_record_result results[BATCH];
    ss_error err = {.struct_size = sizeof err};
    ss_resume resume = {.struct_size = sizeof resume, .journal_id = 7};
    if (!inst &&
        (plugin->create(&host, NULL, &inst, &err) != SS_OK || plugin->start(inst, &resume, &err) != SS_OK)) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    ss_batch batch = {.struct_size = sizeof batch,
                      .record_size = sizeof *records,
                      .count = BATCH,
                      .records = records,
                      .from = first,
                      .through = first + BATCH};
    ss_result result = {
        .struct_size = sizeof result, .record_size = sizeof *results, .count = BATCH, .records = results};
    double before = cpu_s();
    int32_t rc = plugin->module->deliver(inst, &batch, &result, &err);
    double took = cpu_s() - before;
    if (rc != SS_OK || committed != first + BATCH) {
        (void)fprintf(stderr, "deliver: %d %s\n", rc, err.text);
        exit(1);
    }
    return took;
}

static void must(int rc, sqlite3 *db)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE)
        return;
    (void)fprintf(stderr, "plain: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static double plain_s(uint64_t first)
{
    static sqlite3 *db;
    static sqlite3_stmt *insert;
    if (!db) {
        char path[4000];
        (void)snprintf(path, sizeof path, "%s/plain.db", directory);
        must(sqlite3_open(path, &db), db);
        must(sqlite3_exec(db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4096; "
                          "PRAGMA cache_size=-32768;"
                          "CREATE TABLE game(ss_seq INTEGER NOT NULL, ss_load INTEGER NOT NULL, "
                          "ss_received_us INTEGER NOT NULL, "
                          "ss_event_us INTEGER NOT NULL, ss_extra TEXT, metadata TEXT, event_id TEXT, "
                          "event_type TEXT, event_name TEXT, "
                          "event_version TEXT, event_timestamp INTEGER, app_version TEXT, event_data TEXT, "
                          "application_name TEXT, "
                          "application_id TEXT) STRICT; CREATE INDEX a ON game(event_type, event_timestamp); "
                          "CREATE INDEX b ON "
                          "game(event_timestamp)",
                          NULL, NULL, NULL),
             db);
        must(sqlite3_prepare_v2(db,
                                "INSERT INTO game VALUES(?,1,?,?,NULL,?,?,?,?,'1.0.0',?,?,?,'TestGame',?)",
                                -1, &insert, NULL),
             db);
    }
    double before = cpu_s();
    must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), db);
    for (unsigned i = 0; i < BATCH; i++) {
        const event *e = &events[i];
        (void)sqlite3_bind_int64(insert, 1, (sqlite3_int64)(first + i + 1));
        (void)sqlite3_bind_int64(insert, 2, e->time * 1000000);
        (void)sqlite3_bind_int64(insert, 3, e->time * 1000000);
        (void)sqlite3_bind_text(insert, 4, e->metadata, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(insert, 5, e->id, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(insert, 6, e->type, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(insert, 7, e->type, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(insert, 8, e->time);
        (void)sqlite3_bind_text(insert, 9, e->version, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(insert, 10, e->data, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(insert, 11, e->app, -1, SQLITE_STATIC);
        must(sqlite3_step(insert), db);
        (void)sqlite3_reset(insert);
    }
    must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), db);
    return cpu_s() - before;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "usage: warehouse PLUGIN.so DIRECTORY [ROWS]\n");
        return 2;
    }
    (void)snprintf(directory, sizeof directory, "%s", argv[2]);
    (void)snprintf(database, sizeof database, "%s/module.db", argv[2]);
    uint64_t rows = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
    conninfo = argc > 4 ? argv[4] : NULL;
    void *so = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    ss_plugin_entry entry = NULL;
    void *symbol = so ? dlsym(so, SS_PLUGIN_ENTRY) : NULL;
    memcpy(&entry, &symbol, sizeof entry);
    if (!entry) {
        (void)fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    double module = 0, plain = 0;
    for (uint64_t done = 0; done < rows; done += BATCH) {
        make_batch(done);
        module += module_s(entry(), done);
        plain += plain_s(done);
    }
    double n = ceil((double)rows / BATCH) * BATCH;
    printf(
        "{\"rows\": %.0f, \"module_us\": %.3f, \"plain_us\": %.3f, \"rows_per_s\": %.0f, \"ratio\": %.2f}\n",
        n, module / n * 1e6, plain / n * 1e6, n / module, module / plain);
    return 0;
}

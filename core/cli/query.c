/* streamsteam query: asks the warehouse, while the server writes it or when none runs. */
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/query_athena.h"
#include "core/cli/query_lake.h"
#include "core/cli/query_list.h"
#include "core/cli/query_print.h"
#include "core/cli/verbs.h"
#include "core/config/suggest.h"
#include "core/config/value.h"
#include "plugins/common/json.h"

#define SQL_BYTES_MAX   (1024u * 1024)
#define WHERE_BYTES_MAX 8192u
#define TABLE_ROWS      1000 /* what a person may want to see */
#define TIMEOUT_MAX_MS  (24ll * 3600 * 1000)
#define MEMORY_MAX      (1ll << 40)
#define SAVED_VIEW_MAX  128u
#define EXCERPT_MAX     100 /* bytes of the line with a mistake */

static const char help[] =
    "usage: streamsteam query [OPTIONS] 'SELECT ...'\n"
    "       streamsteam query [OPTIONS] --saved NAME\n"
    "       streamsteam query [OPTIONS] --list\n"
    "       streamsteam query [OPTIONS] --lake 'SELECT ...' [--from TIME] [--to TIME]\n"
    "       streamsteam query [OPTIONS] --athena 'SELECT ...'\n"
    "\n"
    "Asks the warehouse, a SQLite file or PostgreSQL. Reads only: the server may go on writing. - instead of "
    "the "
    "text\n"
    "reads it from standard input.\n"
    "\n"
    "  --saved NAME        a saved query of the Game Analytics Pipeline, or the view of the same rows\n"
    "  --list              the saved queries, then the tables and views that there are\n"
    "  --lake              ask the files of a lake on this machine, with DuckDB's library; --from and --to\n"
    "                      (2026-11-26T08:00:00Z or 2026-11-26) leave out files without an event of that "
    "time\n"
    "  --athena            ask Amazon Athena over the lake on S3, with the options of the module glue; AWS\n"
    "                      bills what it reads; the query is cancelled after --timeout and with Ctrl-C\n"
    "  --database NAME     the module to ask, where there are several warehouses (lakes, modules glue)\n"
    "  --format F          table (default), csv (RFC 4180; null is empty, an empty text has quotes) or json\n"
    "                      (a list with an object for each row)\n"
    "  --limit N           so many rows (default: 1000 of a table, all of csv and json)\n"
    "  --timeout T         end the query after this time (default 30s)\n"
    "  --memory SIZE       what it may take (default 256MiB); PostgreSQL has limits of its own\n"
    "  -c, --config FILE   the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "\n"
    "Exit code: 0 = answered, 1 = failed, 2 = wrong use. docs/queries.md tells what the views and queries "
    "mean.\n";

typedef struct question {
    const char *config, *database, *saved, *sql;
    bool list, athena, lake;
    int64_t from_us, to_us; /* of a lake */
    enum query_format format;
    int64_t limit;
    warehouse_limits limits;
    char *typed; /* owned: from standard input */
} question;

/* ---- which warehouse ---- */

typedef struct found {
    warehouse_source source;
    const char *module;
    char *options; /* owned; may hold a password */
    char where[WHERE_BYTES_MAX];
} found;

/* A text of the options' top. */
static bool option_text(const char *options, const char *name, char *out, size_t size)
{
    json_scan s;
    json_value key, value;
    json_start(&s, ss_cstr(options));
    if (!json_read(&s, &value) || value.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (!json_is(&key, name)) {
            (void)json_skip(&s, NULL);
            continue;
        }
        if (!json_read(&s, &value) || value.kind != JSON_STRING || value.text.len >= size)
            return false;
        out[json_unescape(out, value.text)] = '\0';
        return *out != '\0';
    }
    return false;
}

static bool is_warehouse(const config_entry *e)
{
    return e->kind == SS_MODULE && strcmp(e->plugin->name, "warehouse") == 0;
}

static int no_warehouse(const config *c, const char *wanted)
{
    suggest near;
    char hint[96];
    size_t count = 0;
    suggest_init(&near, ss_cstr(wanted ? wanted : ""));
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        count += is_warehouse(&e);
        if (is_warehouse(&e))
            suggest_offer(&near, ss_cstr(e.name));
    }
    if (wanted && count > 0)
        return cli_fail(CLI_USAGE, "query", "there is no warehouse '%.64s'%s", wanted,
                        suggest_text(&near, hint, sizeof hint));
    if (count > 1)
        return cli_fail(CLI_USAGE, "query", "there are %zu warehouses: choose one with --database", count);
    return cli_fail(CLI_FAILED, "query",
                    "the configuration has no warehouse: write `modules: {warehouse: {}}`, or "
                    "`streamsteam module enable warehouse`");
}

static int open_entry(const config *c, const config_entry *e, found *out)
{
    char database[32];
    char *secrets = NULL;
    bool good = config_entry_options(c, e, &out->options, &secrets);
    free(secrets);
    if (!good)
        return cli_fail(CLI_FAILED, "query", "module %s: a secret of it cannot be read", e->name);
    bool postgres =
        option_text(out->options, "database", database, sizeof database) && strcmp(database, "postgres") == 0;
    if (!option_text(out->options, postgres ? "connection" : "path", out->where, sizeof out->where))
        return cli_fail(CLI_FAILED, "query", "module %s says no %s", e->name,
                        postgres ? "connection" : "path");
    out->module = e->name;
    out->source = (warehouse_source){postgres ? SQL_POSTGRES : SQL_SQLITE, out->where};
    return CLI_OK;
}

static int find_warehouse(const config *c, const char *wanted, found *out)
{
    config_entry chosen = {.kind = 0};
    size_t count = 0;
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        if (!is_warehouse(&e) || (wanted && strcmp(wanted, e.name) != 0))
            continue;
        chosen = e;
        count++;
    }
    return count == 1 ? open_entry(c, &chosen, out) : no_warehouse(c, wanted);
}

/* ---- what went wrong ---- */

/* The line of the text, and below it a mark. */
static void show_place(const char *sql, int64_t at)
{
    const char *from = sql + at, *to = sql + at;
    while (from > sql && from[-1] != '\n' && to - from < EXCERPT_MAX / 2)
        from--;
    while (*to && *to != '\n' && to - from < EXCERPT_MAX)
        to++;
    (void)fputs("  ", stderr);
    for (const char *p = from; p < to; p++)
        (void)fputc((unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p, stderr);
    (void)fputs("\n  ", stderr);
    for (const char *p = from; p < sql + at; p++)
        if (((unsigned char)*p & 0xC0) != 0x80)
            (void)fputc(' ', stderr);
    (void)fputs("^\n", stderr);
}

static const char *remedy(const warehouse_fault *fault, const question *q)
{
    switch (fault->kind) {
    case WAREHOUSE_SQL:
        if (q->saved)
            return "; the view event_data comes with a game receiver and the module's option views";
        return "; `streamsteam query --list` has the tables, views and columns";
    case WAREHOUSE_TIME:
        return " (--timeout)";
    case WAREHOUSE_MEMORY:
        return " (--memory)";
    default:
        return "";
    }
}

static int failed(const question *q, const warehouse_fault *fault)
{
    bool known = fault->at >= 0 && fault->at <= (int64_t)strlen(q->sql);
    int64_t line = 1;
    for (int64_t i = 0; known && i < fault->at; i++)
        line += q->sql[i] == '\n';
    char place[64] = "";
    if (known && fault->kind == WAREHOUSE_SQL)
        (void)snprintf(place, sizeof place, "byte %" PRId64 ", line %" PRId64 ": ", fault->at + 1, line);
    (void)cli_fail(CLI_FAILED, "query", "%s%s%s", place, fault->error.text, remedy(fault, q));
    if (known && fault->kind == WAREHOUSE_SQL)
        show_place(q->sql, fault->at);
    return fault->kind == WAREHOUSE_REFUSED ? CLI_USAGE : CLI_FAILED;
}

/* ---- asking ---- */

static int ask(const question *q, const found *where, enum query_format format, int64_t limit)
{
    query_print *print = query_print_new(stdout, format, limit, q->limits.memory_bytes);
    if (!print)
        return cli_fail(CLI_FAILED, "query", "out of memory");
    warehouse_rows rows = query_print_rows(print);
    warehouse_fault fault;
    int code = CLI_OK;
    if (!warehouse_read(&where->source, q->sql, &q->limits, &rows, &fault)) {
        (void)fflush(stdout);
        code = failed(q, &fault);
    } else {
        const char *why = query_print_end(print);
        code = why ? cli_fail(CLI_FAILED, "query", "%s", why) : CLI_OK;
    }
    query_print_free(print);
    return code;
}

static int list_relations(const question *q, const found *where)
{
    question relations = *q;
    warehouse_rows rows = query_list_rows();
    warehouse_fault fault;
    relations.sql = warehouse_relations(where->source.dialect);
    (void)printf("\nTables and views of module %s:\n\n", where->module);
    if (warehouse_read(&where->source, relations.sql, &q->limits, &rows, &fault))
        return CLI_OK;
    (void)fflush(stdout);
    return failed(&relations, &fault);
}

/* A module answers, in whose place the data are. */
static int ask_module(const question *q, const config *c)
{
    query_print *print = query_print_new(stdout, q->format, q->limit, q->limits.memory_bytes);
    if (!print)
        return cli_fail(CLI_FAILED, "query", "out of memory");
    warehouse_rows rows = query_print_rows(print);
    warehouse_fault fault;
    int code = q->lake ? query_lake(c, q->database, q->sql, &q->limits, q->from_us, q->to_us, &rows, &fault)
                       : query_athena(c, q->database, q->sql, q->limits.timeout_ms, &rows, &fault);
    if (code == CLI_OK) {
        const char *why = query_print_end(print);
        code = why ? cli_fail(CLI_FAILED, "query", "%s", why) : CLI_OK;
    } else if (fault.kind) {
        code = cli_fail(CLI_FAILED, "query", "%s%s", fault.error.text,
                        fault.kind == WAREHOUSE_TIME     ? " (--timeout)"
                        : fault.kind == WAREHOUSE_MEMORY ? " (--memory)"
                                                         : "");
    }
    query_print_free(print);
    return code;
}

/* ---- the command line ---- */

static int unknown_query(const char *name)
{
    suggest near;
    char hint[96];
    suggest_init(&near, ss_cstr(name));
    for (const game_query *q = game_queries; q->name; q++) {
        suggest_offer(&near, ss_cstr(q->name));
        if (q->view)
            suggest_offer(&near, ss_cstr(q->view));
    }
    return cli_fail(CLI_USAGE, "query", "no saved query '%.64s'%s%s `streamsteam query --list` has them all",
                    name, suggest_text(&near, hint, sizeof hint), near.best.len > 0 ? "" : ";");
}

static int read_standard_input(question *q)
{
    q->typed = malloc(SQL_BYTES_MAX + 1);
    size_t len = q->typed ? fread(q->typed, 1, SQL_BYTES_MAX + 1, stdin) : 0;
    if (!q->typed || len > SQL_BYTES_MAX || ferror(stdin))
        return cli_fail(CLI_FAILED, "query", "the text could not be read, or is longer than %u bytes",
                        SQL_BYTES_MAX);
    q->typed[len] = '\0';
    if (memchr(q->typed, '\0', len))
        return cli_fail(CLI_USAGE, "query", "the text has a NUL in it");
    q->sql = q->typed;
    return CLI_OK;
}

/* Before a configuration is looked for. */
static int check_saved(const char *name)
{
    const game_query *saved = name ? game_query_find(name) : NULL;
    if (!name || (saved && saved->texts[SQL_SQLITE]))
        return CLI_OK;
    return saved ? cli_fail(CLI_FAILED, "query", "%s is %s: see docs/queries.md", saved->name, saved->doc)
                 : unknown_query(name);
}

/* What is asked, once the dialect is known. */
static int find_text(question *q, enum sql_dialect dialect)
{
    const game_query *saved = q->saved ? game_query_find(q->saved) : NULL;
    if (!saved)
        return CLI_OK;
    if (!saved->view || strcasecmp(saved->view, q->saved) != 0) {
        q->sql = saved->texts[dialect];
        return CLI_OK;
    }
    q->typed = malloc(SAVED_VIEW_MAX);
    if (!q->typed)
        return cli_fail(CLI_FAILED, "query", "out of memory");
    (void)snprintf(q->typed, SAVED_VIEW_MAX, "SELECT * FROM %s", saved->view);
    q->sql = q->typed;
    return CLI_OK;
}

static int read_numbers(question *q, const char *limit, const char *timeout, const char *memory)
{
    q->limits = (warehouse_limits){30000, 256ll << 20};
    q->limit = q->format == QUERY_TABLE ? TABLE_ROWS : 0;
    if (limit && (!value_int(limit, &q->limit) || q->limit < 1))
        return cli_fail(CLI_USAGE, "query", "--limit %.32s: it wants a number of rows, 1 or more", limit);
    if (timeout && (!value_duration(timeout, &q->limits.timeout_ms) || q->limits.timeout_ms < 1 ||
                    q->limits.timeout_ms > TIMEOUT_MAX_MS))
        return cli_fail(CLI_USAGE, "query",
                        "--timeout %.32s: it wants a time like 500ms, 30s or 10m, a day at most", timeout);
    if (memory && (!value_size(memory, &q->limits.memory_bytes) ||
                   q->limits.memory_bytes < WAREHOUSE_MEMORY_MIN || q->limits.memory_bytes > MEMORY_MAX))
        return cli_fail(CLI_USAGE, "query", "--memory %.32s: it wants a size like 256MiB, 4MiB or more",
                        memory);
    return CLI_OK;
}

static int read_options(question *q, int argc, char **argv)
{
    bool bad = false;
    q->config = cli_take_option(&argc, argv, "c", "config", &bad);
    q->database = cli_take_option(&argc, argv, NULL, "database", &bad);
    q->saved = cli_take_option(&argc, argv, NULL, "saved", &bad);
    const char *format = cli_take_option(&argc, argv, NULL, "format", &bad);
    const char *limit = cli_take_option(&argc, argv, NULL, "limit", &bad);
    const char *timeout = cli_take_option(&argc, argv, NULL, "timeout", &bad);
    const char *memory = cli_take_option(&argc, argv, NULL, "memory", &bad);
    q->list = cli_take_flag(&argc, argv, "list");
    q->athena = cli_take_flag(&argc, argv, "athena");
    q->lake = cli_take_flag(&argc, argv, "lake");
    const char *from = cli_take_option(&argc, argv, NULL, "from", &bad);
    const char *to = cli_take_option(&argc, argv, NULL, "to", &bad);
    if (argc > 1 && strcmp(argv[1], "--") == 0) {
        argv++;
        argc--;
    }
    if (bad)
        return cli_fail(CLI_USAGE, "query", "an option without its value; see streamsteam query --help");
    if ((argc > 1) + (q->saved != NULL) + q->list != 1 || argc > 2)
        return cli_fail(CLI_USAGE, "query",
                        "say one of 'SELECT ...' (in quotes), --saved NAME, --list; see streamsteam "
                        "query --help");
    if ((q->athena || q->lake) && (q->saved || q->list || (q->athena && q->lake)))
        return cli_fail(CLI_USAGE, "query",
                        "--athena and --lake each want a query in quotes; --saved and --list are the "
                        "warehouse's");
    if ((from || to) && !q->lake)
        return cli_fail(CLI_USAGE, "query", "--from and --to are for --lake");
    q->from_us = INT64_MIN;
    q->to_us = INT64_MAX;
    if ((from && !cli_time(from, &q->from_us)) || (to && !cli_time(to, &q->to_us)))
        return cli_fail(CLI_USAGE, "query",
                        "--from and --to are times as 2026-11-26T08:00:00Z or 2026-11-26");
    if (format && !query_format_read(format, &q->format))
        return cli_fail(CLI_USAGE, "query", "--format %.32s: it is table, csv or json", format);
    int code = read_numbers(q, limit, timeout, memory);
    if (code != CLI_OK || argc == 1)
        return code;
    q->sql = argv[1];
    return strcmp(q->sql, "-") == 0 ? read_standard_input(q) : CLI_OK;
}

static int answer(question *q)
{
    cli_files files;
    found where = {.options = NULL};
    int code = check_saved(q->saved);
    if (code != CLI_OK)
        return code;
    if (q->list)
        query_list_saved();
    code = cli_load("query", q->config, &files);
    if (code == CLI_OK && (q->athena || q->lake)) {
        code = ask_module(q, files.config);
        cli_unload(&files);
        return code;
    }
    if (code == CLI_OK)
        code = find_warehouse(files.config, q->database, &where);
    if (code == CLI_OK)
        code = find_text(q, where.source.dialect);
    if (code == CLI_OK)
        code = q->list ? list_relations(q, &where) : ask(q, &where, q->format, q->limit);
    free(where.options);
    cli_unload(&files);
    return code;
}

int verb_query(int argc, char **argv)
{
    question q = {.format = QUERY_TABLE};
    if (cli_help(argc, argv, help))
        return CLI_OK;
    log_init("query", SS_WARNING);
    int code = read_options(&q, argc, argv);
    if (code == CLI_OK)
        code = answer(&q);
    free(q.typed);
    return code;
}

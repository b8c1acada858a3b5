/* streamsteam catalog: the fields of the configured receivers, as schemas for others and as a manual. */
#include <assert.h>
#include <stdio.h>

#include "core/base/log.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/config.h"
#include "core/config/suggest.h"
#include "core/event/table.h"
#include "plugins/common/catalog.h"

static const char help[] =
    "usage: streamsteam catalog [-c FILE] [--receiver R] [--format F] [--table NAME] [--location URI]\n"
    "\n"
    "Prints every field that events of a receiver may carry: its own, then what its enrichers add.\n"
    "\n"
    "  -c, --config FILE  the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "  --receiver R       this receiver alone (default: all, one after the other)\n"
    "  --format F         text (default) or markdown: the manual, with what each field means\n"
    "                     glue        TableInput for `aws glue create-table`, over the lake's JSON lines\n"
    "                     redshift, sqlite, postgres, flink, spark   CREATE TABLE\n"
    "                     opensearch  body of an index template\n"
    "                     parquet     message type\n"
    "  --table NAME       name of the table, index or message (default: the receiver's)\n"
    "  --location URI     root of the lake, for glue, flink and spark (default: s3://BUCKET/lake)\n"
    "\n"
    "Exit code: 0 = printed, 1 = the configuration is wrong, 2 = wrong use.\n";

static_assert(CATALOG_FIELD_NAME_MAX == EVENT_FIELD_NAME_MAX &&
                  CATALOG_FIELD_DEPTH_MAX == EVENT_FIELD_DEPTH_MAX && CATALOG_FIELDS_MAX == EVENT_FIELDS_MAX,
              "a catalog holds what an event may have");

typedef struct wanted {
    const char *config, *receiver, *format, *table, *location;
} wanted;

typedef struct filling {
    catalog *catalog;
    ss_error *err;
    bool good;
} filling;

static void add_field(void *arg, const ss_field *field, const char *from)
{
    filling *f = arg;
    f->good = f->good && catalog_add(f->catalog, field, from, f->err);
}

static int print_receiver(const config *c, const char *receiver, const wanted *w, buf *out)
{
    ss_error err = error_init();
    filling f = {catalog_new(), &err, true};
    catalog_target target = {receiver, w->table ? w->table : receiver, w->location};
    int rc = CLI_OK;
    if (f.catalog)
        (void)config_fields(c, receiver, add_field, &f);
    if (!f.good)
        rc = cli_fail(CLI_FAILED, "catalog", "%s", err.text);
    else if (!f.catalog || !catalog_print(f.catalog, w->format, &target, out) || out->failed)
        rc = cli_fail(CLI_FAILED, "catalog", "no memory, or more than %u bytes; name one --receiver",
                      CATALOG_BYTES_MAX);
    catalog_free(f.catalog);
    return rc;
}

static int no_receiver(const config *c, const char *name)
{
    suggest near;
    char hint[96];
    suggest_init(&near, ss_cstr(name));
    for (size_t i = 0; config_receiver(c, i); i++)
        suggest_offer(&near, ss_cstr(config_receiver(c, i)));
    return cli_fail(CLI_USAGE, "catalog", "there is no receiver '%.64s'%s", name,
                    suggest_text(&near, hint, sizeof hint));
}

static int print_all(const config *c, const wanted *w, buf *out)
{
    int rc = CLI_OK;
    size_t printed = 0;
    bool one = w->table || catalog_is_single(w->format);
    if (!w->receiver && one && config_count(c, SS_RECEIVER) > 1)
        return cli_fail(CLI_USAGE, "catalog",
                        "there are %zu receivers, and %s is of one: choose it with --receiver",
                        config_count(c, SS_RECEIVER), w->table ? "--table" : w->format);
    for (size_t i = 0; rc == CLI_OK && config_receiver(c, i); i++) {
        const char *receiver = config_receiver(c, i);
        if (w->receiver && strcmp(w->receiver, receiver) != 0)
            continue;
        if (printed++ > 0)
            buf_adds(out, "\n");
        rc = print_receiver(c, receiver, w, out);
    }
    return w->receiver && printed == 0 ? no_receiver(c, w->receiver) : rc;
}

static bool known_format(const char *name)
{
    for (size_t i = 0; catalog_formats[i]; i++)
        if (strcmp(catalog_formats[i], name) == 0)
            return true;
    suggest near;
    char hint[96];
    suggest_init(&near, ss_cstr(name));
    for (size_t i = 0; catalog_formats[i]; i++)
        suggest_offer(&near, ss_cstr(catalog_formats[i]));
    return cli_fail(CLI_USAGE, "catalog", "no format '%.64s'%s; see streamsteam catalog --help", name,
                    suggest_text(&near, hint, sizeof hint)) == CLI_OK;
}

static int print_catalog(const wanted *w)
{
    buf errors, out;
    buf_init(&errors, CONFIG_ERRORS_MAX);
    buf_init(&out, CATALOG_BYTES_MAX);
    config *c = config_load(w->config, &errors);
    if (!c)
        (void)fputs(buf_text(&errors), stderr);
    int rc = c ? print_all(c, w, &out) : CLI_FAILED;
    if (rc == CLI_OK)
        (void)fputs(buf_text(&out), stdout);
    config_free(c);
    buf_fini(&errors);
    buf_fini(&out);
    return rc;
}

int verb_catalog(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    wanted w = {.config = cli_take_option(&argc, argv, "c", "config", &bad),
                .receiver = cli_take_option(&argc, argv, NULL, "receiver", &bad),
                .format = cli_take_option(&argc, argv, NULL, "format", &bad),
                .table = cli_take_option(&argc, argv, NULL, "table", &bad),
                .location = cli_take_option(&argc, argv, NULL, "location", &bad)};
    bad = bad || (w.table && !*w.table) || (w.location && !*w.location);
    if (bad || argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam catalog --help",
                        bad ? "an option without its value" : "an argument that it does not know");
    w.config = cli_config_path(w.config);
    w.format = w.format ? w.format : "text";
    w.location = w.location ? w.location : "s3://BUCKET/lake";
    if (!known_format(w.format))
        return CLI_USAGE;
    log_init("catalog", SS_WARNING);
    return print_catalog(&w);
}

#include "core/cli/instances.h"

#include <stdio.h>
#include <string.h>

#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/verbs.h"
#include "core/observe/health.h"
#include "plugins/loader/loader.h"

typedef struct listing {
    const config *c;
    uint32_t kind;
    bool json;
    size_t rows;
    buf out;
} listing;

static void put_json_text(buf *out, const char *name, const char *text)
{
    buf_addf(out, ",\"%s\":\"", name);
    health_put_json(out, ss_cstr(text ? text : ""));
    buf_adds(out, "\"");
}

static void put_row(listing *l, const char *name, const char *where, const ss_plugin *p)
{
    if (!l->json) {
        buf_addf(&l->out, "%-20s %-4s %-16s %-9s %s\n", name, where ? "on" : "off", p->name, p->version,
                 p->summary ? p->summary : "");
        return;
    }
    buf_adds(&l->out, l->rows++ ? ",\n {" : "\n {");
    buf_addf(&l->out, "\"on\":%s", where ? "true" : "false");
    put_json_text(&l->out, "name", name);
    put_json_text(&l->out, "plugin", p->name);
    put_json_text(&l->out, "version", p->version);
    put_json_text(&l->out, "summary", p->summary);
    if (where)
        put_json_text(&l->out, "file", where);
    buf_adds(&l->out, "}");
}

static void put_entry(listing *l, const config_entry *e)
{
    char where[PATH_MAX + 16];
    (void)snprintf(where, sizeof where, "%s:%u", e->file, e->line);
    put_row(l, e->name, where, e->plugin);
}

static bool is_on(const listing *l, const char *path)
{
    for (size_t i = 0; i < config_entries(l->c); i++) {
        config_entry e = config_entry_at(l->c, i);
        if (e.kind == l->kind && strcmp(e.plugin_path, path) == 0)
            return true;
    }
    return false;
}

static void offer(void *arg, const char *path, uint32_t kind, const char *name)
{
    listing *l = arg;
    ss_error err = error_init();
    if (kind != l->kind || is_on(l, path))
        return;
    const ss_plugin *p = loader_open(path, kind, &err);
    if (p)
        put_row(l, name, NULL, p);
    else
        (void)cli_fail(CLI_FAILED, "list", "%s", err.text);
}

int instances_list(const char *verb, uint32_t kind, const config *c, const config_place *place, bool json)
{
    listing l = {.c = c, .kind = kind, .json = json};
    buf_init(&l.out, CONFIG_ERRORS_MAX);
    if (json)
        buf_adds(&l.out, "[");
    else
        buf_addf(&l.out, "%-20s %-4s %-16s %-9s %s\n", "NAME", "", "PLUGIN", "VERSION", "");
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        if (e.kind == kind)
            put_entry(&l, &e);
    }
    for (size_t d = 0; d < place->dir_count; d++)
        (void)loader_list(place->dirs[d], offer, &l);
    if (json)
        buf_adds(&l.out, "\n]\n");
    (void)fputs(buf_text(&l.out), stdout);
    bool failed = l.out.failed;
    buf_fini(&l.out);
    return failed ? cli_fail(CLI_FAILED, verb, "too many plugins for one list") : CLI_OK;
}

/* ---- receiver and enricher: they are switched in the YAML, so that there is only `list` ---- */

static int list_verb(int argc, char **argv, uint32_t kind, const char *help)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    bool json = cli_take_flag(&argc, argv, "json");
    if (bad || argc != 2 || strcmp(argv[1], "list") != 0)
        return cli_fail(CLI_USAGE, argv[0], "say list; see streamsteam %s --help", argv[0]);
    cli_files files;
    int code = cli_load(argv[0], given, &files);
    if (code == CLI_OK)
        code = instances_list(argv[0], kind, files.config, &files.place, json);
    cli_unload(&files);
    return code;
}

int verb_receiver(int argc, char **argv)
{
    return list_verb(argc, argv, SS_RECEIVER,
                     "usage: streamsteam receiver list [--json] [-c FILE]\n\n"
                     "The receivers that are on, and those that could be: name them under receivers: in the "
                     "configuration.\n");
}

int verb_enricher(int argc, char **argv)
{
    return list_verb(argc, argv, SS_ENRICHER,
                     "usage: streamsteam enricher list [--json] [-c FILE]\n\n"
                     "The enrichers that are on, and those that could be: name them under enrichers: in the "
                     "configuration,\nand in the enrich: list of a receiver.\n");
}

/* streamsteam explain: everything that a plugin, or the server, can be told. */
#include <stdio.h>
#include <unistd.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/config.h"
#include "core/config/explain.h"
#include "core/config/suggest.h"
#include "plugins/loader/loader.h"

#define EXPLAIN_BYTES_MAX (4u * 1024 * 1024)

static const char help[] =
    "usage: streamsteam explain [--markdown] [-c FILE] server | PLUGIN...\n"
    "\n"
    "Prints every option with its type, range, default and meaning, as YAML to copy from; of a plugin also "
    "its\n"
    "routes, views and the fields that it adds to events.\n"
    "\n"
    "  PLUGIN             a name (lake), a kind and a name (module-lake), or the path of an .so\n"
    "  --markdown         as a page of the manual instead\n"
    "  -c, --config FILE  look for plugins in server.plugin_dirs of this configuration\n"
    "\n"
    "Exit code: 0 = explained, 1 = no such plugin, or it cannot be loaded, 2 = wrong use.\n";

/* A search through the plugin directories: all plugins of that name, of whatever kind. */
typedef struct search {
    const char *wanted;
    suggest near;
    char words[64][NAME_MAX + 1]; /* what suggest_offer borrowed */
    size_t word_count, found, failed;
    bool markdown;
    buf *out;
} search;

static bool explain_file(search *s, const char *path, uint32_t kind)
{
    ss_error err = error_init();
    const ss_plugin *p = loader_open(path, kind, &err);
    s->found++;
    if (!p) {
        s->failed++;
        return cli_fail(CLI_FAILED, "explain", "%s", err.text) == CLI_OK;
    }
    if (s->out->len > 0)
        buf_adds(s->out, "\n");
    if (s->markdown)
        explain_plugin_markdown(p, s->out);
    else
        explain_plugin(p, path, s->out);
    return true;
}

static void look_at(void *arg, const char *path, uint32_t kind, const char *name)
{
    static const char *const kinds[] = {"", "receiver", "enricher", "module"};
    search *s = arg;
    char full[NAME_MAX + 16];
    (void)snprintf(full, sizeof full, "%s-%s", kinds[kind], name);
    if (strcmp(name, s->wanted) == 0 || strcmp(full, s->wanted) == 0) {
        (void)explain_file(s, path, kind);
    } else if (s->word_count < sizeof s->words / sizeof s->words[0]) {
        char *word = s->words[s->word_count++];
        (void)snprintf(word, sizeof s->words[0], "%s", name);
        suggest_offer(&s->near, ss_cstr(word));
    }
}

static int explain_one(const char *wanted, const config_place *place, bool markdown, buf *out)
{
    search s = {.wanted = wanted, .markdown = markdown, .out = out};
    char hint[96];
    if (strcmp(wanted, "server") == 0) {
        (markdown ? explain_server_markdown : explain_server)(out);
        return CLI_OK;
    }
    suggest_init(&s.near, ss_cstr(wanted));
    if (strchr(wanted, '/'))
        return explain_file(&s, wanted, 0) ? CLI_OK : CLI_FAILED;
    for (size_t i = 0; i < place->dir_count; i++)
        (void)loader_list(place->dirs[i], look_at, &s);
    if (s.found == 0)
        return cli_fail(CLI_FAILED, "explain",
                        "no plugin '%s' in %s%s; `streamsteam plugins` lists what there is", wanted,
                        place->dir_count ? place->dirs[0] : "any directory",
                        suggest_text(&s.near, hint, sizeof hint));
    return s.failed ? CLI_FAILED : CLI_OK;
}

int verb_explain(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    bool markdown = cli_take_flag(&argc, argv, "markdown");
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    if (bad || argc < 2)
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam explain --help",
                        bad ? "-c wants a file" : "name a plugin, or server");
    config_place place;
    ss_error err = error_init();
    const char *path = cli_config_path(given);
    if (!config_find_place(given || access(path, R_OK) == 0 ? path : NULL, &place, &err))
        return cli_fail(CLI_FAILED, argv[0], "%s", err.text);
    buf out;
    buf_init(&out, EXPLAIN_BYTES_MAX);
    int rc = CLI_OK;
    for (int i = 1; i < argc; i++)
        if (explain_one(argv[i], &place, markdown, &out) != CLI_OK)
            rc = CLI_FAILED;
    (void)fputs(buf_text(&out), stdout);
    buf_fini(&out);
    config_place_fini(&place);
    return rc;
}

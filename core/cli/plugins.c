/* streamsteam plugins: what can be loaded, and why not. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/config.h"
#include "plugins/loader/loader.h"

static const char help[] = "usage: streamsteam plugins [-c FILE] [DIR...]\n"
                           "\n"
                           "Lists the plugins that the server can load: kind, name, version, contract "
                           "version, file. A plugin that it\n"
                           "refuses is listed with the reason and the remedy.\n"
                           "\n"
                           "  -c, --config FILE  look in server.plugin_dirs of this configuration\n"
                           "  DIR...             look in these directories instead\n"
                           "\n"
                           "Exit code: 0 = all can be loaded, 1 = some cannot, 2 = wrong use.\n";

typedef struct listing {
    const char *const *dirs; /* all, to find doubles */
    size_t dir_count;
    size_t good, refused;
} listing;

static void list_one(void *arg, const char *path, uint32_t kind, const char *name)
{
    static const char *const kinds[] = {"", "receiver", "enricher", "module"};
    listing *l = arg;
    ss_error err = error_init();
    char found[PATH_MAX];
    const ss_plugin *p = loader_open(path, kind, &err);
    if (p && !loader_find(l->dirs, l->dir_count, kind, name, found, &err))
        p = NULL;
    l->good += p != NULL;
    l->refused += p == NULL;
    if (p)
        (void)printf("%-9s %-16s %-9s contract %u.%u  %s\n", kinds[kind], p->name, p->version, p->abi_major,
                     p->abi_minor, path);
    else
        (void)printf("%-9s %-16s refused   %s\n", kinds[kind], name, err.text);
}

static int list_dirs(const char *verb, const char *const *dirs, size_t count)
{
    listing l = {.dirs = dirs, .dir_count = count};
    for (size_t i = 0; i < count; i++)
        if (loader_list(dirs[i], list_one, &l) != 0)
            return cli_fail(CLI_FAILED, verb, "%s: %s; set server.plugin_dirs, or name a directory", dirs[i],
                            strerror(errno));
    (void)printf("%zu can be loaded, %zu refused; server " SS_VERSION ", plugin contract %u.%u\n", l.good,
                 l.refused, SS_ABI_MAJOR, SS_ABI_MINOR);
    return l.refused ? CLI_FAILED : CLI_OK;
}

int verb_plugins(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    if (bad)
        return cli_fail(CLI_USAGE, argv[0], "-c wants a file; see streamsteam plugins --help");
    if (argc > 1)
        return list_dirs(argv[0], (const char *const *)(argv + 1), (size_t)argc - 1);
    config_place place;
    ss_error err = error_init();
    const char *path = cli_config_path(given);
    if (!config_find_place(given || access(path, R_OK) == 0 ? path : NULL, &place, &err))
        return cli_fail(CLI_FAILED, argv[0], "%s", err.text);
    int rc = list_dirs(argv[0], (const char *const *)place.dirs, place.dir_count);
    config_place_fini(&place);
    return rc;
}

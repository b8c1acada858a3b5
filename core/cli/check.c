/* streamsteam check: is the configuration right? */
#include <stdio.h>

#include "core/base/log.h"
#include "core/cli/common.h"
#include "core/cli/store_open.h"
#include "core/cli/verbs.h"
#include "core/config/config.h"

#define PRINT_BYTES_MAX (4u * 1024 * 1024)

static const char help[] =
    "usage: streamsteam check [-c FILE] [--connect] [--print]\n"
    "\n"
    "Reads the configuration and the fragments in conf.d/ beside it, loads the plugins it names, and "
    "reports\n"
    "everything that is wrong as FILE:LINE:COLUMN. Starts nothing, listens nowhere, needs no network.\n"
    "\n"
    "  -c, --config FILE  the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "  --connect          also let each plugin try what it connects to, and open the application store\n"
    "  --print            print the effective configuration: defaults filled in, secrets as ***\n"
    "\n"
    "Exit code: 0 = right, 1 = wrong, 2 = wrong use.\n";

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* With --print the configuration has stdout to itself. */
static void print_summary(const config *c, bool connected, FILE *to)
{
    size_t receivers = config_count(c, SS_RECEIVER), enrichers = config_count(c, SS_ENRICHER);
    size_t modules = config_count(c, SS_MODULE);
    (void)fprintf(to, "ok: %zu receiver%s, %zu enricher%s, %zu module%s%s\n", receivers, plural(receivers),
                  enrichers, plural(enrichers), modules, plural(modules), connected ? ", all connected" : "");
}

static int check_file(const char *path, bool connect, bool print)
{
    buf errors, text;
    buf_init(&errors, CONFIG_ERRORS_MAX);
    buf_init(&text, PRINT_BYTES_MAX);
    config *c = config_load(path, &errors);
    bool good = c && (!connect || config_connect(c, &errors) == 0);
    good = good && (!connect || cli_store_try("check", path) == CLI_OK);
    if (c && print) {
        config_print(c, &text);
        (void)fputs(buf_text(&text), stdout);
    }
    if (good)
        print_summary(c, connect, print ? stderr : stdout);
    else
        (void)fputs(buf_text(&errors), stderr);
    config_free(c);
    buf_fini(&errors);
    buf_fini(&text);
    return good ? CLI_OK : CLI_FAILED;
}

int verb_check(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    bool connect = cli_take_flag(&argc, argv, "connect"), print = cli_take_flag(&argc, argv, "print");
    if (bad || argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam check --help",
                        bad ? "-c wants a file" : "an argument that it does not know");
    log_init("check", SS_WARNING);
    return check_file(cli_config_path(given), connect, print);
}

/* streamsteam serve: run the server. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/server/supervisor.h"

static const char help[] =
    "usage: streamsteam serve [-c FILE] [--hints]\n"
    "\n"
    "Runs the server in the foreground until SIGTERM or Ctrl-C; the log goes to stderr, one JSON object a "
    "line.\n"
    "SIGHUP, or `streamsteam reload`, takes over a changed configuration. A wrong configuration starts "
    "nothing.\n"
    "\n"
    "  -c, --config FILE  the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "  --hints            print what to try first to stdout (the default on a terminal)\n"
    "\n"
    "Exit code: 0 = stopped in order, 1 = could not start, or had to be stopped by force, 2 = wrong use.\n";

static void print_hints(void *arg, const char *addresses, const char *data_dir)
{
    int len = (int)strcspn(addresses, "\n");
    (void)arg;
    (void)printf(
        "listening on http://%.*s\n\n"
        "  curl -i "
        "'http://%.*s/matomo.php?idsite=1&rec=1&url=https%%3A%%2F%%2Fexample.org%%2F&action_name=Hello'\n"
        "  streamsteam tail -d %s\n\n"
        "Everything lands in %s (files of module lake: %s/lake). Ctrl-C stops.\n",
        len, addresses, len, addresses, data_dir, data_dir, data_dir);
    (void)fflush(stdout);
}

int verb_serve(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    bool hints = cli_take_flag(&argc, argv, "hints") || isatty(STDOUT_FILENO);
    if (bad || argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam serve --help",
                        bad ? "-c wants a file" : "an argument that it does not know");
    supervisor_options options = {.config_path = cli_config_path(given),
                                  .listening = hints ? print_hints : NULL};
    return supervisor_run_with(&options) == 0 ? CLI_OK : CLI_FAILED;
}

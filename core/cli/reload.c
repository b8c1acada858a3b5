/* streamsteam reload: let the running server take over the changed configuration. */
#include <stdio.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/server/control.h"

static const char help[] =
    "usage: streamsteam reload [-c FILE | -d DIR]\n"
    "\n"
    "The running server reads its configuration again. All of it is taken over, or nothing: then this says "
    "why.\n"
    "Modules that did not change are not touched. What needs a restart of the server is named.\n"
    "\n"
    "  -c, --config FILE   find the server by the data directory in this configuration\n"
    "  -d, --data-dir DIR  find it by its data directory\n"
    "\n"
    "Exit code: 0 = taken over, 1 = not, 2 = wrong use.\n";

int verb_reload(int argc, char **argv)
{
    char dir[PATH_MAX];
    if (cli_help(argc, argv, help))
        return CLI_OK;
    int code = cli_data_dir(&argc, argv, dir);
    if (code != CLI_OK)
        return code;
    if (argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "it does not know \"%s\"; see streamsteam reload --help",
                        argv[1]);
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask(dir, "reload", &answer, NULL, &err);
    if (rc < 0)
        code = cli_fail(CLI_FAILED, argv[0], "%s", err.text);
    else if (rc > 0)
        code = cli_fail(CLI_FAILED, argv[0], "nothing was changed:\n%s", buf_text(&answer));
    else
        (void)printf("reloaded: %s", buf_text(&answer));
    buf_fini(&answer);
    return code;
}

/* What several verbs share: finding the configuration and the data directory, usage errors. */
#ifndef CLI_COMMON_H
#define CLI_COMMON_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* Prints "streamsteam VERB: text" to stderr and returns code: `return cli_fail(CLI_USAGE, argv[0], "...")`.
 */
int cli_fail(int code, const char *verb, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* True where argv has --help or -h: the text was printed to stdout. */
bool cli_help(int argc, char **argv, const char *text);

/* Takes `-SHORT VALUE`, `--LONG VALUE` or `--LONG=VALUE` out of argv (argc is lowered); names come without
   dashes. Returns the value, or NULL where it is absent; *bad is set where the value is missing. short_name
   may be NULL. Everything behind "--" is left alone. */
const char *cli_take_option(int *argc, char **argv, const char *short_name, const char *long_name, bool *bad);
/* The same for `--NAME` alone. */
bool cli_take_flag(int *argc, char **argv, const char *name);

/* The configuration file: the given one, else config/streamsteam.yaml of the current directory, else
   etc/streamsteam/streamsteam.yaml below the prefix (core/base/prefix.h). Borrowed for the process's life. */
const char *cli_config_path(const char *given);

/* Takes -c FILE and -d DIR out of argv; NULL where they are not there. 0, or an exit code after saying why.
 */
int cli_take_place(int *argc, char **argv, const char **dir, const char **file);

/* Takes -c FILE and -d DIR out of argv and finds the data directory: DIR, else server.data_dir of FILE, else
   $STREAMSTEAM_DATA, else the data directory of the default configuration, else var. 0, or an exit code
   after saying why. */
int cli_data_dir(int *argc, char **argv, char out[PATH_MAX]);

/* 2026-11-26T08:00:00Z or 2026-11-26, UTC. false: it is no time; text may be NULL. */
bool cli_time(const char *text, int64_t *us);

#endif

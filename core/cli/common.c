#include "core/cli/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/prefix.h"
#include "core/config/config.h"
#include "plugins/common/rfc3339.h"

int cli_fail(int code, const char *verb, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "streamsteam %s: ", verb);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return code;
}

bool cli_help(int argc, char **argv, const char *text)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(text, stdout);
            return true;
        }
    }
    return false;
}

static void take_out(int *argc, char **argv, int at, int count)
{
    for (int i = at; i + count <= *argc; i++) /* the NULL behind the last one too */
        argv[i] = argv[i + count];
    *argc -= count;
}

const char *cli_take_option(int *argc, char **argv, const char *short_name, const char *long_name, bool *bad)
{
    size_t len = strlen(long_name);
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        const char *a = argv[i];
        bool is_short = short_name && a[0] == '-' && strcmp(a + 1, short_name) == 0;
        bool is_long = a[0] == '-' && a[1] == '-' && strncmp(a + 2, long_name, len) == 0;
        if (is_long && a[2 + len] == '=') {
            const char *value = a + 3 + len;
            take_out(argc, argv, i, 1);
            return value;
        }
        if (!is_short && !(is_long && a[2 + len] == '\0'))
            continue;
        if (i + 1 >= *argc) {
            *bad = true;
            take_out(argc, argv, i, 1);
            return NULL;
        }
        const char *value = argv[i + 1];
        take_out(argc, argv, i, 2);
        return value;
    }
    return NULL;
}

bool cli_take_flag(int *argc, char **argv, const char *name)
{
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) {
            take_out(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

const char *cli_config_path(const char *given)
{
    static const char here[] = "config/streamsteam.yaml";
    if (given)
        return given;
    static char installed[PATH_MAX]; /* verbs run on one thread, and there is one installation */
    return access(here, R_OK) == 0 ? here : prefix_path("etc/streamsteam/streamsteam.yaml", installed);
}

static int from_config(const char *verb, const char *path, char out[PATH_MAX])
{
    config_place place;
    ss_error err = error_init();
    if (!config_find_place(path, &place, &err))
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    (void)snprintf(out, PATH_MAX, "%s", place.data_dir);
    config_place_fini(&place);
    return CLI_OK;
}

int cli_take_place(int *argc, char **argv, const char **dir, const char **file)
{
    bool bad = false;
    *dir = cli_take_option(argc, argv, "d", "data-dir", &bad);
    *file = cli_take_option(argc, argv, "c", "config", &bad);
    return bad ? cli_fail(CLI_USAGE, argv[0], "-c wants a file, -d a directory; see streamsteam %s --help",
                          argv[0])
               : CLI_OK;
}

int cli_data_dir(int *argc, char **argv, char out[PATH_MAX])
{
    const char *dir, *file;
    int code = cli_take_place(argc, argv, &dir, &file);
    if (code != CLI_OK)
        return code;
    const char *environment = getenv("STREAMSTEAM_DATA");
    if (!dir && !file && environment && *environment)
        dir = environment;
    if (dir) {
        (void)snprintf(out, PATH_MAX, "%s", dir);
        return CLI_OK;
    }
    const char *path = cli_config_path(file);
    if (file || access(path, R_OK) == 0)
        return from_config(argv[0], path, out);
    (void)snprintf(out, PATH_MAX, "var");
    return CLI_OK;
}

bool cli_time(const char *text, int64_t *us)
{
    char whole[64];
    if (!text || strlen(text) + sizeof "T00:00:00Z" > sizeof whole)
        return false;
    if (rfc3339_date_time(ss_cstr(text), us))
        return true;
    (void)snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
    return rfc3339_date_time(ss_cstr(whole), us);
}

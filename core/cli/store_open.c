#include "core/cli/store_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/admin/mirror.h"
#include "core/admin/options.h"
#include "core/cli/common.h"
#include "core/config/config.h"

static const char *const limit_names[] = {"rate", "burst", "quota"};

/* The section server.applications and the data directory. With a directory alone: the defaults. */
static int find_section(const char *verb, const char *file, const char *dir, char data_dir[PATH_MAX],
                        ss_config **section)
{
    ss_error err = error_init();
    const char *environment = getenv("STREAMSTEAM_DATA");
    if (!dir && !file && environment && *environment)
        dir = environment;
    const char *path = cli_config_path(file);
    *section = NULL;
    (void)snprintf(data_dir, PATH_MAX, "%s", dir ? dir : "var");
    if (!file && (dir || access(path, R_OK) != 0))
        return CLI_OK;
    config_place found;
    if (!config_find_place(path, &found, &err))
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    if (!dir)
        (void)snprintf(data_dir, PATH_MAX, "%s", found.data_dir);
    if (found.applications)
        *section = node_parse(found.applications, strlen(found.applications), &err);
    bool ok = *section != NULL;
    config_place_fini(&found);
    return ok ? CLI_OK : cli_fail(CLI_FAILED, verb, "%s", err.text);
}

/* What is done with a remote store: nothing, for what is this node's own; a look at its tables; or they are
   read, since a verb works on what is there now and not on what the server read some seconds ago. */
enum reach { REACH_OWN, REACH_CHECK, REACH_PULL };

static enum store_status open_remote(cli_store *s, enum reach reach, ss_error *err)
{
    store_set_remote(s->store, s->remote);
    return reach == REACH_CHECK ? remote_check(s->remote, err) : mirror_pull(s->remote, s->db, err);
}

static int open_store(const char *verb, const ss_config *section, enum reach reach, cli_store *out)
{
    bool existing = reach == REACH_CHECK;
    static store_options options; /* a verb opens one; its connection is copied */
    ss_error err = error_init();
    if (!store_options_read(&options, section, out->data_dir, &err))
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    if (options.none && existing)
        return CLI_OK;
    if (options.none)
        return cli_fail(CLI_FAILED, verb,
                        "server.applications.store is none: set it to sqlite, postgres or dynamodb");
    options.database.existing = existing;
    out->db = database_new(&options.database);
    out->store = out->db ? store_new(out->db, options.hashed) : NULL;
    bool far = options.has_remote && reach != REACH_OWN;
    out->remote = far ? remote_new(&options.remote) : NULL;
    bool lost = far && !out->remote;
    explicit_bzero(&options, sizeof options);
    if (!out->store || lost)
        return cli_fail(CLI_FAILED, verb, "out of memory");
    enum store_status status = database_open(out->db, &err);
    if (out->remote && (status == STORE_OK || (existing && status == STORE_NOT_FOUND)))
        status = open_remote(out, reach, &err);
    return status == STORE_NOT_FOUND ? CLI_OK : cli_store_result(verb, status, &err);
}

static int open_with(int *argc, char **argv, enum reach reach, cli_store *out)
{
    const char *dir, *file;
    *out = (cli_store){.db = NULL};
    int code = cli_take_place(argc, argv, &dir, &file);
    if (code != CLI_OK)
        return code;
    ss_config *section;
    code = find_section(argv[0], file, dir, out->data_dir, &section);
    if (code == CLI_OK)
        code = open_store(argv[0], section, reach, out);
    node_free(section);
    return code;
}

int cli_store_open(int *argc, char **argv, cli_store *out)
{
    return open_with(argc, argv, REACH_PULL, out);
}

int cli_store_open_own(int *argc, char **argv, cli_store *out)
{
    return open_with(argc, argv, REACH_OWN, out);
}

int cli_store_try(const char *verb, const char *file)
{
    cli_store s = {.db = NULL};
    ss_config *section;
    int code = find_section(verb, file, NULL, s.data_dir, &section);
    if (code == CLI_OK)
        code = open_store(verb, section, REACH_CHECK, &s);
    node_free(section);
    cli_store_close(&s);
    return code;
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    (void)puts(line);
}

static int set_up(const char *verb, const ss_config *section, const char *data_dir)
{
    static store_options options;
    ss_error err = error_init();
    if (!store_options_read(&options, section, data_dir, &err))
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    if (!options.has_remote)
        return cli_fail(CLI_FAILED, verb,
                        "only store: dynamodb has tables to be made first; the others make theirs");
    remote *r = remote_new(&options.remote);
    enum store_status status = r ? remote_setup(r, print_line, NULL, &err) : STORE_FAILED;
    remote_free(r);
    return cli_store_result(verb, status, &err);
}

int cli_store_setup(int *argc, char **argv)
{
    const char *dir, *file;
    char data_dir[PATH_MAX];
    ss_config *section = NULL;
    int code = cli_take_place(argc, argv, &dir, &file);
    if (code == CLI_OK)
        code = find_section(argv[0], file, dir, data_dir, &section);
    if (code == CLI_OK)
        code = set_up(argv[0], section, data_dir);
    node_free(section);
    return code;
}

void cli_store_close(cli_store *s)
{
    store_free(s->store);
    remote_free(s->remote);
    database_free(s->db);
    *s = (cli_store){.db = NULL};
}

int cli_store_result(const char *verb, enum store_status status, const ss_error *err)
{
    return status == STORE_OK ? CLI_OK : cli_fail(CLI_FAILED, verb, "%s", err->text);
}

/* ---- arguments -------------------------------------------------------------------------------- */

bool cli_store_limit(const char *text, int64_t *out)
{
    char *end;
    if (strcmp(text, "default") == 0) {
        *out = STORE_LIMIT_DEFAULT;
        return true;
    }
    *out = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out <= STORE_LIMIT_MAX;
}

int cli_store_limits(int *argc, char **argv, cli_limits *out)
{
    const int64_t **places[] = {&out->rate, &out->burst, &out->quota};
    for (size_t i = 0; i < 3; i++) {
        bool bad = false;
        const char *text = cli_take_option(argc, argv, NULL, limit_names[i], &bad);
        *places[i] = text ? &out->values[i] : NULL;
        if (bad || (text && !cli_store_limit(text, &out->values[i])))
            return cli_fail(CLI_USAGE, argv[0],
                            "--%s wants a number of events from 0 (no limit) on, or default", limit_names[i]);
    }
    return CLI_OK;
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* Names come from outside: no control characters on somebody's terminal. */
static void print_text(ss_str s)
{
    for (size_t i = 0; i < s.len; i++)
        (void)putchar((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? '?' : s.ptr[i]);
}

static void print_member(const char *name, ss_str value)
{
    (void)printf(",\"%s\":\"", name);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c == '"' || c == '\\')
            (void)printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

static void print_times_json(int64_t created_s, int64_t updated_s)
{
    char created[STORE_TIME_SIZE], updated[STORE_TIME_SIZE];
    store_put_time(created_s, created);
    store_put_time(updated_s, updated);
    (void)printf(",\"CreatedAt\":\"%s\",\"UpdatedAt\":\"%s\"", created, updated);
}

/* Limits of its own only. */
static void print_limits_json(const store_limits *limits)
{
    const int64_t values[] = {limits->rate, limits->burst, limits->quota};
    bool first = true;
    (void)fputs(",\"Limits\":{", stdout);
    for (size_t i = 0; i < 3; i++)
        if (values[i] != STORE_LIMIT_DEFAULT) {
            (void)printf("%s\"%s\":%lld", first ? "" : ",", limit_names[i], (long long)values[i]);
            first = false;
        }
    (void)putchar('}');
}

void cli_print_app_json(const store_app *app)
{
    (void)printf("{\"ApplicationId\":\"%s\"", app->id);
    print_member("ApplicationName", app->name);
    if (app->has_description)
        print_member("Description", app->description);
    print_times_json(app->created_s, app->updated_s);
    (void)printf(",\"Tolerant\":%s", app->flags & SS_APP_TOLERANT ? "true" : "false");
    print_limits_json(&app->limits);
    (void)putchar('}');
}

void cli_print_key_json(const store_key *key)
{
    (void)printf("{\"ApiKeyId\":\"%s\"", key->id);
    print_member(key->value_whole ? "ApiKeyValue" : "ApiKeyPrefix", key->value);
    print_member("ApiKeyName", key->name);
    (void)printf(",\"ApplicationId\":\"%s\"", key->app_id);
    if (key->has_description)
        print_member("ApiKeyDescription", key->description);
    print_times_json(key->created_s, key->updated_s);
    (void)printf(",\"Enabled\":%s", key->enabled ? "true" : "false");
    print_limits_json(&key->limits);
    (void)putchar('}');
}

static void print_row(const char *name, ss_str value)
{
    (void)printf("%-12s ", name);
    print_text(value);
    (void)putchar('\n');
}

static void print_rest(bool has_description, ss_str description, const store_limits *limits,
                       int64_t created_s, int64_t updated_s)
{
    const int64_t values[] = {limits->rate, limits->burst, limits->quota};
    char time[STORE_TIME_SIZE];
    if (has_description)
        print_row("description", description);
    for (size_t i = 0; i < 3; i++)
        if (values[i] != STORE_LIMIT_DEFAULT)
            (void)printf("%-12s %lld\n", limit_names[i], (long long)values[i]);
    store_put_time(created_s, time);
    (void)printf("%-12s %s\n", "created", time);
    store_put_time(updated_s, time);
    (void)printf("%-12s %s\n", "updated", time);
}

void cli_print_app(const store_app *app)
{
    print_row("application", ss_cstr(app->id));
    print_row("name", app->name);
    (void)printf("%-12s %s\n", "tolerant", app->flags & SS_APP_TOLERANT ? "on" : "off");
    print_rest(app->has_description, app->description, &app->limits, app->created_s, app->updated_s);
}

void cli_print_key(const store_key *key)
{
    print_row("key", ss_cstr(key->id));
    print_row("application", ss_cstr(key->app_id));
    print_row("name", key->name);
    print_row(key->value_whole ? "value" : "begins with", key->value);
    (void)printf("%-12s %s\n", "enabled", key->enabled ? "yes" : "no");
    print_rest(key->has_description, key->description, &key->limits, key->created_s, key->updated_s);
}

void cli_print_app_line(const store_app *app)
{
    char time[STORE_TIME_SIZE];
    store_put_time(app->created_s, time);
    (void)printf("%s  %s  %-8s  ", app->id, time, app->flags & SS_APP_TOLERANT ? "tolerant" : "strict");
    print_text(app->name);
    (void)putchar('\n');
}

void cli_print_key_line(const store_key *key)
{
    char time[STORE_TIME_SIZE];
    store_put_time(key->created_s, time);
    (void)printf("%s  %s  %-8s  ", key->id, time, key->enabled ? "enabled" : "disabled");
    print_text(ss_s(key->value.ptr, key->value.len < STORE_PREFIX_LEN ? key->value.len : STORE_PREFIX_LEN));
    (void)fputs("...  ", stdout);
    print_text(key->name);
    (void)putchar('\n');
}

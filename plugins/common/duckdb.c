#include "plugins/common/duckdb.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#define WHY_MAX    300u
#define NUMBER_MAX 32u

/* ---- the library ---- */

static bool take_calls(void *library, duck_api *api, const char *name, ss_error *err)
{
    void *symbol;
#define TAKE(type, call, args)                                                                               \
    symbol = dlsym(library, "duckdb_" #call);                                                                \
    memcpy(&api->call, &symbol, sizeof symbol);                                                              \
    if (!symbol)                                                                                             \
        return ss_fail(err, SS_REJECT, "%s has no duckdb_%s: it is too old; DuckDB 1.2 or newer is needed",  \
                       name, #call),                                                                         \
               false;
    DUCK_CALLS(TAKE)
#undef TAKE
    return true;
}

static bool load(const char *library, duck_api *api, ss_error *err)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle)
        return take_calls(handle, api, library, err);
    return ss_fail(err, SS_REJECT,
                   "DuckDB's library cannot be loaded (%.150s): install libduckdb (duckdb.org), or name its "
                   "file with `library`",
                   dlerror()),
           false;
}

const duck_api *duck_load(const char *library, ss_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static duck_api api;
    static bool loaded; /* one library a process: the first that could be loaded */
    (void)pthread_mutex_lock(&lock);
    loaded = loaded || load(library, &api, err);
    bool good = loaded;
    (void)pthread_mutex_unlock(&lock);
    return good ? &api : NULL;
}

void duck_fail(ss_error *err, const char *doing, const char *why)
{
    char line[WHY_MAX];
    (void)snprintf(line, sizeof line, "%s", why && *why ? why : "no reason given");
    for (char *p = line; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    (void)ss_fail(err, SS_RETRY, "DuckDB cannot %s: %s", doing, line);
}

/* ---- an instance ---- */

typedef struct setting {
    const char *name, *value;
} setting;

static bool configure(const duck_api *api, void *config, const duck_limits *l, ss_error *err)
{
    char memory[NUMBER_MAX], temp[NUMBER_MAX];
    (void)snprintf(memory, sizeof memory, "%lluB", (unsigned long long)l->memory_bytes);
    (void)snprintf(temp, sizeof temp, "%lluB", (unsigned long long)l->temp_bytes);
    const setting settings[] = {{"threads", "1"},
                                {"memory_limit", memory},
                                {"temp_directory", l->temp_dir ? l->temp_dir : ""},
                                {"max_temp_directory_size", temp},
                                {"autoinstall_known_extensions", "false"},
                                {"autoload_known_extensions", "false"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (api->set_config(config, settings[i].name, settings[i].value) != 0) {
            duck_fail(err, "be limited", settings[i].name);
            return false;
        }
    return true;
}

bool duck_open(duck *d, const char *library, const duck_limits *limits, ss_error *err)
{
    void *config = NULL;
    char *why = NULL;
    *d = (duck){.api = duck_load(library, err)};
    if (!d->api)
        return false;
    bool good = d->api->create_config(&config) == 0 && configure(d->api, config, limits, err);
    if (good &&
        (d->api->open_ext(NULL, &d->db, config, &why) != 0 || d->api->connect(d->db, &d->connection) != 0)) {
        duck_fail(err, "start", why);
        good = false;
    }
    if (why)
        d->api->free(why);
    if (config)
        d->api->destroy_config(&config);
    if (!good)
        duck_close(d);
    return good;
}

void duck_close(duck *d)
{
    if (d->connection)
        d->api->disconnect(&d->connection);
    if (d->db)
        d->api->close(&d->db);
    *d = (duck){.api = NULL};
}

bool duck_run(duck *d, const char *sql, uint64_t *changed, ss_error *err)
{
    duck_result result = {.inside = NULL};
    bool good = d->api->query(d->connection, sql, &result) == 0;
    if (!good)
        duck_fail(err, "do that", d->api->result_error(&result));
    else if (changed)
        *changed = d->api->rows_changed(&result);
    d->api->destroy_result(&result);
    return good;
}

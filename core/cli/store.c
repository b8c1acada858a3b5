#include "core/cli/store.h"

#include "core/cli/common.h"
#include "core/config/config.h"

int cli_store_open(const char *verb, const char *config_path, cli_store *out)
{
    config_place place;
    ss_error err = error_init();
    char path[PATH_MAX + 32];
    *out = (cli_store){.db = NULL};
    if (!config_find_place(cli_config_path(config_path), &place, &err))
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    (void)snprintf(path, sizeof path, "%s/applications.db", place.data_dir);
    config_place_fini(&place);
    const database_options options = {.kind = DATABASE_SQLITE, .path = path};
    out->db = database_new(&options);
    out->store = out->db ? store_new(out->db, false) : NULL;
    if (!out->store || database_open(out->db, &err) != STORE_OK)
        return cli_fail(CLI_FAILED, verb, "%s", err.text);
    return CLI_OK;
}

void cli_store_close(cli_store *s)
{
    store_free(s->store);
    database_free(s->db);
}

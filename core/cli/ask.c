#include "core/cli/ask.h"

void cli_names_add(cli_names *n, const char *name)
{
    if (n->count < CLI_NAMES_MAX)
        n->at[n->count++] = name;
}

static void note_name(void *arg, const char *name)
{
    cli_names_add(arg, name);
}

void cli_names_of(cli_names *n, const config *c, const config_entry *e, const char *key)
{
    n->count = 0;
    config_entry_names(c, e, key, note_name, n);
}

void cli_names_receivers(cli_names *n, const config *c)
{
    n->count = 0;
    for (size_t i = 0; config_receiver(c, i); i++)
        cli_names_add(n, config_receiver(c, i));
}

void cli_names_taken(cli_names *n, const config *c, const config_entry *e)
{
    cli_names_of(n, c, e, "receivers");
    if (n->count == 0)
        cli_names_receivers(n, c);
}

int32_t cli_write_nothing(void *self, const char *bytes, size_t len)
{
    (void)self, (void)bytes, (void)len;
    return 0;
}

/* What verbs share that ask a plugin something through howto(): names out of the configuration, and a sink
   for answers that come another way. One thread. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "core/config/config.h"

#define CLI_NAMES_MAX 2048u /* more than the configuration takes */

typedef struct cli_names { /* too large for a stack */
    const char *at[CLI_NAMES_MAX];
    size_t count;
} cli_names;

void cli_names_add(cli_names *n, const char *name);
/* n becomes what stands in the entry under key (config_entry_names()). */
void cli_names_of(cli_names *n, const config *c, const config_entry *e, const char *key);
/* n becomes all receivers of the configuration. */
void cli_names_receivers(cli_names *n, const config *c);
/* n becomes the receivers whose events the entry takes: its own list, or all. */
void cli_names_taken(cli_names *n, const config *c, const config_entry *e);

/* For ss_sink.write. */
int32_t cli_write_nothing(void *self, const char *bytes, size_t len);

#endif

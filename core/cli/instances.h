/* What `streamsteam module|receiver|enricher list` prints: what is switched on, and what could be. */
#ifndef CLI_INSTANCES_H
#define CLI_INSTANCES_H

#include "core/config/config.h"

/* argv behind "list": --json. Returns the exit code. */
int instances_list(const char *verb, uint32_t kind, const config *c, const config_place *place, bool json);

#endif

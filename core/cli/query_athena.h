/* streamsteam query --athena: the question goes to Athena, with the client and the options of a module that
   uses the plugin glue. */
#ifndef CLI_QUERY_ATHENA_H
#define CLI_QUERY_ATHENA_H

#include "core/config/config.h"
#include "plugins/common/warehouse_read.h"

/* The module of that plugin, or the one that is wanted by name; false: it was said why. */
bool query_module(const config *c, const char *plugin, const char *option, const char *wanted,
                  config_entry *chosen);

/* module: the instance, or NULL where there is one. CLI_OK; else *fault says why, or it was said already and
   fault->kind is 0. */
int query_athena(const config *c, const char *module, const char *sql, int64_t timeout_ms,
                 const warehouse_rows *rows, warehouse_fault *fault);

#endif

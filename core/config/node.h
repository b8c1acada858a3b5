/* The checked configuration as plugins and processes read it: ss_config nodes over JSON. Getters never fail:
   what is absent or of another type is "", 0 or NULL. Read-only after node_parse: any thread.
   A secret stands as {"$secret":"value"} or, where it is read again on each use, {"$file":"/path"}. */
#ifndef CONFIG_NODE_H
#define CONFIG_NODE_H

#include "core/base/error.h"

/* Registers every secret value in it with the log, which then never prints it. NULL with err. */
ss_config *node_parse(const char *json, size_t len, ss_error *err);
void node_free(ss_config *root);

/* path: "roll.bytes"; "" = the node itself. A key that itself has dots is found too. n may be NULL. */
const ss_config *node_get(const ss_config *n, const char *path);
size_t node_len(const ss_config *n); /* OBJECT, LIST, MAP; else 0 */
const ss_config *node_at(const ss_config *n, size_t i);
ss_str node_key(const ss_config *n, size_t i);         /* in the order of the file; "" for a list */
ss_str node_str(const ss_config *n, const char *path); /* NUL-terminated; "" for a secret kept in a file */
int64_t node_int(const ss_config *n, const char *path);
double node_float(const ss_config *n, const char *path);
bool node_is_list(const ss_config *n);
/* The present value of a secret (or of any string), NUL-terminated where there is room. Length, or -1. */
int64_t node_secret(const ss_config *n, const char *path, char *out, size_t size, ss_error *err);

#endif

/* From a request's path and method to the receivers that may take it. Built once per configuration, then
   read-only: any thread.
   Order: exact paths, then paths with {name} parts, then prefixes (longest first); among equals the order
   of the configuration. A trailing slash matches too. */
#ifndef PIPELINE_ROUTE_H
#define PIPELINE_ROUTE_H

#include "core/base/error.h"

#define ROUTE_PARAMS_MAX 8u    /* {name} parts of one path               */
#define ROUTE_PATH_MAX   512u  /* bytes of a declared path               */
#define ROUTES_MAX       4096u /* of all receivers together              */

enum route_method {
    ROUTE_GET = 1u,
    ROUTE_HEAD = 2u,
    ROUTE_POST = 4u,
    ROUTE_PUT = 8u,
    ROUTE_DELETE = 16u,
    ROUTE_OPTIONS = 32u,
    ROUTE_PATCH = 64u,
    ROUTE_OTHER = 128u,
    ROUTE_ALL = 255u
};

typedef struct route_entry {
    char *path; /* without a trailing slash; owned */
    size_t len;
    uint64_t hash;
    uint32_t methods, kind;
    uint32_t order;
    uint32_t chain;  /* exact: the next entry of the same bucket, + 1 */
    ss_str declared; /* what request->route says; borrowed */
    void *owner;
} route_entry;

typedef struct route_table route_table;

route_table *route_table_new(void);
void route_table_free(route_table *t);
/* methods: "GET|POST", "*". flags: enum ss_route_flag. declared, owner: borrowed. */
bool route_add(route_table *t, ss_str path, const char *methods, uint32_t flags, ss_str declared, void *owner,
               ss_error *err);
/* After the last route_add(). */
bool route_table_seal(route_table *t, ss_error *err);

typedef struct route_walk {
    const route_table *table;
    ss_str path;
    uint64_t hash;
    uint32_t method, stage, next;
    uint32_t methods_seen; /* of entries that matched the path only: for 405 and Allow */
    uint32_t param_count;
    ss_pair params[ROUTE_PARAMS_MAX];
} route_walk;

uint32_t route_method_of(ss_str method);
void route_walk_start(route_walk *w, const route_table *t, ss_str path, uint32_t method);
const route_entry *route_walk_next(route_walk *w); /* NULL: no more */
/* "GET, POST" for Allow; returns its length. */
size_t route_put_methods(uint32_t methods, char *out, size_t size);

#endif

/* The checked configuration, cut into what each process gets: one JSON text per process, with its own subtree
   only. Made by a forked child (which opens plugins), handed to the supervisor (which never does) as JSON.
   Immutable after creation: any thread. All texts are borrowed from the plan.

   Ingest's blob: {"role":"ingest","data_dir","server":{...,"journal":{...}},"listeners":[{"name","address",
   "admin"}],"receivers":[{"name","use","path","ack","enrich":[],"routes":{"/old":["/new"]},"options":{}}],
   "enrichers":[{"name","use","path","options":{}}],"warehouse":"NAME"}; warehouse: the module whose plugin is
   redshift or warehouse, "" = none.
   A module's blob: {"role":"module","name","use","path","slot":null,"data_dir","journal_dir","options":{},
   "host":{"receivers","types","apps","batch":{"records","bytes","linger_ms"},"start","max_bytes","deadline_ms",
   "retry":{"base_ms","max_ms"},"view","drain_ms"},"views":[{"receiver","path"}],
   "catalog":{"RECEIVER":[{"name","type","flags","doc","source"}]}}; type is enum ss_field_type.
   A pull receiver's blob:
   {"role":"receiver","name","use","path","log_level","data_dir","memory","options":{}}; its option `parser`
   names the receiver of ingest's blob that reads its messages. In server and host a duration has "_ms" behind
   its name; options keep the plugin's names. SIZE is bytes, DURATION milliseconds, PATH absolute, ANY JSON
   text; a secret is {"$secret":"value"} or {"$file":"/path"}: node.h reads both. */
#ifndef CONFIG_PLAN_H
#define CONFIG_PLAN_H

#include "core/base/buf.h"
#include "core/base/error.h"

typedef struct plan plan;
struct config;

/* Reads FILE and its conf.d, loads the plugins named, checks all. Errors, one per line "FILE:LINE:COL: ...",
   go to `errors`; NULL if there were any. */
plan *plan_load(const char *path, buf *errors);
plan *plan_from_config(const struct config *c); /* NULL: out of memory */
plan *plan_from_json(const char *text, size_t len, ss_error *err);
char *plan_to_json(const plan *p); /* to be freed; NULL: out of memory */
void plan_free(plan *p);

typedef struct plan_listener {
    const char *name; /* "public", "admin" */
    const char *address;
    bool admin;
} plan_listener;

typedef struct plan_module {
    const char *name;
    const char *blob;
    uint64_t max_bytes; /* what its reader may pin; 0 = no limit */
} plan_module;

typedef struct plan_puller { /* a receiver with run(): a process of its own */
    const char *name;
    const char *blob;
} plan_puller;

const char *plan_data_dir(const plan *p);  /* absolute */
const char *plan_log_level(const plan *p); /* debug, info, warning, error */
int64_t plan_drain_ms(const plan *p);
size_t plan_loops(const plan *p); /* 1 or more: "0" in the file is already a number here */
size_t plan_listener_count(const plan *p);
plan_listener plan_listener_at(const plan *p, size_t i);
const char *plan_ingest_blob(const plan *p);
size_t plan_module_count(const plan *p);
plan_module plan_module_at(const plan *p, size_t i);
size_t plan_puller_count(const plan *p);
plan_puller plan_puller_at(const plan *p, size_t i);

#endif

/* The admin HTTP API, as the guidance's Express application and its gateway answer (docs/admin-api.md):
   applications, authorizations, redshift/setup. admin_route_of() is pure; admin_answer() blocks on the
   database and is for worker threads: several may call at the same time. */
#ifndef ADMIN_API_H
#define ADMIN_API_H

#include "core/admin/signature.h"
#include "core/admin/store.h"
#include "core/base/buf.h"

#define ADMIN_BODY_MAX  (100u * 1024)        /* as Express reads; more is 400 */
#define ADMIN_REPLY_MAX (256u * 1024 * 1024) /* a list that is longer is 500  */
#define ADMIN_TOKEN_MAX 1024u                /* bearer_token */

enum admin_route {
    ADMIN_UNKNOWN = 0, /* not ours, or not with this method */
    ADMIN_APPS,        /* applications                      */
    ADMIN_APP,         /* applications/{id}                 */
    ADMIN_KEYS,        /* applications/{id}/authorizations  */
    ADMIN_KEY,         /* applications/{id}/authorizations/{keyId} */
    ADMIN_SETUP        /* redshift/setup                    */
};

typedef struct admin_target {
    enum admin_route route;
    ss_str app, key; /* slices of the path */
} admin_target;

/* path: decoded, with the stage ("/live"). False: it is not below the stage. A trailing slash does not
   count. */
bool admin_route_of(ss_str stage, ss_str path, ss_str method, admin_target *out);

typedef struct admin_call {
    signed_request wire;
    ss_str path, body; /* decoded path; body after Content-Encoding was undone */
    ss_str authorization;
    ss_str client; /* for the log */
    int64_t now_us;
} admin_call;

typedef struct admin_reply {
    uint32_t status;
    buf body; /* JSON; to be ended with buf_fini, or its memory taken */
} admin_reply;

typedef struct admin_options {
    store *store;       /* borrowed */
    const char *stage;  /* "/live"; borrowed */
    const char *region; /* "": any; borrowed */
    int64_t skew_ms;
    bool refuse_replays;
    /* The bearer token now, 0 = none is configured, -1 = it cannot be read (err). */
    int64_t (*token)(void *arg, char *out, size_t size, ss_error *err);
    /* Runs the setup of the warehouse's module. SS_OK; SS_DECLINE: there is nothing to set up; else err. */
    int32_t (*setup)(void *arg, ss_error *err);
    void *arg;
} admin_options;

typedef struct admin_api admin_api;

admin_api *admin_new(const admin_options *options); /* NULL: out of memory */
void admin_free(admin_api *api);
/* False: nobody has made an application or a key here, and reading must not make a file. */
bool admin_has_store(store *s);
/* Tells in the log, once, where nobody can be let in yet. */
void admin_look(admin_api *api);
void admin_answer(admin_api *api, const admin_call *call, admin_reply *reply);

/* Bodies that do not depend on anything: static. */
extern const char admin_denied[]; /* 403 */
/* {"error":CODE,"error_detail":TEXT}; static code, any text. */
void admin_error(admin_reply *reply, uint32_t status, const char *code, ss_str text);

#endif

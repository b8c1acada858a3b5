#include "core/admin/remote.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/prefix.h"

struct remote {
    remote_options options;
    const remote_ops *ops;
    void *self;
    pthread_mutex_t lock;
};

remote *remote_new(const remote_options *options)
{
    remote *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->options = *options;
    (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

void remote_free(remote *r)
{
    if (!r)
        return;
    if (r->self)
        r->ops->close(r->self);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- the shared object ---- */

/* Beside the plugins of an installed tree, or where the build put it. */
static const char *library_path(char out[PATH_MAX])
{
    char exe[PATH_MAX];
    (void)prefix_path("lib/streamsteam/" REMOTE_LIBRARY_NAME, out);
    if (access(out, R_OK) == 0)
        return out;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    char *name = strrchr(exe, '/');
    if (!name)
        return out;
    *name = '\0';
    (void)snprintf(out, PATH_MAX, "%.3000s/../lib/" REMOTE_LIBRARY_NAME, exe);
    return out;
}

static enum store_status cannot_load(ss_error *err, const char *why)
{
    (void)ss_fail(err, 0,
                  "%s: cannot be loaded: %.200s; it belongs to the server's installation (make install)",
                  REMOTE_LIBRARY_NAME, why ? why : "");
    err->code = STORE_AWAY;
    return STORE_AWAY;
}

static enum store_status load(remote *r, ss_error *err)
{
    char path[PATH_MAX];
    void *library = dlopen(library_path(path), RTLD_NOW | RTLD_LOCAL);
    const remote_ops *ops = library ? dlsym(library, REMOTE_OPS_SYMBOL) : NULL;
    if (!ops)
        return cannot_load(err, dlerror());
    if (strcmp(ops->version, SS_VERSION) != 0)
        return cannot_load(err, "it is of another version");
    r->ops = ops; /* stays loaded: threads of its libraries may live on */
    return STORE_OK;
}

/* With the lock. */
static enum store_status ready(remote *r, ss_error *err)
{
    enum store_status status = r->ops ? STORE_OK : load(r, err);
    if (status == STORE_OK && !r->self)
        r->self = r->ops->open(&r->options, err);
    if (status == STORE_OK && !r->self) {
        err->code = STORE_AWAY;
        return STORE_AWAY;
    }
    return status;
}

/* ---- calls ---- */

#define CALL(r, err, call)                                                                                   \
    do {                                                                                                     \
        (void)pthread_mutex_lock(&(r)->lock);                                                                \
        enum store_status status_ = ready((r), (err));                                                       \
        if (status_ == STORE_OK)                                                                             \
            status_ = (r)->ops->call;                                                                        \
        (void)pthread_mutex_unlock(&(r)->lock);                                                              \
        return status_;                                                                                      \
    } while (0)

enum store_status remote_put_app(remote *r, const store_app *app, ss_error *err)
{
    CALL(r, err, put_app(r->self, app, err));
}

enum store_status remote_set_app(remote *r, ss_str id, const store_app_change *change, int64_t updated_s,
                                 ss_error *err)
{
    CALL(r, err, set_app(r->self, id, change, updated_s, err));
}

enum store_status remote_drop_app(remote *r, ss_str id, ss_error *err)
{
    CALL(r, err, drop_app(r->self, id, err));
}

enum store_status remote_put_key(remote *r, const store_key *key, ss_error *err)
{
    CALL(r, err, put_key(r->self, key, err));
}

enum store_status remote_set_key(remote *r, ss_str app_id, ss_str key_id, const store_key_change *change,
                                 int64_t updated_s, ss_error *err)
{
    CALL(r, err, set_key(r->self, app_id, key_id, change, updated_s, err));
}

enum store_status remote_drop_key(remote *r, ss_str app_id, ss_str key_id, ss_error *err)
{
    CALL(r, err, drop_key(r->self, app_id, key_id, err));
}

enum store_status remote_each_app(remote *r, store_app_visit visit, void *arg, ss_error *err)
{
    CALL(r, err, each_app(r->self, visit, arg, err));
}

enum store_status remote_each_key(remote *r, store_key_visit visit, void *arg, ss_error *err)
{
    CALL(r, err, each_key(r->self, visit, arg, err));
}

enum store_status remote_check(remote *r, ss_error *err)
{
    CALL(r, err, check(r->self, err));
}

enum store_status remote_setup(remote *r, void (*say)(void *arg, const char *line), void *arg, ss_error *err)
{
    CALL(r, err, setup(r->self, say, arg, err));
}

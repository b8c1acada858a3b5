#include "modules/spark/lake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugins/common/json.h"

#define MANIFESTS  "/_manifest"
#define READ_BYTES (64u << 10)
#define SETTLE_NS  2000000000ll /* a directory's time may stand still for one tick of the kernel's clock */

/* ---- a directory ---- */

typedef struct directory {
    char path[PATH_MAX], manifests[PATH_MAX + 16];
    struct timespec changed;
} directory;

static bool directory_changed(void *self)
{
    directory *d = self;
    struct stat st;
    struct timespec now;
    if (stat(d->manifests, &st) != 0)
        return false;
    bool same = st.st_mtim.tv_sec == d->changed.tv_sec && st.st_mtim.tv_nsec == d->changed.tv_nsec;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = (now.tv_sec - st.st_mtim.tv_sec) * 1000000000ll + now.tv_nsec - st.st_mtim.tv_nsec;
    if (age > SETTLE_NS)
        d->changed = st.st_mtim;
    return !same;
}

static bool directory_list(void *self, const lake_names *names, ss_error *err)
{
    directory *d = self;
    DIR *dir = opendir(d->manifests);
    struct dirent *e;
    if (!dir)
        return errno == ENOENT || (ss_fail(err, SS_RETRY, "%.300s: %m", d->manifests), false);
    bool good = true;
    while (good && (e = readdir(dir)) != NULL) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".json") == 0)
            good = names->visit(names->arg, ss_s(e->d_name, len));
    }
    (void)closedir(dir);
    return good;
}

static bool directory_read(void *self, ss_str name, grow *out, ss_error *err)
{
    directory *d = self;
    char path[PATH_MAX + 300];
    (void)snprintf(path, sizeof path, "%s/%.*s", d->manifests, (int)name.len, name.ptr);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    grow_clear(out);
    while (fd >= 0 && grow_room(out, READ_BYTES) && (n = read(fd, out->at + out->len, READ_BYTES)) > 0)
        out->len += (size_t)n;
    if (fd < 0 || n < 0)
        (void)ss_fail(err, SS_RETRY, "%.400s: %m", path);
    else if (out->full)
        (void)ss_fail(err, SS_RETRY, "%.400s: a manifest of more than %u bytes", path, LAKE_MANIFEST_MAX);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0 && n == 0 && !out->full;
}

static const char *directory_base(void *self)
{
    return ((directory *)self)->path;
}

bool lake_directory(lake_source *out, ss_str path, ss_error *err)
{
    directory *d = calloc(1, sizeof *d);
    if (!d || path.len >= sizeof d->path)
        return free(d), ss_fail(err, SS_REJECT, "lake: the path is too long, or no memory"), false;
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    memcpy(d->path, path.ptr, path.len);
    (void)snprintf(d->manifests, sizeof d->manifests, "%s" MANIFESTS, d->path);
    *out = (lake_source){.self = d,
                         .list = directory_list,
                         .read = directory_read,
                         .changed = directory_changed,
                         .free = free,
                         .base = directory_base};
    return true;
}

/* ---- a manifest ---- */

static bool read_objects(json_scan *s, bool (*visit)(void *arg, const lake_object *o), void *arg)
{
    json_value v;
    lake_object o;
    char path[LAKE_PATH_MAX];
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!lake_object_read(s, &o, path) || !visit(arg, &o))
            return false;
    return true;
}

bool manifest_read(ss_str text, bool (*visit)(void *arg, const lake_object *o), void *arg, ss_error *err)
{
    json_scan s;
    json_value v, key;
    bool good = text.len <= JSON_TEXT_MAX && json_valid(text), found = false;
    json_start(&s, text);
    good = good && json_read(&s, &v) && v.kind == JSON_OBJECT;
    while (good && json_member(&s, &key)) {
        if (json_is(&key, "objects")) {
            good = read_objects(&s, visit, arg);
            found = true;
        } else {
            good = json_skip(&s, NULL);
        }
    }
    return (good && found) || (ss_fail(err, SS_REJECT, "it is no manifest of a lake"), false);
}

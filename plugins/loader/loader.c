#include "plugins/loader/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "plugins/loader/gate.h"

#define LOADER_LIST_MAX 1024u /* plugins in one directory */

static const char *const kind_names[] = {NULL, "receiver", "enricher", "module"};

static void copy_row(void *out, size_t size, const void *table, size_t stride, size_t i)
{
    memset(out, 0, size);
    memcpy(out, (const char *)table + i * stride, stride < size ? stride : size);
}

ss_field loader_field(const ss_plugin *p, size_t i)
{
    return loader_field_of(p, p->fields, i);
}

ss_field loader_field_of(const ss_plugin *p, const ss_field *fields, size_t i)
{
    ss_field f = {0};
    if (fields)
        copy_row(&f, sizeof f, fields, p->field_size, i);
    return f;
}

bool loader_instance_fields(const ss_plugin *p, void *inst, const ss_field **fields, ss_error *err)
{
    *fields = p->fields;
    if (!SS_HAS(ss_plugin, p, instance_fields) || !p->instance_fields)
        return true;
    *fields = p->instance_fields(inst);
    return gate_check_fields(p, *fields, p->name, err);
}

ss_option loader_option(const ss_plugin *p, const ss_option *table, size_t i)
{
    ss_option o = {0};
    if (table)
        copy_row(&o, sizeof o, table, p->option_size, i);
    return o;
}

ss_route loader_route(const ss_plugin *p, size_t i)
{
    ss_route r = {0};
    if (p->receiver && p->receiver->routes)
        copy_row(&r, sizeof r, p->receiver->routes, p->receiver->route_size, i);
    return r;
}

ss_view loader_view(const ss_plugin *p, size_t i)
{
    ss_view v = {0};
    if (p->receiver && p->receiver->views)
        copy_row(&v, sizeof v, p->receiver->views, p->receiver->view_size, i);
    return v;
}

/* "receiver-matomo.so" -> SS_RECEIVER, "matomo" */
static uint32_t parse_name(const char *file, char name[NAME_MAX + 1])
{
    size_t len = strlen(file);
    if (len < 4 || strcmp(file + len - 3, ".so") != 0)
        return 0;
    for (uint32_t kind = SS_RECEIVER; kind <= SS_MODULE; kind++) {
        size_t head = strlen(kind_names[kind]);
        if (len <= head + 4 || strncmp(file, kind_names[kind], head) != 0 || file[head] != '-')
            continue;
        (void)snprintf(name, NAME_MAX + 1, "%.*s", (int)(len - head - 4), file + head + 1);
        return kind;
    }
    return 0;
}

/* dlopen's own words for this are "invalid ELF header" or worse. */
static bool check_file(const char *path, ss_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ss_fail(err, 0, "%.300s: %s", path, strerror(errno));
    char magic[SELFMAG] = {0};
    ssize_t n = file_pread_all(fd, magic, sizeof magic, 0);
    (void)close(fd);
    if (n != (ssize_t)sizeof magic || memcmp(magic, ELFMAG, SELFMAG) != 0)
        return ss_fail(err, 0, "%.300s: not a shared object (no ELF file): build it with cc -shared -fPIC",
                       path);
    return true;
}

static const char *why_dlopen(const char *path, const char **remedy)
{
    const char *why = dlerror();
    if (!why)
        why = "cannot be loaded";
    size_t len = strlen(path);
    if (strncmp(why, path, len) == 0 && strncmp(why + len, ": ", 2) == 0)
        why += len + 2;
    *remedy = strstr(why, "undefined symbol")
                  ? "link what it calls into it (cc -shared -Wl,-z,defs shows this when building)"
              : strstr(why, "cannot open shared object") ? "install that library"
                                                         : "rebuild it for this machine";
    return why;
}

static const ss_plugin *open_entry(const char *full, ss_error *err)
{
    void *handle = dlopen(full, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        const char *remedy;
        const char *why = why_dlopen(full, &remedy);
        (void)ss_fail(err, 0, "%.200s: %.200s: %s", full, why, remedy);
        return NULL;
    }
    ss_plugin_entry entry;
    void *symbol = dlsym(handle, SS_PLUGIN_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function pointer */
    const ss_plugin *plugin = symbol ? entry() : NULL;
    if (!plugin)
        (void)ss_fail(err, 0,
                      "%.256s: %s " SS_PLUGIN_ENTRY "(), the entry of plugin contract %u.x: is it a plugin? "
                      "SS_PLUGIN(descriptor) in its source writes it",
                      full, symbol ? "no descriptor from" : "it does not export", SS_ABI_MAJOR);
    return plugin;
}

/* A file found by its name must be what the name says; else two files could be one plugin. */
static bool check_name(const ss_plugin *plugin, const char *path, ss_error *err)
{
    char name[NAME_MAX + 1];
    const char *slash = strrchr(path, '/');
    uint32_t kind = parse_name(slash ? slash + 1 : path, name);
    if (kind == 0 || (kind == plugin->kind && strcmp(name, plugin->name) == 0))
        return true;
    return ss_fail(
        err, 0, "%.256s: its descriptor says it is %s '%.64s': rename the file to %s-%.64s.so, or set .name",
        path, kind_names[plugin->kind], plugin->name, kind_names[plugin->kind], plugin->name);
}

const ss_plugin *loader_open(const char *path, uint32_t kind, ss_error *err)
{
    char full[PATH_MAX]; /* dlopen searches the library path for a name without a slash */
    if (!realpath(path, full)) {
        (void)ss_fail(err, 0, "%.300s: %s", path, strerror(errno));
        return NULL;
    }
    const ss_plugin *plugin = check_file(full, err) ? open_entry(full, err) : NULL;
    return plugin && gate_check(plugin, full, kind, err) && check_name(plugin, full, err) ? plugin : NULL;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool find_path(const char *use, char out[PATH_MAX], ss_error *err)
{
    if (!realpath(use, out))
        return ss_fail(err, 0, "no plugin at %.300s: %s", use, strerror(errno));
    return true;
}

static bool unknown(const char *const *dirs, size_t dir_count, uint32_t kind, const char *use, ss_error *err)
{
    char where[256] = "";
    for (size_t i = 0; i < dir_count; i++) {
        size_t at = strlen(where);
        (void)snprintf(where + at, sizeof where - at, "%s%s", i ? ", " : "", dirs[i]);
    }
    err->code = LOADER_UNKNOWN;
    return ss_fail(err, 0, "no plugin '%.64s': there is no %s-%.64s.so in %s", use, kind_names[kind], use,
                   *where ? where : "any directory, as server.plugin_dirs is empty");
}

bool loader_find(const char *const *dirs, size_t dir_count, uint32_t kind, const char *use,
                 char out[PATH_MAX], ss_error *err)
{
    err->code = 0;
    if (strchr(use, '/'))
        return find_path(use, out, err);
    bool found = false;
    for (size_t i = 0; i < dir_count; i++) {
        char path[PATH_MAX];
        if ((size_t)snprintf(path, sizeof path, "%s/%s-%s.so", dirs[i], kind_names[kind], use) >=
                sizeof path ||
            access(path, F_OK) != 0)
            continue;
        if (found && !same_file(out, path))
            return ss_fail(
                err, 0,
                "%s '%.64s' is there twice, as %.160s and as %.160s: remove one, or name the path in "
                "'use:'",
                kind_names[kind], use, out, path);
        if (!found && !realpath(path, out))
            return ss_fail(err, 0, "%.300s: %s", path, strerror(errno));
        found = true;
    }
    return found || unknown(dirs, dir_count, kind, use, err);
}

static int only_plugins(const struct dirent *entry)
{
    char name[NAME_MAX + 1];
    return parse_name(entry->d_name, name) != 0;
}

int loader_list(const char *dir, loader_visit *visit, void *arg)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, only_plugins, alphasort);
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX], name[NAME_MAX + 1];
        uint32_t kind = parse_name(entries[i]->d_name, name);
        if (i < (int)LOADER_LIST_MAX &&
            (size_t)snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name) < sizeof path)
            visit(arg, path, kind, name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

bool loader_pulls(const ss_plugin *p)
{
    return p->kind == SS_RECEIVER && p->receiver->run && !p->receiver->receive;
}

bool loader_takes_messages(const ss_plugin *p)
{
    return p->kind == SS_RECEIVER && SS_HAS(ss_receiver, p->receiver, parse) && p->receiver->parse;
}

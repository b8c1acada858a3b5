#include "plugins/common/lake_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/common/grow.h"

typedef struct names {
    char **items;
    size_t count, size;
} names;

typedef struct reading {
    lake_files *files;
    names replaced;
    const char *lake, *dir; /* dir: "_compact" or "_manifest" */
    ss_error *err;
} reading;

/* ---- lists ---- */

static bool room_for(void **items, size_t *size, size_t count, size_t bytes)
{
    if (count < *size)
        return true;
    size_t more = *size ? *size * 2 : 256;
    void *grown = more <= LAKE_FILES_MAX * 2 ? realloc(*items, more * bytes) : NULL;
    if (!grown)
        return false;
    *items = grown;
    *size = more;
    return true;
}

static bool add_name(names *n, ss_str path)
{
    char *copy = room_for((void **)&n->items, &n->size, n->count, sizeof *n->items)
                     ? strndup(path.ptr, path.len)
                     : NULL;
    if (copy)
        n->items[n->count++] = copy;
    return copy != NULL;
}

static bool ends_with(ss_str text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

static bool add_file(lake_files *f, const lake_object *o)
{
    char *copy =
        f->count < LAKE_FILES_MAX && room_for((void **)&f->items, &f->size, f->count, sizeof *f->items)
            ? strndup(o->path.ptr, o->path.len)
            : NULL;
    if (!copy)
        return false;
    f->items[f->count++] = (lake_file){.path = copy,
                                       .min_us = o->has & LAKE_HAS_MIN ? o->min_us : INT64_MIN,
                                       .max_us = o->has & LAKE_HAS_MAX ? o->max_us : INT64_MAX,
                                       .bytes = o->has & LAKE_HAS_BYTES ? o->bytes : -1,
                                       .parquet = ends_with(o->path, ".parquet")};
    if (o->has & LAKE_HAS_MAX && o->max_us > f->max_us)
        f->max_us = o->max_us;
    return true;
}

/* ---- one manifest ---- */

static bool read_objects(reading *r, json_scan *s)
{
    json_value v;
    lake_object o;
    char path[LAKE_PATH_MAX];
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!lake_object_read(s, &o, path) || (!o.errors && !add_file(r->files, &o)))
            return false;
    return !s->problem;
}

static bool read_replaced(reading *r, json_scan *s)
{
    json_value v;
    ss_str out;
    char path[LAKE_PATH_MAX];
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!lake_path_read(s, path, &out) || !add_name(&r->replaced, out))
            return false;
    return !s->problem;
}

/* Of a cut; a compaction has none. */
static bool read_through(reading *r, json_scan *s)
{
    json_value v;
    int64_t through;
    if (!json_read(s, &v) || v.kind != JSON_NUMBER || !json_i64(v.text, &through) || through < 0)
        return false;
    if ((uint64_t)through > r->files->through)
        r->files->through = (uint64_t)through;
    return true;
}

static bool read_manifest(reading *r, ss_str text)
{
    json_scan s;
    json_value v, key;
    bool good = true, objects = false;
    json_start(&s, text);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (good && json_member(&s, &key)) {
        if (json_is(&key, "objects"))
            objects = good = read_objects(r, &s);
        else if (json_is(&key, "replaces"))
            good = read_replaced(r, &s);
        else if (json_is(&key, "through"))
            good = read_through(r, &s);
        else
            good = json_skip(&s, NULL);
    }
    return good && objects && json_finish(&s);
}

/* 1: read; 0: it is gone; -1: errno. */
static int read_file(const char *path, grow *text)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    errno = EFBIG;
    bool good = fstat(fd, &st) == 0 && st.st_size <= (off_t)LAKE_MANIFEST_MAX;
    char piece[65536];
    for (ssize_t n = 1; good && n > 0;) {
        n = read(fd, piece, sizeof piece);
        good = n >= 0 ? grow_put(text, ss_s(piece, (size_t)n)) : errno == EINTR;
        n = n < 0 ? 1 : n;
    }
    (void)close(fd);
    return good ? 1 : -1;
}

static bool take_manifest(reading *r, const char *name)
{
    char path[PATH_MAX];
    grow text = {.limit = LAKE_MANIFEST_MAX};
    int n = snprintf(path, sizeof path, "%s/%s/%s", r->lake, r->dir, name);
    int rc = n > 0 && (size_t)n < sizeof path ? read_file(path, &text) : -1;
    bool good = rc == 0 || (rc == 1 && read_manifest(r, ss_s(text.at, text.len)));
    if (!good)
        (void)ss_fail(r->err, SS_RETRY, "%s cannot be read: %s; put it back from a backup", path,
                      rc < 0 ? strerror(errno) : "it is damaged");
    free(text.at);
    return good;
}

static int is_manifest(const struct dirent *e)
{
    return e->d_name[0] != '.' && ends_with(ss_cstr(e->d_name), ".json");
}

static bool take_directory(reading *r, const char *dir)
{
    char path[PATH_MAX];
    struct dirent **entries = NULL;
    r->dir = dir;
    int n = snprintf(path, sizeof path, "%s/%s", r->lake, dir);
    int count = n > 0 && (size_t)n < sizeof path ? scandir(path, &entries, is_manifest, alphasort) : -1;
    if (count < 0 && errno != ENOENT)
        return ss_fail(r->err, SS_RETRY, "%s: %s", path, strerror(errno)), false;
    bool good = true;
    for (int i = 0; i < count; i++) {
        good = good && take_manifest(r, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return good;
}

/* ---- all ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const lake_file *)a)->path, ((const lake_file *)b)->path);
}

static void leave_out_replaced(lake_files *f, const names *replaced)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        char *path = f->items[i].path;
        if (bsearch(&path, replaced->items, replaced->count, sizeof *replaced->items, by_name))
            free(path);
        else
            f->items[kept++] = f->items[i];
    }
    f->count = kept;
}

bool lake_files_read(const char *lake, lake_files *out, ss_error *err)
{
    reading r = {.files = out, .lake = lake, .err = err};
    *out = (lake_files){.max_us = INT64_MIN};
    err->text[0] = '\0';
    bool good = take_directory(&r, "_compact") && take_directory(&r, "_manifest");
    if (good && r.replaced.count)
        qsort(r.replaced.items, r.replaced.count, sizeof *r.replaced.items, by_name);
    if (good && r.replaced.count)
        leave_out_replaced(out, &r.replaced);
    if (good && out->count)
        qsort(out->items, out->count, sizeof *out->items, by_path);
    for (size_t i = 0; i < r.replaced.count; i++)
        free(r.replaced.items[i]);
    free(r.replaced.items);
    if (!good)
        lake_files_free(out);
    return good;
}

void lake_files_free(lake_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].path);
    free(f->items);
    *f = (lake_files){.max_us = INT64_MIN};
}

bool lake_file_is_of(const lake_file *f, const char *receiver)
{
    size_t len = strlen(receiver);
    for (const char *at = f->path, *end; (end = strchr(at, '/')) != NULL; at = end + 1) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        const char *from = equals ? equals + 1 : at;
        if ((size_t)(end - from) == len && memcmp(from, receiver, len) == 0)
            return true;
    }
    return false;
}

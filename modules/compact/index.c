#include "modules/compact/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (64u << 10)
#define READ_BYTES  (64u << 10)
#define FIRST_ROOM  256u
#define JSON_END    ".json"

typedef struct index_piece {
    struct index_piece *next;
    size_t used;
    char at[PIECE_BYTES];
} index_piece;

/* ---- memory ---- */

static const char *keep_text(lake_index *x, ss_str text)
{
    index_piece *p = x->pieces;
    if (!p || p->used + text.len + 1 > sizeof p->at) {
        p = text.len < sizeof p->at ? malloc(sizeof *p) : NULL;
        if (!p)
            return NULL;
        p->next = x->pieces;
        p->used = 0;
        x->pieces = p;
    }
    char *at = p->at + p->used;
    memcpy(at, text.ptr, text.len);
    at[text.len] = '\0';
    p->used += text.len + 1;
    return at;
}

/* The array with room for one item more; NULL: no memory, and it is as it was. */
static void *room(void *at, size_t count, size_t *size, size_t item)
{
    if (count < *size)
        return at;
    size_t more = *size ? *size * 2 : FIRST_ROOM;
    void *grown = realloc(at, more * item);
    if (grown)
        *size = more;
    return grown;
}

static const char *folder_text(lake_index *x, ss_str folder)
{
    id key;
    if (!id_of(x->hash, folder, ss_s("", 0), &key))
        return NULL;
    const uint64_t *known = idmap_get(&x->folders, &key);
    if (known)
        return x->folder_names[*known - 1];
    const char *text = keep_text(x, folder);
    const char **names = room(x->folder_names, x->folder_count, &x->folder_size, sizeof *names);
    if (names)
        x->folder_names = names;
    if (!text || !names || !idmap_put(&x->folders, &key, x->folder_count))
        return NULL;
    return x->folder_names[x->folder_count++] = text;
}

bool index_init(lake_index *x, ss_str root, ss_error *err)
{
    memset(x, 0, sizeof *x);
    while (root.len > 1 && root.ptr[root.len - 1] == '/')
        root.len--;
    x->hash = sha256_new();
    x->text.limit = LAKE_MANIFEST_MAX;
    if (!x->hash || root.len + 1 > sizeof x->root)
        return ss_fail(err, SS_REJECT, "the lake's path is too long, or there is no memory"), false;
    memcpy(x->root, root.ptr, root.len);
    return true;
}

void index_free(lake_index *x)
{
    for (index_piece *p = x->pieces, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    free(x->files);
    free(x->units);
    free(x->folder_names);
    idmap_free(&x->manifests);
    idmap_free(&x->unit_names);
    idmap_free(&x->replaced);
    idmap_free(&x->folders);
    sha256_free(x->hash);
    grow_free(&x->text);
    memset(x, 0, sizeof *x);
}

static bool no_memory(ss_error *err)
{
    return ss_fail(err, SS_RETRY, "no memory for what the lake holds"), false;
}

/* ---- a manifest ---- */

/* inode, when_us: of the file that was read. */
static bool read_file(lake_index *x, const char *dir, const char *name, uint64_t *inode, int64_t *when_us,
                      ss_error *err)
{
    char path[PATH_MAX];
    struct stat st;
    ssize_t n = -1;
    (void)snprintf(path, sizeof path, "%s/%s/%s", x->root, dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    grow_clear(&x->text);
    if (fd >= 0 && fstat(fd, &st) == 0)
        while (grow_room(&x->text, READ_BYTES) && (n = read(fd, x->text.at + x->text.len, READ_BYTES)) > 0)
            x->text.len += (size_t)n;
    if (fd < 0 || n != 0)
        (void)ss_fail(err, SS_RETRY, "%.400s: %s", path,
                      n < 0 ? strerror(errno) : "it is too large for a manifest");
    if (fd >= 0)
        (void)close(fd);
    if (fd < 0 || n != 0)
        return false;
    *inode = (uint64_t)st.st_ino;
    *when_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
    return true;
}

typedef struct reading {
    lake_index *x;
    size_t unit;
    int64_t seen_us;
    bool failed;
} reading;

static void path_split(ss_str path, ss_str *folder, ss_str *name)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t len = slash ? (size_t)(slash - path.ptr) + 1 : 0;
    *folder = ss_s(path.ptr, len);
    *name = ss_s(path.ptr + len, path.len - len);
}

static bool add_file(reading *r, const lake_object *o, const id *key)
{
    lake_index *x = r->x;
    ss_str folder, name;
    path_split(o->path, &folder, &name);
    index_file *files = room(x->files, x->file_count, &x->file_size, sizeof *files);
    if (!files)
        return false;
    x->files = files;
    index_file f = {.folder = folder_text(x, folder),
                    .name = keep_text(x, name),
                    .id = *key,
                    .bytes = o->bytes,
                    .raw_bytes = o->raw_bytes,
                    .count = o->count,
                    .min_us = o->min_us,
                    .max_us = o->max_us,
                    .seen_us = r->seen_us,
                    .unit = r->unit,
                    .crc = o->crc,
                    .errors = o->errors};
    if (!f.folder || !f.name)
        return false;
    x->files[x->file_count++] = f;
    if (o->max_us > x->newest_us && !o->errors)
        x->newest_us = o->max_us;
    return true;
}

/* ---- units ---- */

static bool add_replaced(void *arg, ss_str path)
{
    reading *r = arg;
    id key;
    r->failed = !id_of(r->x->hash, path, ss_s("", 0), &key) || !idmap_put(&r->x->replaced, &key, r->unit);
    return !r->failed;
}

static bool add_made(void *arg, const lake_object *o)
{
    reading *r = arg;
    id key;
    r->failed = !id_of(r->x->hash, o->path, ss_s("", 0), &key) || !add_file(r, o, &key);
    return !r->failed;
}

/* Without it nobody knows what is data: nothing may go on. */
static bool unit_is_damaged(const char *name, ss_error *err)
{
    return ss_fail(err, SS_RETRY,
                   COMPACT_DIR
                   "/%.200s is damaged; put it back from a backup: it says which files were replaced",
                   name),
           false;
}

/* Its file moves from the hidden to the final path. */
static bool renew_file(lake_index *x, size_t unit, ss_str path)
{
    ss_str folder, name;
    path_split(path, &folder, &name);
    for (size_t i = 0; i < x->file_count; i++) {
        index_file *f = &x->files[i];
        if (f->unit != unit)
            continue;
        f->folder = folder_text(x, folder);
        return f->folder && id_of(x->hash, path, ss_s("", 0), &f->id);
    }
    return true;
}

static bool note_path(void *arg, const lake_object *o)
{
    return grow_put(arg, o->path);
}

static bool renew_unit(lake_index *x, size_t at, const char *name, ss_error *err)
{
    unit_head head;
    grow path = {.limit = LAKE_PATH_MAX};
    bool good =
        manifest_read(grow_str(&x->text), &head, &(manifest_visitor){.object = note_path, .arg = &path});
    index_unit *u = &x->units[at];
    if (!good) {
        grow_free(&path);
        return unit_is_damaged(name, err);
    }
    u->state = head.state;
    u->written_us = head.written_us;
    u->published_us = head.published_us;
    good = renew_file(x, at, grow_str(&path));
    grow_free(&path);
    return good || no_memory(err);
}

static bool add_unit(lake_index *x, const char *name, const id *key, int64_t seen_us, ss_error *err)
{
    unit_head head;
    reading r = {.x = x, .unit = x->unit_count, .seen_us = seen_us};
    ss_str text = grow_str(&x->text);
    if (!manifest_read(text, &head, &(manifest_visitor){.arg = NULL}))
        return unit_is_damaged(name, err);
    index_unit *units = room(x->units, x->unit_count, &x->unit_size, sizeof *units);
    if (!units)
        return no_memory(err);
    x->units = units;
    if (!idmap_put(&x->unit_names, key, x->unit_count))
        return no_memory(err);
    x->units[x->unit_count] = (index_unit){.name = keep_text(x, ss_cstr(name)),
                                           .state = head.state,
                                           .written_us = head.written_us,
                                           .published_us = head.published_us};
    bool good = x->units[x->unit_count++].name &&
                manifest_read(text, &head, &(manifest_visitor){add_made, add_replaced, &r});
    return (good && !r.failed) || no_memory(err);
}

static bool take_unit(lake_index *x, const char *name, uint64_t inode, ss_error *err)
{
    id key;
    int64_t seen_us;
    if (!id_of(x->hash, ss_cstr(name), ss_s("", 0), &key))
        return no_memory(err);
    const uint64_t *known = idmap_get(&x->unit_names, &key);
    size_t at = known ? (size_t)*known - 1 : x->unit_count;
    if (known && x->units[at].inode == inode)
        return true;
    if (!read_file(x, COMPACT_DIR, name, &inode, &seen_us, err))
        return false;
    if (known ? !renew_unit(x, at, name, err) : !add_unit(x, name, &key, seen_us, err))
        return false;
    x->units[at].inode = inode;
    return true;
}

bool index_take_unit(lake_index *x, const char *name, ss_error *err)
{
    return take_unit(x, name, 0, err); /* 0 is no inode: it is read */
}

/* ---- cuts ---- */

static bool take_object(void *arg, const lake_object *o)
{
    reading *r = arg;
    lake_index *x = r->x;
    id key;
    r->failed = !id_of(x->hash, o->path, ss_s("", 0), &key);
    const uint64_t *by = r->failed ? NULL : idmap_get(&x->replaced, &key);
    if (by) {
        const index_unit *u = &x->units[*by - 1];
        if (x->again && u->state != UNIT_WRITTEN && r->seen_us >= u->published_us)
            x->again(x->arg, o->path);
        return true;
    }
    r->failed = r->failed || (r->unit == NO_UNIT && !add_file(r, o, &key));
    return !r->failed;
}

/* A cut that is there again has the same files with the same bytes: only replaced ones are looked at. */
static bool only_replaced(void *arg, const lake_object *o)
{
    reading *r = arg;
    id key;
    if (!id_of(r->x->hash, o->path, ss_s("", 0), &key))
        return !(r->failed = true);
    return idmap_get(&r->x->replaced, &key) ? take_object(arg, o) : true;
}

static bool take_cut(lake_index *x, const char *name, uint64_t inode, ss_error *err)
{
    id key;
    reading r = {.x = x, .unit = NO_UNIT};
    if (!id_of(x->hash, ss_cstr(name), ss_s("", 0), &key))
        return no_memory(err);
    const uint64_t *known = idmap_get(&x->manifests, &key);
    if (known && *known == inode + 1)
        return true;
    if (!read_file(x, MANIFEST_DIR, name, &inode, &r.seen_us, err))
        return errno == ENOENT; /* taken away with its folders */
    ss_str text = grow_str(&x->text);
    bool whole = manifest_read(text, NULL, &(manifest_visitor){.arg = NULL});
    if (!whole) {
        x->damaged++;
        (void)snprintf(x->damaged_name, sizeof x->damaged_name, "%s", name);
    } else if (!manifest_read(text, NULL,
                              &(manifest_visitor){known ? only_replaced : take_object, NULL, &r}) ||
               r.failed) {
        return no_memory(err);
    }
    if (r.seen_us > x->arrived_us)
        x->arrived_us = r.seen_us;
    return idmap_put(&x->manifests, &key, inode) || no_memory(err);
}

/* ---- folders of manifests ---- */

static bool list(lake_index *x, const char *name,
                 bool (*take)(lake_index *x, const char *name, uint64_t inode, ss_error *err), ss_error *err)
{
    char path[PATH_MAX];
    struct dirent *e;
    (void)snprintf(path, sizeof path, "%s/%s", x->root, name);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT || (ss_fail(err, SS_RETRY, "%.300s: %m", path), false);
    bool good = true;
    while (good && (e = readdir(dir)) != NULL) {
        size_t len = strlen(e->d_name), end = sizeof JSON_END - 1;
        if (e->d_name[0] != '.' && len > end && strcmp(e->d_name + len - end, JSON_END) == 0)
            good = take(x, e->d_name, (uint64_t)e->d_ino, err);
    }
    (void)closedir(dir);
    return good;
}

/* A unit by another process replaces what is known as data already. */
static void bury(lake_index *x)
{
    for (size_t i = 0; i < x->file_count; i++)
        x->files[i].dead = x->files[i].dead || idmap_get(&x->replaced, &x->files[i].id);
}

/* The dead are of no interest any more: their paths are among the replaced. */
static void sweep(lake_index *x)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->file_count; i++)
        if (!x->files[i].dead)
            x->files[kept++] = x->files[i];
    x->file_count = kept;
}

bool index_refresh(lake_index *x, ss_error *err)
{
    size_t units = x->unit_count;
    bool good = list(x, COMPACT_DIR, take_unit, err);
    if (x->unit_count > units)
        bury(x);
    good = good && list(x, MANIFEST_DIR, take_cut, err);
    sweep(x);
    return good;
}

bool index_read_unit(lake_index *x, const index_unit *u, unit_head *head, const manifest_visitor *v,
                     ss_error *err)
{
    uint64_t inode;
    int64_t seen_us;
    if (!read_file(x, COMPACT_DIR, u->name, &inode, &seen_us, err))
        return false;
    return manifest_read(grow_str(&x->text), head, v) ||
           (ss_fail(err, SS_RETRY, "%s/%.200s is damaged; put it back from a backup", COMPACT_DIR, u->name),
            false);
}

#include "modules/compact/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "modules/compact/disk.h"
#include "plugins/common/fault.h"

#define NAME_MAX_BYTES 64u
#define TMP_DATA       COMPACT_TMP "/data.tmp"
#define TMP_LINK       COMPACT_TMP "/link.tmp"
#define TMP_MANIFEST   COMPACT_TMP "/manifest.tmp"
#define JSON_END       ".json"

/* ---- names ---- */

/* "compact-20261126T093000-1f0c9d3e5a7b2468": never twice, and in the order of time. */
static void make_name(const unit_work *w, int64_t now_us, char out[NAME_MAX_BYTES])
{
    char date[32] = "";
    uint64_t random = 0;
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm))
        (void)strftime(date, sizeof date, "%Y%m%dT%H%M%S", &tm);
    w->host->random(w->host->self, &random, sizeof random);
    (void)snprintf(out, NAME_MAX_BYTES, "compact-%s-%016llx", date, (unsigned long long)random);
}

/* The unit's name as its manifest has it, without the end. */
static void base_name(const index_unit *u, char out[NAME_MAX_BYTES])
{
    (void)snprintf(out, NAME_MAX_BYTES, "%.*s", (int)(strlen(u->name) - (sizeof JSON_END - 1)), u->name);
}

static bool hidden_path(const char *final, char out[LAKE_PATH_MAX], ss_error *err)
{
    int n = snprintf(out, LAKE_PATH_MAX, COMPACT_DATA "%s", final);
    return (n > 0 && (size_t)n < LAKE_PATH_MAX) ||
           (ss_fail(err, SS_REJECT, "the path %.200s is too long", final), false);
}

/* ---- the manifest ---- */

static bool commit(unit_work *w, const char *name, const grow *text, ss_error *err)
{
    char path[LAKE_PATH_MAX];
    if (text->full)
        return ss_fail(err, SS_RETRY, "no memory for a manifest"), false;
    (void)snprintf(path, sizeof path, COMPACT_DIR "/%s" JSON_END, name);
    FAULT_POINT("compact.before_manifest");
    bool good = disk_write(w->x->root, TMP_MANIFEST, grow_str(text), err);
    FAULT_POINT("compact.manifest_synced");
    good = good && disk_rename(w->x->root, TMP_MANIFEST, path, err);
    FAULT_POINT("compact.manifest_renamed");
    return good;
}

/* ---- made ---- */

static bool put_manifest(unit_work *w, const plan_unit *u, const char *name, const unit_head *head,
                         const lake_object *o, ss_error *err)
{
    grow text = {.limit = LAKE_MANIFEST_MAX};
    char path[LAKE_PATH_MAX];
    manifest_put_head(&text, name, head, o);
    for (size_t i = 0; i < u->count; i++) {
        const index_file *f = &w->x->files[u->files[i]];
        int n = snprintf(path, sizeof path, "%s%s", f->folder, f->name);
        manifest_put_replaced(&text, ss_s(path, (size_t)n), i == 0);
    }
    manifest_put_end(&text);
    bool good = commit(w, name, &text, err);
    grow_free(&text);
    return good;
}

/* The hidden file is there and whole: from the manifest's rename on it is what readers have. */
static bool hand_over(unit_work *w, const plan_unit *u, const char *name, unit_head *head, lake_object *o,
                      ss_error *err)
{
    char hidden[LAKE_PATH_MAX], manifest[NAME_MAX_BYTES + 8];
    if (!hidden_path(head->final, hidden, err) || !disk_make_dirs(w->x->root, hidden, err) ||
        !disk_rename(w->x->root, TMP_DATA, hidden, err))
        return false;
    FAULT_POINT("compact.data_renamed");
    o->path = ss_cstr(hidden);
    if (!put_manifest(w, u, name, head, o, err))
        return false;
    (void)snprintf(manifest, sizeof manifest, "%s" JSON_END, name);
    if (!index_take_unit(w->x, manifest, err))
        return false;
    for (size_t i = 0; i < u->count; i++)
        w->x->files[u->files[i]].dead = true;
    return true;
}

enum copy_result unit_make(unit_work *w, const plan_unit *u, ss_error *err)
{
    char name[NAME_MAX_BYTES];
    lake_object sum;
    unit_head head = {.state = UNIT_WRITTEN, .written_us = w->host->now_us(w->host->self)};
    const index_file *first = &w->x->files[*u->files];
    enum file_kind from = plan_kind(first->name), kind = w->parquet && !first->errors ? FILE_PARQUET : from;
    make_name(w, head.written_us, name);
    int n = snprintf(head.final, sizeof head.final, "%s%s%s", first->folder, name, plan_extension(kind));
    if (n < 0 || (size_t)n >= sizeof head.final)
        return ss_fail(err, SS_REJECT, "the path of %.200s is too long", first->folder), COPY_FAILED;
    enum copy_result rc =
        kind == FILE_PARQUET
            ? convert_files(&w->converter, w->x, u->files, u->count, TMP_DATA, &sum, &w->bad, err)
            : copy_files(&w->copier, w->x, u->files, u->count, TMP_DATA, &sum, &w->bad, err);
    if (rc != COPY_DONE)
        return rc;
    return hand_over(w, u, name, &head, &sum, err) ? COPY_DONE : COPY_FAILED;
}

/* ---- published, finished ---- */

typedef struct moving {
    unit_work *w;
    grow text;
    const char *name, *path; /* where the file is from now on */
    unit_head head;          /* as it will be */
    size_t count;
    ss_error *err;
} moving;

static bool copy_object(void *arg, const lake_object *o)
{
    moving *m = arg;
    lake_object moved = *o;
    moved.path = ss_cstr(m->path);
    manifest_put_head(&m->text, m->name, &m->head, &moved);
    return !m->text.full;
}

static bool copy_replaced(void *arg, ss_str path)
{
    moving *m = arg;
    manifest_put_replaced(&m->text, path, m->count++ == 0);
    return !m->text.full;
}

static bool remove_replaced(void *arg, ss_str path)
{
    moving *m = arg;
    char text[LAKE_PATH_MAX];
    (void)snprintf(text, sizeof text, "%.*s", (int)path.len, path.ptr);
    bool good = disk_remove(m->w->x->root, text, m->err);
    FAULT_POINT("compact.replaced_removed");
    return good;
}

/* The unit's manifest says state from now on. */
static bool move_on(unit_work *w, size_t at, const unit_head *head, enum unit_state state, ss_error *err)
{
    char name[NAME_MAX_BYTES];
    unit_head old;
    const index_unit *u = &w->x->units[at];
    base_name(u, name);
    moving m = {.w = w,
                .text = {.limit = LAKE_MANIFEST_MAX},
                .name = name,
                .path = head->final,
                .head = *head,
                .err = err};
    m.head.state = state;
    bool good = index_read_unit(w->x, u, &old, &(manifest_visitor){copy_object, copy_replaced, &m}, err);
    manifest_put_end(&m.text);
    good = good && commit(w, name, &m.text, err) && index_take_unit(w->x, u->name, err);
    grow_free(&m.text);
    return good;
}

/* A backup that was put back may have made two files of the two names: the hidden one counts. */
static bool link_over(const unit_work *w, const char *hidden, const char *final)
{
    char tmp[PATH_MAX];
    struct stat one, other;
    ss_error ignored = {.struct_size = sizeof ignored};
    if (stat(hidden, &one) != 0 || stat(final, &other) != 0)
        return false;
    if (one.st_ino == other.st_ino)
        return true;
    return disk_path(tmp, sizeof tmp, w->x->root, TMP_LINK, "", &ignored) &&
           disk_remove(w->x->root, TMP_LINK, &ignored) && link(hidden, tmp) == 0 && rename(tmp, final) == 0;
}

/* The hidden and the final name are one file. */
static bool link_final(unit_work *w, const char *hidden, const char *final, ss_error *err)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (!disk_path(a, sizeof a, w->x->root, hidden, "", err) ||
        !disk_path(b, sizeof b, w->x->root, final, "", err) || !disk_make_dirs(w->x->root, final, err))
        return false;
    bool good = link(a, b) == 0 || (errno == EEXIST && link_over(w, a, b));
    FAULT_POINT("compact.linked");
    if (!good)
        return ss_fail(err, SS_RETRY, "cannot give %.300s its final name: %m", a), false;
    good = disk_sync_dir_of(w->x->root, final, err);
    FAULT_POINT("compact.link_synced");
    return good;
}

bool unit_publish(unit_work *w, size_t at, ss_error *err)
{
    unit_head head;
    char hidden[LAKE_PATH_MAX];
    moving m = {.w = w, .err = err};
    if (!index_read_unit(w->x, &w->x->units[at], &head, &(manifest_visitor){.arg = NULL}, err) ||
        !hidden_path(head.final, hidden, err))
        return false;
    /* From then on a replaced file that is there was put back by a cut that is made again. */
    head.published_us = w->host->now_us(w->host->self);
    if (!link_final(w, hidden, head.final, err) ||
        !index_read_unit(w->x, &w->x->units[at], &m.head,
                         &(manifest_visitor){.replaced = remove_replaced, .arg = &m}, err) ||
        !disk_sync_dir_of(w->x->root, head.final, err))
        return false;
    FAULT_POINT("compact.removed");
    return move_on(w, at, &head, UNIT_PUBLISHED, err);
}

bool unit_finish(unit_work *w, size_t at, ss_error *err)
{
    unit_head head;
    char hidden[LAKE_PATH_MAX];
    if (!index_read_unit(w->x, &w->x->units[at], &head, &(manifest_visitor){.arg = NULL}, err) ||
        !hidden_path(head.final, hidden, err) || !disk_remove(w->x->root, hidden, err))
        return false;
    FAULT_POINT("compact.hidden_removed");
    disk_remove_empty_dirs(w->x->root, hidden, COMPACT_DATA);
    return move_on(w, at, &head, UNIT_DONE, err);
}

/* ---- left over ---- */

static void clean_temporary(void *arg, const char *path)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    unit_work *w = arg;
    (void)disk_remove(w->x->root, path, &ignored);
}

/* Of a life that ended before it wrote the manifest: what it was made of is all there. Or of one that was
   done, and whose removal a power cut undid. */
static void clean_hidden(void *arg, const char *path)
{
    unit_work *w = arg;
    const char *file = strrchr(path, '/') + 1, *dot = strchr(file, '.');
    char manifest[NAME_MAX_BYTES + 8];
    id key;
    int n = snprintf(manifest, sizeof manifest, "%.*s" JSON_END, dot ? (int)(dot - file) : 0, file);
    if (n < 0 || (size_t)n >= sizeof manifest || !id_of(w->x->hash, ss_cstr(manifest), ss_s("", 0), &key))
        return;
    const uint64_t *known = idmap_get(&w->x->unit_names, &key);
    if (known && w->x->units[*known - 1].state != UNIT_DONE)
        return;
    clean_temporary(arg, path);
    disk_remove_empty_dirs(w->x->root, path, COMPACT_DATA);
}

void unit_clean(unit_work *w)
{
    disk_walk(w->x->root, COMPACT_TMP, clean_temporary, w);
    disk_walk(w->x->root, COMPACT_DIR "/data", clean_hidden, w);
}

#include "modules/spark/compacted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <unistd.h>

#include "plugins/common/json.h"

#define COMPACTIONS "/_compact"
#define READ_BYTES  (64u << 10)
#define DEPTH_MAX   64 /* compactions of compactions; each is at least a quarter larger */

typedef struct unit {
    char *path;                /* of its file, now */
    struct unit *next, *above; /* above: what replaced it */
    int64_t leaves, wanted;    /* cuts' files in it, through all that it replaced; of these: asked for */
} unit;

typedef struct place { /* a path, and the unit that made or replaced it */
    char *path;
    unit *made_by, *replaced_by;
} place;

struct compacted {
    unit *units;
    void *places; /* a tree by path */
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const place *)a)->path, ((const place *)b)->path);
}

static place *place_of(compacted *c, const char *path, bool make)
{
    const place probe = {.path = (char *)(uintptr_t)path}; /* it is only compared */
    void *const *found = tfind(&probe, &c->places, compare);
    if (found || !make)
        return found ? *found : NULL;
    place *p = calloc(1, sizeof *p);
    if (p && (p->path = strdup(path)) != NULL && tsearch(p, &c->places, compare))
        return p;
    if (p)
        free(p->path);
    free(p);
    return NULL;
}

/* ---- reading ---- */

static bool take_object(void *arg, const lake_object *o)
{
    unit *u = arg;
    if (!u->path)
        u->path = strndup(o->path.ptr, o->path.len);
    return u->path != NULL;
}

static bool take_replaced(compacted *c, unit *u, json_scan *s)
{
    json_value v;
    ss_str at;
    char path[LAKE_PATH_MAX];
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s)) {
        place *e = lake_path_read(s, path, &at) ? place_of(c, path, true) : NULL;
        if (!e)
            return false;
        e->replaced_by = u;
    }
    return !s->problem;
}

static bool take_unit(compacted *c, ss_str text, ss_error *err)
{
    json_scan s;
    json_value v, key;
    ss_str at;
    char path[LAKE_PATH_MAX];
    unit *u = calloc(1, sizeof *u);
    if (!u)
        return false;
    u->next = c->units;
    c->units = u;
    bool good = manifest_read(text, take_object, u, err);
    json_start(&s, text);
    good = good && json_read(&s, &v);
    while (good && json_member(&s, &key)) {
        if (json_is(&key, "replaces")) {
            good = take_replaced(c, u, &s);
        } else if (json_is(&key, "final")) { /* the name under which another compaction replaces it */
            place *e = lake_path_read(&s, path, &at) ? place_of(c, path, true) : NULL;
            good = e != NULL;
            if (e)
                e->made_by = u;
        } else {
            good = json_skip(&s, NULL);
        }
    }
    return good && u->path;
}

static bool read_unit(compacted *c, const char *dir, const char *name, grow *text, ss_error *err)
{
    char path[2 * PATH_MAX];
    ssize_t n = -1;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    grow_clear(text);
    while (fd >= 0 && grow_room(text, READ_BYTES) && (n = read(fd, text->at + text->len, READ_BYTES)) > 0)
        text->len += (size_t)n;
    if (fd >= 0)
        (void)close(fd);
    return (n == 0 && take_unit(c, grow_str(text), err)) ||
           (ss_fail(err, SS_RETRY, "%.400s cannot be used: it is damaged, or there is no memory", path),
            false);
}

/* Each cut's file counts for what holds it now. */
static unit *top_of(unit *u)
{
    for (int depth = 0; u->above && depth < DEPTH_MAX; depth++)
        u = u->above;
    return u;
}

static void find_above(const void *node, VISIT which, void *unused)
{
    const place *e = *(place *const *)node;
    (void)unused;
    if ((which == postorder || which == leaf) && e->made_by && e->replaced_by)
        e->made_by->above = e->replaced_by;
}

static void count_leaf(const void *node, VISIT which, void *unused)
{
    const place *e = *(place *const *)node;
    (void)unused;
    if ((which == postorder || which == leaf) && !e->made_by && e->replaced_by)
        top_of(e->replaced_by)->leaves++;
}

compacted *compacted_read(const char *lake, ss_error *err)
{
    char path[PATH_MAX];
    struct dirent *e;
    grow text = {.limit = LAKE_MANIFEST_MAX};
    compacted *c = calloc(1, sizeof *c);
    (void)snprintf(path, sizeof path, "%s" COMPACTIONS, lake);
    DIR *dir = opendir(path);
    bool good = c && (dir || errno == ENOENT);
    if (!good)
        (void)ss_fail(err, SS_RETRY, "%.300s: %m", path);
    while (good && dir && (e = readdir(dir)) != NULL) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".json") == 0)
            good = read_unit(c, path, e->d_name, &text, err);
    }
    if (dir)
        (void)closedir(dir);
    grow_free(&text);
    if (!good) {
        compacted_free(c);
        return NULL;
    }
    twalk_r(c->places, find_above, NULL);
    twalk_r(c->places, count_leaf, NULL);
    return c;
}

static void free_place(void *at)
{
    free(((place *)at)->path);
    free(at);
}

void compacted_free(compacted *c)
{
    if (!c)
        return;
    for (unit *u = c->units, *next; u; u = next) {
        next = u->next;
        free(u->path);
        free(u);
    }
    tdestroy(c->places, free_place);
    free(c);
}

/* ---- asking ---- */

bool compacted_want(compacted *c, ss_str path)
{
    char text[LAKE_PATH_MAX];
    if (path.len >= sizeof text)
        return false;
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    const place *e = place_of(c, text, false);
    if (!e || !e->replaced_by)
        return false;
    top_of(e->replaced_by)->wanted++;
    return true;
}

bool compacted_each(compacted *c, bool (*visit)(void *arg, ss_str path), void *arg, ss_error *err)
{
    for (unit *u = c->units; u; u = u->next) {
        if (u->wanted && u->wanted != u->leaves)
            return ss_fail(err, SS_REJECT,
                           "its files were compacted with others and removed: %.150s holds the lines of %lld "
                           "files, %lld "
                           "of them are the batch's; let `keep` of the module compact be longer",
                           u->path, (long long)u->leaves, (long long)u->wanted),
                   false;
        if (u->wanted && !visit(arg, ss_cstr(u->path)))
            return false;
    }
    return true;
}

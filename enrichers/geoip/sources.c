#include "enrichers/geoip/sources.h"

/* A file's name as a label's value. */
static void label_of(const char *path, char out[96])
{
    const char *slash = strrchr(path, '/');
    int n = snprintf(out, 96, "file=\"%.80s\"", slash ? slash + 1 : path);
    for (int i = 6; i < n - 1; i++)
        if (out[i] == '"' || out[i] == '\\' || (unsigned char)out[i] < ' ')
            out[i] = '_';
}

/* With the fresh ones in place of those that are open. */
static atlas *make_atlas(const sources *s, database *const fresh[ATLAS_DATABASES_MAX])
{
    atlas *a = atlas_new(&s->ways);
    for (size_t i = 0; a && i < s->count; i++)
        a->databases[a->count++] = fresh[i] ? fresh[i] : s->list[i].open;
    return a;
}

static void tell(const sources *s, size_t i)
{
    const database *d = s->list[i].open;
    ss_logf(s->host, SS_INFO, "%s: %s, %u nodes, %llu records", s->list[i].path,
            d->mmdb.metadata.database_type, d->mmdb.metadata.node_count, (unsigned long long)d->records);
    s->host->metric_set(s->list[i].built, (double)d->mmdb.metadata.build_epoch);
}

/* NULL: nothing new, or what is new is damaged, which is told once. */
static database *open_anew(const sources *all, source *s)
{
    ss_error err = {.struct_size = sizeof err};
    struct stat now;
    if (stat(s->path, &now) != 0) /* gone: what there is serves on */
        return NULL;
    if (database_same_file(&now, &s->open->file))
        s->is_refused = false;
    if (database_same_file(&now, &s->open->file) || (s->is_refused && database_same_file(&now, &s->refused)))
        return NULL;
    database *fresh = database_open(s->path, &all->ways, &err);
    s->is_refused = !fresh;
    s->refused = now;
    if (!fresh)
        all->host->alarm(all->host->self, "database", err.text);
    return fresh;
}

static void swap(sources *s, atlas *a, database *const fresh[ATLAS_DATABASES_MAX])
{
    atlas *before = atomic_exchange(&s->current, a);
    guard_wait(&s->guard);
    atlas_free(before);
    for (size_t i = 0; i < s->count; i++) {
        if (!fresh[i])
            continue;
        database_close(s->list[i].open);
        s->list[i].open = fresh[i];
        s->host->metric_add(s->reloads, 1);
        tell(s, i);
    }
}

void sources_look(sources *s)
{
    database *fresh[ATLAS_DATABASES_MAX] = {NULL};
    bool some = false, refused = false;
    for (size_t i = 0; i < s->count; i++) {
        fresh[i] = open_anew(s, &s->list[i]);
        some |= fresh[i] != NULL;
        refused |= s->list[i].is_refused;
    }
    atlas *a = some ? make_atlas(s, fresh) : NULL;
    if (a)
        swap(s, a, fresh);
    for (size_t i = 0; some && !a && i < s->count; i++) /* no memory: next time */
        database_close(fresh[i]);
    if (!refused)
        s->host->alarm(s->host->self, "database", NULL);
}

static int32_t add_source(sources *s, ss_str path, ss_error *err)
{
    char label[96];
    if (path.len == 0)
        return SS_OK;
    if (path.len >= PATH_MAX)
        return ss_fail(err, SS_REJECT, "database: the path is too long");
    source *one = &s->list[s->count];
    memcpy(one->path, path.ptr, path.len);
    one->open = database_open(one->path, &s->ways, err);
    if (!one->open)
        return SS_REJECT;
    label_of(one->path, label);
    one->built = s->host->gauge(s->host->self, "geoip_database_built_seconds",
                                "When the database was made, unix seconds, by file.", label);
    tell(s, s->count++);
    return SS_OK;
}

int32_t sources_open(sources *s, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    static database *const none[ATLAS_DATABASES_MAX];
    const ss_config *more = host->cfg_get(cfg, "databases");
    s->host = host;
    s->reloads =
        host->counter(host->self, "geoip_reloads_total", "Database files that were opened anew.", "");
    int32_t status = add_source(s, host->cfg_str(cfg, "database"), err);
    for (size_t i = 0; more && i < host->cfg_len(more) && status == SS_OK && s->count < ATLAS_DATABASES_MAX;
         i++)
        status = add_source(s, host->cfg_str(host->cfg_at(more, i), ""), err);
    if (status == SS_OK && s->count == 0)
        status = ss_fail(
            err, SS_REJECT,
            "database: the path of a .mmdb file is wanted; `packaging/setup.sh geoip` installs a free one "
            "of countries and prints its path");
    if (status == SS_OK) {
        atomic_init(&s->current, make_atlas(s, none));
        if (!atomic_load(&s->current))
            status = ss_fail(err, SS_LIMIT, "no memory for the databases");
    }
    return status;
}

void sources_close(sources *s)
{
    atlas_free(atomic_load(&s->current));
    for (size_t i = 0; i < s->count; i++)
        database_close(s->list[i].open);
}

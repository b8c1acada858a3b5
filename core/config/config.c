#include "core/config/config.h"

#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/config/config_inside.h"

static config *config_new(const char *path)
{
    config *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    arena_init(&c->arena, CONFIG_ARENA_BYTES);
    problems_init(&c->problems, &c->arena);
    c->path = path;
    char full[PATH_MAX];
    if (realpath(path, full)) /* ${file:} and plugin paths start where the file is */
        (void)snprintf(c->dir, sizeof c->dir, "%s", dirname(full));
    else if (!getcwd(c->dir, sizeof c->dir))
        (void)snprintf(c->dir, sizeof c->dir, "/");
    return c;
}

void config_free(config *c)
{
    if (!c)
        return;
    json_decref(c->server);
    for (size_t i = 0; i < c->count; i++) {
        json_decref(c->instances[i].host);
        json_decref(c->instances[i].options);
    }
    arena_fini(&c->arena);
    free(c);
}

static config *load(const char *path, const char *dir, const char *data_dir, bool try, buf *errors)
{
    config *c = config_new(path);
    if (!c || !merge_read(&c->arena, &c->problems, path, &c->files)) {
        buf_addf(errors, "%s: out of memory\n", path);
        config_free(c);
        return NULL;
    }
    config_check_server(c);
    if (data_dir)
        (void)snprintf(c->data_dir, sizeof c->data_dir, "%s", data_dir);
    if (dir && c->dir_count < CONFIG_DIRS_MAX) {
        memmove(c->dirs + 1, c->dirs, c->dir_count++ * sizeof *c->dirs);
        c->dirs[0] = dir;
    }
    config_check_section(c, MERGE_ENRICHERS, SS_ENRICHER);
    config_check_section(c, MERGE_RECEIVERS, SS_RECEIVER);
    config_check_section(c, MERGE_MODULES, SS_MODULE);
    config_check_rules(c);
    if (try)
        config_try(c, false);
    config_check_fields(c);
    if (c->problems.count + c->problems.dropped == 0)
        return c;
    problems_write(&c->problems, errors);
    config_free(c);
    return NULL;
}

config *config_load(const char *path, buf *errors)
{
    return load(path, NULL, NULL, true, errors);
}

config *config_load_untried(const char *path, const char *dir, const char *data_dir, buf *errors)
{
    return load(path, dir, data_dir, false, errors);
}

size_t config_connect(config *c, buf *errors)
{
    problems_init(&c->problems, &c->arena);
    problems_file(&c->problems, c->path);
    config_try(c, true);
    problems_write(&c->problems, errors);
    return c->problems.count + c->problems.dropped;
}

/* The first problem, as one sentence with its place. */
static bool refuse_place(config *c, ss_error *err)
{
    buf text;
    buf_init(&text, CONFIG_ERRORS_MAX);
    problems_write(&c->problems, &text);
    (void)ss_fail(err, 0, "%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
    buf_fini(&text);
    return false;
}

static bool read_place(config *c, const char *path, config_place *out, ss_error *err)
{
    ss_str nothing = {"", 0};
    bool read = path ? merge_read(&c->arena, &c->problems, path, &c->files)
                     : merge_text(&c->arena, &c->problems, c->path, nothing, &c->files);
    if (read)
        config_check_server(c);
    if (c->problems.count > 0)
        return refuse_place(c, err);
    bool good = read;
    for (size_t i = 0; good && i < c->dir_count; i++)
        good = (out->dirs[out->dir_count++] = strdup(c->dirs[i])) != NULL;
    memcpy(out->data_dir, c->data_dir, sizeof out->data_dir);
    out->applications = json_dumps(json_object_get(c->server, "applications"), JSON_COMPACT);
    return good || ss_fail(err, 0, "out of memory");
}

bool config_find_place(const char *path, config_place *out, ss_error *err)
{
    *out = (config_place){.dir_count = 0};
    config *c = config_new(path ? path : "streamsteam.yaml");
    bool good = c && read_place(c, path, out, err);
    if (!c)
        (void)ss_fail(err, 0, "out of memory");
    if (!good)
        config_place_fini(out);
    config_free(c);
    return good;
}

void config_place_fini(config_place *found)
{
    for (size_t i = 0; i < found->dir_count; i++)
        free(found->dirs[i]);
    found->dir_count = 0;
    if (found->applications) /* a secret may stand in it */
        explicit_bzero(found->applications, strlen(found->applications));
    free(found->applications);
    found->applications = NULL;
}

#include "core/config/merge.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "core/base/file.h"
#include "core/config/suggest.h"

static const char *const section_names[MERGE_SECTIONS] = {"server", "receivers", "enrichers", "modules"};

static bool start(arena *a, const char *file, merged *out)
{
    for (size_t i = 0; i < MERGE_SECTIONS; i++) {
        out->sections[i] = tree_map(a, (place){file, 1, 1});
        if (!out->sections[i])
            return false;
    }
    return true;
}

static void add_entries(arena *a, problems *p, const char *name, tree *into, const tree *from)
{
    if (tree_is_null(from))
        return;
    if (from->kind != TREE_MAP) {
        problems_add(p, from->at, "%s: a mapping is wanted here, not %s; write name: {...}", name,
                     tree_kind_name(from));
        return;
    }
    for (const tree_item *i = from->first; i; i = i->next) {
        const tree_item *first = tree_find(into, i->key->text.ptr);
        if (first)
            problems_add(p, i->key->at, "%s.%.64s stands also in %s:%u:%u; keep one", name, i->key->text.ptr,
                         first->key->at.file, first->key->at.line, first->key->at.column);
        else if (!tree_append(a, into, i->key, i->value))
            problems_add(p, i->key->at, "%s: out of memory", name);
    }
}

static void add_root(arena *a, problems *p, const tree *root, merged *out)
{
    if (tree_is_null(root))
        return;
    if (root->kind != TREE_MAP) {
        problems_add(p, root->at,
                     "the top level must be a mapping with server, receivers, enrichers and modules");
        return;
    }
    for (const tree_item *i = root->first; i; i = i->next) {
        size_t s = 0;
        suggest near;
        suggest_init(&near, i->key->text);
        while (s < MERGE_SECTIONS && strcmp(section_names[s], i->key->text.ptr) != 0)
            suggest_offer(&near, ss_cstr(section_names[s++]));
        char hint[96];
        if (s < MERGE_SECTIONS)
            add_entries(a, p, section_names[s], out->sections[s], i->value);
        else
            problems_add(p, i->key->at, "top level: unknown key '%.64s'%s", i->key->text.ptr,
                         near.best.len ? suggest_text(&near, hint, sizeof hint)
                                       : "; there are server, receivers, enrichers and modules");
    }
}

bool merge_text(arena *a, problems *p, const char *name, ss_str text, merged *out)
{
    problems_file(p, name);
    if (!start(a, name, out))
        return false;
    add_root(a, p, tree_parse(a, p, name, text.ptr, text.len), out);
    return true;
}

static void add_file(arena *a, problems *p, const char *file, merged *out)
{
    buf text;
    buf_init(&text, TREE_FILE_BYTES_MAX);
    if (file_read(file, &text) == 0)
        add_root(a, p, tree_parse(a, p, file, buf_text(&text), text.len), out);
    else
        problems_add(p, (place){file, 0, 0}, "cannot be read: %s",
                     text.failed ? "larger than 4 MiB; this is not a configuration file" : strerror(errno));
    buf_fini(&text);
}

static int only_fragments(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0;
}

static const char *fragment_path(arena *a, const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = arena_take(a, size);
    if (path)
        (void)snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static void add_fragments(arena *a, problems *p, const char *path, merged *out)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int n = slash ? snprintf(dir, sizeof dir, "%.*s/conf.d", (int)(slash - path), path)
                  : snprintf(dir, sizeof dir, "conf.d");
    if (n < 0 || (size_t)n >= sizeof dir)
        return;
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, only_fragments, alphasort);
    if (count < 0) {
        if (errno != ENOENT)
            problems_add(p, (place){path, 0, 0}, "its conf.d cannot be read: %s", strerror(errno));
        return;
    }
    if (count > (int)MERGE_FRAGMENTS_MAX)
        problems_add(p, (place){path, 0, 0}, "more than %u fragments in conf.d", MERGE_FRAGMENTS_MAX);
    for (int i = 0; i < count; i++) {
        const char *file = i < (int)MERGE_FRAGMENTS_MAX ? fragment_path(a, dir, entries[i]->d_name) : NULL;
        if (file) {
            problems_file(p, file);
            add_file(a, p, file, out);
        }
        free(entries[i]);
    }
    free(entries);
}

bool merge_read(arena *a, problems *p, const char *path, merged *out)
{
    problems_file(p, path);
    if (!start(a, path, out))
        return false;
    add_file(a, p, path, out);
    add_fragments(a, p, path, out);
    return true;
}

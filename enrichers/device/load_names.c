/* The names and families of operating systems and browsers, and which application id is which client. */
#include <stdlib.h>

#include "enrichers/device/load.h"
#include "enrichers/device/yaml_read.h"

#define PATH_CHARS 1024u
#define NAMES_MAX  20000u

static bool push_name(rule_names *names, const rule_name *one)
{
    if (names->count == NAMES_MAX)
        return false;
    if ((names->count & (names->count - 1)) == 0) {
        rule_name *rows = realloc(names->rows, (names->count ? names->count * 2 : 1) * sizeof *rows);
        if (!rows)
            return false;
        names->rows = rows;
    }
    names->rows[names->count++] = *one;
    return true;
}

/* Lower case, and without spaces where `loose`. */
static uint32_t folded(texts *t, uint32_t name, bool loose)
{
    char out[256];
    size_t n = 0;
    for (const char *p = texts_get(t, name); *p && n < sizeof out; p++)
        if (!loose || *p != ' ')
            out[n++] = text_lower(*p);
    return texts_add(t, ss_s(out, n));
}

static bool index_names(rules *r, rule_names *names)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (!dict_put(&names->by_name, &r->texts, folded(&r->texts, names->rows[i].name, false), i) ||
            !dict_put(&names->by_loose, &r->texts, folded(&r->texts, names->rows[i].name, true), i))
            return false;
    return true;
}

/* ---- names.yml ---- */

typedef struct name_row {
    rules *r;
    rule_names *names;
    rule_name name;
} name_row;

static bool read_name_member(yaml_read *y, ss_str key, void *arg)
{
    name_row *row = arg;
    ss_str text;
    uint32_t line = yaml_line(y);
    uint32_t *to = text_is(key, "name") ? &row->name.name : text_is(key, "family") ? &row->name.family : NULL;
    if (!to && !text_is(key, "mobile_only"))
        return yaml_skip(y);
    if (!yaml_text(y, &text))
        return false;
    if (!to) {
        row->name.mobile_only = text_is(text, "true");
        return true;
    }
    *to = texts_add(&row->r->texts, text);
    return *to > 0 || text.len == 0 || yaml_fail(y, line, "out of memory");
}

static bool read_name(yaml_read *y, void *arg)
{
    name_row *row = arg;
    uint32_t line = yaml_line(y);
    row->name = (rule_name){0};
    if (!yaml_map(y, read_name_member, row))
        return false;
    return push_name(row->names, &row->name) || yaml_fail(y, line, "too many names");
}

static bool read_names(yaml_read *y, ss_str key, void *arg)
{
    name_row row = {.r = arg};
    if (text_is(key, "operating_systems"))
        row.names = &row.r->systems;
    else if (text_is(key, "browsers"))
        row.names = &row.r->browsers;
    else
        return yaml_skip(y);
    return yaml_list(y, read_name, &row);
}

/* Without the file every operating system is its own family, and browsers have none. */
static bool names_from_rules(rules *r)
{
    for (uint32_t i = r->lists[FILE_OSS].first; i < r->lists[FILE_OSS].end; i++) {
        uint32_t name = r->rules[i].name;
        if (!strchr(texts_get(&r->texts, name), '$') &&
            !push_name(&r->systems, &(rule_name){.name = name, .family = name}))
            return false;
    }
    for (uint32_t i = r->lists[FILE_BROWSERS].first; i < r->lists[FILE_BROWSERS].end; i++) {
        uint32_t name = r->rules[i].name;
        if (!strchr(texts_get(&r->texts, name), '$') && !push_name(&r->browsers, &(rule_name){.name = name}))
            return false;
    }
    return true;
}

bool load_names(rules *r, const char *directory, ss_error *err)
{
    char path[PATH_CHARS];
    yaml_read y;
    bool missing;
    (void)snprintf(path, sizeof path, "%s/%s", directory, NAMES_FILE);
    r->families = yaml_open(&y, path, &missing, err);
    if (!r->families && !missing)
        return false;
    if (r->families) {
        bool ok = yaml_map(&y, read_names, r);
        yaml_close(&y);
        if (!ok)
            return false;
    } else if (!names_from_rules(r)) {
        (void)ss_fail(err, SS_FATAL, "out of memory");
        return false;
    }
    if (index_names(r, &r->systems) && index_names(r, &r->browsers))
        return true;
    (void)ss_fail(err, SS_FATAL, "out of memory");
    return false;
}

/* ---- client/hints: application id -> name ---- */

typedef struct hint_target {
    rules *r;
    dict *apps;
} hint_target;

static bool read_hint(yaml_read *y, ss_str key, void *arg)
{
    hint_target *to = arg;
    ss_str text;
    uint32_t line = yaml_line(y), id = texts_add(&to->r->texts, key);
    if (!yaml_text(y, &text))
        return false;
    return dict_put(to->apps, &to->r->texts, id, texts_add(&to->r->texts, text)) ||
           yaml_fail(y, line, "out of memory");
}

static bool load_hint_file(rules *r, const char *directory, const char *name, dict *apps, ss_error *err)
{
    char path[PATH_CHARS];
    yaml_read y;
    bool missing;
    hint_target to = {r, apps};
    (void)snprintf(path, sizeof path, "%s/client/hints/%s", directory, name);
    if (!yaml_open(&y, path, &missing, err))
        return missing;
    bool ok = yaml_map(&y, read_hint, &to);
    yaml_close(&y);
    return ok;
}

bool load_hints(rules *r, const char *directory, ss_error *err)
{
    return load_hint_file(r, directory, "apps.yml", &r->apps, err) &&
           load_hint_file(r, directory, "browsers.yml", &r->browser_apps, err);
}

#include "enrichers/device/load.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "enrichers/device/entries.h"
#include "enrichers/device/own.h"

#define PATH_CHARS 1024u

enum shape { SHAPE_LIST, SHAPE_BRANDS, SHAPE_VENDORS };

static const struct {
    const char *name;
    enum shape shape;
    bool required;
} files[FILE_OWN] = {
    [FILE_BOTS] = {"bots.yml", SHAPE_LIST, true},
    [FILE_OSS] = {"oss.yml", SHAPE_LIST, true},
    [FILE_FEED_READERS] = {"client/feed_readers.yml", SHAPE_LIST, false},
    [FILE_MOBILE_APPS] = {"client/mobile_apps.yml", SHAPE_LIST, false},
    [FILE_MEDIA_PLAYERS] = {"client/mediaplayers.yml", SHAPE_LIST, false},
    [FILE_PIM] = {"client/pim.yml", SHAPE_LIST, false},
    [FILE_BROWSERS] = {"client/browsers.yml", SHAPE_LIST, true},
    [FILE_LIBRARIES] = {"client/libraries.yml", SHAPE_LIST, false},
    [FILE_ENGINES] = {"client/browser_engine.yml", SHAPE_LIST, false},
    [FILE_TELEVISIONS] = {"device/televisions.yml", SHAPE_BRANDS, false},
    [FILE_SHELL_TV] = {"device/shell_tv.yml", SHAPE_BRANDS, false},
    [FILE_NOTEBOOKS] = {"device/notebooks.yml", SHAPE_BRANDS, false},
    [FILE_CONSOLES] = {"device/consoles.yml", SHAPE_BRANDS, false},
    [FILE_CAR_BROWSERS] = {"device/car_browsers.yml", SHAPE_BRANDS, false},
    [FILE_CAMERAS] = {"device/cameras.yml", SHAPE_BRANDS, false},
    [FILE_PLAYERS] = {"device/portable_media_player.yml", SHAPE_BRANDS, false},
    [FILE_MOBILES] = {"device/mobiles.yml", SHAPE_BRANDS, true},
    [FILE_VENDORS] = {"vendorfragments.yml", SHAPE_VENDORS, false},
};

/* ---- files ---- */

/* The inner rules move behind the outer ones, which then name them by their places there. */
static bool place_inner(entries *l, uint32_t first)
{
    rules *r = l->r;
    uint32_t offset = r->count;
    for (uint32_t i = 0; i < l->inner_count; i++)
        if (!rules_push(r, &l->inner[i]))
            return false;
    for (uint32_t i = first; i < offset; i++) {
        r->rules[i].inner.first += offset;
        r->rules[i].inner.end += offset;
    }
    return true;
}

static bool load_file(rules *r, const char *directory, enum rule_file file, ss_error *err)
{
    char path[PATH_CHARS];
    entries l = {.r = r, .file = file};
    yaml_read y;
    bool missing = false, ok;
    (void)snprintf(path, sizeof path, "%s/%s", directory, files[file].name);
    r->lists[file] = (rule_list){r->count, r->count};
    if (!yaml_open(&y, path, &missing, err)) {
        if (missing && files[file].required)
            (void)ss_fail(err, SS_REJECT,
                          "%.300s: no such file; name a directory with device-detector's regex files "
                          "(packaging/setup.sh device installs one)",
                          path);
        return missing && !files[file].required;
    }
    switch (files[file].shape) {
    case SHAPE_LIST:
        ok = yaml_list(&y, entries_list_item, &l);
        break;
    case SHAPE_BRANDS:
        ok = yaml_map(&y, entries_brand, &l);
        break;
    default:
        ok = yaml_map(&y, entries_vendor, &l);
        break;
    }
    r->lists[file].end = r->count;
    ok = ok && (place_inner(&l, r->lists[file].first) || yaml_fail(&y, yaml_line(&y), "out of memory"));
    yaml_close(&y);
    free(l.inner);
    return ok;
}

static bool add_own(rules *r, enum rule_wrap wrap, const char *regex)
{
    rule one = {.wrap = (uint8_t)wrap, .type = -1, .regex = texts_add(&r->texts, ss_cstr(regex))};
    return one.regex > 0 && rules_push(r, &one);
}

static bool load_own(rules *r)
{
    r->lists[FILE_OWN].first = r->count;
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (!add_own(r, own_regexes[i].wrap, own_regexes[i].regex))
            return false;
    r->lists[FILE_OWN].end = r->count;
    return true;
}

/* ---- engines: each name that the files use gets an expression that finds its version ---- */

/* What an engine calls itself in user agents, where that is not its name. */
static const char *engine_token(const char *engine)
{
    if (strcmp(engine, "Blink") == 0)
        return "Chr[o0]me|Chromium|Cronet";
    if (strcmp(engine, "Arachne") == 0)
        return "Arachne/5\\.";
    if (strcmp(engine, "LibWeb") == 0)
        return "LibWeb\\+LibJs";
    return engine;
}

static bool add_engine(rules *r, uint32_t name)
{
    char regex[256];
    ss_str text = texts_str(&r->texts, name);
    for (uint32_t i = 0; i < r->engine_rule_count; i++)
        if (text_is(text, texts_get(&r->texts, r->engine_rules[i].name)))
            return true;
    if (text.len == 0 || text.len > 64 || r->engine_rule_count == ENGINES_MAX)
        return true;
    (void)snprintf(regex, sizeof regex, OWN_ENGINE_VERSION, engine_token(text.ptr));
    r->engine_rules[r->engine_rule_count].name = name;
    r->engine_rules[r->engine_rule_count++].rule = r->count;
    return add_own(r, WRAP_NONE, regex);
}

static bool load_engines(rules *r)
{
    bool ok = true;
    for (uint32_t i = 0; i < r->engine_count; i++)
        ok = ok && add_engine(r, r->engines[i].engine);
    for (uint32_t i = 0; i < r->from_count; i++)
        ok = ok && add_engine(r, r->froms[i].engine);
    for (uint32_t i = r->lists[FILE_ENGINES].first; i < r->lists[FILE_ENGINES].end; i++)
        ok = ok && add_engine(r, r->rules[i].name);
    return ok;
}

/* ---- the whole ---- */

static bool build_filter(rules *r)
{
    if (!filter_init(&r->filter, r->count))
        return false;
    for (uint32_t i = 0; i < r->count; i++)
        if (!filter_add(&r->filter, i, r->rules[i].wrap == WRAP_WORD,
                        texts_str(&r->texts, r->rules[i].regex)))
            return false;
    return filter_finish(&r->filter);
}

static bool load_all(rules *r, const char *directory, ss_error *err)
{
    for (uint32_t i = 0; i < FILE_OWN; i++)
        if (!load_file(r, directory, (enum rule_file)i, err))
            return false;
    if (!load_names(r, directory, err) || !load_hints(r, directory, err))
        return false;
    if (!load_own(r) || !load_engines(r) || !build_filter(r)) {
        (void)ss_fail(err, SS_FATAL, "out of memory");
        return false;
    }
    return true;
}

rules *rules_load(const char *directory, ss_error *err)
{
    rules *r = calloc(1, sizeof *r);
    if (!r || !texts_init(&r->texts)) {
        (void)ss_fail(err, SS_FATAL, "out of memory");
        if (r)
            rules_free(r);
        return NULL;
    }
    if (!load_all(r, directory, err)) {
        rules_free(r);
        return NULL;
    }
    return r;
}

uint64_t rules_stamp(const char *directory)
{
    static const char *const others[] = {"client/hints/apps.yml", "client/hints/browsers.yml", NAMES_FILE};
    const uint32_t other_count = sizeof others / sizeof others[0];
    uint64_t stamp = 0;
    for (uint32_t i = 0; i < FILE_OWN + other_count; i++) {
        char path[PATH_CHARS];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", directory,
                       i < FILE_OWN ? files[i].name : others[i - FILE_OWN]);
        if (stat(path, &st) != 0)
            continue;
        const uint64_t parts[] = {i + 1, (uint64_t)st.st_size, (uint64_t)st.st_ino,
                                  (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec};
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            stamp = (stamp ^ parts[k]) * 0x9E3779B97F4A7C15u ^ stamp >> 29;
    }
    return stamp;
}

#include "enrichers/device/load.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "enrichers/device/kinds.h"
#include "enrichers/device/own.h"
#include "enrichers/device/yaml_read.h"

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

typedef struct loader {
    rules *r;
    enum rule_file file;
    rule *inner; /* models and versions of the file: they go behind its own rules */
    uint32_t inner_count, inner_room;
} loader;

/* One item of a file while it is read. */
typedef struct entry {
    loader *l;
    rule rule;
    rule_bot bot;
    rule_engine engine;
    bool is_inner, has_regex;
} entry;

/* ---- vectors ---- */

static bool no_memory(yaml_read *y)
{
    return yaml_fail(y, yaml_line(y), "out of memory");
}

/* Room for one more in an array that grows by doubling. */
static bool more_room(void *array, uint32_t count, size_t size)
{
    void **at = array;
    if (count == 0 || (count & (count - 1)) == 0) {
        void *bigger = realloc(*at, (count ? (size_t)count * 2 : 1) * size);
        if (!bigger)
            return false;
        *at = bigger;
    }
    return true;
}

static bool push_rule(rules *r, const rule *one)
{
    if (r->count == RULES_MAX || !more_room(&r->rules, r->count, sizeof *r->rules))
        return false;
    r->rules[r->count++] = *one;
    return true;
}

/* ---- values ---- */

/* Some copies of the data write \g<1> for $1. */
static ss_str plain_groups(ss_str text, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len && n < size; n++) {
        if (text.len - i >= 5 && memcmp(text.ptr + i, "\\g<", 3) == 0 && text.ptr[i + 4] == '>') {
            out[n++] = '$';
            if (n == size)
                break;
            out[n] = text.ptr[i + 3];
            i += 5;
        } else {
            out[n] = text.ptr[i++];
        }
    }
    return ss_s(out, n);
}

static bool read_value(yaml_read *y, texts *t, uint32_t *at)
{
    char plain[1024];
    ss_str text;
    if (!yaml_text(y, &text))
        return false;
    text = plain_groups(text, plain, sizeof plain);
    *at = texts_add(t, text);
    return *at > 0 || text.len == 0 || no_memory(y);
}

static bool check_regex(yaml_read *y, const rule *one, const rules *r, uint32_t line)
{
    char why[512];
    return rule_check(r, one, why, sizeof why) || yaml_fail(y, line, why);
}

static bool read_regex(yaml_read *y, loader *l, rule *one, const char *suffix)
{
    ss_str text;
    uint32_t line = yaml_line(y);
    if (!yaml_text(y, &text))
        return false;
    one->regex = texts_add(&l->r->texts, text);
    if (one->regex == 0 && text.len > 0)
        return no_memory(y);
    if (*suffix) { /* directly behind: over the NUL of the text just added */
        l->r->texts.len--;
        if (texts_add(&l->r->texts, ss_cstr(suffix)) == 0)
            return no_memory(y);
    }
    return check_regex(y, one, l->r, line);
}

static bool read_producer(yaml_read *y, ss_str key, void *arg)
{
    entry *e = arg;
    if (text_is(key, "name"))
        return read_value(y, &e->l->r->texts, &e->bot.producer);
    if (text_is(key, "url"))
        return read_value(y, &e->l->r->texts, &e->bot.producer_url);
    return yaml_skip(y);
}

static bool read_engine_from(yaml_read *y, ss_str key, void *arg)
{
    entry *e = arg;
    rules *r = e->l->r;
    rule_from from = {.version = texts_add(&r->texts, key)};
    if (!read_value(y, &r->texts, &from.engine) || !more_room(&r->froms, r->from_count, sizeof *r->froms))
        return y->failed ? false : no_memory(y);
    r->froms[r->from_count++] = from;
    e->engine.from_count++;
    return true;
}

static bool read_engine(yaml_read *y, ss_str key, void *arg)
{
    entry *e = arg;
    if (text_is(key, "default"))
        return read_value(y, &e->l->r->texts, &e->engine.engine);
    if (!text_is(key, "versions"))
        return yaml_skip(y);
    e->engine.from_first = e->l->r->from_count;
    return yaml_map(y, read_engine_from, e);
}

static bool read_device_type(yaml_read *y, entry *e)
{
    ss_str text;
    if (!yaml_text(y, &text))
        return false;
    e->rule.type = (int8_t)kind_from_name(text);
    return true;
}

/* ---- entries ---- */

static bool read_inner(yaml_read *y, void *arg);

static bool read_member(yaml_read *y, ss_str key, void *arg)
{
    entry *e = arg;
    texts *t = &e->l->r->texts;
    bool brand = e->l->file >= FILE_TELEVISIONS;
    if (text_is(key, "regex")) { /* may be empty: matches everything */
        e->has_regex = true;
        return read_regex(y, e->l, &e->rule, "");
    }
    if (text_is(key, brand ? "brand" : "name"))
        return read_value(y, t, &e->rule.name);
    if (text_is(key, brand ? "model" : "version")) {
        e->rule.has_version = true;
        return read_value(y, t, &e->rule.version);
    }
    if (!e->is_inner && text_is(key, brand ? "models" : "versions")) {
        e->rule.inner.first = e->l->inner_count;
        bool ok = yaml_list(y, read_inner, e);
        e->rule.inner.end = e->l->inner_count;
        return ok;
    }
    if (brand)
        return text_is(key, "device") ? read_device_type(y, e) : yaml_skip(y);
    if (e->l->file == FILE_BROWSERS)
        return text_is(key, "engine") ? yaml_map(y, read_engine, e) : yaml_skip(y);
    if (e->l->file != FILE_BOTS)
        return text_is(key, "type") ? read_value(y, t, &e->rule.more) : yaml_skip(y);
    if (text_is(key, "category"))
        return read_value(y, t, &e->bot.category);
    if (text_is(key, "url"))
        return read_value(y, t, &e->bot.url);
    return text_is(key, "producer") ? yaml_map(y, read_producer, e) : yaml_skip(y);
}

static bool read_entry(yaml_read *y, entry *e)
{
    uint32_t line = yaml_line(y);
    e->rule.type = -1;
    if (!yaml_map(y, read_member, e))
        return false;
    return e->has_regex || yaml_fail(y, line, "an entry without a regex");
}

static bool read_inner(yaml_read *y, void *arg)
{
    entry *outer = arg;
    loader *l = outer->l;
    entry e = {.l = l, .is_inner = true};
    if (!read_entry(y, &e))
        return false;
    if (!more_room(&l->inner, l->inner_count, sizeof *l->inner))
        return no_memory(y);
    l->inner[l->inner_count++] = e.rule;
    return true;
}

/* What only some files have goes into arrays of its own. */
static bool keep_more(rules *r, entry *e)
{
    if (e->l->file == FILE_BOTS) {
        if (!more_room(&r->bots, r->bot_count, sizeof *r->bots))
            return false;
        r->bots[r->bot_count] = e->bot;
        e->rule.more = r->bot_count++;
    } else if (e->l->file == FILE_BROWSERS) {
        if (!more_room(&r->engines, r->engine_count, sizeof *r->engines))
            return false;
        r->engines[r->engine_count] = e->engine;
        e->rule.more = r->engine_count++;
    }
    return true;
}

static bool keep_entry(yaml_read *y, entry *e)
{
    return (keep_more(e->l->r, e) && push_rule(e->l->r, &e->rule)) || no_memory(y);
}

static bool read_list_item(yaml_read *y, void *arg)
{
    entry e = {.l = arg};
    return read_entry(y, &e) && keep_entry(y, &e);
}

static bool read_brand(yaml_read *y, ss_str key, void *arg)
{
    entry e = {.l = arg};
    e.rule.name = texts_add(&e.l->r->texts, key);
    return read_entry(y, &e) && keep_entry(y, &e);
}

static bool read_vendor_regex(yaml_read *y, void *arg)
{
    entry *brand = arg, e = {.l = brand->l, .rule = {.name = brand->rule.name, .type = -1}};
    return read_regex(y, e.l, &e.rule, "[^a-z0-9]+") && keep_entry(y, &e);
}

static bool read_vendor(yaml_read *y, ss_str key, void *arg)
{
    entry brand = {.l = arg};
    brand.rule.name = texts_add(&brand.l->r->texts, key);
    return yaml_list(y, read_vendor_regex, &brand);
}

/* ---- files ---- */

/* The inner rules move behind the outer ones, which then name them by their places there. */
static bool place_inner(loader *l, uint32_t first)
{
    rules *r = l->r;
    uint32_t offset = r->count;
    for (uint32_t i = 0; i < l->inner_count; i++)
        if (!push_rule(r, &l->inner[i]))
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
    loader l = {.r = r, .file = file};
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
        ok = yaml_list(&y, read_list_item, &l);
        break;
    case SHAPE_BRANDS:
        ok = yaml_map(&y, read_brand, &l);
        break;
    default:
        ok = yaml_map(&y, read_vendor, &l);
        break;
    }
    r->lists[file].end = r->count;
    ok = ok && (place_inner(&l, r->lists[file].first) || no_memory(&y));
    yaml_close(&y);
    free(l.inner);
    return ok;
}

static bool add_own(rules *r, enum rule_wrap wrap, const char *regex)
{
    rule one = {.wrap = (uint8_t)wrap, .type = -1, .regex = texts_add(&r->texts, ss_cstr(regex))};
    return one.regex > 0 && push_rule(r, &one);
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

#include "enrichers/device/entries.h"

#include <stdlib.h>

#include "enrichers/device/kinds.h"

/* One item of a file while it is read. */
typedef struct entry {
    entries *l;
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

static bool read_regex(yaml_read *y, entries *l, rule *one, const char *suffix)
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
    entries *l = outer->l;
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
    return (keep_more(e->l->r, e) && rules_push(e->l->r, &e->rule)) || no_memory(y);
}

bool entries_list_item(yaml_read *y, void *arg)
{
    entry e = {.l = arg};
    return read_entry(y, &e) && keep_entry(y, &e);
}

bool entries_brand(yaml_read *y, ss_str key, void *arg)
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

bool entries_vendor(yaml_read *y, ss_str key, void *arg)
{
    entry brand = {.l = arg};
    brand.rule.name = texts_add(&brand.l->r->texts, key);
    return yaml_list(y, read_vendor_regex, &brand);
}

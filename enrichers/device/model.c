/* Brand, model and kind of the device. */
#include "enrichers/device/scan.h"

typedef struct device {
    ss_str brand, model;
    int8_t kind;
} device;

/* When a file is looked at: always, when one of its own rules matches, or when the user agent has a mark. */
static const struct {
    enum rule_file file;
    enum { WHEN_ALWAYS, WHEN_ANY, WHEN_MARK } when;
    enum own_rule mark;
} files[] = {{FILE_TELEVISIONS, WHEN_MARK, OWN_HBBTV},  {FILE_SHELL_TV, WHEN_MARK, OWN_SHELL_TV},
             {FILE_NOTEBOOKS, WHEN_MARK, OWN_NOTEBOOK}, {FILE_CONSOLES, WHEN_ANY, OWN_COUNT},
             {FILE_CAR_BROWSERS, WHEN_ANY, OWN_COUNT},  {FILE_CAMERAS, WHEN_ANY, OWN_COUNT},
             {FILE_PLAYERS, WHEN_ANY, OWN_COUNT},       {FILE_MOBILES, WHEN_ALWAYS, OWN_COUNT}};

static ss_str expand_model(scan *s, uint32_t text)
{
    ss_str model = scan_expand(s, text, s->restored);
    if (model.len && memchr(model.ptr, '_', model.len)) {
        model = scan_keep(s, model);
        char *p = s->room + (model.ptr - s->room);
        for (size_t i = 0; i < model.len; i++)
            p[i] = p[i] == '_' ? ' ' : p[i];
    }
    if (model.len >= 3 && text_same_fold(ss_s(model.ptr + model.len - 3, 3), SS_LIT(" TD")))
        model.len -= 3;
    if (text_is(model, "Build") || text_is(model, "0"))
        return ss_s("", 0);
    return text_trim(model, " \t\n\r\v");
}

static void read_inner(scan *s, const rule *brand, device *out)
{
    const rule *one = scan_first_of(s, brand->inner, s->restored);
    if (!one)
        return;
    out->model = expand_model(s, one->version);
    if (one->name)
        out->brand = texts_str(&s->r->texts, one->name);
    if (one->type != KIND_NONE)
        out->kind = one->type;
}

/* true: this file has the last word, even where it says nothing. */
static bool read_file(scan *s, enum rule_file file, device *out)
{
    bool hinted = HINT(s, HINT_MODEL).len > 0;
    *out = (device){{"", 0}, {"", 0}, KIND_NONE};
    if (!hinted && (scan_hides_android(s, s->restored) || scan_hides_desktop(s, s->restored)))
        return true;
    const rule *brand = scan_first(s, file, s->restored);
    if (!brand) {
        out->kind = hinted ? s->hints.kind : KIND_NONE;
        return hinted;
    }
    ss_str name = texts_str(&s->r->texts, brand->name);
    out->brand = text_is(name, "Unknown") ? ss_s("", 0) : name;
    out->kind = brand->type;
    out->model = expand_model(s, brand->version);
    read_inner(s, brand, out);
    return true;
}

static bool read_device(scan *s, device *out)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bool look = files[i].when == WHEN_ALWAYS ||
                    (files[i].when == WHEN_MARK ? scan_own(s, files[i].mark, &s->plain)
                                                : scan_first(s, files[i].file, &s->plain) != NULL);
        if (!look)
            continue;
        bool last = read_file(s, files[i].file, out);
        if (files[i].file == FILE_SHELL_TV || (files[i].file == FILE_TELEVISIONS && out->kind == KIND_NONE)) {
            out->kind = KIND_TV;
            last = true;
        }
        if (last || files[i].file == FILE_TELEVISIONS)
            return true;
    }
    return false;
}

void scan_device(scan *s)
{
    device found = {{"", 0}, {"", 0}, KIND_NONE};
    if (!read_device(s, &found))
        found = (device){{"", 0}, {"", 0}, KIND_NONE};
    if (found.model.len == 0)
        found.model = HINT(s, HINT_MODEL);
    if (found.brand.len == 0) {
        const rule *vendor = scan_first(s, FILE_VENDORS, &s->plain);
        if (vendor)
            found.brand = texts_str(&s->r->texts, vendor->name);
    }
    TEXT(s, RESULT_BRAND) = found.brand;
    TEXT(s, RESULT_MODEL) = found.model;
    s->result->kind = found.kind;
    scan_kind(s);
}

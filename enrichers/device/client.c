/* The client: the first kind of which a rule matches. */
#include "enrichers/device/scan.h"

static const struct {
    enum rule_file file;
    const char *type;
} kinds[] = {{FILE_FEED_READERS, "feed reader"},  {FILE_MOBILE_APPS, "mobile app"},
             {FILE_MEDIA_PLAYERS, "mediaplayer"}, {FILE_PIM, "pim"},
             {FILE_BROWSERS, "browser"},          {FILE_LIBRARIES, "library"}};

/* The client that an application id stands for, empty where it is none. */
static ss_str app_name(const scan *s, const dict *apps)
{
    uint32_t name = dict_get(apps, &s->r->texts, HINT(s, HINT_APP));
    return name == DICT_NONE ? ss_s("", 0) : texts_str(&s->r->texts, name);
}

static bool read_plain(scan *s, enum rule_file file, const char *type)
{
    ss_str app = file == FILE_MOBILE_APPS ? app_name(s, &s->r->apps) : ss_s("", 0);
    const rule *one = scan_first(s, file, &s->plain);
    ss_str name = {"", 0}, version = {"", 0};
    if (one) {
        name = scan_expand(s, one->name, &s->plain);
        version = scan_version(s, one->version, &s->plain);
    }
    if (app.len && !ss_eq(app, name)) {
        name = app;
        version = ss_s("", 0);
        one = NULL;
    }
    if (name.len == 0)
        return false;
    TEXT(s, RESULT_CLIENT_TYPE) = one && one->more ? texts_str(&s->r->texts, one->more) : ss_cstr(type);
    TEXT(s, RESULT_CLIENT_NAME) = name;
    TEXT(s, RESULT_CLIENT_VERSION) = version;
    return true;
}

void scan_client(scan *s)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].file == FILE_BROWSERS ? scan_browser(s) : read_plain(s, kinds[i].file, kinds[i].type))
            return;
}

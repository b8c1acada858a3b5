#include "enrichers/device/view.h"

#include "enrichers/device/kinds.h"
#include "enrichers/device/texts.h"

typedef struct writer {
    char *at, *end;
} writer;

static void put(writer *w, ss_str text)
{
    size_t room = (size_t)(w->end - w->at), len = text.len < room ? text.len : room;
    memcpy(w->at, text.ptr, len);
    w->at += len;
}

/* "GNU/Linux 5" -> "gnu_linux_5"; letters beyond ASCII stay. */
static ss_str code_of(writer *w, ss_str text)
{
    char *start = w->at;
    for (size_t i = 0; i < text.len && w->at < w->end; i++) {
        char c = text_lower(text.ptr[i]);
        bool kept = (c >= 'a' && c <= 'z') || text_is_digit(c) || (c & 0x80);
        if (kept)
            *w->at++ = c;
        else if (w->at > start && w->at[-1] != '_')
            *w->at++ = '_';
    }
    while (w->at > start && w->at[-1] == '_')
        w->at--;
    return ss_s(start, (size_t)(w->at - start));
}

static ss_str name_and_version(writer *w, ss_str name, ss_str version)
{
    char *start = w->at;
    if (name.len == 0 || version.len == 0)
        return name;
    put(w, name);
    put(w, SS_LIT(" "));
    put(w, version);
    return ss_s(start, (size_t)(w->at - start));
}

static ss_str first_number(ss_str version)
{
    size_t n = 0;
    while (n < version.len && text_is_digit(version.ptr[n]))
        n++;
    return ss_s(version.ptr, n);
}

static ss_str vendor_of(ss_str family)
{
    static const struct {
        const char *family, *vendor;
    } rows[] = {{"Windows", "Microsoft"}, {"Windows Mobile", "Microsoft"}, {"Mac", "Apple"},
                {"iOS", "Apple"},         {"Android", "Google"},           {"Chrome OS", "Google"},
                {"Google TV", "Google"},  {"BlackBerry", "BlackBerry"},    {"Firefox OS", "Mozilla"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_is(family, rows[i].family))
            return ss_cstr(rows[i].vendor);
    return ss_s("", 0);
}

static ss_str type_of(const device_result *r)
{
    static const struct {
        const char *client, *type;
    } rows[] = {{"mobile app", "app"},
                {"mediaplayer", "multimedia-player"},
                {"feed reader", "feed-reader"},
                {"pim", "email-client"},
                {"library", "library"}};
    ss_str client = r->text[RESULT_CLIENT_TYPE];
    if (r->is_bot)
        return SS_LIT("crawler");
    if (text_is(client, "browser"))
        return r->is_mobile ? SS_LIT("mobile-browser") : SS_LIT("browser");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_is(client, rows[i].client))
            return ss_cstr(rows[i].type);
    return client.len ? SS_LIT("app") : SS_LIT("unrecognized");
}

void view_make(view *v, const device_result *r, char room[VIEW_ROOM])
{
    writer w = {room, room + VIEW_ROOM};
    const ss_str *text = r->text;
    *v = (view){.is_mobile = r->is_mobile, .is_crawler = r->is_bot};
    v->text[VIEW_TYPE] = type_of(r);
    v->text[VIEW_BRAND] = r->is_bot ? text[RESULT_BOT_PRODUCER] : text[RESULT_BRAND];
    v->text[VIEW_NAME] = r->is_bot ? text[RESULT_BOT_NAME] : text[RESULT_MODEL];
    v->text[VIEW_URL] = text[RESULT_BOT_URL];
    v->text[VIEW_OS_NAME] = name_and_version(&w, text[RESULT_OS_NAME], text[RESULT_OS_VERSION]);
    v->text[VIEW_OS_CODE] = code_of(&w, v->text[VIEW_OS_NAME]);
    v->text[VIEW_OS_FAMILY] = text[RESULT_OS_FAMILY];
    v->text[VIEW_OS_FAMILY_CODE] = code_of(&w, text[RESULT_OS_FAMILY]);
    v->text[VIEW_OS_FAMILY_VENDOR] = vendor_of(text[RESULT_OS_FAMILY]);
    v->text[VIEW_OS_VERSION] = text[RESULT_OS_VERSION];
    v->text[VIEW_OS_PLATFORM] = text[RESULT_OS_PLATFORM];
    v->text[VIEW_DEVICE_TYPE] = ss_cstr(kind_name((enum device_kind)r->kind));
    v->text[VIEW_DEVICE_BRAND] = text[RESULT_BRAND];
    v->text[VIEW_DEVICE_BRAND_CODE] = code_of(&w, text[RESULT_BRAND]);
    v->text[VIEW_DEVICE_NAME] = text[RESULT_MODEL];
    v->text[VIEW_BROWSER_NAME] = text[RESULT_CLIENT_NAME];
    v->text[VIEW_BROWSER_VERSION] = text[RESULT_CLIENT_VERSION];
    v->text[VIEW_BROWSER_MAJOR] = first_number(text[RESULT_CLIENT_VERSION]);
    v->text[VIEW_BROWSER_ENGINE] = text[RESULT_ENGINE];
    v->text[VIEW_BROWSER_TYPE] = text[RESULT_CLIENT_TYPE];
    v->text[VIEW_BROWSER_ENGINE_VERSION] = text[RESULT_ENGINE_VERSION];
    v->text[VIEW_BROWSER_FAMILY] = text[RESULT_CLIENT_FAMILY];
    v->text[VIEW_CRAWLER_CATEGORY] = text[RESULT_BOT_CATEGORY];
    v->text[VIEW_CRAWLER_NAME] = text[RESULT_BOT_NAME];
    v->text[VIEW_CRAWLER_PRODUCER] = text[RESULT_BOT_PRODUCER];
}

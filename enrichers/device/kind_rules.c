/* What kind of device it is where the files do not say, in the order of the original: a later rule sees what
   the earlier ones decided. */
#include "enrichers/device/scan.h"
#include "enrichers/device/version.h"

static bool has(scan *s, enum own_rule own)
{
    return scan_own(s, own, &s->plain);
}

static void set_if_none(scan *s, enum device_kind kind, bool condition)
{
    if (s->result->kind == KIND_NONE && condition)
        s->result->kind = (int8_t)kind;
}

static bool none(const scan *s)
{
    return s->result->kind == KIND_NONE;
}

static void correct_brand(scan *s, ss_str os)
{
    static const char *const apple[] = {"iPadOS", "tvOS", "watchOS", "iOS", "Mac", NULL};
    ss_str *brand = &TEXT(s, RESULT_BRAND);
    if (text_is(*brand, "Apple") && !text_in(os, apple)) { /* somebody pretends */
        s->result->kind = KIND_NONE;
        *brand = TEXT(s, RESULT_MODEL) = ss_s("", 0);
    }
    if (brand->len == 0 && text_in(os, apple))
        *brand = SS_LIT("Apple");
    if (brand->len == 0 && text_is(os, "ThinOS"))
        *brand = SS_LIT("Dell");
}

static void android_rules(scan *s, ss_str os, ss_str version)
{
    bool android = text_is(TEXT(s, RESULT_OS_FAMILY), "Android");
    set_if_none(s, KIND_WEARABLE, none(s) && has(s, OWN_VR));
    if (none(s) && android && has(s, OWN_CHROME))
        s->result->kind = has(s, OWN_CHROME_MOBILE) ? KIND_SMARTPHONE : KIND_TABLET;
    if (s->result->kind == KIND_SMARTPHONE && has(s, OWN_APAD))
        s->result->kind = KIND_TABLET;
    set_if_none(s, KIND_TABLET, none(s) && (has(s, OWN_TABLET) || has(s, OWN_OPERA_TABLET)));
    set_if_none(s, KIND_SMARTPHONE, none(s) && has(s, OWN_MOBILE));
    if (none(s) && text_is(os, "Android") && version.len) {
        /* 1.x were telephones, 3.x tablets, the others both */
        set_if_none(s, KIND_SMARTPHONE, version_compare(version, SS_LIT("2.0")) < 0);
        set_if_none(s, KIND_TABLET,
                    version_compare(version, SS_LIT("3.0")) >= 0 &&
                        version_compare(version, SS_LIT("4.0")) < 0);
    }
    if (s->result->kind == KIND_FEATURE_PHONE && android)
        s->result->kind = KIND_SMARTPHONE;
}

static void system_rules(scan *s, ss_str os, ss_str version)
{
    set_if_none(s, KIND_FEATURE_PHONE, text_is(os, "Java ME"));
    if (text_is(os, "KaiOS"))
        s->result->kind = KIND_FEATURE_PHONE;
    bool touch_windows =
        text_is(os, "Windows RT") || (text_is(os, "Windows") && version_compare(version, SS_LIT("8")) >= 0);
    set_if_none(s, KIND_TABLET, none(s) && touch_windows && has(s, OWN_TOUCH));
    if (!none(s))
        return;
    set_if_none(s, KIND_DESKTOP, has(s, OWN_PUFFIN_DESKTOP));
    set_if_none(s, KIND_SMARTPHONE, none(s) && has(s, OWN_PUFFIN_PHONE));
    set_if_none(s, KIND_TABLET, none(s) && has(s, OWN_PUFFIN_TABLET));
}

static void tv_rules(scan *s, ss_str os)
{
    static const char *const clients[] = {"Kylo",
                                          "Espial TV Browser",
                                          "LUJO TV Browser",
                                          "LogicUI TV Browser",
                                          "Open TV Browser",
                                          "Seraphic Sraf",
                                          "Opera Devices",
                                          "Crow Browser",
                                          "Vewd Browser",
                                          "TiviMate",
                                          "Quick Search TV",
                                          "QJY TV Browser",
                                          "TV Bro",
                                          "Redline",
                                          "Odin",
                                          NULL};
    int8_t *kind = &s->result->kind;
    if (has(s, OWN_OPERA_TV))
        *kind = KIND_TV;
    if (text_is(os, "Coolita OS")) {
        *kind = KIND_TV;
        TEXT(s, RESULT_BRAND) = SS_LIT("coocaa");
    }
    if (text_is(os, "VIDAA"))
        *kind = KIND_TV;
    if (*kind != KIND_TV && *kind != KIND_WEARABLE && *kind != KIND_PERIPHERAL && has(s, OWN_ANDROID_TV))
        *kind = KIND_TV;
    set_if_none(s, KIND_TV, none(s) && has(s, OWN_SMART_TV));
    if (text_in(TEXT(s, RESULT_CLIENT_NAME), clients))
        *kind = KIND_TV;
    set_if_none(s, KIND_TV, none(s) && has(s, OWN_TV));
}

static bool mobile_browser(const scan *s)
{
    if (!text_is(TEXT(s, RESULT_CLIENT_TYPE), "browser"))
        return false;
    const rule_name *known = rules_browser(s->r, TEXT(s, RESULT_CLIENT_NAME));
    return known && known->mobile_only;
}

static bool is_mobile(const scan *s, bool desktop)
{
    switch (s->result->kind) {
    case KIND_FEATURE_PHONE:
    case KIND_SMARTPHONE:
    case KIND_TABLET:
    case KIND_PHABLET:
    case KIND_CAMERA:
    case KIND_MEDIA_PLAYER:
        return true;
    case KIND_TV:
    case KIND_SMART_DISPLAY:
    case KIND_CONSOLE:
        return s->hints.mobile;
    default:
        return s->hints.mobile || mobile_browser(s) || (TEXT(s, RESULT_OS_NAME).len > 0 && !desktop);
    }
}

void scan_kind(scan *s)
{
    ss_str os = TEXT(s, RESULT_OS_NAME), version = TEXT(s, RESULT_OS_VERSION);
    correct_brand(s, os);
    android_rules(s, os, version);
    system_rules(s, os, version);
    tv_rules(s, os);
    if (s->result->kind != KIND_DESKTOP && has(s, OWN_DESKTOP_TOKEN))
        s->result->kind = KIND_DESKTOP;
    bool desktop = os.len > 0 && !mobile_browser(s) && os_is_desktop(s->r, os);
    set_if_none(s, KIND_DESKTOP, desktop);
    s->result->is_mobile = is_mobile(s, desktop);
}

/* What goes into an event: device_info with StreamSteam's names, made once from a result and then kept. */
#ifndef DEVICE_VIEW_H
#define DEVICE_VIEW_H

#include "enrichers/device/result.h"

/* X(name in C, name in the event, type, doc): the order is that of the event. STRING fields come from a view.
 */
#define VIEW_FIELDS(X)                                                                                       \
    X(UA, "ua", STRING, "The user agent that was looked at.")                                                \
    X(TYPE, "type", STRING,                                                                                  \
      "What made the request: browser, mobile-browser, app, crawler, library, ...; unrecognized.")           \
    X(BRAND, "brand", STRING, "Brand of the device; of a crawler: who runs it.")                             \
    X(NAME, "name", STRING, "Model of the device; of a crawler: its name.")                                  \
    X(URL, "url", STRING, "Of a crawler: its page.")                                                         \
    X(OS_NAME, "os.name", STRING, "Operating system with its version: Windows 10.")                          \
    X(OS_CODE, "os.code", STRING, "The same in lower case and underscores: windows_10.")                     \
    X(OS_URL, "os.url", STRING, "Not filled: the data has no addresses of operating systems.")               \
    X(OS_FAMILY, "os.family", STRING, "Family of operating systems: GNU/Linux.")                             \
    X(OS_FAMILY_CODE, "os.family_code", STRING, "The same in lower case and underscores: gnu_linux.")        \
    X(OS_FAMILY_VENDOR, "os.family_vendor", STRING, "Who makes that family: Microsoft, Apple, Google.")      \
    X(OS_ICON, "os.icon", STRING, "Not filled: the data has no pictures.")                                   \
    X(OS_ICON_LARGE, "os.icon_large", STRING, "Not filled: the data has no pictures.")                       \
    X(OS_VERSION, "os.version", STRING, "Version of the operating system alone: 10.")                        \
    X(OS_PLATFORM, "os.platform", STRING, "Processor: x64, x86, ARM, MIPS, ...")                             \
    X(IS_MOBILE, "device.is_mobile_device", BOOL, "Whether the device is carried around.")                   \
    X(DEVICE_TYPE, "device.type", STRING, "desktop, smartphone, tablet, tv, console, ...")                   \
    X(DEVICE_BRAND, "device.brand", STRING, "Brand: Samsung.")                                               \
    X(DEVICE_BRAND_CODE, "device.brand_code", STRING, "The same in lower case and underscores: samsung.")    \
    X(DEVICE_BRAND_URL, "device.brand_url", STRING, "Not filled: the data has no addresses of brands.")      \
    X(DEVICE_NAME, "device.name", STRING, "Model: Galaxy S21 5G.")                                           \
    X(BROWSER_NAME, "browser.name", STRING, "Browser, or the other program that browser.type names.")        \
    X(BROWSER_VERSION, "browser.version", STRING, "Its version, whole.")                                     \
    X(BROWSER_MAJOR, "browser.version_major", STRING, "The first number of it.")                             \
    X(BROWSER_ENGINE, "browser.engine", STRING, "What draws the page: Blink, WebKit, Gecko, ...")            \
    X(BROWSER_TYPE, "browser.type", STRING,                                                                  \
      "browser, mobile app, mediaplayer, feed reader, pim (mail and calendars), library.")                   \
    X(BROWSER_ENGINE_VERSION, "browser.engine_version", STRING, "Version of the engine.")                    \
    X(BROWSER_FAMILY, "browser.family", STRING, "The browser that it is built from: Chrome.")                \
    X(IS_CRAWLER, "crawler.is_crawler", BOOL, "Whether it is a crawler, a monitor or another robot.")        \
    X(CRAWLER_CATEGORY, "crawler.category", STRING, "Kind of robot: Search bot, Site Monitor, ...")          \
    X(CRAWLER_LAST_SEEN, "crawler.last_seen", STRING, "Not filled: nobody is asked.")                        \
    X(CRAWLER_NAME, "crawler.name", STRING, "Name of the robot.")                                            \
    X(CRAWLER_PRODUCER, "crawler.producer", STRING, "Who runs the robot.")

enum view_field {
#define X(id, name, type, doc) VIEW_##id,
    VIEW_FIELDS(X)
#undef X
        VIEW_COUNT
};

#define VIEW_ROOM 1024u /* for texts that are in neither the rules nor the user agent */

typedef struct view {
    ss_str text[VIEW_COUNT]; /* empty = not known, and for the two flags */
    bool is_mobile, is_crawler;
} view;

/* Texts point into the result's and into `room`. */
void view_make(view *v, const device_result *result, char room[VIEW_ROOM]);

#endif

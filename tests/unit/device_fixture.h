/* A small directory of regex files of our own, in the form of device-detector's, for the tests of the
   enricher device and its fuzz target. */
#ifndef TESTS_UNIT_DEVICE_FIXTURE_H
#define TESTS_UNIT_DEVICE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct device_file {
    const char *name, *text;
} device_file;

static const device_file device_files[] = {
    {"bots.yml", "- regex: 'Example(Bot|Spider)(?:/([\\d.]+))?'\n"
                 "  name: 'Example$1'\n"
                 "  category: 'Search bot'\n"
                 "  url: 'https://bot.example/'\n"
                 "  producer:\n"
                 "    name: 'Example Ltd.'\n"
                 "    url: 'https://example.org/'\n"
                 "- regex: 'probe'\n"
                 "  name: 'Probe'\n"},
    {"oss.yml", "- regex: 'Fire TV'\n  name: 'Fire OS'\n  version: ''\n"
                "- regex: '(?:Ubuntu)(?:[/ ](\\d+[.\\d]+))?'\n  name: 'Ubuntu'\n  version: '$1'\n"
                "- regex: 'CrOS [a-z0-9_]+ .*Chrome/(\\d+)'\n  name: 'Chrome OS'\n  version: '$1'\n"
                "- regex: 'KAIOS/([\\d.]+)'\n  name: 'KaiOS'\n  version: '$1'\n"
                "- regex: 'VIDAA'\n  name: 'VIDAA'\n  version: ''\n"
                "- regex: 'Windows NT'\n"
                "  name: 'Windows'\n"
                "  version: ''\n"
                "  versions:\n"
                "    - regex: 'Windows NT 10.0'\n      version: '10'\n"
                "    - regex: 'Windows NT 6.2; ARM;'\n      name: 'Windows RT'\n      version: ''\n"
                "    - regex: 'Windows NT 6.2'\n      version: '8'\n"
                "- regex: 'CPU (?:iPhone )?OS (\\d+(?:_\\d+)*)'\n  name: 'iOS'\n  version: '\\g<1>'\n"
                "- regex: 'Mac OS X (\\d+(?:[_.]\\d+)*)'\n  name: 'mac'\n  version: '$1'\n"
                "- regex: 'Android[ /](\\d+[.\\d]*)'\n  name: 'Android'\n  version: '$1'\n"
                "- regex: 'J2ME'\n  name: 'Java ME'\n  version: ''\n"
                "- regex: 'Linux'\n  name: 'GNU/Linux'\n  version: ''\n"},
    {"client/browsers.yml",
     "- regex: 'OurBrowser(?:/(\\d+[.\\d]+))?'\n"
     "  name: 'Our Browser'\n"
     "  version: '$1'\n"
     "  engine:\n    default: 'WebKit'\n    versions:\n      28: 'Blink'\n"
     "- regex: 'TV Bro/(\\d+)'\n  name: 'TV Bro'\n  version: '$1'\n"
     "- regex: 'Puffin/(\\d+[.\\d]+)'\n  name: 'Puffin Web Browser'\n  version: '$1'\n"
     "- regex: 'Firefox/(\\d+[.\\d]+)'\n  name: 'Firefox'\n  version: '$1'\n  engine:\n    default: 'Gecko'\n"
     "- regex: 'Chrome/(\\d+[.\\d]+) Mobile'\n  name: 'Chrome Mobile'\n  version: '$1'\n"
     "  engine:\n    default: 'Blink'\n"
     "- regex: 'Chrome(?:/(\\d+[.\\d]+))?'\n  name: 'Chrome'\n  version: '$1'\n"
     "  engine:\n    default: 'WebKit'\n    versions:\n      28: 'Blink'\n"
     "- regex: 'Plain/(\\d+)'\n  name: 'Plain'\n  version: '$1'\n"},
    {"client/browser_engine.yml",
     "- regex: 'WebKit'\n  name: 'WebKit'\n- regex: '(?<!like )Gecko'\n  name: 'Gecko'\n"},
    {"client/feed_readers.yml", "- regex: 'Feeder/(\\d+)'\n  name: 'Feeder'\n  version: '$1'\n"},
    {"client/mobile_apps.yml",
     "- regex: 'Chat(Go)?/(\\d+[.\\d]*)'\n  name: 'Chat $1'\n  version: '$2'\n  type: 'messaging'\n"},
    {"client/libraries.yml", "- regex: 'curl/(\\d+[.\\d]*)'\n  name: 'curl'\n  version: '$1'\n"},
    {"client/hints/apps.yml", "'org.chat.app': 'Chat'\n'org.other': 'Other App'\n"},
    {"client/hints/browsers.yml", "'org.mini': 'Our Browser'\n"},
    {"device/televisions.yml", "Acme:\n  regex: 'AcmeTV'\n  device: 'tv'\n  model: 'Set'\n"},
    {"device/consoles.yml", "Nin:\n  regex: 'NinBox'\n  device: 'console'\n  model: 'Box'\n"},
    {"device/mobiles.yml",
     "Apple:\n"
     "  regex: '(?:iPhone|iPad)(?:;| )'\n"
     "  device: 'smartphone'\n"
     "  models:\n"
     "    - regex: 'iPad'\n      device: 'tablet'\n      model: 'iPad'\n"
     "    - regex: 'iPhone'\n      model: 'iPhone'\n"
     "Gamma:\n"
     "  regex: 'GM-[A-Z]\\d|GMPad'\n"
     "  device: 'smartphone'\n"
     "  models:\n"
     "    - regex: 'GM-X(\\d)(?:_(\\d))?'\n      model: 'X_$1 TD'\n"
     "    - regex: 'GMPad'\n      device: 'tablet'\n      brand: 'Gamma Pads'\n      model: 'Pad'\n"
     "    - regex: 'GM-F1'\n      device: 'feature phone'\n      model: 'F1'\n"
     "    - regex: 'GM-B1'\n      model: 'Build'\n"
     "Unknown:\n  regex: 'NoName'\n  device: 'phablet'\n  model: 'One'\n"},
    {"vendorfragments.yml", "Delta:\n  - 'MDDR(JS)?'\n"},
    {"names.yml", "operating_systems:\n"
                  "  - {name: 'Android', family: 'Android'}\n  - {name: 'Chrome OS', family: 'Chrome OS'}\n"
                  "  - {name: 'Fire OS', family: 'Android'}\n  - {name: 'GNU/Linux', family: 'GNU/Linux'}\n"
                  "  - {name: 'iOS', family: 'iOS'}\n  - {name: 'Java ME', family: 'Real-time OS'}\n"
                  "  - {name: 'KaiOS', family: 'Firefox OS'}\n  - {name: 'Mac', family: 'Mac'}\n"
                  "  - {name: 'Lineage OS', family: 'Android'}\n  - {name: 'Ubuntu', family: 'GNU/Linux'}\n"
                  "  - {name: 'VIDAA', family: 'GNU/Linux'}\n  - {name: 'Windows', family: 'Windows'}\n"
                  "  - {name: 'Windows RT', family: 'Windows Mobile'}\n"
                  "browsers:\n"
                  "  - {name: 'Chrome', family: 'Chrome'}\n  - {name: 'Chrome Mobile', family: 'Chrome'}\n"
                  "  - {name: 'Chromium', family: 'Chrome'}\n  - {name: 'Chrome Webview', family: 'Chrome'}\n"
                  "  - {name: 'Firefox', family: 'Firefox'}\n  - {name: 'Microsoft Edge'}\n"
                  "  - {name: 'Opera', family: 'Opera'}\n"
                  "  - {name: 'Our Browser', family: 'Chrome', mobile_only: true}\n  - {name: 'Plain'}\n"},
};
#define DEVICE_FILES (sizeof device_files / sizeof device_files[0])

static inline void device_write(const char *directory, const char *name, const char *text)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *out = fopen(path, "w");
    if (!out || fputs(text, out) < 0 || fclose(out) != 0)
        abort();
}

/* A new directory with the files; device_remove() takes it away. */
static inline void device_make(char *directory, size_t size)
{
    static const char *const folders[] = {"client", "client/hints", "device"};
    char path[1024];
    (void)snprintf(directory, size, "%s/streamsteam-device-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(directory))
        abort();
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, folders[i]);
        if (mkdir(path, 0755) != 0)
            abort();
    }
    for (size_t i = 0; i < DEVICE_FILES; i++)
        device_write(directory, device_files[i].name, device_files[i].text);
}

static inline void device_remove(const char *directory)
{
    static const char *const folders[] = {"client/hints", "client", "device", ""};
    char path[1024];
    for (size_t i = 0; i < DEVICE_FILES; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, device_files[i].name);
        (void)unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, folders[i]);
        (void)rmdir(path);
    }
}

#endif

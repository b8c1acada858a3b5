/* A line a user agent, with its client hints (JSON) behind a tab where it has some; out comes a line of JSON
   with everything that the device enricher found. usage: device_lines DIRECTORY < lines */
// with: enrichers/device/*.c
// libs: -lpcre2-8 -lyaml -lpthread
#include <stdio.h>
#include <stdlib.h>

#include "enrichers/device/load.h"
#include "enrichers/device/scan.h"
#include "plugins/common/json.h"

static const char *const names[RESULT_TEXTS] = {
    "bot_name",    "bot_category",   "bot_url",        "bot_producer", "bot_producer_url",
    "os_name",     "os_version",     "os_platform",    "os_family",    "client_type",
    "client_name", "client_version", "browser_family", "engine",       "engine_version",
    "brand",       "model"};

static void print(const device_result *found)
{
    char out[16384];
    size_t n = 0;
    for (size_t i = 0; i < RESULT_TEXTS; i++) {
        n += (size_t)sprintf(out + n, "%s\"%s\":", i ? "," : "{", names[i]);
        n += json_put_string(out + n, found->text[i]);
    }
    (void)printf("%.*s,\"type\":\"%s\",\"bot\":%s,\"mobile\":%s}\n", (int)n, out,
                 kind_name((enum device_kind)found->kind), found->is_bot ? "true" : "false",
                 found->is_mobile ? "true" : "false");
}

int main(int argc, char **argv)
{
    static char line[65536];
    ss_error err = {.struct_size = sizeof err};
    rules *r = argc == 2 ? rules_load(argv[1], &err) : NULL;
    scan *s = r ? scan_new(r) : NULL;
    if (!s) {
        (void)fprintf(stderr, "%s\n", r || argc != 2 ? "usage: device_lines DIRECTORY" : err.text);
        return 2;
    }
    while (fgets(line, sizeof line, stdin)) {
        device_result found;
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (tab)
            *tab++ = '\0';
        scan_run(s, ss_cstr(line), ss_cstr(tab ? tab : ""), &found);
        print(&found);
    }
    scan_free(s);
    rules_free(r);
    return 0;
}

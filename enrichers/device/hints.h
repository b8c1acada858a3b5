/* Client hints as they come: Matomo's uadata object ("platform", "fullVersionList"), or request headers by
   their names ("sec-ch-ua-platform", "x-requested-with"). */
#ifndef DEVICE_HINTS_H
#define DEVICE_HINTS_H

#include "streamsteam/plugin.h"

#define HINT_BRANDS_MAX 16u
#define HINT_BYTES_MAX  4096u /* of the JSON; longer hints are ignored */

typedef struct hint_brand {
    ss_str name, version;
} hint_brand;

enum hint_text {
    HINT_MODEL,
    HINT_PLATFORM,
    HINT_PLATFORM_VERSION,
    HINT_FULL_VERSION,
    HINT_ARCHITECTURE,
    HINT_BITNESS,
    HINT_APP,
    HINT_TEXTS
};

typedef struct hints {
    bool given, mobile;
    ss_str text[HINT_TEXTS];
    hint_brand brands[HINT_BRANDS_MAX];
    uint32_t brand_count;
    int8_t kind; /* enum device_kind of the form factors, KIND_NONE */
    char room[HINT_BYTES_MAX];
    size_t used;
} hints;

void hints_read(hints *h, ss_str json);

#endif

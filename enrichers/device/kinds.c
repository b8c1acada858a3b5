#include "enrichers/device/kinds.h"

static const char *const names[KIND_COUNT] = {
    "desktop", "smartphone",    "tablet",        "feature phone", "console",
    "tv",      "car browser",   "smart display", "camera",        "portable media player",
    "phablet", "smart speaker", "wearable",      "peripheral"};

enum device_kind kind_from_name(ss_str name)
{
    for (int i = 0; i < KIND_COUNT; i++)
        if (ss_eq(name, ss_cstr(names[i])))
            return (enum device_kind)i;
    return KIND_NONE;
}

const char *kind_name(enum device_kind kind)
{
    return kind > KIND_NONE && kind < KIND_COUNT ? names[kind] : "";
}

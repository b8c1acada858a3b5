/* The kinds of devices, numbered as in the original. */
#ifndef DEVICE_KINDS_H
#define DEVICE_KINDS_H

#include "streamsteam/plugin.h"

enum device_kind {
    KIND_NONE = -1,
    KIND_DESKTOP,
    KIND_SMARTPHONE,
    KIND_TABLET,
    KIND_FEATURE_PHONE,
    KIND_CONSOLE,
    KIND_TV,
    KIND_CAR_BROWSER,
    KIND_SMART_DISPLAY,
    KIND_CAMERA,
    KIND_MEDIA_PLAYER,
    KIND_PHABLET,
    KIND_SMART_SPEAKER,
    KIND_WEARABLE,
    KIND_PERIPHERAL,
    KIND_COUNT
};

enum device_kind kind_from_name(ss_str name);
const char *kind_name(enum device_kind kind); /* "" = none */

#endif

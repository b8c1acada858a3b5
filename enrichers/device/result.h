/* What is known about a user agent. */
#ifndef DEVICE_RESULT_H
#define DEVICE_RESULT_H

#include "streamsteam/plugin.h"

enum result_text {
    RESULT_BOT_NAME,
    RESULT_BOT_CATEGORY,
    RESULT_BOT_URL,
    RESULT_BOT_PRODUCER,
    RESULT_BOT_PRODUCER_URL,
    RESULT_OS_NAME,
    RESULT_OS_VERSION,
    RESULT_OS_PLATFORM,
    RESULT_OS_FAMILY,
    RESULT_CLIENT_TYPE,
    RESULT_CLIENT_NAME,
    RESULT_CLIENT_VERSION,
    RESULT_CLIENT_FAMILY,
    RESULT_ENGINE,
    RESULT_ENGINE_VERSION,
    RESULT_BRAND,
    RESULT_MODEL,
    RESULT_TEXTS
};

typedef struct device_result {
    ss_str text[RESULT_TEXTS]; /* empty = unknown */
    int8_t kind;               /* enum device_kind */
    bool is_bot, is_mobile;
} device_result;

#endif

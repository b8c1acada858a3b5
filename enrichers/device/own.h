/* The expressions that the algorithm itself has, beside those of the files. Constant. */
#ifndef DEVICE_OWN_H
#define DEVICE_OWN_H

#include "enrichers/device/rules.h"

typedef struct own_regex {
    enum rule_wrap wrap;
    const char *regex;
} own_regex;

extern const own_regex own_regexes[OWN_COUNT];

/* The expression that finds an engine's version; %s is the engine. */
#define OWN_ENGINE_VERSION "(?:%s)\\s*[/_]?\\s*((?(?=\\d+\\.\\d)\\d+[.\\d]*|\\d{1,7}(?=(?:\\D|$))))"

#endif

/* From a directory to rules. */
#ifndef DEVICE_LOAD_H
#define DEVICE_LOAD_H

#include "enrichers/device/rules.h"

#define NAMES_FILE "names.yml"

/* NULL with the reason (file, line) in err. */
rules *rules_load(const char *directory, ss_error *err);

/* A number that changes when a file of the directory does; 0 where the directory has none of them. */
uint64_t rules_stamp(const char *directory);

bool load_names(rules *r, const char *directory, ss_error *err);
bool load_hints(rules *r, const char *directory, ss_error *err);

#endif

/* The entries of one regex file, read into rules one after the other. */
#ifndef DEVICE_ENTRIES_H
#define DEVICE_ENTRIES_H

#include "enrichers/device/rules.h"
#include "enrichers/device/yaml_read.h"

typedef struct entries {
    rules *r;
    enum rule_file file;
    rule *inner; /* models and versions of the file: they go behind its own rules */
    uint32_t inner_count;
} entries;

/* By the file's shape, for yaml_list() and yaml_map(); arg: entries. */
bool entries_list_item(yaml_read *y, void *arg);
bool entries_brand(yaml_read *y, ss_str key, void *arg);
bool entries_vendor(yaml_read *y, ss_str key, void *arg);

#endif

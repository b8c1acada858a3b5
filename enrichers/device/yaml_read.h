/* A YAML file read value by value, without a tree: a mapping or a sequence calls back for each of its parts,
   and the callback reads that part. Aliases, tags and documents after the first are refused or not looked
   at. */
#ifndef DEVICE_YAML_READ_H
#define DEVICE_YAML_READ_H

#include <yaml.h>

#include "streamsteam/plugin.h"

#define YAML_FILE_BYTES_MAX (32u << 20)

typedef struct yaml_read {
    yaml_parser_t parser;
    yaml_event_t event; /* the one that comes next */
    yaml_event_t kept;  /* whose text was lent last */
    FILE *file;
    const char *path;
    ss_error *err;
    bool failed;
} yaml_read;

typedef bool (*yaml_member)(yaml_read *y, ss_str key, void *arg);
typedef bool (*yaml_item)(yaml_read *y, void *arg);

/* false: the file cannot be read; err says why. Where `missing` is given and there is no such file, that is
   set in place of err. */
bool yaml_open(yaml_read *y, const char *path, bool *missing, ss_error *err);
void yaml_close(yaml_read *y);
uint32_t yaml_line(const yaml_read *y); /* of the value that comes next, from 1 */
/* The next value as a mapping or a sequence; an empty value is an empty one. */
bool yaml_map(yaml_read *y, yaml_member member, void *arg);
bool yaml_list(yaml_read *y, yaml_item item, void *arg);
/* The next value as a text; valid until the next call. */
bool yaml_text(yaml_read *y, ss_str *text);
bool yaml_skip(yaml_read *y);
/* Says "path:line: why" and returns false. */
bool yaml_fail(yaml_read *y, uint32_t line, const char *why);

#endif

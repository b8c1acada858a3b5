/* What the YAML says of a lake. */
#ifndef LAKE_OPTIONS_H
#define LAKE_OPTIONS_H

#include "modules/lake/cut.h"

typedef struct lake_rules {
    cut_settings settings;
    uint64_t roll_bytes;
    int64_t roll_age_ms;
    char library[PATH_MAX]; /* of DuckDB */
} lake_rules;

extern const ss_option lake_options[];

/* r: all zero. false: err. The bucket of a lake on S3 is looked at by others. */
bool options_read(lake_rules *r, const ss_host *h, const ss_config *cfg, ss_error *err);

#endif

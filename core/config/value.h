/* Numbers as people write them in a configuration. All return false where the text is not one (nothing of
   the text may be left over), or where it does not fit. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "streamsteam/plugin.h"

bool value_int(const char *text, int64_t *out);
bool value_float(const char *text, double *out);    /* finite ones only */
bool value_bool(const char *text, bool *out);       /* true false yes no on off */
bool value_size(const char *text, int64_t *bytes);  /* 4096, 25MB = 25 * 10^6, 128MiB = 128 * 2^20 */
bool value_duration(const char *text, int64_t *ms); /* 200ms, 60s, 15m, 1h, 7d; 0 needs no unit */
bool value_url(const char *text);                   /* scheme://host... without blanks */

/* The other way round, the shortest unit without a remainder: "64MiB", "25MB", "15m". Return out. */
const char *value_size_text(int64_t bytes, char *out, size_t size);
const char *value_duration_text(int64_t ms, char *out, size_t size);

#endif

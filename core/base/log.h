/* One JSON object per line to stderr: {"time","level","process","instance"?,"msg",...}. Any thread.
   A line is one write(2), so lines of several processes do not mix. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "streamsteam/plugin.h"

/* Once per process: name as in `ps` ("ingest", "module lake"). */
void log_init(const char *process, int32_t lowest_level);
/* debug, info, warning, error as the configuration has them; anything else is SS_INFO. */
int32_t log_level_named(ss_str name);
/* Secrets: every later line has these bytes replaced by "***". Copied. Bounded: LOG_SECRETS_MAX. */
void log_add_secret(ss_str secret);

void log_line(int32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* extra: more members, e.g. "\"address\":\"127.0.0.1:8080\"", already valid JSON; NULL = none. */
void log_with(int32_t level, const char *extra, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_line(SS_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(SS_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(SS_WARNING, __VA_ARGS__)
#define log_error(...) log_line(SS_ERROR, __VA_ARGS__)

#endif

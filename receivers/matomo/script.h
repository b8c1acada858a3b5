/* The tracker's script (matomo.js), served from a file: kept in memory, plain and gzipped, and read again
   when the file changes. Any thread. */
#ifndef MATOMO_SCRIPT_H
#define MATOMO_SCRIPT_H

#include "streamsteam/plugin.h"

#define SCRIPT_BYTES_MAX (4u * 1024 * 1024)
#define SCRIPT_LOOK_MS   2000 /* how often the file is looked at */

typedef struct script script;

/* The options `script`, `script_max_age`. *out NULL: none is configured. */
int32_t script_make(script **out, const ss_host *host, const ss_config *cfg, ss_error *err);
void script_free(script *s);

/* Answers with the script, 304, or 404 where there is none (s NULL). */
int32_t script_answer(script *s, const ss_host *host, const ss_request *request, ss_response *response);

#endif

/* What every host table shares: log, clock, random, configuration, secrets, metrics, directories, state
   files, alarms. A real host (ingest, module) embeds this first in its own struct and overrides the calls
   that need it; until then those answer SS_DECLINE, NULL or nothing. init and fini on one thread; the calls
   themselves from any. */
#ifndef LOADER_HOST_BASE_H
#define LOADER_HOST_BASE_H

#include <limits.h>
#include <pthread.h>

#include "core/base/error.h"

#define HOST_LOG_LINES_PER_SECOND 20u
#define HOST_STATES_MAX           16u /* state files of one instance */
#define HOST_STATE_BYTES_MAX      (1u << 30)
#define HOST_ALARMS_MAX           16u
#define HOST_SHORT_NAME_MAX       48u /* of a state file or an alarm */

typedef struct host_state {
    char name[HOST_SHORT_NAME_MAX];
    void *map; /* header page and content */
    size_t size;
} host_state;

typedef struct host_alarm {
    char name[HOST_SHORT_NAME_MAX];
    char text[200]; /* "" = cleared */
    ss_metric *gauge;
} host_alarm;

typedef struct host_base {
    ss_host table;
    char kind[16], name[64];
    char dir[PATH_MAX];
    bool dry; /* see host_base_init_dry */
    pthread_mutex_t lock;
    int64_t log_window_us;
    uint32_t log_lines, log_suppressed;
    size_t state_count, alarm_count;
    host_state states[HOST_STATES_MAX];
    host_alarm alarms[HOST_ALARMS_MAX];
} host_base;

/* kind: "receiver", "enricher" or "module". Creates DATA/<kind>s/NAME. table.self = b. 0, or -1 with err. */
int host_base_init(host_base *b, const char *kind, const char *name, const char *data_dir, ss_error *err);
/* For checking a configuration: create() and destroy() only. Touches nothing of the server's: the directory
   is a temporary one, made when asked for and removed by fini; timers are never fired; only errors are
   logged. */
void host_base_init_dry(host_base *b, const char *kind, const char *name);
void host_base_fini(host_base *b);
/* The raised alarms as one text, "name: sentence; ...". Length. */
size_t host_base_alarms(host_base *b, char *out, size_t size);

#endif

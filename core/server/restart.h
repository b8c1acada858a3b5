/* When to start a dead child again, and which plugin to leave out. Pure: time and chance come from the
 * caller. */
#ifndef SERVER_RESTART_H
#define SERVER_RESTART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESTART_INGEST_MAX_MS   1000
#define RESTART_INGEST_CALM_US  10000000 /* a life this long: the next death is a first one again */
#define RESTART_MODULE_FIRST_MS 100
#define RESTART_MODULE_MAX_MS   30000
#define RESTART_MODULE_CALM_US  60000000
#define RESTART_BISECT_MAX      40u /* quick restarts while a batch is being halved           */
#define RESTART_PARK_CRASHES    3u
#define RESTART_PARK_WINDOW_US  300000000 /* 5 minutes                                              */
#define RESTART_PARK_US         300000000
#define RESTART_PARKS_MAX       32u
#define RESTART_NAME_BYTES      64u

typedef struct restart {
    uint32_t streak; /* deaths without a calm life between */
    uint32_t bisects;
} restart;

/* Milliseconds to wait. */
int64_t restart_ingest_delay(restart *r, int64_t lived_us);
/* inside_deliver: it crashed in deliver(): the host is looking for the bad record, do not slow it down. */
int64_t restart_module_delay(restart *r, int64_t lived_us, bool inside_deliver, uint32_t chance);

typedef struct restart_park {
    char name[RESTART_NAME_BYTES]; /* "receiver matomo"; "" = free */
    int64_t crashes_us[RESTART_PARK_CRASHES];
    int64_t until_us; /* 0 = not parked */
} restart_park;

typedef struct restart_parks {
    restart_park entries[RESTART_PARKS_MAX];
} restart_parks;

/* Notes a crash by this plugin. True: it was one too many, the plugin is parked from now on. */
bool restart_note_crash(restart_parks *parks, const char *name, int64_t now_us);
/* Ends parkings whose time is over. True: something changed. next_us: the next end, or 0. */
bool restart_release(restart_parks *parks, int64_t now_us, int64_t *next_us);
bool restart_is_parked(const restart_parks *parks, size_t i);

#endif

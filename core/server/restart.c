#include "core/server/restart.h"

#include <stdio.h>
#include <string.h>

#define INGEST_SECOND_MS 50
#define STREAK_MAX       20u

static int64_t doubled(int64_t first_ms, uint32_t times, int64_t max_ms)
{
    int64_t ms = first_ms << (times < STREAK_MAX ? times : STREAK_MAX);
    return ms < max_ms ? ms : max_ms;
}

int64_t restart_ingest_delay(restart *r, int64_t lived_us)
{
    if (lived_us >= RESTART_INGEST_CALM_US)
        r->streak = 0;
    uint32_t streak = r->streak;
    if (r->streak < STREAK_MAX)
        r->streak++;
    return streak == 0 ? 0 : doubled(INGEST_SECOND_MS, streak - 1, RESTART_INGEST_MAX_MS);
}

int64_t restart_module_delay(restart *r, int64_t lived_us, bool inside_deliver, uint32_t chance)
{
    if (lived_us >= RESTART_MODULE_CALM_US)
        *r = (restart){0};
    if (inside_deliver && r->bisects < RESTART_BISECT_MAX) {
        r->bisects++;
        return RESTART_MODULE_FIRST_MS;
    }
    int64_t ms = doubled(RESTART_MODULE_FIRST_MS, r->streak, RESTART_MODULE_MAX_MS);
    if (r->streak < STREAK_MAX)
        r->streak++;
    /* 80 to 100 %: modules that died together shall not come back together for ever */
    return ms - ms * (int64_t)(chance % 1000) / 5000;
}

static restart_park *entry_for(restart_parks *parks, const char *name)
{
    restart_park *oldest = &parks->entries[0];
    for (size_t i = 0; i < RESTART_PARKS_MAX; i++) {
        restart_park *p = &parks->entries[i];
        if (strncmp(p->name, name, RESTART_NAME_BYTES - 1) == 0)
            return p;
        if (p->until_us == 0 && (oldest->until_us != 0 || p->crashes_us[0] < oldest->crashes_us[0]))
            oldest = p;
    }
    *oldest = (restart_park){0};
    (void)snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

bool restart_note_crash(restart_parks *parks, const char *name, int64_t now_us)
{
    restart_park *p = entry_for(parks, name);
    if (p->until_us != 0)
        return false;
    for (size_t i = RESTART_PARK_CRASHES - 1; i > 0; i--)
        p->crashes_us[i] = p->crashes_us[i - 1];
    p->crashes_us[0] = now_us;
    int64_t oldest = p->crashes_us[RESTART_PARK_CRASHES - 1];
    if (oldest == 0 || now_us - oldest > RESTART_PARK_WINDOW_US)
        return false;
    p->until_us = now_us + RESTART_PARK_US;
    return true;
}

bool restart_release(restart_parks *parks, int64_t now_us, int64_t *next_us)
{
    bool changed = false;
    *next_us = 0;
    for (size_t i = 0; i < RESTART_PARKS_MAX; i++) {
        restart_park *p = &parks->entries[i];
        if (p->until_us == 0)
            continue;
        if (p->until_us <= now_us) {
            *p = (restart_park){0};
            changed = true;
        } else if (*next_us == 0 || p->until_us < *next_us) {
            *next_us = p->until_us;
        }
    }
    return changed;
}

bool restart_is_parked(const restart_parks *parks, size_t i)
{
    return parks->entries[i].until_us != 0;
}

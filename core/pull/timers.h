/* Timers of a pull receiver: one thread for all of them, which exists only where there are some. */
#ifndef PULL_TIMERS_H
#define PULL_TIMERS_H

#include "streamsteam/plugin.h"

/* NULL: too many, or no memory. Any thread. */
ss_timer *pull_timers_add(int64_t delay_ms, int64_t period_ms, void (*callback)(void *arg), void *arg);
void pull_timers_stop(void); /* waits for a running callback; none runs afterwards */

#endif

/* Metrics: counters and gauges of this process, kept in the shared page so that they outlive it: after a
   restart the counters go on (a series is found again by name and labels), the gauges start at 0.
   Registering takes a lock of this process; updates are lock-free. Any thread. */
#ifndef OBSERVE_METRICS_H
#define OBSERVE_METRICS_H

#include "core/base/buf.h"
#include "core/observe/board.h"
#include "streamsteam/plugin.h"

/* Once per process, before threads; until then registering answers NULL and nothing is counted. */
void metrics_init(board *b, uint32_t process_index);

/* name without the prefix "streamsteam_" (counters end in _total), labels: `code="bad_json"` or "".
   The label `process` is added when rendering. NULL past BOARD_METRICS_MAX series, or where name, help or
   labels do not fit; NULL may be updated. */
ss_metric *metrics_counter(const char *name, const char *help, const char *labels);
ss_metric *metrics_gauge(const char *name, const char *help, const char *labels);
void metrics_add(ss_metric *metric, double value);
void metrics_set(ss_metric *metric, double value);
double metrics_value(const ss_metric *metric); /* 0 for NULL */

/* Supervisor: drops all series of a process slot, before another module gets that slot. */
void metrics_forget(board *b, uint32_t process_index);

/* Prometheus text 0.0.4 of all processes, and what the page itself tells: process_up, process_restarts_total,
   journal_durable_seq, journal_first_seq, journal_bytes, journal_state, module_cursor, module_lag_records,
   module_expired_total, module_paused. */
void metrics_render(board *b, buf *out);

#endif

/* What is made of the events of one group. Each kind is a small state that takes one value after the other;
   the same values in the same order give the same state, before and after a restart. */
#ifndef WINDOWS_AGGREGATE_H
#define WINDOWS_AGGREGATE_H

#include "modules/windows/hash.h"
#include "modules/windows/paths.h"
#include "plugins/common/buf.h"

#define AGGREGATE_HLL_BITS    12u   /* 4096 registers: a standard error of 1.6 % */
#define AGGREGATE_HLL_EXACT   256u  /* up to so many values the approximate count is exact */
#define AGGREGATE_BUCKETS_MAX 2048u /* of a sketch; then the smallest values share one */
#define AGGREGATE_ERROR       0.01  /* of a quantile, relative */
#define AGGREGATE_GAMMA       ((1 + AGGREGATE_ERROR) / (1 - AGGREGATE_ERROR)) /* from a bucket to the next */
/* Keys of positive values lie above it, those of negative ones mirrored below zero. */
#define AGGREGATE_BUCKET_MIDDLE 1000000
#define AGGREGATE_TOP_MAX       100u
#define AGGREGATE_TOP_SPARE     8u /* counters per wanted item: what makes the top exact enough */
#define AGGREGATE_TOP_TEXT      200u

enum aggregate_kind {
    AGGREGATE_COUNT = 1,
    AGGREGATE_DISTINCT,
    AGGREGATE_APPROXIMATE,
    AGGREGATE_SUM,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_AVG,
    AGGREGATE_QUANTILE,
    AGGREGATE_TOP
};

typedef struct aggregate_spec {
    enum aggregate_kind kind;
    uint32_t slot; /* not of COUNT */
    double q;
    uint32_t k;
} aggregate_spec;

typedef struct aggregate { /* zeroed: empty */
    uint64_t n;            /* values taken; DISTINCT: different ones */
    double a, b;           /* SUM, AVG: sum and its compensation; MIN, MAX: a */
    void *table;           /* owned; by kind */
    uint32_t used, size;   /* of the table's items */
} aggregate;

enum aggregate_result { AGGREGATE_TAKEN, AGGREGATE_NO_VALUE, AGGREGATE_NO_ROOM };

/* room: bytes that it may still take; *bytes: what it took. NO_ROOM: a value is not remembered as it should:
   exact counts go on as approximate ones, which never happens silently. */
enum aggregate_result aggregate_add(const aggregate_spec *spec, aggregate *a, const path_value *v,
                                    hash_key key, size_t room, int64_t *bytes);
void aggregate_free(const aggregate_spec *spec, aggregate *a);
size_t aggregate_bytes(const aggregate_spec *spec, const aggregate *a); /* of its table, as it is kept */

/* As a file brings it: nothing in the table may lead anybody astray. bytes: what the file has for the table.
 */
bool aggregate_is_sound(const aggregate_spec *spec, const aggregate *a, size_t bytes);

/* Has the event what the aggregate wants? v may be NULL. */
bool aggregate_takes(const aggregate_spec *spec, const path_value *v);
bool aggregate_is_whole(enum aggregate_kind kind); /* the value is a whole number */
double aggregate_value(const aggregate_spec *spec, const aggregate *a, uint64_t count); /* NAN: none */
/* The value as JSON; TOP: [{"value":...,"count":...}]. */
void aggregate_put(const aggregate_spec *spec, const aggregate *a, uint64_t count, buf *out);

#endif

/* The aggregates that keep a table: distinct.c, sketch.c, top.c. */
#ifndef WINDOWS_AGGREGATE_INSIDE_H
#define WINDOWS_AGGREGATE_INSIDE_H

#include "modules/windows/aggregate.h"

#define AGGREGATE_TABLE_FIRST 16u

bool distinct_is_dense(const aggregate *a);
enum aggregate_result distinct_add(const aggregate_spec *spec, aggregate *a, ss_str text, hash_key key,
                                   size_t room, int64_t *bytes);
double distinct_value(const aggregate *a);
size_t distinct_bytes(const aggregate *a);
bool distinct_is_sound(const aggregate *a);

enum aggregate_result sketch_add(aggregate *a, double x, size_t room, int64_t *bytes);
double sketch_value(const aggregate *a, double q);
size_t sketch_bytes(const aggregate *a);
bool sketch_is_sound(const aggregate *a);

enum aggregate_result top_add(const aggregate_spec *spec, aggregate *a, ss_str text, hash_key key,
                              size_t room, int64_t *bytes);
void top_put(const aggregate_spec *spec, const aggregate *a, buf *out);
size_t top_bytes(const aggregate *a);
bool top_is_sound(const aggregate_spec *spec, const aggregate *a);

#endif

#include "modules/windows/aggregate_inside.h"

#include <math.h>
#include <stdlib.h>

/* ---- values ---- */

static bool number_of(const path_value *v, double *out)
{
    return v && v->kind == JSON_NUMBER && json_double(v->text, out) && isfinite(*out);
}

/* A value's name: strings unescaped, other scalars as written. */
static bool text_of(const path_value *v, char *room, size_t size, ss_str *out)
{
    if (!v || v->kind == JSON_NULL)
        return false;
    *out = v->text;
    if (!v->escaped)
        return true;
    if (v->text.len > size)
        return true; /* as written: still the same for the same */
    *out = ss_s(room, json_unescape(room, v->text));
    return true;
}

/* ---- all ---- */

static void sum_add(aggregate *a, double x) /* Neumaier: what rounding lost is kept beside */
{
    double t = a->a + x;
    a->b += fabs(a->a) >= fabs(x) ? (a->a - t) + x : (x - t) + a->a;
    a->a = t;
    a->n++;
}

enum aggregate_result aggregate_add(const aggregate_spec *spec, aggregate *a, const path_value *v,
                                    hash_key key, size_t room, int64_t *bytes)
{
    char plain[4096];
    double x;
    ss_str text;
    switch (spec->kind) {
    case AGGREGATE_COUNT:
        return AGGREGATE_TAKEN;
    case AGGREGATE_DISTINCT:
    case AGGREGATE_APPROXIMATE:
        return text_of(v, plain, sizeof plain, &text) ? distinct_add(spec, a, text, key, room, bytes)
                                                      : AGGREGATE_NO_VALUE;
    case AGGREGATE_TOP:
        return text_of(v, plain, sizeof plain, &text) ? top_add(spec, a, text, key, room, bytes)
                                                      : AGGREGATE_NO_VALUE;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_QUANTILE:
        break;
    }
    if (!number_of(v, &x))
        return AGGREGATE_NO_VALUE;
    if (spec->kind == AGGREGATE_QUANTILE)
        return sketch_add(a, x, room, bytes);
    if (spec->kind == AGGREGATE_SUM || spec->kind == AGGREGATE_AVG) {
        sum_add(a, x);
        return AGGREGATE_TAKEN;
    }
    if (a->n == 0 || (spec->kind == AGGREGATE_MIN ? x < a->a : x > a->a))
        a->a = x;
    a->n++;
    return AGGREGATE_TAKEN;
}

void aggregate_free(const aggregate_spec *spec, aggregate *a)
{
    (void)spec;
    free(a->table);
    a->table = NULL;
}

size_t aggregate_bytes(const aggregate_spec *spec, const aggregate *a)
{
    switch (spec->kind) {
    case AGGREGATE_DISTINCT:
    case AGGREGATE_APPROXIMATE:
        return distinct_bytes(a);
    case AGGREGATE_QUANTILE:
        return sketch_bytes(a);
    case AGGREGATE_TOP:
        return top_bytes(a);
    case AGGREGATE_COUNT:
    case AGGREGATE_SUM:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_AVG:
        break;
    }
    return 0;
}

bool aggregate_is_sound(const aggregate_spec *spec, const aggregate *a, size_t bytes)
{
    if (bytes != aggregate_bytes(spec, a) || !a->table != (bytes == 0))
        return false;
    switch (spec->kind) {
    case AGGREGATE_DISTINCT:
    case AGGREGATE_APPROXIMATE:
        return distinct_is_sound(a);
    case AGGREGATE_QUANTILE:
        return sketch_is_sound(a);
    case AGGREGATE_TOP:
        return top_is_sound(spec, a);
    case AGGREGATE_COUNT:
    case AGGREGATE_SUM:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_AVG:
        break;
    }
    return a->used == 0 && a->size == 0;
}

bool aggregate_takes(const aggregate_spec *spec, const path_value *v)
{
    double x;
    if (spec->kind == AGGREGATE_COUNT)
        return true;
    if (spec->kind == AGGREGATE_DISTINCT || spec->kind == AGGREGATE_APPROXIMATE ||
        spec->kind == AGGREGATE_TOP)
        return v && v->kind != JSON_NULL;
    return number_of(v, &x);
}

bool aggregate_is_whole(enum aggregate_kind kind)
{
    return kind == AGGREGATE_COUNT || kind == AGGREGATE_DISTINCT || kind == AGGREGATE_APPROXIMATE ||
           kind == AGGREGATE_TOP;
}

double aggregate_value(const aggregate_spec *spec, const aggregate *a, uint64_t count)
{
    switch (spec->kind) {
    case AGGREGATE_DISTINCT:
    case AGGREGATE_APPROXIMATE:
        return distinct_value(a);
    case AGGREGATE_SUM:
        return a->a + a->b;
    case AGGREGATE_AVG:
        return a->n ? (a->a + a->b) / (double)a->n : NAN;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return a->n ? a->a : NAN;
    case AGGREGATE_QUANTILE:
        return sketch_value(a, spec->q);
    case AGGREGATE_COUNT:
    case AGGREGATE_TOP:
        break;
    }
    return (double)count;
}

void aggregate_put(const aggregate_spec *spec, const aggregate *a, uint64_t count, buf *out)
{
    char text[JSON_DOUBLE_SIZE];
    if (spec->kind == AGGREGATE_TOP)
        top_put(spec, a, out);
    else if (aggregate_is_whole(spec->kind))
        buf_addf(out, "%llu", (unsigned long long)aggregate_value(spec, a, count));
    else
        buf_add(out, text, json_put_double(text, aggregate_value(spec, a, count)));
}

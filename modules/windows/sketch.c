/* Quantiles: buckets that grow by a constant factor (DDSketch). */
#include "modules/windows/aggregate_inside.h"

#include <math.h>
#include <stdlib.h>

typedef struct bucket {
    int32_t key;
    uint32_t spare;
    uint64_t count;
} bucket;

static int32_t bucket_key(double x)
{
    static const double gamma = AGGREGATE_GAMMA;
    double size = fabs(x);
    if (size < 1e-9)
        return 0;
    int32_t at = AGGREGATE_BUCKET_MIDDLE + (int32_t)ceil(log(size) / log(gamma));
    return x < 0 ? -at : at;
}

static double bucket_value(int32_t key)
{
    static const double gamma = AGGREGATE_GAMMA;
    if (key == 0)
        return 0;
    double size = 2 * pow(gamma, (key < 0 ? -key : key) - AGGREGATE_BUCKET_MIDDLE) / (gamma + 1);
    return key < 0 ? -size : size;
}

enum aggregate_result sketch_add(aggregate *a, double x, size_t room, int64_t *bytes)
{
    int32_t key = bucket_key(x);
    bucket *list = a->table;
    uint32_t low = 0, high = a->used;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (list[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < a->used && list[low].key == key) {
        list[low].count++;
        a->n++;
        return AGGREGATE_TAKEN;
    }
    bool may_grow = a->size < AGGREGATE_BUCKETS_MAX;
    if (a->used == a->size && may_grow) {
        uint32_t size = a->size ? a->size * 2 : AGGREGATE_TABLE_FIRST;
        bucket *more = (size - a->size) * sizeof *list <= room ? realloc(list, size * sizeof *list) : NULL;
        if (more) {
            *bytes += (int64_t)((size - a->size) * sizeof *list);
            a->table = list = more;
            a->size = size;
        }
    }
    if (a->used == a->size) { /* into the next larger, or the last */
        if (a->used == 0)
            return AGGREGATE_NO_ROOM;
        list[low < a->used ? low : a->used - 1].count++;
        a->n++;
        return AGGREGATE_NO_ROOM;
    }
    memmove(list + low + 1, list + low, (a->used - low) * sizeof *list);
    list[low] = (bucket){key, 0, 1};
    a->used++;
    a->n++;
    return AGGREGATE_TAKEN;
}

double sketch_value(const aggregate *a, double q)
{
    const bucket *list = a->table;
    uint64_t rank = (uint64_t)(q * (double)(a->n ? a->n - 1 : 0)), seen = 0;
    for (uint32_t i = 0; i < a->used; i++) {
        seen += list[i].count;
        if (seen > rank)
            return bucket_value(list[i].key);
    }
    return NAN;
}

size_t sketch_bytes(const aggregate *a)
{
    return a->size * sizeof(bucket);
}

bool sketch_is_sound(const aggregate *a)
{
    const bucket *list = a->table;
    if (a->size > AGGREGATE_BUCKETS_MAX || a->used > a->size)
        return false;
    for (uint32_t i = 0; i < a->used; i++)
        if (list[i].key > 2 * AGGREGATE_BUCKET_MIDDLE || list[i].key < -2 * AGGREGATE_BUCKET_MIDDLE ||
            (i && list[i].key <= list[i - 1].key))
            return false;
    return true;
}

#include "modules/windows/aggregate.h"

#include <math.h>
#include <stdlib.h>

#define TABLE_FIRST 16u

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

/* ---- distinct: a set of hashes, or registers ---- */

static bool set_is_dense(const aggregate *a)
{
    return a->size == 1u << AGGREGATE_HLL_BITS && a->used == UINT32_MAX;
}

static void registers_add(uint8_t *registers, hash128 h)
{
    uint32_t at = (uint32_t)(h.a >> (64 - AGGREGATE_HLL_BITS));
    uint64_t rest = h.a << AGGREGATE_HLL_BITS;
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - (int)AGGREGATE_HLL_BITS + 1);
    if (rank > registers[at])
        registers[at] = rank;
}

static double registers_count(const uint8_t *registers)
{
    const double m = 1u << AGGREGATE_HLL_BITS;
    double sum = 0;
    uint32_t zero = 0;
    for (uint32_t i = 0; i < 1u << AGGREGATE_HLL_BITS; i++) {
        sum += ldexp(1.0, -(int)registers[i]);
        zero += registers[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return estimate <= 2.5 * m && zero ? m * log(m / zero) : estimate;
}

static bool make_dense(aggregate *a, int64_t *bytes)
{
    uint8_t *registers = calloc(1u << AGGREGATE_HLL_BITS, 1);
    const hash128 *set = a->table;
    if (!registers)
        return false;
    for (uint32_t i = 0; i < a->size; i++)
        if (set[i].a | set[i].b)
            registers_add(registers, set[i]);
    *bytes += (int64_t)(1u << AGGREGATE_HLL_BITS) - (int64_t)(a->size * sizeof *set);
    free(a->table);
    a->table = registers;
    a->size = 1u << AGGREGATE_HLL_BITS;
    a->used = UINT32_MAX;
    return true;
}

static hash128 *set_place(hash128 *set, uint32_t size, hash128 h)
{
    uint32_t at = (uint32_t)h.b & (size - 1);
    while ((set[at].a | set[at].b) && (set[at].a != h.a || set[at].b != h.b))
        at = (at + 1) & (size - 1);
    return &set[at];
}

static bool set_grow(aggregate *a, size_t room, int64_t *bytes)
{
    uint32_t size = a->size ? a->size * 2 : TABLE_FIRST;
    const hash128 *old = a->table;
    if (size == 0 || (size - a->size) * sizeof *old > room)
        return false;
    hash128 *set = calloc(size, sizeof *set);
    if (!set)
        return false;
    for (uint32_t i = 0; i < a->size; i++)
        if (old[i].a | old[i].b)
            *set_place(set, size, old[i]) = old[i];
    *bytes += (int64_t)((size - a->size) * sizeof *set);
    free(a->table);
    a->table = set;
    a->size = size;
    return true;
}

static enum aggregate_result set_add(const aggregate_spec *spec, aggregate *a, ss_str text, hash_key key,
                                     size_t room, int64_t *bytes)
{
    hash128 h = hash_bytes(key, text.ptr, text.len);
    h.b |= 1; /* zero is an empty place */
    if (set_is_dense(a)) {
        registers_add(a->table, h);
        return spec->kind == AGGREGATE_DISTINCT ? AGGREGATE_NO_ROOM : AGGREGATE_TAKEN;
    }
    if (a->size) {
        const hash128 *at = set_place(a->table, a->size, h);
        if (at->a | at->b)
            return AGGREGATE_TAKEN;
    }
    bool dense = spec->kind == AGGREGATE_APPROXIMATE && a->used >= AGGREGATE_HLL_EXACT;
    bool full = !dense && a->used * 4 >= a->size * 3 && !set_grow(a, room, bytes);
    if (dense || full) {
        if (!make_dense(a, bytes))
            return AGGREGATE_NO_ROOM;
        registers_add(a->table, h);
        return full ? AGGREGATE_NO_ROOM : AGGREGATE_TAKEN;
    }
    *set_place(a->table, a->size, h) = h;
    a->used++;
    return AGGREGATE_TAKEN;
}

/* ---- quantile: buckets that grow by a constant factor (DDSketch) ---- */

typedef struct bucket {
    int32_t key;
    uint32_t spare;
    uint64_t count;
} bucket;

#define BUCKET_MIDDLE                                                                                        \
    1000000 /* keys of positive values lie above it, of negative ones mirrored below zero                    \
             */

static int32_t bucket_key(double x)
{
    static const double gamma = (1 + AGGREGATE_ERROR) / (1 - AGGREGATE_ERROR);
    double size = fabs(x);
    if (size < 1e-9)
        return 0;
    int32_t at = BUCKET_MIDDLE + (int32_t)ceil(log(size) / log(gamma));
    return x < 0 ? -at : at;
}

static double bucket_value(int32_t key)
{
    static const double gamma = (1 + AGGREGATE_ERROR) / (1 - AGGREGATE_ERROR);
    if (key == 0)
        return 0;
    double size = 2 * pow(gamma, (key < 0 ? -key : key) - BUCKET_MIDDLE) / (gamma + 1);
    return key < 0 ? -size : size;
}

static enum aggregate_result sketch_add(aggregate *a, double x, size_t room, int64_t *bytes)
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
        uint32_t size = a->size ? a->size * 2 : TABLE_FIRST;
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

static double sketch_value(const aggregate *a, double q)
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

/* ---- top: the counters of the most frequent values (space-saving) ---- */

typedef struct top_item {
    uint64_t hash, count;
    uint16_t len;
    char text[AGGREGATE_TOP_TEXT + 6];
} top_item;

static enum aggregate_result top_add(const aggregate_spec *spec, aggregate *a, ss_str text, hash_key key,
                                     size_t room, int64_t *bytes)
{
    uint32_t most = spec->k * AGGREGATE_TOP_SPARE;
    uint64_t hash = hash_bytes(key, text.ptr, text.len).a;
    top_item *items = a->table;
    uint32_t least = 0;
    for (uint32_t i = 0; i < a->used; i++) {
        if (items[i].hash == hash) {
            items[i].count++;
            return AGGREGATE_TAKEN;
        }
        if (items[i].count < items[least].count)
            least = i;
    }
    if (a->used == a->size && a->size < most) {
        uint32_t size = a->size ? a->size * 2 : TABLE_FIRST;
        size = size < most ? size : most;
        top_item *more =
            (size - a->size) * sizeof *items <= room ? realloc(items, size * sizeof *items) : NULL;
        if (more) {
            *bytes += (int64_t)((size - a->size) * sizeof *items);
            a->table = items = more;
            a->size = size;
        }
    }
    bool full = a->used == a->size;
    if (full && a->used == 0)
        return AGGREGATE_NO_ROOM;
    top_item *to = full ? &items[least] : &items[a->used++];
    size_t len = text.len < AGGREGATE_TOP_TEXT ? text.len : AGGREGATE_TOP_TEXT;
    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xC0u) == 0x80u)
        len--;
    *to = (top_item){.hash = hash, .count = (full ? to->count : 0) + 1, .len = (uint16_t)len};
    memcpy(to->text, text.ptr, len);
    return full && a->size < most ? AGGREGATE_NO_ROOM : AGGREGATE_TAKEN;
}

static int by_count(const void *x, const void *y)
{
    const top_item *p = *(const top_item *const *)x, *q = *(const top_item *const *)y;
    if (p->count != q->count)
        return p->count < q->count ? 1 : -1;
    size_t len = p->len < q->len ? p->len : q->len;
    int order = memcmp(p->text, q->text, len);
    return order ? order : (int)p->len - (int)q->len;
}

static void top_put(const aggregate_spec *spec, const aggregate *a, buf *out)
{
    const top_item *sorted[AGGREGATE_TOP_MAX * AGGREGATE_TOP_SPARE];
    const top_item *items = a->table;
    char text[json_escape_bound(AGGREGATE_TOP_TEXT + 6)];
    for (uint32_t i = 0; i < a->used; i++)
        sorted[i] = &items[i];
    if (a->used)
        qsort(sorted, a->used, sizeof *sorted, by_count);
    buf_adds(out, "[");
    for (uint32_t i = 0; i < a->used && i < spec->k; i++) {
        buf_addf(out, "%s{\"value\":", i ? "," : "");
        buf_add(out, text, json_put_string(text, ss_s(sorted[i]->text, sorted[i]->len)));
        buf_addf(out, ",\"count\":%llu}", (unsigned long long)sorted[i]->count);
    }
    buf_adds(out, "]");
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
        return text_of(v, plain, sizeof plain, &text) ? set_add(spec, a, text, key, room, bytes)
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
        return set_is_dense(a) ? a->size : a->size * sizeof(hash128);
    case AGGREGATE_QUANTILE:
        return a->size * sizeof(bucket);
    case AGGREGATE_TOP:
        return a->size * sizeof(top_item);
    case AGGREGATE_COUNT:
    case AGGREGATE_SUM:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_AVG:
        break;
    }
    return 0;
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
        return set_is_dense(a) ? round(registers_count(a->table)) : a->used;
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

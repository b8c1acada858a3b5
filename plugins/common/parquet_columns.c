/* The catalog's fields as columns of DuckDB, and lines as their values. Objects are structs; one of nothing
   but nulls is null. */
#include <stdlib.h>

#include "plugins/common/parquet_inside.h"
#include "plugins/common/rfc3339.h"

#define MEMBERS_MAX CATALOG_FIELDS_MAX

typedef struct member_name {
    char text[CATALOG_NAME_SIZE];
} member_name;

/* ---- which there are ---- */

typedef struct filling {
    shape *shape;
    const char *receiver;
    ss_error *err;
    bool good, first;
} filling;

static void add_field(void *arg, const ss_field *field)
{
    filling *f = arg;
    ss_error ignored = {.struct_size = sizeof ignored};
    if (f->first)
        f->good = f->good && shape_add(f->shape, field, f->receiver, f->err);
    else /* one that another receiver has already: its type counts */
        (void)shape_add(f->shape, field, f->receiver, &ignored);
}

parquet_columns *parquet_columns_new(const ss_host *host, const ss_str *receivers, size_t count,
                                     ss_error *err)
{
    parquet_columns *c = calloc(1, sizeof *c);
    if (!c)
        return ss_fail(err, SS_RETRY, "out of memory"), NULL;
    row_init(&c->row);
    filling f = {&c->shape, "a receiver", err, shape_begin(&c->shape, err), true};
    for (size_t i = 0; f.good && i < count; i++) {
        (void)host->catalog(host->self, receivers[i], add_field, &f);
        f.first = false;
    }
    c->shape.micros = true;
    if (f.good && shape_end(&c->shape, "parquet", err)) {
        c->leaves = calloc(c->shape.count + 1, sizeof *c->leaves);
        if (c->leaves) {
            memset(c->shape.used, true, c->shape.count * sizeof *c->shape.used);
            return c;
        }
        (void)ss_fail(err, SS_RETRY, "out of memory");
    }
    parquet_columns_free(c);
    return NULL;
}

void parquet_columns_free(parquet_columns *c)
{
    if (!c)
        return;
    shape_free(&c->shape);
    row_fini(&c->row);
    free(c->leaves);
    free(c);
}

/* ---- their types ---- */

static void *scalar_type(const duck_api *api, uint32_t field_type)
{
    static const int types[] = {[SS_FIELD_STRING] = DUCK_VARCHAR,
                                [SS_FIELD_INT] = DUCK_BIGINT,
                                [SS_FIELD_DOUBLE] = DUCK_DOUBLE,
                                [SS_FIELD_BOOL] = DUCK_BOOLEAN,
                                [SS_FIELD_TIMESTAMP] = DUCK_TIMESTAMP_TZ,
                                [SS_FIELD_DATETIME] = DUCK_TIMESTAMP_TZ,
                                [SS_FIELD_JSON] = DUCK_VARCHAR};
    void *type = api->create_logical_type(types[field_type]);
    if (type && field_type == SS_FIELD_JSON)
        api->logical_type_set_alias(type, "JSON");
    return type;
}

/* The part of the column's dotted name at that depth. */
static void name_at(const char *dotted, unsigned depth, char out[CATALOG_NAME_SIZE])
{
    for (; depth > 0 && strchr(dotted, '.'); depth--)
        dotted = strchr(dotted, '.') + 1;
    (void)snprintf(out, CATALOG_NAME_SIZE, "%.*s", (int)strcspn(dotted, "."), dotted);
}

static uint16_t any_column(const shape *s, uint16_t n)
{
    while (s->nodes[n].column == SHAPE_NONE)
        n = s->nodes[n].first;
    return s->nodes[n].column;
}

static void node_name(const shape *s, uint16_t n, unsigned depth, char out[CATALOG_NAME_SIZE])
{
    name_at(s->columns[any_column(s, n)].name, depth, out);
}

static void *node_type(const duck_api *api, const shape *s, uint16_t n, unsigned depth);

static void *struct_type(const duck_api *api, const shape *s, uint16_t first, unsigned depth)
{
    member_name *names = calloc(MEMBERS_MAX, sizeof *names);
    const char **texts = calloc(MEMBERS_MAX, sizeof *texts);
    void **types = calloc(MEMBERS_MAX, sizeof *types), *type = NULL;
    uint64_t count = 0;
    bool good = names && texts && types;
    for (uint16_t n = first; good && n != SHAPE_NONE && count < MEMBERS_MAX; n = s->nodes[n].next) {
        node_name(s, n, depth, names[count].text);
        texts[count] = names[count].text;
        types[count] = node_type(api, s, n, depth);
        good = types[count] != NULL;
        count += good;
    }
    if (good)
        type = api->create_struct_type(types, texts, count);
    while (count > 0)
        api->destroy_logical_type(&types[--count]);
    free(names);
    free(texts);
    free(types);
    return type;
}

static void *node_type(const duck_api *api, const shape *s, uint16_t n, unsigned depth)
{
    uint16_t column = s->nodes[n].column;
    return column == SHAPE_NONE ? struct_type(api, s, s->nodes[n].first, depth + 1)
                                : scalar_type(api, s->columns[column].field_type);
}

static bool bind_one(const duck_api *api, void *info, const char *name, void *type)
{
    if (!type)
        return false;
    api->bind_add_result_column(info, name, type);
    api->destroy_logical_type(&type);
    return true;
}

bool parquet_columns_bind(parquet_columns *c, const duck_api *api, void *info)
{
    const shape *s = &c->shape;
    char name[CATALOG_NAME_SIZE];
    bool good = true;
    for (uint16_t n = s->first; good && n != SHAPE_NONE; n = s->nodes[n].next) {
        node_name(s, n, 0, name);
        good = bind_one(api, info, name, node_type(api, s, n, 0));
    }
    for (size_t i = 0; i < s->count; i++)
        c->leaves[i].type = s->columns[i].field_type;
    c->leaves[s->count].type = SS_FIELD_JSON;
    return good && bind_one(api, info, PARQUET_EXTRA, scalar_type(api, SS_FIELD_JSON));
}

/* ---- chunks ---- */

static uint64_t words(const duck_api *api)
{
    return (api->vector_size() + 63) / 64;
}

static uint64_t *make_null(const duck_api *api, void *vector)
{
    api->vector_ensure_validity_writable(vector);
    uint64_t *valid = api->vector_get_validity(vector);
    memset(valid, 0, words(api) * sizeof *valid);
    return valid;
}

static void leaf_begin(const duck_api *api, parquet_leaf *leaf, void *vector)
{
    leaf->vector = vector;
    leaf->data = api->vector_get_data(vector);
    leaf->valid = make_null(api, vector);
}

static void node_begin(parquet_columns *c, const duck_api *api, uint16_t n, void *vector)
{
    const shape *s = &c->shape;
    if (s->nodes[n].column != SHAPE_NONE) {
        leaf_begin(api, &c->leaves[s->nodes[n].column], vector);
        return;
    }
    (void)make_null(api, vector);
    uint64_t i = 0;
    for (uint16_t m = s->nodes[n].first; m != SHAPE_NONE; m = s->nodes[m].next)
        node_begin(c, api, m, api->struct_vector_get_child(vector, i++));
}

void parquet_columns_begin(parquet_columns *c, const duck_api *api, void *chunk)
{
    const shape *s = &c->shape;
    uint64_t i = 0;
    for (uint16_t n = s->first; n != SHAPE_NONE; n = s->nodes[n].next)
        node_begin(c, api, n, api->data_chunk_get_vector(chunk, i++));
    leaf_begin(api, &c->leaves[s->count], api->data_chunk_get_vector(chunk, i));
}

/* A struct is there where one of its members is. */
static const uint64_t *node_finish(parquet_columns *c, const duck_api *api, uint16_t n, void *vector)
{
    const shape *s = &c->shape;
    if (s->nodes[n].column != SHAPE_NONE)
        return c->leaves[s->nodes[n].column].valid;
    uint64_t *valid = api->vector_get_validity(vector), i = 0;
    for (uint16_t m = s->nodes[n].first; m != SHAPE_NONE; m = s->nodes[m].next) {
        const uint64_t *inner = node_finish(c, api, m, api->struct_vector_get_child(vector, i++));
        for (uint64_t w = 0; w < words(api); w++)
            valid[w] |= inner[w];
    }
    return valid;
}

void parquet_columns_finish(parquet_columns *c, const duck_api *api, void *chunk, uint64_t rows)
{
    const shape *s = &c->shape;
    uint64_t i = 0;
    for (uint16_t n = s->first; n != SHAPE_NONE; n = s->nodes[n].next)
        (void)node_finish(c, api, n, api->data_chunk_get_vector(chunk, i++));
    api->data_chunk_set_size(chunk, rows);
}

/* ---- values ---- */

static void put_cell(const duck_api *api, parquet_leaf *leaf, uint64_t at, const cell *v)
{
    switch (leaf->type) {
    case SS_FIELD_INT:
        ((int64_t *)leaf->data)[at] = v->as.i64;
        break;
    case SS_FIELD_DOUBLE:
        ((double *)leaf->data)[at] = v->as.f64;
        break;
    case SS_FIELD_BOOL:
        ((bool *)leaf->data)[at] = v->as.i64 != 0;
        break;
    case SS_FIELD_TIMESTAMP:
    case SS_FIELD_DATETIME:
        if (!rfc3339_stored(ss_s(v->as.ptr, v->len), &((int64_t *)leaf->data)[at]))
            return;
        break;
    default:
        api->vector_assign_string_element_len(leaf->vector, at, v->as.ptr, v->len);
        break;
    }
    leaf->valid[at / 64] |= 1ull << (at % 64);
}

bool parquet_columns_put(parquet_columns *c, const duck_api *api, uint64_t at, ss_str line)
{
    row *r = &c->row;
    if (!row_read(r, &c->shape, line))
        return false;
    for (size_t i = 0; i < c->shape.count; i++)
        if (r->cells[i].kind != CELL_NULL)
            put_cell(api, &c->leaves[i], at, &r->cells[i]);
    if (r->extra.len > 0) {
        const cell extra = {.kind = CELL_TEXT, .len = (uint32_t)r->extra.len, .as.ptr = r->extra.ptr};
        put_cell(api, &c->leaves[c->shape.count], at, &extra);
    }
    return true;
}

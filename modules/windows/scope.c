#include "modules/windows/engine_inside.h"

#include <stdlib.h>

#define SCOPE_TABLE_FIRST 64u
#define SCOPES_FIRST      16u
#define SCOPE_REST        SS_LIT("__other__") /* applications beyond ENGINE_SCOPES_MAX */

static uint64_t hash_app(const engine *e, ss_str app)
{
    return hash_bytes(e->set.key, app.ptr, app.len).a;
}

static bool scope_table_grow(engine *e)
{
    uint32_t size = e->scope_table_size ? e->scope_table_size * 2 : SCOPE_TABLE_FIRST;
    uint32_t *table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < e->scope_count; i++) {
        uint32_t at = (uint32_t)hash_app(e, ss_s(e->scopes[i].app, e->scopes[i].app_len)) & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    free(e->scope_table);
    e->scope_table = table;
    e->scope_table_size = size;
    return true;
}

static scope *scope_add(engine *e, ss_str app, uint32_t at)
{
    if (e->scope_count == e->scope_size) {
        uint32_t size = e->scope_size ? e->scope_size * 2 : SCOPES_FIRST;
        scope *more = realloc(e->scopes, size * sizeof *more);
        if (!more)
            return NULL;
        e->scopes = more;
        e->scope_size = size;
    }
    char *copy = malloc(app.len + 1);
    if (!copy)
        return NULL;
    if (app.len)
        memcpy(copy, app.ptr, app.len);
    copy[app.len] = '\0';
    scope *s = &e->scopes[e->scope_count];
    *s = (scope){
        .app = copy, .app_len = app.len, .max_us = INT64_MIN, .receive_us = INT64_MIN, .due_us = INT64_MAX};
    e->scope_table[at] = ++e->scope_count;
    return s;
}

scope *engine_scope(engine *e, ss_str app)
{
    if ((e->scope_count + 1) * 2 > e->scope_table_size && !scope_table_grow(e))
        return NULL;
    if (e->set.by_stream)
        app = ss_s("", 0);
    for (;;) {
        uint32_t mask = e->scope_table_size - 1, at = (uint32_t)hash_app(e, app) & mask;
        for (; e->scope_table[at]; at = (at + 1) & mask) {
            scope *s = &e->scopes[e->scope_table[at] - 1];
            if (ss_eq(app, ss_s(s->app, s->app_len)))
                return s;
        }
        if (e->scope_count < ENGINE_SCOPES_MAX || ss_eq(app, SCOPE_REST))
            return scope_add(e, app, at);
        app = SCOPE_REST;
    }
}

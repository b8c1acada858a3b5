/* The columns of a table, and the tree that finds them by the names in a line. */
#include "plugins/common/shape.h"

#include <stdlib.h>

const char *const shape_own_names[SHAPE_OWN + 1] = {"ss_seq",      "ss_load",  "ss_received_us",
                                                    "ss_event_us", "ss_extra", NULL};

bool shape_begin(shape *s, ss_error *err)
{
    *s = (shape){.catalog = catalog_new(), .first = SHAPE_NONE};
    return s->catalog || ss_fail(err, 0, "table: out of memory");
}

bool shape_add(shape *s, const ss_field *field, const char *receiver, ss_error *err)
{
    return catalog_add(s->catalog, field, receiver, err);
}

/* ---- the tree ---- */

static uint16_t child_of(const shape *s, uint16_t parent, ss_str name)
{
    uint16_t n = parent == SHAPE_NONE ? s->first : s->nodes[parent].first;
    while (n != SHAPE_NONE && !ss_eq(s->nodes[n].name, name))
        n = s->nodes[n].next;
    return n;
}

static uint16_t node_add(shape *s, uint16_t parent, ss_str name)
{
    uint16_t n = s->node_count++;
    s->nodes[n] = (shape_node){.name = name, .first = SHAPE_NONE, .next = SHAPE_NONE, .column = SHAPE_NONE};
    uint16_t *at = parent == SHAPE_NONE ? &s->first : &s->nodes[parent].first;
    while (*at != SHAPE_NONE)
        at = &s->nodes[*at].next;
    *at = n;
    return n;
}

static void node_path(shape *s, ss_str path, uint16_t column)
{
    uint16_t parent = SHAPE_NONE;
    for (size_t at = 0; at <= path.len;) {
        const char *dot = memchr(path.ptr + at, '.', path.len - at);
        size_t end = dot ? (size_t)(dot - path.ptr) : path.len;
        ss_str part = ss_s(path.ptr + at, end - at);
        uint16_t n = child_of(s, parent, part);
        parent = n == SHAPE_NONE ? node_add(s, parent, part) : n;
        at = end + 1;
    }
    s->nodes[parent].column = column;
}

/* Names and docs are the host's, borrowed for the visit alone. */
static bool copy_texts(shape *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->count; i++)
        bytes += s->columns[i].path.len + (s->columns[i].doc ? strlen(s->columns[i].doc) : 0) + 2;
    char *to = s->texts = malloc(bytes + 1);
    for (size_t i = 0; to && i < s->count; i++) {
        catalog_column *c = &s->columns[i];
        memcpy(to, c->path.ptr, c->path.len);
        c->path.ptr = to;
        to += c->path.len;
        *to++ = '\0';
        size_t len = c->doc ? strlen(c->doc) + 1 : 0;
        if (len > 0)
            c->doc = memcpy(to, c->doc, len);
        to += len;
    }
    return to != NULL;
}

bool shape_end(shape *s, const char *format, ss_error *err)
{
    s->columns = catalog_columns(s->catalog, format, shape_own_names, &s->count);
    s->used = calloc(s->count + 1, sizeof *s->used);
    s->nodes = calloc(s->count * (CATALOG_FIELD_DEPTH_MAX + 1) + 1, sizeof *s->nodes);
    if (!s->columns || !s->used || !s->nodes || !copy_texts(s))
        return ss_fail(err, 0, "table: out of memory");
    for (size_t i = 0; i < s->count; i++)
        node_path(s, s->columns[i].path, (uint16_t)i);
    catalog_free(s->catalog);
    s->catalog = NULL;
    return true;
}

void shape_free(shape *s)
{
    catalog_free(s->catalog);
    free(s->columns);
    free(s->used);
    free(s->nodes);
    free(s->texts);
    *s = (shape){.first = SHAPE_NONE};
}

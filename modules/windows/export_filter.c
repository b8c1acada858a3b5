/* A metric's filter as a condition of SQL. */
#include "modules/windows/export_inside.h"

static void put_node(export *e, const filter *f, uint32_t at, buf *out);

static void put_list(export *e, const filter *f, const filter_node *n, const char *word, const char *empty,
                     buf *out)
{
    uint32_t child = n->child;
    if (child == PATHS_NONE) {
        buf_adds(out, empty);
        return;
    }
    bool several = f->nodes[child].next != PATHS_NONE;
    buf_adds(out, several ? "(" : "");
    for (; child != PATHS_NONE; child = f->nodes[child].next) {
        put_node(e, f, child, out);
        if (f->nodes[child].next != PATHS_NONE)
            buf_addf(out, " %s ", word);
    }
    buf_adds(out, several ? ")" : "");
}

static void put_compare(export *e, const filter_node *n, const export_value *v, buf *out)
{
    const char *op = n->op == FILTER_GT ? ">" : n->op == FILTER_GE ? ">=" : n->op == FILTER_LT ? "<" : "<=";
    buf_adds(out, "(");
    export_as_number(e, v, out);
    buf_addf(out, " %s ", op);
    export_number(n->number, out);
    buf_adds(out, ") IS TRUE");
}

static void put_leaf(export *e, const filter_node *n, buf *out)
{
    export_value v;
    if (!export_resolve(e, n->slot, &v))
        return;
    if (n->op == FILTER_EQUALS)
        export_equals(e, &v, n, out);
    else if (n->op == FILTER_PREFIX)
        export_prefix(e, &v, n, out);
    else if (n->op == FILTER_EXISTS) {
        buf_adds(out, n->kind == JSON_TRUE ? "" : "NOT ");
        export_exists(e, &v, out);
    } else
        put_compare(e, n, &v, out);
}

static void put_node(export *e, const filter *f, uint32_t at, buf *out)
{
    const filter_node *n = &f->nodes[at];
    if (n->op == FILTER_AND)
        put_list(e, f, n, "AND", "TRUE", out);
    else if (n->op == FILTER_OR || n->op == FILTER_IN)
        put_list(e, f, n, "OR", "FALSE", out);
    else if (n->op == FILTER_NOT) {
        buf_adds(out, "NOT (");
        put_node(e, f, n->child, out);
        buf_adds(out, ")");
    } else
        put_leaf(e, n, out);
}

void export_filter(export *e, const filter *f, buf *out)
{
    if (f->nodes)
        put_node(e, f, 0, out);
    else
        buf_adds(out, "TRUE");
}

void export_range(const filter_range *r, const char *what, buf *out)
{
    const struct {
        bool has;
        double number;
        const char *op;
    } ends[] = {
        {r->has_gt, r->gt, ">"}, {r->has_ge, r->ge, ">="}, {r->has_lt, r->lt, "<"}, {r->has_le, r->le, "<="}};
    bool first = true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (!ends[i].has)
            continue;
        buf_addf(out, "%s%s %s ", first ? "" : " AND ", what, ends[i].op);
        export_number(ends[i].number, out);
        first = false;
    }
}

/* The reference manual: the same tables as explain.c, as Markdown. The same input gives the same bytes. */
#include "core/config/explain.h"
#include "core/config/schema.h"
#include "core/config/tables.h"
#include "plugins/loader/loader.h"

#define PATH_TEXT_MAX 512u

/* Text in a table's cell: a bar would end it. */
static void put_text(buf *out, const char *text)
{
    for (const char *p = text ? text : ""; *p; p++) {
        if (*p == '|')
            buf_adds(out, "\\");
        buf_add(out, *p == '\n' ? " " : p, 1);
    }
}

static void put_code(buf *out, const char *text)
{
    if (!text || !*text)
        return;
    buf_adds(out, "`");
    put_text(out, text);
    buf_adds(out, "`");
}

static void put_type(buf *out, const ss_option *o, size_t stride)
{
    char range[96];
    (void)schema_range_text(o, range, sizeof range);
    buf_adds(out, schema_type_name(o->type));
    if (o->type == SS_T_ENUM) {
        buf_adds(out, ": ");
        put_text(out, o->choices);
    } else if ((o->type == SS_T_LIST || o->type == SS_T_MAP) && o->children) {
        buf_addf(out, " of %s", schema_type_name(schema_option(o->children, stride, 0).type));
    }
    if (*range)
        buf_addf(out, ", %s%s", range, o->type == SS_T_LIST || o->type == SS_T_MAP ? " entries" : "");
    buf_adds(out, o->flags & SS_OPT_REQUIRED ? ", **required**" : "");
    buf_adds(out, o->flags & SS_OPT_SECRET ? ", secret" : "");
    buf_adds(out, o->flags & SS_OPT_DEPRECATED ? ", deprecated" : "");
}

static void put_rows(buf *out, const ss_option *table, size_t stride, const char *above, unsigned depth)
{
    for (size_t i = 0; table && depth <= LOADER_DEPTH_MAX; i++) {
        ss_option o = schema_option(table, stride, i);
        char path[PATH_TEXT_MAX];
        if (!o.name)
            return;
        (void)snprintf(path, sizeof path, "%s%s%s", above, *above ? "." : "", o.name);
        buf_adds(out, "| ");
        put_code(out, path);
        buf_adds(out, " | ");
        put_type(out, &o, stride);
        buf_adds(out, " | ");
        put_code(out, o.dflt);
        buf_adds(out, " | ");
        put_text(out, o.doc);
        buf_adds(out, " |\n");
        bool scalars = o.type != SS_T_OBJECT && o.children &&
                       schema_option(o.children, stride, 0).type < SS_T_OBJECT; /* its row says it all */
        if (!scalars)
            put_rows(out, o.children, stride, path, depth + 1);
    }
}

static void put_options(buf *out, const ss_option *table, size_t stride)
{
    buf_adds(out, "| option | type | default | meaning |\n|---|---|---|---|\n");
    put_rows(out, table, stride, "", 1);
}

void explain_server_markdown(buf *out)
{
    buf_adds(out,
             "# server\n\nThe server itself: what stands below `server:`. Values may hold `${env:NAME}`, "
             "`${env:NAME:-default}` and `${file:PATH}`.\n\n");
    put_options(out, tables_server, sizeof(ss_option));
}

static void put_routes(const ss_plugin *p, buf *out)
{
    for (size_t i = 0; p->receiver->receive; i++) {
        ss_route r = loader_route(p, i);
        if (!r.path)
            break;
        buf_adds(out, i ? "" : "\n## Routes\n\n| path | methods | |\n|---|---|---|\n");
        buf_addf(out, "| `%s%s` | ", r.path, r.flags & SS_ROUTE_PREFIX ? "..." : "");
        put_text(out, r.methods);
        buf_adds(out, " | ");
        put_text(out, r.doc);
        buf_adds(out, " |\n");
    }
    for (size_t i = 0;; i++) {
        ss_view v = loader_view(p, i);
        if (!v.name)
            break;
        buf_adds(out, i ? "" : "\n## Views\n\n| view | content type | |\n|---|---|---|\n");
        buf_addf(out, "| `%s` | %s | ", v.name, v.content_type ? v.content_type : "");
        put_text(out, v.doc);
        buf_adds(out, " |\n");
    }
}

static void put_fields(const ss_plugin *p, buf *out)
{
    for (size_t i = 0;; i++) {
        ss_field f = loader_field(p, i);
        if (!f.name)
            return;
        if (i == 0)
            buf_addf(out,
                     "\n## Fields\n\nWhat it adds to events; revision %u of the schema.\n\n"
                     "| field | type | from | meaning |\n|---|---|---|---|\n",
                     p->schema_rev);
        buf_addf(out, "| `%s` | %s | ", f.name, explain_field_type(f.type));
        put_code(out, f.source);
        buf_adds(out, " | ");
        put_text(out, f.doc);
        buf_adds(out, " |\n");
    }
}

void explain_plugin_markdown(const ss_plugin *p, buf *out)
{
    buf_addf(out, "# %s %s\n\n%s%sVersion %s, plugin contract %u.%u%s%s.\n\n## Options\n\n",
             tables_kind(p->kind), p->name, p->summary ? p->summary : "", p->summary ? "\n\n" : "",
             p->version, p->abi_major, p->abi_minor, p->license ? ", licence " : "",
             p->license ? p->license : "");
    if (p->options && schema_option(p->options, p->option_size, 0).name)
        put_options(out, p->options, p->option_size);
    else
        buf_adds(out, "It has none of its own.\n");
    buf_addf(out, "\n## What every %s takes\n\n", tables_kind(p->kind));
    put_options(out, tables_host(p->kind), sizeof(ss_option));
    if (p->kind == SS_RECEIVER)
        put_routes(p, out);
    put_fields(p, out);
}

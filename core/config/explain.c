#include "core/config/explain.h"

#include "core/config/schema.h"
#include "core/config/suggest.h"
#include "core/config/tables.h"
#include "core/config/yaml_out.h"
#include "plugins/loader/loader.h"

#define NOTES_MAX 1200u

static void explain_table(buf *out, const ss_option *table, size_t stride, unsigned level);

/* "Largest body. (size, between 1kB and 1GiB)" */
static void put_notes(buf *out, const ss_option *o, unsigned level)
{
    char range[96], text[NOTES_MAX];
    (void)schema_range_text(o, range, sizeof range);
    bool counted = o->type == SS_T_LIST || o->type == SS_T_MAP;
    (void)snprintf(text, sizeof text, "%.600s (%s%.256s%s%s%s%s%s%s)", o->doc,
                   o->type == SS_T_ENUM ? "one of " : schema_type_name(o->type),
                   o->type == SS_T_ENUM ? o->choices : "", *range ? ", " : "", range,
                   *range && counted ? " entries" : "", o->flags & SS_OPT_REQUIRED ? ", required" : "",
                   o->flags & SS_OPT_SECRET ? ", secret" : "",
                   o->flags & SS_OPT_DEPRECATED ? ", deprecated" : "");
    yaml_out_comment(out, level, text);
}

static void put_default(buf *out, const ss_option *o)
{
    bool words = o->type == SS_T_STRING || o->type == SS_T_PATH || o->type == SS_T_URL;
    buf_adds(out, " ");
    if (words && o->dflt[0] != '"' && o->dflt[0] != '\'')
        yaml_out_string(out, o->dflt);
    else
        buf_adds(out, o->dflt);
}

/* What one item of a list or map looks like, as a comment. */
static void put_item(buf *out, const ss_option *o, size_t stride, unsigned level)
{
    ss_option item = schema_option(o->children, stride, 0);
    char text[NOTES_MAX];
    (void)snprintf(text, sizeof text, "Each %s: %.600s (%s)", o->type == SS_T_LIST ? "item" : "value",
                   item.doc ? item.doc : "", schema_type_name(item.type));
    if (item.doc && *item.doc)
        yaml_out_comment(out, level, text);
    if (item.type != SS_T_OBJECT)
        return;
    buf inner; /* an example within a comment: its lines get a # each */
    buf_init(&inner, 1u << 20);
    explain_table(&inner, item.children, stride, 1);
    for (const char *line = buf_text(&inner); *line; line += strcspn(line, "\n") + 1) {
        yaml_out_indent(out, level);
        buf_addf(out, "# %.*s\n", (int)strcspn(line, "\n"), line);
    }
    buf_fini(&inner);
}

static void explain_option(buf *out, const ss_option *o, size_t stride, unsigned level)
{
    put_notes(out, o, level);
    if ((o->type == SS_T_LIST || o->type == SS_T_MAP) && o->children)
        put_item(out, o, stride, level);
    yaml_out_indent(out, level);
    bool object = o->type == SS_T_OBJECT && !o->dflt;
    buf_addf(out, "%s%s:", object || o->dflt ? "" : "# ", o->name);
    if (o->dflt)
        put_default(out, o);
    buf_adds(out, "\n");
    if (object)
        explain_table(out, o->children, stride, level + 1);
}

static void explain_table(buf *out, const ss_option *table, size_t stride, unsigned level)
{
    for (size_t i = 0; table; i++) {
        ss_option o = schema_option(table, stride, i);
        if (!o.name)
            return;
        explain_option(out, &o, stride, level);
    }
}

void explain_server(buf *out)
{
    buf_adds(
        out,
        "# The server itself. Every value is a default; a value may hold ${env:NAME}, ${env:NAME:-default}\n"
        "# and ${file:PATH}.\nserver:\n");
    explain_table(out, tables_server, sizeof(ss_option), 1);
}

/* ---- a fragment for conf.d ---- */

static bool is_set(const config_set *set, const char *name, size_t from)
{
    size_t len = strlen(name);
    for (size_t i = from; i < set->count; i++)
        if (strncmp(set->pairs[i], name, len) == 0 && set->pairs[i][len] == '=')
            return true;
    return false;
}

/* What was given (the check says what it thinks of it), and a line for each option that must be. */
static void put_given(const ss_plugin *p, const config_set *set, buf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        char name[SUGGEST_WORD_MAX * 2];
        size_t len = strcspn(set->pairs[i], "=");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, set->pairs[i]);
        if (!is_set(set, name, i + 1)) /* the last one counts */
            buf_addf(out, "    %s: %s\n", name, set->pairs[i] + len + 1);
    }
    for (size_t i = 0; p->options; i++) {
        ss_option o = schema_option(p->options, p->option_size, i);
        if (!o.name)
            return;
        if (!(o.flags & SS_OPT_REQUIRED) || is_set(set, o.name, 0))
            continue;
        yaml_out_comment(out, 2, o.doc);
        buf_addf(out, "    %s: # required\n", o.name);
    }
}

void explain_fragment(const ss_plugin *p, const char *name, const char *use, const config_set *set, buf *out)
{
    buf_addf(out, "# %s %s, switched on with `streamsteam %s enable`; `disable` takes it away again.\n",
             tables_kind(p->kind), name, tables_kind(p->kind));
    buf_addf(out, "# %s\n%s:\n  %s:\n    use: ", p->summary ? p->summary : "", tables_section(p->kind), name);
    yaml_out_string(out, use);
    buf_adds(out, "\n");
    put_given(p, set, out);
    buf inner;
    buf_init(&inner, EXPLAIN_FRAGMENT_MAX);
    if (p->options)
        explain_table(&inner, p->options, p->option_size, 0);
    explain_table(&inner, tables_host(p->kind), sizeof(ss_option), 0);
    buf_adds(out, "    #\n    # All options, with their defaults:\n");
    for (const char *line = buf_text(&inner); *line; line += strcspn(line, "\n") + 1)
        buf_addf(out, "    # %.*s\n", (int)strcspn(line, "\n"), line);
    out->failed |= inner.failed;
    buf_fini(&inner);
}

static void explain_routes(const ss_plugin *p, buf *out)
{
    if (p->kind != SS_RECEIVER)
        return;
    if (p->receiver->receive)
        buf_adds(out, "\n# Routes:\n");
    for (size_t i = 0; p->receiver->receive; i++) {
        ss_route r = loader_route(p, i);
        if (!r.path)
            break;
        buf_addf(out, "#   %s %s%s%s%s\n", r.methods, r.path, r.flags & SS_ROUTE_PREFIX ? "..." : "",
                 r.doc ? "  " : "", r.doc ? r.doc : "");
    }
    for (size_t i = 0;; i++) {
        ss_view v = loader_view(p, i);
        if (!v.name)
            break;
        buf_addf(out, "%s#   %s  %s  %s\n", i ? "" : "\n# Views:\n", v.name,
                 v.content_type ? v.content_type : "", v.doc ? v.doc : "");
    }
}

const char *explain_field_type(uint32_t type)
{
    static const char *const names[] = {"",     "string",    "int",      "double",
                                        "bool", "timestamp", "datetime", "json"};
    return type < sizeof names / sizeof names[0] ? names[type] : "";
}

static void explain_fields(const ss_plugin *p, buf *out)
{
    if (SS_HAS(ss_plugin, p, instance_fields) && p->instance_fields)
        buf_adds(out, "\n# Fields that it adds to events: as its configuration says.\n");
    for (size_t i = 0;; i++) {
        ss_field f = loader_field(p, i);
        if (!f.name)
            return;
        buf_addf(out, "%s#   %s  %s  %s%s%s%s\n", i ? "" : "\n# Fields that it adds to events:\n", f.name,
                 explain_field_type(f.type), f.doc, f.source ? " (from " : "", f.source ? f.source : "",
                 f.source ? ")" : "");
    }
}

void explain_plugin(const ss_plugin *p, const char *path, buf *out)
{
    buf_addf(out, "# %s %s %s%s%s\n# %s, plugin contract %u.%u%s%s\n", tables_kind(p->kind), p->name,
             p->version, p->summary ? ": " : "", p->summary ? p->summary : "", path, p->abi_major,
             p->abi_minor, p->license ? ", " : "", p->license ? p->license : "");
    buf_addf(out, "%s:\n  %s:\n", tables_section(p->kind), p->name);
    if (p->options && schema_option(p->options, p->option_size, 0).name)
        explain_table(out, p->options, p->option_size, 2);
    else
        buf_adds(out, "    # It has no options of its own.\n");
    buf_addf(out, "\n    # What every %s takes:\n", tables_kind(p->kind));
    explain_table(out, tables_host(p->kind), sizeof(ss_option), 2);
    explain_routes(p, out);
    explain_fields(p, out);
}

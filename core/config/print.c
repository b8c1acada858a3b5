/* The effective configuration as YAML. */
#include <stdlib.h>

#include "core/config/config_inside.h"
#include "core/config/value.h"
#include "core/config/yaml_out.h"

typedef struct printer {
    buf *out;
    size_t stride;
    bool suffix_ms, secret;
} printer;

static void print_value(const printer *p, const ss_option *o, const json_t *value, unsigned level);

static void print_scalar(const printer *p, const ss_option *o, const json_t *value)
{
    char text[40];
    const char *file = json_string_value(json_object_get(value, "$file"));
    if (file)
        buf_addf(p->out, "\"${file:%s}\"", file);
    else if (p->secret || json_object_get(value, "$secret"))
        buf_adds(p->out, "\"***\"");
    else if (o->type == SS_T_SIZE)
        buf_adds(p->out, value_size_text(json_integer_value(value), text, sizeof text));
    else if (o->type == SS_T_DURATION)
        buf_adds(p->out, value_duration_text(json_integer_value(value), text, sizeof text));
    else if (json_is_integer(value))
        buf_addf(p->out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        buf_addf(p->out, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        buf_adds(p->out, json_is_true(value) ? "true" : "false");
    else if (o->type == SS_T_ANY && json_is_string(value))
        buf_adds(p->out, json_string_value(value)); /* JSON is YAML */
    else if (json_is_string(value))
        yaml_out_string(p->out, json_string_value(value));
}

static void print_table(const printer *p, const ss_option *table, const json_t *object, unsigned level)
{
    for (size_t i = 0; table; i++) {
        ss_option o = schema_option(table, p->stride, i);
        if (!o.name)
            return;
        char key[256];
        (void)snprintf(key, sizeof key, "%s%s", o.name, p->suffix_ms && o.type == SS_T_DURATION ? "_ms" : "");
        const json_t *value = json_object_get(object, key);
        if (!value)
            continue;
        yaml_out_indent(p->out, level);
        buf_addf(p->out, "%s:", o.name);
        printer inner = *p;
        inner.secret |= (o.flags & SS_OPT_SECRET) != 0;
        print_value(&inner, &o, value, level);
    }
}

static bool is_simple(const ss_option *o)
{
    return o->type != SS_T_OBJECT && o->type != SS_T_LIST && o->type != SS_T_MAP;
}

static void print_list(const printer *p, const ss_option *o, const json_t *list, unsigned level)
{
    ss_option item = schema_option(o->children, p->stride, 0);
    printer inner = *p;
    inner.secret |= (item.flags & SS_OPT_SECRET) != 0;
    bool simple = is_simple(&item);
    if (simple)
        buf_adds(p->out, " [");
    else
        buf_adds(p->out, json_array_size(list) ? "\n" : " []\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        if (simple) {
            buf_adds(p->out, i ? ", " : "");
            print_scalar(&inner, &item, value);
            continue;
        }
        yaml_out_indent(p->out, level + 1);
        buf_adds(p->out, "-");
        print_value(&inner, &item, value, level + 1);
    }
    buf_adds(p->out, simple ? "]\n" : "");
}

static void print_map(const printer *p, const ss_option *o, const json_t *map, unsigned level)
{
    ss_option item = schema_option(o->children, p->stride, 0);
    printer inner = *p;
    inner.secret |= (item.flags & SS_OPT_SECRET) != 0;
    const char *key;
    json_t *value;
    buf_adds(p->out, json_object_size(map) ? "\n" : " {}\n");
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        yaml_out_indent(p->out, level + 1);
        yaml_out_string(p->out, key);
        buf_adds(p->out, ":");
        print_value(&inner, &item, value, level + 1);
    }
}

static void print_value(const printer *p, const ss_option *o, const json_t *value, unsigned level)
{
    if (o->type == SS_T_OBJECT) {
        buf_adds(p->out, json_object_size(value) ? "\n" : " {}\n");
        print_table(p, o->children, value, level + 1);
    } else if (o->type == SS_T_LIST && json_is_array(value)) {
        print_list(p, o, value, level);
    } else if (o->type == SS_T_MAP) {
        print_map(p, o, value, level);
    } else {
        buf_adds(p->out, " ");
        print_scalar(p, o, value);
        buf_adds(p->out, "\n");
    }
}

static void print_instance(buf *out, const config_instance *i)
{
    printer host = {out, sizeof(ss_option), true, false};
    printer own = {out, i->plugin->option_size, false, false};
    yaml_out_indent(out, 1);
    buf_addf(out, "%s:\n", i->name);
    yaml_out_indent(out, 2);
    buf_addf(out, "# %s %s, %s\n", i->plugin->name, i->plugin->version, i->path);
    print_table(&host, tables_host(i->kind), i->host, 2);
    print_table(&own, i->plugin->options, i->options, 2);
}

void config_print(const config *c, buf *out)
{
    static const uint32_t kinds[] = {SS_ENRICHER, SS_RECEIVER, SS_MODULE};
    printer server = {out, sizeof(ss_option), true, false};
    buf_adds(out, "server:\n");
    print_table(&server, tables_server, c->server, 1);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        buf_addf(out, "%s:%s\n", tables_section(kinds[k]), config_count(c, kinds[k]) ? "" : " {}");
        for (size_t i = 0; i < c->count; i++)
            if (c->instances[i].kind == kinds[k])
                print_instance(out, &c->instances[i]);
    }
}

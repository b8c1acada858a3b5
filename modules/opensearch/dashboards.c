#include "modules/opensearch/dashboards.h"

#include "plugins/common/json.h"

#define PANEL_WIDTH  24 /* of 48 columns */
#define PANEL_HEIGHT 15
#define PIECE_MAX    (64u << 10)
#define DEFAULT_LINE "DIMENSION_APPLICATION_ID"

typedef struct metric_entry {
    char name[DASHBOARDS_NAME_MAX], field[DASHBOARDS_NAME_MAX];
} metric_entry;

/* Names go into ids, queries and titles. */
static bool plain(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || strchr("\"\\/?#%", text.ptr[i]))
            return false;
    return text.len > 0 && text.len < DASHBOARDS_NAME_MAX;
}

static bool read_entry(metric_entry *m, ss_str text)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    ss_str name = slash ? ss_s(text.ptr, (size_t)(slash - text.ptr)) : text;
    ss_str field = slash ? ss_s(slash + 1, text.len - name.len - 1) : SS_LIT(DEFAULT_LINE);
    if (!plain(name) || !plain(field))
        return false;
    (void)snprintf(m->name, sizeof m->name, "%.*s", (int)name.len, name.ptr);
    (void)snprintf(m->field, sizeof m->field, "%.*s", (int)field.len, field.ptr);
    return true;
}

static void put_json(grow *out, ss_str text)
{
    if (grow_room(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->at + out->len, text);
}

static void id_of(char *out, ss_str instance, const char *kind, const char *name)
{
    (void)snprintf(out, DASHBOARDS_ID_MAX, "streamsteam-%.*s-%s-%s",
                   (int)(instance.len < 100 ? instance.len : 100), instance.ptr, kind, name);
    for (char *p = out; *p; p++)
        if (*p == ' ')
            *p = '_';
}

/* ---- the objects ---- */

static void put_pattern(grow *out, const char *id, const char *pattern)
{
    (void)grow_puts(out, "{\"type\":\"index-pattern\",\"id\":");
    put_json(out, ss_cstr(id));
    (void)grow_puts(out, ",\"attributes\":{\"title\":");
    put_json(out, ss_cstr(pattern));
    (void)grow_puts(out, ",\"timeFieldName\":\"METRIC_TIMESTAMP\"},\"references\":[]}\n");
}

/* A TSVB chart: the metric's values over time, a line for each value of the field. */
static void put_state(grow *out, const metric_entry *m, const char *pattern)
{
    char query[DASHBOARDS_NAME_MAX + 40];
    (void)snprintf(query, sizeof query, "METRIC_NAME : \"%s\"", m->name);
    (void)grow_puts(out, "{\"title\":");
    put_json(out, ss_cstr(m->name));
    (void)grow_puts(
        out,
        ",\"type\":\"metrics\",\"aggs\":[],\"params\":{\"id\":\"p\",\"type\":\"timeseries\",\"series\":[{"
        "\"id\":\"s\",\"color\":\"#3366CC\",\"split_mode\":\"terms\",\"terms_size\":\"10\","
        "\"terms_order_by\":\"_count\",\"terms_field\":");
    put_json(out, ss_cstr(m->field));
    (void)grow_puts(
        out,
        ",\"metrics\":[{\"id\":\"m\",\"type\":\"sum\",\"field\":\"METRIC_UNIT_VALUE_INT\"}],"
        "\"separate_axis\":0,\"axis_position\":\"right\",\"formatter\":\"number\",\"chart_type\":\"line\","
        "\"line_width\":1,\"point_size\":1,\"fill\":0.2,\"stacked\":\"none\",\"label\":");
    put_json(out, ss_cstr(m->name));
    (void)grow_puts(out, "}],\"time_field\":\"METRIC_TIMESTAMP\",\"index_pattern\":");
    put_json(out, ss_cstr(pattern));
    (void)grow_puts(out, ",\"interval\":\">=1m\",\"axis_position\":\"left\",\"axis_formatter\":\"number\","
                         "\"axis_scale\":\"normal\",\"show_legend\":1,\"show_grid\":1,\"drop_last_bucket\":0,"
                         "\"filter\":{\"language\":\"kuery\",\"query\":");
    put_json(out, ss_cstr(query));
    (void)grow_puts(out, "}}}");
}

static void put_visual(grow *out, const char *id, const metric_entry *m, const char *pattern)
{
    grow state = {.limit = PIECE_MAX};
    put_state(&state, m, pattern);
    (void)grow_puts(out, "{\"type\":\"visualization\",\"id\":");
    put_json(out, ss_cstr(id));
    (void)grow_puts(out, ",\"attributes\":{\"title\":");
    put_json(out, ss_cstr(m->name));
    (void)grow_puts(out, ",\"description\":\"\",\"version\":1,\"uiStateJSON\":\"{}\",\"visState\":");
    put_json(out, grow_str(&state));
    (void)grow_puts(
        out, ",\"kibanaSavedObjectMeta\":{\"searchSourceJSON\":\"{\\\"query\\\":{\\\"query\\\":\\\"\\\","
             "\\\"language\\\":\\\"kuery\\\"},\\\"filter\\\":[]}\"}},\"references\":[]}\n");
    out->full |= state.full;
    grow_free(&state);
}

static void put_panel(grow *panels, grow *references, size_t i, const char *visual)
{
    char text[300];
    (void)snprintf(
        text, sizeof text,
        "%s{\"version\":\"2.0.0\",\"gridData\":{\"x\":%zu,\"y\":%zu,\"w\":%d,\"h\":%d,\"i\":\"%zu\"},"
        "\"panelIndex\":\"%zu\",\"embeddableConfig\":{},\"panelRefName\":\"panel_%zu\"}",
        i ? "," : "", i % 2 * PANEL_WIDTH, i / 2 * PANEL_HEIGHT, PANEL_WIDTH, PANEL_HEIGHT, i, i, i);
    (void)grow_puts(panels, text);
    (void)snprintf(text, sizeof text,
                   "%s{\"name\":\"panel_%zu\",\"type\":\"visualization\",\"id\":", i ? "," : "", i);
    (void)grow_puts(references, text);
    put_json(references, ss_cstr(visual));
    (void)grow_puts(references, "}");
}

static void put_dashboard(grow *out, const char *id, const char *set, const grow *panels,
                          const grow *references)
{
    char title[DASHBOARDS_NAME_MAX + 32];
    (void)snprintf(title, sizeof title, "Metrics: %s", set);
    (void)grow_puts(out, "{\"type\":\"dashboard\",\"id\":");
    put_json(out, ss_cstr(id));
    (void)grow_puts(out, ",\"attributes\":{\"title\":");
    put_json(out, ss_cstr(title));
    (void)grow_puts(
        out, ",\"description\":\"\",\"hits\":0,\"version\":1,\"timeRestore\":true,\"timeFrom\":\"now-1h\","
             "\"timeTo\":\"now\",\"refreshInterval\":{\"pause\":false,\"value\":10000},"
             "\"optionsJSON\":\"{\\\"useMargins\\\":true}\",\"panelsJSON\":");
    put_json(out, grow_str(panels));
    (void)grow_puts(
        out, ",\"kibanaSavedObjectMeta\":{\"searchSourceJSON\":\"{\\\"query\\\":{\\\"query\\\":\\\"\\\","
             "\\\"language\\\":\\\"kuery\\\"},\\\"filter\\\":[]}\"}},\"references\":[");
    (void)grow_put(out, grow_str(references));
    (void)grow_puts(out, "]}\n");
    out->full |= panels->full || references->full;
}

/* ---- walking the sets ---- */

typedef struct walk {
    const ss_host *host;
    ss_str instance;
    const char *pattern;
    grow *out; /* NULL: objects are only named */
    void (*visit)(void *arg, const dashboards_object *object);
    void *arg;
} walk;

static void name_object(const walk *w, const char *type, const char *id)
{
    dashboards_object object = {.type = type};
    (void)snprintf(object.id, sizeof object.id, "%s", id);
    if (w->visit)
        w->visit(w->arg, &object);
}

static bool walk_set(const walk *w, const char *set, const ss_config *list, ss_error *err)
{
    grow panels = {.limit = DASHBOARDS_BYTES_MAX}, references = {.limit = DASHBOARDS_BYTES_MAX};
    char id[DASHBOARDS_ID_MAX];
    bool good = true;
    (void)grow_puts(&panels, "[");
    for (size_t i = 0; good && i < w->host->cfg_len(list); i++) {
        metric_entry m;
        ss_str text = w->host->cfg_str(w->host->cfg_at(list, i), "");
        if (!read_entry(&m, text)) {
            good = ss_fail(err, 0, "opensearch: dashboards.%s: \"%.*s\" is not METRIC or METRIC/FIELD", set,
                           (int)(text.len < 100 ? text.len : 100), text.ptr);
            break;
        }
        char both[DASHBOARDS_NAME_MAX * 2];
        (void)snprintf(both, sizeof both, "%.100s-%.100s", set, m.name);
        id_of(id, w->instance, "metric", both);
        name_object(w, "visualization", id);
        if (w->out)
            put_visual(w->out, id, &m, w->pattern);
        put_panel(&panels, &references, i, id);
    }
    (void)grow_puts(&panels, "]");
    id_of(id, w->instance, "set", set);
    if (good)
        name_object(w, "dashboard", id);
    if (good && w->out)
        put_dashboard(w->out, id, set, &panels, &references);
    grow_free(&panels);
    grow_free(&references);
    return good;
}

static bool walk_sets(const walk *w, const ss_config *sets, ss_error *err)
{
    char id[DASHBOARDS_ID_MAX], set[DASHBOARDS_NAME_MAX];
    id_of(id, w->instance, "index", "pattern");
    name_object(w, "index-pattern", id);
    if (w->out)
        put_pattern(w->out, id, w->pattern);
    for (size_t i = 0; i < w->host->cfg_len(sets); i++) {
        ss_str key = w->host->cfg_key(sets, i);
        if (!plain(key))
            return ss_fail(
                err, 0, "opensearch: dashboards: a set's name has no quotes, slashes or signs like # ? %%");
        (void)snprintf(set, sizeof set, "%.*s", (int)key.len, key.ptr);
        if (!walk_set(w, set, w->host->cfg_at(sets, i), err))
            return false;
    }
    return !w->out || !w->out->full ||
           ss_fail(err, 0, "opensearch: the dashboards have more than %u bytes", DASHBOARDS_BYTES_MAX);
}

bool dashboards_put(const ss_host *host, const ss_config *sets, ss_str instance, const char *pattern,
                    grow *out, ss_error *err)
{
    return walk_sets(&(walk){.host = host, .instance = instance, .pattern = pattern, .out = out}, sets, err);
}

void dashboards_each(const ss_host *host, const ss_config *sets, ss_str instance,
                     void (*visit)(void *arg, const dashboards_object *object), void *arg)
{
    ss_error err = {.struct_size = sizeof err};
    (void)walk_sets(&(walk){.host = host, .instance = instance, .pattern = "", .visit = visit, .arg = arg},
                    sets, &err);
}

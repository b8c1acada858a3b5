/* The tables at both ends: where the events come from, with their time and its watermark, and the connectors.
 */
#include "modules/windows/export_inside.h"

#include <stdlib.h>

#define COLUMNS_MAX (1u << 20)

int64_t export_wait_us(const export *e, const metric *m)
{
    bool wait = strcmp(e->sets[SET_LATE], "wait") == 0;
    return m->delay_us + (wait ? m->lateness_us : 0);
}

/* A field as a moment; NULL where it is none. */
static void put_moment(export *e, const export_value *v, buf *out)
{
    bool seconds = v->type == SS_FIELD_DOUBLE || v->type == SS_FIELD_INT, inside = v->type == SS_FIELD_JSON;
    if (seconds || inside) {
        buf_adds(out, "TO_TIMESTAMP_LTZ(CAST(");
        export_as_number(e, v, out);
        buf_adds(out, " * 1000 AS BIGINT), 3)");
        return;
    }
    buf_adds(out, "CAST(TO_TIMESTAMP(");
    export_column(e, v, out);
    buf_adds(out, v->type == SS_FIELD_DATETIME ? ", 'yyyy-MM-dd HH:mm:ss')"
                                               : ", 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''')");
    buf_adds(out, " AS TIMESTAMP_LTZ(3))");
}

/* ---- when events arrived ---- */

/* Kafka's messages say it. Kinesis' records do, too, but its connector (5.0) fails to hand it over: there,
   and in files, the lines have to. */
static bool has_metadata(const export *e)
{
    return strcmp(e->ask->source, "kafka") == 0;
}

bool export_arrival(export *e)
{
    export_value v;
    for (size_t i = 0; line_fields[LINE_ARRIVAL][i]; i++)
        if (has_metadata(e) || export_has_path(e, line_fields[LINE_ARRIVAL][i], &v))
            return true;
    return false;
}

/* The moments that a line may have, with commas between them. */
static void put_arrival_moments(export *e, buf *out)
{
    export_value v;
    bool first = true;
    for (size_t i = 0; line_fields[LINE_ARRIVAL][i]; i++)
        if (export_has_path(e, line_fields[LINE_ARRIVAL][i], &v)) {
            buf_adds(out, first ? "" : ", ");
            put_moment(e, &v, out);
            first = false;
        }
}

static void put_arrival(export *e, buf *out)
{
    if (has_metadata(e))
        buf_adds(out, ",\n  `ss_arrival` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL");
    else if (export_arrival(e)) {
        buf_adds(out, ",\n  `ss_arrival` AS COALESCE(");
        put_arrival_moments(e, out);
        buf_adds(out, ")");
    }
}

static bool put_time(export *e, buf *out)
{
    export_value v;
    size_t found = 0;
    buf_adds(out, ",\n  `ss_time` AS COALESCE(");
    if (*e->sets[SET_TIME]) {
        if (!export_resolve_path(e, ss_cstr(e->sets[SET_TIME]), &v))
            return false;
        put_moment(e, &v, out);
        buf_adds(out, ", ");
        found++;
    } else
        for (size_t i = 0; line_fields[LINE_TIME][i]; i++)
            if (export_has_path(e, line_fields[LINE_TIME][i], &v)) {
                put_moment(e, &v, out);
                buf_adds(out, ", ");
                found++;
            }
    if (!found)
        return export_refuse(e,
                             "the lines have no field that is known for an event's time: name it with --set "
                             "time=FIELD");
    if (has_metadata(e))
        buf_adds(out, "`ss_arrival`, ");
    else if (export_arrival(e)) { /* a computed column cannot name another one */
        put_arrival_moments(e, out);
        buf_adds(out, ", ");
    }
    buf_adds(out, "TO_TIMESTAMP_LTZ(0, 3))");
    return true;
}

/* ---- which events the module takes at all ---- */

static void put_one_of(export *e, enum line_part header, const windows_names *names, const char *front,
                       buf *out)
{
    export_value v;
    if (!names->count || !export_resolve(e, (uint32_t)header, &v))
        return;
    for (size_t i = 0; i < names->count; i++) {
        buf_adds(out, i ? " OR " : front);
        buf_adds(out, i ? "" : "(");
        export_column(e, &v, out);
        buf_adds(out, " = ");
        export_text(ss_cstr(names->at[i]), out);
    }
    buf_adds(out, ")");
}

void export_taken(export *e, const char *front, buf *out)
{
    put_one_of(e, LINE_TYPE, &e->ask->types, front, out);
    put_one_of(e, LINE_APP, &e->ask->apps, front, out);
    if (export_arrival(e)) { /* a line that does not say it is taken */
        buf_addf(out, "%s(`ss_time` <= `ss_arrival` + ", front);
        export_span(e->w->settings.ahead_us, out);
        buf_adds(out, ") IS NOT FALSE");
    }
}

/* One millisecond more: Flink's window is over where the watermark has its last millisecond, ours at its end.
   What the module does not take moves nothing: NULL is no watermark. */
static void put_watermark(export *e, int64_t wait_us, buf *out)
{
    static const char front[] = " AND ";
    buf taken;
    buf_init(&taken, COLUMNS_MAX);
    export_taken(e, front, &taken);
    buf_adds(out, ",\n  WATERMARK FOR `ss_time` AS ");
    if (taken.len)
        buf_addf(out, "CASE WHEN %s THEN ", buf_text(&taken) + sizeof front - 1);
    if (export_arrival(e)) {
        buf_adds(out, "COALESCE(LEAST(`ss_time`, `ss_arrival` + ");
        export_span(ENGINE_AHEAD_US, out);
        buf_adds(out, "), `ss_time`)");
    } else
        buf_adds(out, "`ss_time`");
    buf_adds(out, " - ");
    export_span(wait_us + 1000, out);
    buf_adds(out, taken.len ? " END" : "");
    out->failed |= taken.failed;
    buf_fini(&taken);
}

/* ---- connectors ---- */

static void put_properties(const export *e, buf *out)
{
    for (size_t i = 0; i < e->property_count; i++) {
        char key[256];
        const char *equal = strchr(e->properties[i], '=');
        (void)snprintf(key, sizeof key, "%.*s", (int)(equal - e->properties[i]), e->properties[i]);
        export_option(out, key, ss_cstr(equal + 1));
    }
}

static void put_kafka_source(const export *e, buf *out)
{
    char name[160];
    const char *start = e->sets[SET_START];
    (void)snprintf(name, sizeof name, "streamsteam-%.128s", e->ask->module);
    export_option(out, "topic", ss_cstr(e->sets[SET_TOPIC]));
    export_option(out, "properties.bootstrap.servers", ss_cstr(e->sets[SET_BROKERS]));
    export_option(out, "properties.group.id", ss_cstr(*e->sets[SET_GROUP] ? e->sets[SET_GROUP] : name));
    if (strcmp(start, "committed") == 0) {
        export_option(out, "scan.startup.mode", ss_cstr("group-offsets"));
        export_option(out, "properties.auto.offset.reset", ss_cstr("earliest"));
    } else
        export_option(out, "scan.startup.mode",
                      ss_cstr(strcmp(start, "earliest") == 0 ? "earliest-offset" : "latest-offset"));
    if (strcmp(e->sets[SET_END], "latest") == 0)
        export_option(out, "scan.bounded.mode", ss_cstr("latest-offset"));
    export_option(out, "scan.watermark.emit.strategy", ss_cstr("on-event"));
    if (strcmp(e->sets[SET_IDLE], "never") != 0)
        export_option(out, "scan.watermark.idle-timeout", ss_cstr(e->sets[SET_IDLE]));
    put_properties(e, out);
}

static void put_kafka_sink(const export *e, ss_str key, buf *out)
{
    export_option(out, "topic", ss_cstr(e->sets[SET_METRICS_TOPIC]));
    export_option(out, "properties.bootstrap.servers", ss_cstr(e->sets[SET_METRICS_BROKERS]));
    if (key.len) {
        export_option(out, "key.format", ss_cstr("raw"));
        export_option(out, "key.fields", key);
    }
    put_properties(e, out);
}

static void put_kinesis(const export *e, bool sink, buf *out)
{
    export_option(out, "stream.arn", ss_cstr(e->sets[sink ? SET_METRICS_STREAM : SET_STREAM]));
    export_option(out, "aws.region", ss_cstr(e->sets[sink ? SET_METRICS_REGION : SET_REGION]));
    if (!sink)
        export_option(out, "source.init.position",
                      ss_cstr(strcmp(e->sets[SET_START], "latest") == 0 ? "LATEST" : "TRIM_HORIZON"));
}

void export_connector(export *e, bool sink, ss_str key, buf *out)
{
    const char *what = sink ? e->sets[SET_SINK] : e->ask->source;
    bool files = strcmp(what, "files") == 0;
    buf_adds(out, " WITH (\n  'connector' = ");
    export_text(files ? SS_LIT("filesystem") : ss_cstr(what), out);
    if (files)
        export_option(out, "path", ss_cstr(e->sets[sink ? SET_METRICS_PATH : SET_PATH]));
    else if (strcmp(what, "kinesis") == 0)
        put_kinesis(e, sink, out);
    else if (sink)
        put_kafka_sink(e, key, out);
    else
        put_kafka_source(e, out);
    if (sink && !files && strcmp(what, "kafka") == 0)
        export_option(out, "value.format", ss_cstr("json"));
    else
        export_option(out, "format", ss_cstr("json"));
    if (!sink)
        export_option(out, "json.ignore-parse-errors", ss_cstr("true"));
    buf_adds(out, "\n);\n");
}

void export_source(export *e, int64_t wait_us, buf *out)
{
    buf times;
    buf_init(&times, COLUMNS_MAX);
    put_arrival(e, &times);
    if (!put_time(e, &times)) {
        buf_fini(&times);
        return;
    }
    put_watermark(e, wait_us, &times);
    buf_adds(out, "CREATE TEMPORARY TABLE ");
    export_table(e, "events", e->table, out);
    buf_adds(out, " (\n  ");
    export_columns(e, out); /* behind what marks them */
    buf_add(out, times.ptr, times.len);
    buf_adds(out, "\n)");
    out->failed |= times.failed;
    buf_fini(&times);
    export_connector(e, false, ss_s("", 0), out);
}

/* A metric's documents: the columns of the table that they go to, and what stands in them. Metrics whose
   documents have the same members share a table. */
#include "modules/windows/export_inside.h"

#include <stdlib.h>

#define SHAPE_MAX (256u * 1024)

static bool is_top(const export *e)
{
    return e->metric->aggregate.kind == AGGREGATE_TOP;
}

/* member->key and part->text stand as JSON; false: too long. */
static void put_plain(export *e, const char *escaped, void (*put)(export *e, ss_str text, buf *out), buf *out)
{
    size_t len = strlen(escaped);
    char *plain = malloc(len + 1);
    if (!plain) {
        out->failed = true;
        return;
    }
    put(e, ss_s(plain, json_unescape(plain, ss_s(escaped, len))), out);
    free(plain);
}

static void put_literal(export *e, ss_str text, buf *out)
{
    (void)e;
    export_text(text, out);
}

/* ---- types ---- */

typedef struct asked {
    const char *name;
    bool text;
} asked;

static void look_at(void *arg, const ss_field *field)
{
    asked *a = arg;
    a->text |= field->type == SS_FIELD_STRING && strcmp(field->name, a->name) == 0;
}

/* The receiver of the documents keeps what is in a field of texts as a text: so do they. */
static bool is_kept_as_text(const export *e, const metric_member *m)
{
    const ss_host *host = e->w->host;
    asked a = {m->key, false};
    (void)host->catalog(host->self, e->w->parser, look_at, &a);
    return a.text;
}

static const char *value_type(const export *e)
{
    if (is_top(e))
        return "ARRAY<ROW<`value` STRING, `count` BIGINT>>";
    return aggregate_is_whole(e->metric->aggregate.kind) ? "BIGINT" : "DOUBLE";
}

static const char *by_type(export *e, uint32_t by)
{
    export_value v;
    return export_resolve(e, e->metric->by[by].slot, &v) ? export_type(&v) : "STRING";
}

/* Of a member that is one placeholder. A NULL is of the type that others have under this name. */
static const char *alone_type(export *e, const metric_part *part)
{
    if (part->kind == PART_VALUE)
        return value_type(e);
    if (part->kind == PART_COUNT)
        return "BIGINT";
    return part->kind == PART_BY ? by_type(e, part->by) : "STRING";
}

static const char *member_type(export *e, const metric_member *m)
{
    if (m->alone && m->parts[0].kind == PART_NULL && strcmp(m->key, "METRIC_UNIT_VALUE_INT") == 0)
        return "BIGINT";
    return m->alone && !is_kept_as_text(e, m) ? alone_type(e, &m->parts[0]) : "STRING";
}

/* ---- the table ---- */

static bool put_members(export *e, buf *out)
{
    const metric *m = e->metric;
    for (uint32_t i = 0; i < m->member_count; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(m->members[k].key, m->members[i].key) == 0)
                return export_refuse(e, "its documents have the member %.80s twice", m->members[i].key);
        buf_adds(out, i ? ",\n  " : "");
        put_plain(e, m->members[i].key, export_name, out);
        buf_addf(out, " %s", member_type(e, &m->members[i]));
    }
    return true;
}

/* The member that is the metric's name is the message's key, as ours is. */
static void put_key(export *e, buf *out)
{
    const metric *m = e->metric;
    for (uint32_t i = 0; i < m->member_count; i++)
        if (m->members[i].alone && m->members[i].parts[0].kind == PART_NAME) {
            char plain[EXPORT_NAME_MAX * 6];
            size_t len = strlen(m->members[i].key);
            if (len < sizeof plain)
                buf_add(out, plain, json_unescape(plain, ss_s(m->members[i].key, len)));
            return;
        }
}

static void put_table(export *e, uint32_t number, const buf *members, buf *out)
{
    buf key;
    buf_init(&key, SHAPE_MAX);
    put_key(e, &key);
    buf_adds(out, "\nCREATE TEMPORARY TABLE ");
    export_table(e, "metrics", number, out);
    buf_adds(out, " (\n  ");
    buf_add(out, members->ptr, members->len);
    buf_adds(out, "\n)");
    if (key.len && strcmp(e->sets[SET_SINK], "kinesis") == 0) {
        buf_adds(out, " PARTITIONED BY (");
        export_name(e, buf_str(&key), out);
        buf_adds(out, ")");
    }
    export_connector(e, true, buf_str(&key), out);
    buf_fini(&key);
}

uint32_t export_shape(export *e, buf *out)
{
    buf members;
    buf_init(&members, SHAPE_MAX);
    bool good = put_members(e, &members);
    uint32_t at = 0;
    while (at < e->shape_count && strcmp(e->shapes[at], buf_text(&members)) != 0)
        at++;
    if (good && at == e->shape_count) {
        put_table(e, at + 1, &members, out);
        e->shapes[e->shape_count] = strdup(buf_text(&members));
        out->failed |= !e->shapes[e->shape_count++];
    }
    out->failed |= members.failed;
    buf_fini(&members);
    return at + 1;
}

/* ---- the values ---- */

static void put_moment(const export *e, const char *column, buf *out)
{
    const metric *m = e->metric;
    bool seconds = m->size_us % 1000000 == 0 && m->every_us % 1000000 == 0;
    if (seconds)
        buf_addf(out, "DATE_FORMAT(%s, 'yyyy-MM-dd''T''HH:mm:ss''Z''')", column);
    else
        buf_addf(out, "REPLACE(DATE_FORMAT(%s, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z'''), '.000Z', 'Z')", column);
}

static void put_metric_value(export *e, bool alone, buf *out)
{
    bool count = e->metric->aggregate.kind == AGGREGATE_COUNT;
    if (!alone && is_top(e))
        (void)export_refuse(e, "document: a list cannot stand within a text; leave {value} alone there");
    else if (!alone)
        buf_addf(out, "CAST(%s AS STRING)", count ? "`ss_count`" : "`ss_value`");
    else
        buf_adds(out, count ? "`ss_count`" : "`ss_value`");
}

static void put_by(export *e, const metric_member *member, const metric_part *part, buf *out)
{
    const char *type = by_type(e, part->by);
    bool is_text = strcmp(type, "STRING") == 0, truth = strcmp(type, "BOOLEAN") == 0;
    bool cast = !is_text && strcmp(member_type(e, member), "STRING") == 0;
    buf_adds(out, member->alone ? "" : "COALESCE(");
    buf_adds(out, !cast ? "" : truth ? "LOWER(CAST(" : "CAST(");
    buf_addf(out, "`ss_by%u`", part->by + 1);
    buf_adds(out, !cast ? "" : truth ? " AS STRING))" : " AS STRING)");
    buf_adds(out, member->alone ? "" : ", 'null')");
}

static void put_part(export *e, const metric_member *member, const metric_part *part, buf *out)
{
    const metric *m = e->metric;
    switch (part->kind) {
    case PART_TEXT:
        put_plain(e, part->text, put_literal, out);
        break;
    case PART_NAME:
        export_text(ss_cstr(m->name), out);
        break;
    case PART_START:
        put_moment(e, "`window_start`", out);
        break;
    case PART_END:
        put_moment(e, "`window_end`", out);
        break;
    case PART_VALUE:
        put_metric_value(e, member->alone, out);
        break;
    case PART_COUNT:
        buf_adds(out, member->alone ? "`ss_count`" : "CAST(`ss_count` AS STRING)");
        break;
    case PART_UNIT:
        put_plain(e, m->unit, put_literal, out);
        break;
    case PART_APP:
        buf_adds(out, e->w->settings.by_stream ? "''" : "`ss_app`");
        break;
    case PART_VERSION:
    case PART_ID:
        (void)export_refuse(e,
                            "document: {id} and {version} are of this server's journal; Flink knows neither");
        break;
    case PART_BY:
        put_by(e, member, part, out);
        break;
    case PART_NULL:
        buf_addf(out, "CAST(NULL AS %s)", member_type(e, member));
        break;
    }
}

void export_document(export *e, buf *out)
{
    const metric *m = e->metric;
    for (uint32_t i = 0; i < m->member_count; i++) {
        const metric_member *member = &m->members[i];
        buf_adds(out, i ? ",\n  " : "");
        if (member->count == 0)
            buf_adds(out, "''");
        if (member->count > 1)
            buf_adds(out, "CONCAT(");
        for (uint32_t k = 0; k < member->count; k++) {
            buf_adds(out, k ? ", " : "");
            put_part(e, member, &member->parts[k], out);
        }
        buf_adds(out, member->count > 1 ? ")" : "");
    }
}

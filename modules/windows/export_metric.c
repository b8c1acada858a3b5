/* One metric: a view of the events that count, and the query over its windows. */
#include "modules/windows/export_inside.h"

#define ROWS_MAX (64u * 1024)

static bool is_number_kind(enum aggregate_kind kind)
{
    return kind == AGGREGATE_SUM || kind == AGGREGATE_MIN || kind == AGGREGATE_MAX || kind == AGGREGATE_AVG ||
           kind == AGGREGATE_QUANTILE;
}

static bool is_of_counts(enum aggregate_kind kind)
{
    return kind == AGGREGATE_TOP || kind == AGGREGATE_QUANTILE;
}

static bool has_scope(const export *e)
{
    return !e->w->settings.by_stream;
}

/* ---- the events that count ---- */

/* The same buckets as the module's sketch has: its number, below zero for negative values. */
static void put_bucket(export *e, const export_value *v, buf *out)
{
    buf number;
    buf_init(&number, ROWS_MAX);
    export_as_number(e, v, &number);
    const char *x = buf_text(&number);
    buf_addf(out, "CASE WHEN ABS(%s) < 1E-9 THEN 0 WHEN %s <> 0 THEN CAST(SIGN(%s) AS BIGINT) * (%d + ", x, x,
             x, AGGREGATE_BUCKET_MIDDLE);
    buf_addf(out, "CAST(CEIL(LN(ABS(%s)) / LN(", x);
    export_number(AGGREGATE_GAMMA, out);
    buf_adds(out, ")) AS BIGINT)) END");
    out->failed |= number.failed;
    buf_fini(&number);
}

static void put_value(export *e, buf *out)
{
    const metric *m = e->metric;
    export_value v;
    if (!export_resolve(e, m->aggregate.slot, &v))
        return;
    bool text = v.type != SS_FIELD_INT && v.type != SS_FIELD_DOUBLE && v.type != SS_FIELD_JSON;
    if (is_number_kind(m->aggregate.kind) && text)
        (void)export_refuse(e, "of: '%s' is no number", e->w->paths.names[m->aggregate.slot]);
    else if (m->aggregate.kind == AGGREGATE_QUANTILE)
        put_bucket(e, &v, out);
    else if (is_number_kind(m->aggregate.kind))
        export_as_number(e, &v, out);
    else if (m->aggregate.kind == AGGREGATE_TOP)
        export_as_text(e, &v, out);
    else
        export_dimension(e, &v, out);
}

/* Events without an id are never repeats of each other. */
static void put_id(export *e, buf *out)
{
    export_value v;
    if (!export_resolve(e, e->metric->dedupe, &v))
        return;
    buf_adds(out, "COALESCE(NULLIF(");
    export_as_text(e, &v, out);
    buf_adds(out, ", ''), UUID())");
}

static void put_selected(export *e, buf *out)
{
    const metric *m = e->metric;
    export_value v;
    buf_adds(out, "SELECT `ss_time`");
    if (has_scope(e)) {
        buf_adds(out, ",\n  ");
        if (export_resolve(e, LINE_APP, &v))
            export_column(e, &v, out);
        buf_adds(out, " AS `ss_app`");
    }
    for (uint32_t i = 0; i < m->by_count; i++) {
        buf_adds(out, ",\n  ");
        if (export_resolve(e, m->by[i].slot, &v))
            export_dimension(e, &v, out);
        buf_addf(out, " AS `ss_by%u`", i + 1);
    }
    if (m->dedupe != PATHS_NONE) {
        buf_adds(out, ",\n  ");
        put_id(e, out);
        buf_adds(out, " AS `ss_id`");
    }
    if (m->aggregate.kind != AGGREGATE_COUNT) {
        buf_adds(out, ",\n  ");
        put_value(e, out);
        buf_adds(out, " AS `ss_value`");
    }
}

static void put_conditions(export *e, buf *out)
{
    const metric *m = e->metric;
    export_value v;
    buf_adds(out, "\nWHERE ");
    export_filter(e, &m->filter, out);
    export_taken(e, "\n  AND ", out);
    for (uint32_t i = 0; m->skip_missing && i < m->by_count; i++) {
        buf_adds(out, "\n  AND ");
        if (export_resolve(e, m->by[i].slot, &v))
            export_dimension(e, &v, out);
        buf_adds(out, " IS NOT NULL");
    }
    if (m->aggregate.kind != AGGREGATE_COUNT) {
        buf_adds(out, "\n  AND ");
        put_value(e, out);
        buf_adds(out, " IS NOT NULL");
    }
}

/* ---- windows ---- */

static void put_windows(export *e, buf *out)
{
    const metric *m = e->metric;
    bool hops = m->every_us != m->size_us;
    buf_addf(out, "TABLE(%s(TABLE ", hops ? "HOP" : "TUMBLE");
    export_table(e, "view", e->number, out);
    buf_adds(out, ", DESCRIPTOR(`ss_time`), ");
    if (hops) {
        export_span(m->every_us, out);
        buf_adds(out, ", ");
    }
    export_span(m->size_us, out);
    buf_adds(out, "))");
}

/* The first of each id by event time; of several at one time the first to come. */
static void put_rows(export *e, buf *out)
{
    if (e->metric->dedupe == PATHS_NONE) {
        put_windows(e, out);
        return;
    }
    buf_addf(out,
             "(SELECT * FROM (\n    SELECT *, ROW_NUMBER() OVER (PARTITION BY `window_start`, `window_end`, "
             "%s`ss_id` "
             "ORDER BY `ss_time`) AS `ss_row`\n    FROM ",
             has_scope(e) ? "`ss_app`, " : "");
    put_windows(e, out);
    buf_adds(out, ")\n  WHERE `ss_row` = 1)");
}

/* Window, application, dimensions, each with what stands in front. */
static void put_keys(const export *e, const char *front, buf *out)
{
    buf_addf(out, "%s`window_start`, %s`window_end`", front, front);
    if (has_scope(e))
        buf_addf(out, ", %s`ss_app`", front);
    for (uint32_t i = 0; i < e->metric->by_count; i++)
        buf_addf(out, ", %s`ss_by%u`", front, i + 1);
}

static void put_aggregate(const aggregate_spec *spec, buf *out)
{
    switch (spec->kind) {
    case AGGREGATE_DISTINCT:
    case AGGREGATE_APPROXIMATE:
        buf_adds(out, "COUNT(DISTINCT `ss_value`)");
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_AVG:
        buf_addf(out, "%s(`ss_value`)",
                 spec->kind == AGGREGATE_SUM   ? "SUM"
                 : spec->kind == AGGREGATE_MIN ? "MIN"
                 : spec->kind == AGGREGATE_MAX ? "MAX"
                                               : "AVG");
        break;
    case AGGREGATE_QUANTILE:
    case AGGREGATE_COUNT:
    case AGGREGATE_TOP:
        break;
    }
}

static void put_grouped(export *e, buf *out)
{
    const metric *m = e->metric;
    buf_adds(out, "SELECT ");
    put_keys(e, "", out);
    buf_adds(out, ", COUNT(*) AS `ss_count`");
    if (m->aggregate.kind != AGGREGATE_COUNT) {
        buf_adds(out, ", ");
        put_aggregate(&m->aggregate, out);
        buf_adds(out, " AS `ss_value`");
    }
    buf_adds(out, "\n  FROM ");
    put_rows(e, out);
    buf_adds(out, "\n  GROUP BY ");
    put_keys(e, "", out);
}

/* ---- values and how often they came: for the most frequent ones, and for quantiles ---- */

static void put_counts_view(export *e, buf *out)
{
    buf_adds(out, "CREATE TEMPORARY VIEW ");
    export_table(e, "counts", e->number, out);
    buf_adds(out, " AS\nSELECT ");
    put_keys(e, "", out);
    buf_adds(out, ", `ss_value`, COUNT(*) AS `ss_count`\nFROM ");
    put_rows(e, out);
    buf_adds(out, "\nGROUP BY ");
    put_keys(e, "", out);
    buf_adds(out, ", `ss_value`;\n");
}

static void put_same_key(const export *e, buf *out)
{
    buf_adds(out, "a.`window_start` = b.`window_start` AND a.`window_end` = b.`window_end`");
    if (has_scope(e))
        buf_adds(out, " AND a.`ss_app` = b.`ss_app`");
    for (uint32_t i = 0; i < e->metric->by_count; i++)
        buf_addf(out, " AND a.`ss_by%u` IS NOT DISTINCT FROM b.`ss_by%u`", i + 1, i + 1);
}

static void put_totals(export *e, buf *out)
{
    buf_adds(out, "(SELECT ");
    put_keys(e, "", out);
    buf_adds(out, ", SUM(`ss_count`) AS `ss_count` FROM ");
    export_table(e, "counts", e->number, out);
    buf_adds(out, " GROUP BY ");
    put_keys(e, "", out);
    buf_adds(out, ")");
}

static void put_top(export *e, buf *out)
{
    buf_adds(out, "SELECT ");
    put_keys(e, "a.", out);
    buf_adds(out, ", a.`ss_count`, b.`ss_value`\n  FROM ");
    put_totals(e, out);
    buf_adds(out, " AS a\n  JOIN (SELECT ");
    put_keys(e, "", out);
    buf_adds(out, ",\n      ARRAY_AGG(CAST(ROW(`ss_value`, `ss_count`) AS ROW<`value` STRING, `count` "
                  "BIGINT>)) AS `ss_value`\n"
                  "    FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY ");
    put_keys(e, "", out);
    buf_adds(out, " ORDER BY `ss_count` DESC, `ss_value`) AS `ss_row`\n      FROM ");
    export_table(e, "counts", e->number, out);
    buf_addf(out, ")\n    WHERE `ss_row` <= %u GROUP BY ", e->metric->aggregate.k);
    put_keys(e, "", out);
    buf_adds(out, ") AS b\n  ON ");
    put_same_key(e, out);
}

/* ---- quantiles ---- */

/* Each bucket with how many values are in it and below. */
static void put_sums(export *e, buf *out)
{
    buf_adds(out, "(SELECT ");
    put_keys(e, "a.", out);
    buf_adds(out, ", a.`ss_value`, SUM(b.`ss_count`) AS `ss_sum`\n      FROM ");
    export_table(e, "counts", e->number, out);
    buf_adds(out, " AS a JOIN ");
    export_table(e, "counts", e->number, out);
    buf_adds(out, " AS b\n      ON ");
    put_same_key(e, out);
    buf_adds(out, " AND b.`ss_value` <= a.`ss_value`\n      GROUP BY ");
    put_keys(e, "a.", out);
    buf_adds(out, ", a.`ss_value`)");
}

/* The first bucket that has the wanted place; then the middle of what it holds. */
static void put_quantile(export *e, buf *out)
{
    buf_adds(out, "SELECT ");
    put_keys(e, "", out);
    buf_adds(out, ", `ss_count`, CASE WHEN `ss_value` = 0 THEN 0E0 WHEN `ss_value` < 0 THEN -2E0 ELSE 2E0 "
                  "END * POWER(");
    export_number(AGGREGATE_GAMMA, out);
    buf_addf(out, ", ABS(`ss_value`) - %d) / ", AGGREGATE_BUCKET_MIDDLE);
    export_number(AGGREGATE_GAMMA + 1, out);
    buf_adds(out, " AS `ss_value`\n  FROM (SELECT ");
    put_keys(e, "a.", out);
    buf_adds(out, ", MAX(b.`ss_count`) AS `ss_count`, MIN(a.`ss_value`) AS `ss_value`\n    FROM ");
    put_sums(e, out);
    buf_adds(out, " AS a\n    JOIN ");
    put_totals(e, out);
    buf_adds(out, " AS b\n    ON ");
    put_same_key(e, out);
    buf_adds(out, " AND a.`ss_sum` > FLOOR(");
    export_number(e->metric->aggregate.q, out);
    buf_adds(out, " * (b.`ss_count` - 1))\n    GROUP BY ");
    put_keys(e, "a.", out);
    buf_adds(out, ")");
}

/* ---- all ---- */

void export_view(export *e, buf *out)
{
    buf_adds(out, "\n-- ");
    export_note(ss_cstr(e->metric->name), out);
    buf_adds(out, "\nCREATE TEMPORARY VIEW ");
    export_table(e, "view", e->number, out);
    buf_adds(out, " AS\n");
    put_selected(e, out);
    buf_adds(out, "\nFROM ");
    export_table(e, "events", e->table, out);
    put_conditions(e, out);
    buf_adds(out, ";\n");
    if (is_of_counts(e->metric->aggregate.kind))
        put_counts_view(e, out);
}

void export_insert(export *e, uint32_t shape, buf *out)
{
    const metric *m = e->metric;
    bool top = m->aggregate.kind == AGGREGATE_TOP, count = top || m->aggregate.kind == AGGREGATE_COUNT;
    buf having;
    buf_init(&having, ROWS_MAX);
    export_range(&m->having, count ? "`ss_count`" : "`ss_value`", &having);
    buf_adds(out, "INSERT INTO ");
    export_table(e, "metrics", shape, out);
    buf_adds(out, " SELECT\n  ");
    export_document(e, out);
    buf_adds(out, "\nFROM (\n  ");
    if (top)
        put_top(e, out);
    else if (m->aggregate.kind == AGGREGATE_QUANTILE)
        put_quantile(e, out);
    else
        put_grouped(e, out);
    buf_addf(out, ")%s%s;\n", having.len ? " WHERE " : "", buf_text(&having));
    buf_fini(&having);
}

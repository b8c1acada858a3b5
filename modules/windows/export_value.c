/* A value of the line as an expression. A JSON field is a column of text: what is in it is asked for with
   JSON_VALUE, its kind with JSON_QUERY, which gives [7] for 7, ["7"] for "7" and NULL for null. */
#include "modules/windows/export_inside.h"

#define PATH_MAX_BYTES (64u * 1024)

static bool is_inside(const export_value *v)
{
    return v->type == SS_FIELD_JSON && v->rest.len > 0;
}

static bool is_word(ss_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

/* lax $.event['odd name'] as a text of SQL. */
static void put_path(ss_str rest, buf *out)
{
    buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_adds(&path, "lax $");
    for (size_t at = 0; at < rest.len;) {
        const char *dot = memchr(rest.ptr + at, '.', rest.len - at);
        ss_str name = ss_s(rest.ptr + at, dot ? (size_t)(dot - rest.ptr) - at : rest.len - at);
        at += name.len + 1;
        if (is_word(name)) {
            buf_adds(&path, ".");
            buf_add(&path, name.ptr, name.len);
            continue;
        }
        buf_adds(&path, "['");
        for (size_t i = 0; i < name.len; i++) {
            if (name.ptr[i] == '\'' || name.ptr[i] == '\\')
                buf_adds(&path, "\\");
            buf_add(&path, &name.ptr[i], 1);
        }
        buf_adds(&path, "']");
    }
    export_text(buf_str(&path), out);
    out->failed |= path.failed;
    buf_fini(&path);
}

static void put_inside(export *e, const export_value *v, const char *function, const char *end, buf *out)
{
    buf_addf(out, "%s(", function);
    export_column(e, v, out);
    buf_adds(out, ", ");
    put_path(v->rest, out);
    buf_adds(out, end);
}

static void put_scalar(export *e, const export_value *v, buf *out)
{
    put_inside(e, v, "JSON_VALUE", ")", out);
}

static void put_kind(export *e, const export_value *v, buf *out)
{
    put_inside(e, v, "JSON_QUERY", " WITH UNCONDITIONAL ARRAY WRAPPER)", out);
}

void export_as_text(export *e, const export_value *v, buf *out)
{
    if (is_inside(v)) {
        buf_adds(out, "COALESCE(");
        put_scalar(e, v, out);
        buf_adds(out, ", ");
        put_inside(e, v, "JSON_QUERY", "))", out);
        return;
    }
    bool number = v->type == SS_FIELD_INT || v->type == SS_FIELD_DOUBLE, truth = v->type == SS_FIELD_BOOL;
    buf_adds(out, number ? "CAST(" : truth ? "LOWER(CAST(" : v->field ? "" : "NULLIF(");
    export_column(e, v, out);
    buf_adds(out, number ? " AS STRING)" : truth ? " AS STRING))" : v->field ? "" : ", '')");
}

void export_dimension(export *e, const export_value *v, buf *out)
{
    if (v->type == SS_FIELD_INT || v->type == SS_FIELD_DOUBLE || v->type == SS_FIELD_BOOL)
        export_column(e, v, out);
    else
        export_as_text(e, v, out);
}

void export_as_number(export *e, const export_value *v, buf *out)
{
    if (is_inside(v)) {
        buf_adds(out, "CASE WHEN ");
        put_kind(e, v, out);
        buf_adds(out, " NOT LIKE '[\"%' THEN TRY_CAST(");
        put_scalar(e, v, out);
        buf_adds(out, " AS DOUBLE) END");
        return;
    }
    bool number = v->type == SS_FIELD_INT || v->type == SS_FIELD_DOUBLE;
    if (!number && v->type != SS_FIELD_JSON) { /* a text is none, whatever stands in it */
        buf_adds(out, "CAST(NULL AS DOUBLE)");
        return;
    }
    bool is_double = v->type == SS_FIELD_DOUBLE;
    buf_adds(out, is_double ? "" : number ? "CAST(" : "TRY_CAST(");
    export_column(e, v, out);
    buf_adds(out, is_double ? "" : " AS DOUBLE)");
}

void export_exists(export *e, const export_value *v, buf *out)
{
    if (is_inside(v))
        put_kind(e, v, out);
    else
        export_column(e, v, out);
    buf_adds(out, " IS NOT NULL");
}

/* The JSON value is just that word. */
static void put_is_word(export *e, const export_value *v, const char *word, buf *out)
{
    put_kind(e, v, out);
    buf_addf(out, " = '[%s]'", word);
}

static void equals_text(export *e, const export_value *v, ss_str text, buf *out)
{
    if (is_inside(v))
        put_scalar(e, v, out);
    else if (v->type == SS_FIELD_INT || v->type == SS_FIELD_DOUBLE || v->type == SS_FIELD_BOOL) {
        buf_adds(out, "FALSE");
        return;
    } else
        export_column(e, v, out);
    buf_adds(out, " = ");
    export_text(text, out);
    if (is_inside(v)) {
        buf_adds(out, " AND ");
        put_kind(e, v, out);
        buf_adds(out, " LIKE '[\"%'");
    }
}

static void equals_truth(export *e, const export_value *v, bool truth, buf *out)
{
    const char *word = truth ? "true" : "false";
    if (is_inside(v))
        put_is_word(e, v, word, out);
    else if (v->type == SS_FIELD_BOOL || v->type == SS_FIELD_JSON) {
        export_column(e, v, out);
        if (v->type == SS_FIELD_BOOL)
            buf_addf(out, " IS %s", truth ? "TRUE" : "FALSE");
        else
            buf_addf(out, " = '%s'", word);
    } else
        buf_adds(out, "FALSE");
}

/* TRUE, or not: a NULL is no third answer. */
void export_equals(export *e, const export_value *v, const filter_node *n, buf *out)
{
    buf_adds(out, "(");
    switch ((json_kind)n->kind) {
    case JSON_STRING:
        equals_text(e, v, ss_s(n->text, n->len), out);
        break;
    case JSON_NUMBER:
        export_as_number(e, v, out);
        buf_adds(out, " = ");
        export_number(n->number, out);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        equals_truth(e, v, n->kind == JSON_TRUE, out);
        break;
    default:
        buf_adds(out, "NOT ");
        export_exists(e, v, out);
        break;
    }
    buf_adds(out, ") IS TRUE");
}

void export_prefix(export *e, const export_value *v, const filter_node *n, buf *out)
{
    if (v->type == SS_FIELD_INT || v->type == SS_FIELD_DOUBLE || v->type == SS_FIELD_BOOL) {
        buf_adds(out, "FALSE");
        return;
    }
    buf_adds(out, "(");
    if (n->len) {
        buf_adds(out, "POSITION(");
        export_text(ss_s(n->text, n->len), out);
        buf_adds(out, " IN ");
        if (is_inside(v))
            put_scalar(e, v, out);
        else
            export_column(e, v, out);
        buf_adds(out, ") = 1");
    } else
        export_exists(e, v, out);
    if (is_inside(v)) {
        buf_adds(out, " AND ");
        put_kind(e, v, out);
        buf_adds(out, " LIKE '[\"%'");
    }
    buf_adds(out, ") IS TRUE");
}

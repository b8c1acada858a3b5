/* Where a path of a metric stands in the stored line: the catalog says which columns there are, and of what
   type. A path below a JSON field is looked up in that field's text. */
#include "modules/windows/export_inside.h"

#include <stdlib.h>

typedef struct adding {
    export *e;
    const char *receiver;
    size_t count;
} adding;

static void add_field(void *arg, const ss_field *field)
{
    adding *a = arg;
    export *e = a->e;
    a->count++;
    /* The client's time may have a fraction, though it is declared as a whole number. */
    bool is_time = field->type == SS_FIELD_INT && strcmp(field->name, "event_timestamp") == 0;
    uint32_t type = is_time ? SS_FIELD_DOUBLE : field->type;
    for (size_t i = 0; i < e->field_count; i++) {
        if (strcmp(e->fields[i].name, field->name) != 0)
            continue;
        if (e->fields[i].type != type) /* an error only where it is asked for */
            e->fields[i].type = 0;
        return;
    }
    if (e->field_count < EXPORT_FIELDS_MAX)
        e->fields[e->field_count++] = (export_field){field->name, type, a->receiver, false};
}

bool export_catalog(export *e)
{
    const ss_host *host = e->w->host;
    e->fields = calloc(EXPORT_FIELDS_MAX, sizeof *e->fields);
    if (!e->fields)
        return export_refuse(e, "no memory");
    for (size_t i = 0; i < e->ask->receivers.count; i++) {
        adding a = {e, e->ask->receivers.at[i], 0};
        if (!ss_eq(e->w->parser, ss_cstr(a.receiver))) /* never what it made itself */
            (void)host->catalog(host->self, ss_cstr(a.receiver), add_field, &a);
        if (a.count == 0) /* it takes in for others */
            continue;
        if (e->receiver_count == EXPORT_READ_MAX)
            return export_refuse(e, "it reads more than %u receivers", EXPORT_READ_MAX);
        e->receivers[e->receiver_count++] = a.receiver;
    }
    return e->field_count > 0 || export_refuse(e, "no receiver that it reads declares a field");
}

/* The longest field that the path is, or that holds it. */
static export_field *find(export *e, ss_str path, bool *object)
{
    export_field *best = NULL;
    for (size_t i = 0; i < e->field_count; i++) {
        export_field *f = &e->fields[i];
        size_t len = strlen(f->name);
        if (len <= path.len && memcmp(f->name, path.ptr, len) == 0 &&
            (len == path.len || path.ptr[len] == '.') && (!best || len > strlen(best->name)))
            best = f;
        if (len > path.len && f->name[path.len] == '.' && memcmp(f->name, path.ptr, path.len) == 0)
            *object = true;
    }
    return best;
}

bool export_resolve_path(export *e, ss_str path, export_value *v)
{
    bool object = false;
    export_field *f = find(e, path, &object);
    int len = (int)path.len;
    if (!f)
        return object ? export_refuse(e, "'%.*s' is an object: name a field in it", len, path.ptr)
                      : export_refuse(e, "'%.*s' is no field of %s%s; `streamsteam catalog` lists them", len,
                                      path.ptr, e->receivers[0],
                                      e->receiver_count > 1 ? " or another receiver that it reads" : "");
    if (f->type == 0)
        return export_refuse(
            e,
            "'%s' is of one type in one receiver and of another in the next: export a module that "
            "reads one of them",
            f->name);
    size_t own = strlen(f->name);
    *v = (export_value){f->type, f, PATHS_NONE, ss_s("", 0)};
    if (own < path.len) {
        v->rest = ss_s(path.ptr + own + 1, path.len - own - 1);
        if (f->type != SS_FIELD_JSON)
            return export_refuse(e, "'%.*s': %s holds nothing but a plain value", len, path.ptr, f->name);
    }
    f->used = true;
    return true;
}

bool export_has_path(export *e, const char *path, export_value *v)
{
    bool object = false;
    const export_field *f = find(e, ss_cstr(path), &object);
    bool good = f && f->type && (f->type == SS_FIELD_JSON || strlen(f->name) == strlen(path));
    return good && export_resolve_path(e, ss_cstr(path), v);
}

/* ---- what is the record's own ---- */

bool export_resolve(export *e, uint32_t slot, export_value *v)
{
    if (slot >= e->w->paths.headers)
        return export_resolve_path(e, ss_cstr(e->w->paths.names[slot]), v);
    *v = (export_value){SS_FIELD_STRING, NULL, slot, ss_s("", 0)};
    if (slot == LINE_KEY)
        return export_refuse(e, "@key is not in the line: name the field that the key is made of");
    if (slot == LINE_RECEIVER && e->receiver_count != 1)
        return export_refuse(e, "@receiver is not in the line: export a module that reads one receiver");
    export_value part;
    size_t found = slot == LINE_RECEIVER || slot == LINE_APP; /* events need not have an application */
    for (size_t i = 0; line_fields[slot][i]; i++)
        found += export_has_path(e, line_fields[slot][i], &part);
    return found > 0 || export_refuse(e, "the lines do not say an event's type or id");
}

/* Never NULL, as in the record. */
static void put_header(export *e, uint32_t slot, buf *out)
{
    export_value part;
    if (slot == LINE_RECEIVER) {
        export_text(ss_cstr(e->receivers[0]), out);
        return;
    }
    buf_adds(out, "COALESCE(");
    for (size_t i = 0; line_fields[slot][i]; i++)
        if (export_has_path(e, line_fields[slot][i], &part)) {
            export_as_text(e, &part, out);
            buf_adds(out, ", ");
        }
    buf_adds(out, "'')");
}

/* ---- columns ---- */

static void put_parts(export *e, const char *name, buf *out)
{
    for (const char *at = name; at;) {
        const char *dot = strchr(at, '.');
        export_name(e, ss_s(at, dot ? (size_t)(dot - at) : strlen(at)), out);
        if (dot)
            buf_adds(out, ".");
        at = dot ? dot + 1 : NULL;
    }
}

void export_column(export *e, const export_value *v, buf *out)
{
    if (v->field)
        put_parts(e, v->field->name, out);
    else
        put_header(e, v->slot, out);
}

const char *export_type(const export_value *v)
{
    return v->type == SS_FIELD_INT      ? "BIGINT"
           : v->type == SS_FIELD_DOUBLE ? "DOUBLE"
           : v->type == SS_FIELD_BOOL   ? "BOOLEAN"
                                        : "STRING";
}

static bool is_below(const export_field *f, const char *prefix, size_t len)
{
    return f->used && strncmp(f->name, prefix, len) == 0;
}

/* Fields whose names begin with prefix (len bytes, a dot last, or none), objects as rows. */
static void put_fields(export *e, const char *prefix, size_t len, const char *between, buf *out)
{
    bool first = true;
    for (size_t i = 0; i < e->field_count; i++) {
        const export_field *f = &e->fields[i];
        if (!is_below(f, prefix, len))
            continue;
        const char *dot = strchr(f->name + len, '.');
        size_t whole = dot ? (size_t)(dot - f->name) + 1 : 0;
        bool again = false;
        for (size_t k = 0; dot && k < i && !again; k++)
            again = is_below(&e->fields[k], f->name, whole);
        if (again)
            continue;
        buf_adds(out, first ? "" : between);
        first = false;
        export_name(e, ss_s(f->name + len, dot ? (size_t)(dot - f->name) - len : strlen(f->name + len)), out);
        if (!dot) {
            const export_value v = {f->type, f, PATHS_NONE, {"", 0}};
            buf_addf(out, " %s", export_type(&v));
            continue;
        }
        buf_adds(out, " ROW<");
        put_fields(e, f->name, whole, ", ", out);
        buf_adds(out, ">");
    }
}

void export_columns(export *e, buf *out)
{
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].used &&
            (strcmp(e->fields[i].name, "ss_time") == 0 || strcmp(e->fields[i].name, "ss_arrival") == 0))
            (void)export_refuse(e, "the field %s has the name of a column of the job's own",
                                e->fields[i].name);
    put_fields(e, "", 0, ",\n  ", out);
}

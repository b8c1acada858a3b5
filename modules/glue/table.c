#include "modules/glue/table.h"

#include <stdlib.h>

#include "modules/glue/types.h"
#include "plugins/common/json.h"

#define TYPE_MAX (256u * 1024) /* bytes of one column's type */
#define SERDE    "org.openx.data.jsonserde.JsonSerDe"
#define INPUT    "org.apache.hadoop.mapred.TextInputFormat"
#define OUTPUT   "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

/* ---- JSON that is walked ---- */

static bool open_object(json_scan *s, ss_str json)
{
    json_value v;
    json_start(s, json);
    return json_read(s, &v) && v.kind == JSON_OBJECT;
}

ss_str table_member(ss_str object, const char *name)
{
    json_scan s;
    json_value key;
    ss_str raw = ss_s("", 0);
    if (!open_object(&s, object))
        return raw;
    while (json_member(&s, &key)) {
        bool found = json_is(&key, name);
        if (!json_skip(&s, &raw) || found)
            return found ? raw : ss_s("", 0);
    }
    return ss_s("", 0);
}

/* The text of a JSON string, as far as it fits. */
static ss_str text_of(ss_str json, char *out, size_t size)
{
    json_scan s;
    json_value v;
    json_start(&s, json);
    if (!json_read(&s, &v) || v.kind != JSON_STRING || v.text.len > size)
        return ss_s("", 0);
    return ss_s(out, json_unescape(out, v.text));
}

bool table_text_is(ss_str json, const char *text)
{
    char have[SHAPE_LOCATION_MAX];
    return json.len > 0 && ss_eq(text_of(json, have, sizeof have), ss_cstr(text));
}

typedef struct columns { /* walks a list of {"Name", "Type", ...} */
    json_scan scan;
    ss_str raw, name, type;
    char name_text[256], *type_text;
    size_t type_size;
} columns;

static bool columns_start(columns *c, ss_str list, char *type_text, size_t type_size)
{
    json_value v;
    *c = (columns){.type_text = type_text, .type_size = type_size};
    json_start(&c->scan, list);
    return json_read(&c->scan, &v) && v.kind == JSON_ARRAY;
}

static bool columns_next(columns *c)
{
    if (!json_item(&c->scan) || !json_skip(&c->scan, &c->raw))
        return false;
    c->name = text_of(table_member(c->raw, "Name"), c->name_text, sizeof c->name_text);
    c->type = text_of(table_member(c->raw, "Type"), c->type_text, c->type_size);
    return true;
}

/* ---- a new one ---- */

static void put_parameters(const table_spec *t, buf *out)
{
    buf_adds(
        out,
        "{\"EXTERNAL\": \"TRUE\", \"classification\": \"json\", \"compressionType\": \"gzip\", \"" TABLE_MARK
        "\": ");
    glue_put_text(out, t->instance);
    if (t->projected)
        shape_put_projection(t->shape, out);
    buf_adds(out, "}");
}

void table_input(const table_spec *t, buf *out)
{
    buf_addf(out, "{\"Name\": \"%s\", \"TableType\": \"EXTERNAL_TABLE\", \"Parameters\": ", t->name);
    put_parameters(t, out);
    buf_adds(out, ", \"PartitionKeys\": ");
    shape_put_keys(t->shape, out);
    buf_addf(out, ", \"StorageDescriptor\": {\"Columns\": %.*s, \"Location\": ", (int)t->columns.len,
             t->columns.ptr);
    glue_put_text(out, ss_cstr(t->shape->location));
    buf_addf(out,
             ", \"InputFormat\": \"" INPUT "\", \"OutputFormat\": \"" OUTPUT "\", \"Compressed\": true, "
             "\"SerdeInfo\": {\"SerializationLibrary\": \"" SERDE "\", \"Parameters\": {%.*s}}}}",
             (int)t->parameters.len, t->parameters.ptr);
}

/* ---- an existing one ---- */

static bool find_column(ss_str list, ss_str name, char *type_text, columns *out)
{
    if (!columns_start(out, list, type_text, TYPE_MAX))
        return false;
    while (columns_next(out))
        if (ss_eq(out->name, name))
            return true;
    return false;
}

/* One column that both have, or that the table alone has. */
static void put_kept(const columns *have, const columns *want, buf *out, table_report *r)
{
    buf type;
    buf_init(&type, TABLE_BYTES_MAX);
    enum types_change change = want ? types_widen(have->type, want->type, &type) : TYPES_SAME;
    if (change == TYPES_SAME) {
        buf_add(out, have->raw.ptr, have->raw.len);
    } else if (change == TYPES_CONFLICT) {
        buf_add(out, have->raw.ptr, have->raw.len);
        r->differs++;
        buf_addf(&r->text, "column %.*s is %.*s there and %.*s here: left as it is\n", (int)have->name.len,
                 have->name.ptr, (int)have->type.len, have->type.ptr, (int)want->type.len, want->type.ptr);
    } else {
        buf_adds(out, "{\"Name\": ");
        glue_put_text(out, have->name);
        buf_adds(out, ", \"Type\": ");
        glue_put_text(out, buf_str(&type));
        ss_str comment = table_member(have->raw, "Comment");
        if (comment.len)
            buf_addf(out, ", \"Comment\": %.*s", (int)comment.len, comment.ptr);
        buf_adds(out, "}");
        r->widened++;
        buf_addf(&r->text, "column %.*s becomes wider: %s\n", (int)have->name.len, have->name.ptr,
                 buf_text(&type));
    }
    buf_fini(&type);
}

static bool merge_columns(const table_spec *t, ss_str list, buf *out, table_report *r)
{
    char *types = malloc(2 * (size_t)TYPE_MAX);
    columns have, want;
    const char *comma = "";
    bool good = types && columns_start(&have, list, types, TYPE_MAX);
    buf_adds(out, "[");
    for (; good && columns_next(&have); comma = ",") {
        buf_adds(out, comma);
        bool both = find_column(buf_str(&t->columns), have.name, types + TYPE_MAX, &want);
        put_kept(&have, both ? &want : NULL, out, r);
    }
    good = good && columns_start(&want, buf_str(&t->columns), types, TYPE_MAX);
    while (good && columns_next(&want)) {
        if (find_column(list, want.name, types + TYPE_MAX, &have))
            continue;
        buf_addf(out, "%s%.*s", comma, (int)want.raw.len, want.raw.ptr);
        comma = ",";
        r->added++;
        buf_addf(&r->text, "column %.*s is new: %.*s\n", (int)want.name.len, want.name.ptr,
                 (int)want.type.len, want.type.ptr);
    }
    buf_adds(out, "]");
    free(types);
    return good;
}

/* An object as it is, with the members of more that it does not have. more: members without braces. */
static void put_union(ss_str have, ss_str more, buf *out)
{
    json_scan s;
    json_value key;
    ss_str raw;
    buf whole;
    const char *comma = "";
    buf_adds(out, "{");
    for (bool good = open_object(&s, have); good && json_member(&s, &key) && json_skip(&s, &raw);
         comma = ", ")
        buf_addf(out, "%s\"%.*s\": %.*s", comma, (int)key.text.len, key.text.ptr, (int)raw.len, raw.ptr);
    buf_init(&whole, TABLE_BYTES_MAX);
    buf_addf(&whole, "{%.*s}", (int)more.len, more.ptr);
    for (bool good = open_object(&s, buf_str(&whole));
         good && json_member(&s, &key) && json_skip(&s, &raw);) {
        char name[512];
        (void)snprintf(name, sizeof name, "%.*s", (int)key.text.len, key.text.ptr);
        if (table_member(have, name).len)
            continue;
        buf_addf(out, "%s\"%s\": %.*s", comma, name, (int)raw.len, raw.ptr);
        comma = ", ";
    }
    buf_fini(&whole);
    buf_adds(out, "}");
}

static void put_serde(const table_spec *t, ss_str have, buf *out)
{
    json_scan s;
    json_value key;
    ss_str raw, parameters = table_member(have, "Parameters");
    buf_adds(out, "{\"Parameters\": ");
    put_union(parameters.len ? parameters : SS_LIT("{}"), buf_str(&t->parameters), out);
    for (bool good = open_object(&s, have); good && json_member(&s, &key) && json_skip(&s, &raw);)
        if (!json_is(&key, "Parameters"))
            buf_addf(out, ", \"%.*s\": %.*s", (int)key.text.len, key.text.ptr, (int)raw.len, raw.ptr);
    buf_adds(out, "}");
}

static bool merge_storage(const table_spec *t, ss_str have, buf *out, table_report *r)
{
    json_scan s;
    json_value key;
    ss_str raw, list = table_member(have, "Columns");
    buf_adds(out, "{\"Columns\": ");
    bool good = merge_columns(t, list.len ? list : SS_LIT("[]"), out, r);
    for (bool open = open_object(&s, have); open && json_member(&s, &key) && json_skip(&s, &raw);) {
        if (json_is(&key, "Columns"))
            continue;
        buf_addf(out, ", \"%.*s\": ", (int)key.text.len, key.text.ptr);
        if (json_is(&key, "SerdeInfo"))
            put_serde(t, raw, out);
        else
            buf_add(out, raw.ptr, raw.len);
    }
    buf_adds(out, "}");
    return good;
}

static void compare_place(const table_spec *t, ss_str have, table_report *r)
{
    char text[SHAPE_LOCATION_MAX];
    ss_str storage = table_member(have, "StorageDescriptor");
    ss_str location = text_of(table_member(storage, "Location"), text, sizeof text);
    size_t len = strlen(t->shape->location);
    while (location.len && location.ptr[location.len - 1] == '/')
        location.len--;
    if (location.len + 1 != len || memcmp(location.ptr, t->shape->location, location.len) != 0) {
        r->differs++;
        buf_addf(&r->text, "it lies in %.*s there and in %s here: left as it is\n", (int)location.len,
                 location.ptr, t->shape->location);
    }
}

static void compare_keys(const table_spec *t, ss_str have, table_report *r)
{
    char types[1024];
    columns c;
    uint32_t n = 0;
    bool same = true, open = columns_start(&c, table_member(have, "PartitionKeys"), types, sizeof types);
    for (; open && columns_next(&c); n++)
        same &= n < t->shape->key_count && ss_eq(c.name, ss_cstr(t->shape->keys[n].name));
    if (same && n == t->shape->key_count)
        return;
    r->differs++;
    buf_adds(
        &r->text,
        "its partition keys are others than those of `partition`: Glue cannot change them; choose another "
        "table, or drop it and run setup\n");
}

/* Members of a Table that a TableInput may have. */
static bool is_input(const json_value *key)
{
    static const char *const names[] = {"Name",
                                        "Description",
                                        "Owner",
                                        "LastAccessTime",
                                        "Retention",
                                        "PartitionKeys",
                                        "ViewOriginalText",
                                        "ViewExpandedText",
                                        "TableType",
                                        "Parameters",
                                        "TargetTable",
                                        NULL};
    for (size_t i = 0; names[i]; i++)
        if (json_is(key, names[i]))
            return true;
    return false;
}

bool table_merge(const table_spec *t, ss_str have, buf *out, table_report *r)
{
    json_scan s;
    json_value key;
    ss_str raw, storage = table_member(have, "StorageDescriptor");
    compare_place(t, have, r);
    compare_keys(t, have, r);
    buf_adds(out, "{\"StorageDescriptor\": ");
    bool good = storage.len && merge_storage(t, storage, out, r);
    for (bool open = open_object(&s, have); open && json_member(&s, &key) && json_skip(&s, &raw);)
        if (is_input(&key) && raw.len && *raw.ptr != 'n') /* null: it is not there */
            buf_addf(out, ", \"%.*s\": %.*s", (int)key.text.len, key.text.ptr, (int)raw.len, raw.ptr);
    buf_adds(out, "}");
    return good && !out->failed && !r->text.failed;
}

bool table_is_marked(ss_str have, ss_str instance)
{
    char text[256];
    ss_str mark = table_member(table_member(have, "Parameters"), TABLE_MARK);
    return mark.len && ss_eq(text_of(mark, text, sizeof text), instance);
}

void table_put_storage(ss_str storage, const char *location, buf *out)
{
    json_scan s;
    json_value key;
    ss_str raw;
    buf_adds(out, "{\"Location\": ");
    glue_put_text(out, ss_cstr(location));
    for (bool good = open_object(&s, storage); good && json_member(&s, &key) && json_skip(&s, &raw);)
        if (!json_is(&key, "Location") && raw.len && *raw.ptr != 'n')
            buf_addf(out, ", \"%.*s\": %.*s", (int)key.text.len, key.text.ptr, (int)raw.len, raw.ptr);
    buf_adds(out, "}");
}

#include "receivers/matomo/items.h"

#include "plugins/common/json.h"
#include "receivers/matomo/value.h"

#define ITEM_OVERHEAD  160u /* keys, brackets and both numbers of one item */
#define ITEM_COLUMNS   5u
#define CATEGORIES_MAX 5u

typedef struct writer {
    char *out;
    size_t len;
} writer;

size_t items_bound(ss_str json)
{
    size_t items = 1;
    for (size_t i = 0; i < json.len; i++)
        items += json.ptr[i] == '[';
    return json.len * 2 + items * ITEM_OVERHEAD;
}

static void put(writer *w, const char *text)
{
    size_t len = strlen(text);
    memcpy(w->out + w->len, text, len);
    w->len += len;
}

/* A scalar as a JSON string: what was a string stays as it was written. */
static void put_text(writer *w, const json_value *v)
{
    bool text = v->kind == JSON_STRING || v->kind == JSON_NUMBER;
    w->out[w->len++] = '"';
    if (text && v->text.len) {
        memcpy(w->out + w->len, v->text.ptr, v->text.len);
        w->len += v->text.len;
    }
    w->out[w->len++] = '"';
}

static void put_number(writer *w, const json_value *v, double otherwise, bool whole)
{
    double number = otherwise;
    if ((v->kind == JSON_STRING || v->kind == JSON_NUMBER) && !value_double(v->text, &number))
        number = otherwise;
    if (whole && number > -1e15 && number < 1e15)
        w->len += json_put_i64(w->out + w->len, (int64_t)number);
    else
        w->len += json_put_double(w->out + w->len, number);
}

/* A text, or a list of up to five. */
static void put_categories(writer *w, ss_str raw)
{
    json_scan s;
    json_value v;
    size_t count = 0;
    w->out[w->len++] = '[';
    json_start(&s, raw);
    if (json_read(&s, &v) && v.kind == JSON_ARRAY) {
        while (json_item(&s) && json_read(&s, &v)) {
            if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) {
                (void)json_leave(&s);
                continue;
            }
            if (v.text.len == 0 || v.kind == JSON_NULL || count == CATEGORIES_MAX)
                continue;
            if (count++)
                w->out[w->len++] = ',';
            put_text(w, &v);
        }
    } else if (v.kind == JSON_STRING && v.text.len) {
        put_text(w, &v);
    }
    w->out[w->len++] = ']';
}

static void put_item(writer *w, const json_value *columns, ss_str category)
{
    put(w, w->len > 1 ? ",{\"sku\":" : "{\"sku\":");
    put_text(w, &columns[0]);
    put(w, ",\"name\":");
    put_text(w, &columns[1]);
    put(w, ",\"categories\":");
    put_categories(w, category);
    put(w, ",\"price\":");
    put_number(w, &columns[3], 0, false);
    put(w, ",\"quantity\":");
    put_number(w, &columns[4], 1, true);
    put(w, "}");
}

/* The columns of one item; containers are of interest as the category only. */
static bool read_item(json_scan *s, json_value columns[ITEM_COLUMNS], ss_str *category)
{
    json_value v;
    size_t n = 0;
    memset(columns, 0, ITEM_COLUMNS * sizeof *columns);
    *category = SS_LIT("null");
    while (json_item(s)) {
        ss_str raw;
        json_scan one;
        if (!json_skip(s, &raw))
            return false;
        json_start(&one, raw);
        (void)json_read(&one, &v);
        if (n == 2)
            *category = raw;
        if (n < ITEM_COLUMNS)
            columns[n++] = v;
    }
    return !s->problem;
}

bool items_write(ss_str json, char *out, ss_str *items)
{
    writer w = {.out = out};
    json_scan s;
    json_value v, columns[ITEM_COLUMNS];
    ss_str category;
    json_start(&s, json);
    if (!json_read(&s, &v) || v.kind != JSON_ARRAY)
        return false;
    w.out[w.len++] = '[';
    while (json_item(&s)) {
        if (!json_read(&s, &v))
            return false;
        if (v.kind == JSON_OBJECT && !json_leave(&s))
            return false;
        if (v.kind != JSON_ARRAY)
            continue;
        if (!read_item(&s, columns, &category))
            return false;
        bool sku =
            columns[0].kind == JSON_NUMBER || (columns[0].kind == JSON_STRING && columns[0].text.len > 0);
        if (sku)
            put_item(&w, columns, category);
    }
    w.out[w.len++] = ']';
    *items = ss_s(out, w.len);
    return json_finish(&s);
}

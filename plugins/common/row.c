/* One pass over the line with the pull scanner: cells point into the line where they can. */
#include <stdlib.h>

#include "plugins/common/shape.h"

#define ROW_EXTRA_MAX   (64u << 20)
#define SHAPE_KEY_MAX   (6u * CATALOG_FIELD_NAME_MAX) /* a name, all of it escaped */
#define WHOLE_MAX       9.2e18                        /* a double below it fits 64 bits */
#define TIME_MICROS_MAX (sizeof "2026-11-22T03:24:00.123456Z" - 1)

typedef struct reading {
    row *row;
    const shape *shape;
    json_scan scan;
    bool nul;                  /* the line has a \u0000 somewhere, which is no text for a database */
    char path[SHAPE_PATH_MAX]; /* of the object that is being read, with its dot, as the line has it */
    size_t path_len;
} reading;

void row_init(row *r)
{
    *r = (row){.cells = NULL};
    buf_init(&r->extra, ROW_EXTRA_MAX);
}

void row_fini(row *r)
{
    free(r->cells);
    free(r->scratch);
    buf_fini(&r->extra);
    row_init(r);
}

static bool row_room(row *r, const shape *s, size_t line_len)
{
    if (r->size < s->count) {
        cell *cells = realloc(r->cells, s->count * sizeof *cells);
        if (!cells)
            return false;
        r->cells = cells;
        r->size = s->count;
    }
    if (r->scratch_size < line_len) {
        char *scratch = realloc(r->scratch, line_len);
        if (!scratch)
            return false;
        r->scratch = scratch;
        r->scratch_size = line_len;
    }
    if (s->count > 0)
        memset(r->cells, 0, s->count * sizeof *r->cells);
    r->scratch_len = 0;
    buf_reset(&r->extra);
    return true;
}

/* ---- what finds no column ---- */

static void extra_begin(reading *g, ss_str key)
{
    buf *out = &g->row->extra;
    buf_adds(out, out->len ? ",\"" : "{\"");
    buf_add(out, g->path, g->path_len);
    buf_add(out, key.ptr, key.len);
    buf_adds(out, "\":");
}

static void extra_add(reading *g, ss_str key, ss_str raw)
{
    extra_begin(g, key);
    buf_add(&g->row->extra, raw.ptr, raw.len);
}

/* ---- texts ---- */

/* A copy in the scratch memory with \u0000 as \ufffd: the same length. */
static ss_str without_nul(row *r, ss_str raw)
{
    char *to = r->scratch + r->scratch_len;
    memcpy(to, raw.ptr, raw.len);
    for (size_t i = 0; i + 1 < raw.len; i++) {
        if (to[i] != '\\')
            continue;
        if (to[i + 1] == 'u' && i + 6 <= raw.len && memcmp(to + i + 2, "0000", 4) == 0)
            memcpy(to + i + 2, "fffd", 4);
        i++;
    }
    r->scratch_len += raw.len;
    return ss_s(to, raw.len);
}

static bool has_nul(const reading *g, ss_str raw)
{
    if (!g->nul)
        return false;
    for (size_t i = 0; i + 6 <= raw.len; i++) {
        if (raw.ptr[i] != '\\')
            continue;
        if (memcmp(raw.ptr + i + 1, "u0000", 5) == 0)
            return true;
        i++;
    }
    return false;
}

static void put_text(cell *c, ss_str text)
{
    *c = (cell){.kind = CELL_TEXT, .len = (uint32_t)text.len, .as.ptr = text.ptr};
}

/* A JSON string's content; true where it could be kept as it is. */
static bool put_string(reading *g, cell *c, const json_value *v)
{
    ss_str text = v->text;
    if (!v->escaped) {
        put_text(c, text);
        return true;
    }
    row *r = g->row;
    bool nul = has_nul(g, text);
    char *to = r->scratch + r->scratch_len;
    if (nul)
        text = without_nul(r, text);
    else
        r->scratch_len += text.len;
    size_t len = json_unescape(to, text);
    put_text(c, ss_s(to, len));
    return !nul;
}

static bool put_raw(reading *g, cell *c, ss_str raw)
{
    bool nul = has_nul(g, raw);
    put_text(c, nul ? without_nul(g->row, raw) : raw);
    return !nul;
}

/* ---- times: only what every database reads the same way ---- */

static int two(const char *p)
{
    return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* "2026-11-22T03:24:00[.123]Z" (between = 'T'), "2026-11-22 03:24:00" (' '). */
static bool is_time(ss_str t, char between)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (t.len < 19 || t.ptr[4] != '-' || t.ptr[7] != '-' || t.ptr[10] != between || t.ptr[13] != ':' ||
        t.ptr[16] != ':')
        return false;
    int century = two(t.ptr), of_century = two(t.ptr + 2), month = two(t.ptr + 5), day = two(t.ptr + 8);
    int hour = two(t.ptr + 11), minute = two(t.ptr + 14), second = two(t.ptr + 17);
    if (century < 0 || of_century < 0 || month < 1 || month > 12 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 59)
        return false;
    int year = century * 100 + of_century;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || day < 1 || day > days[month - 1] + (month == 2 && leap))
        return false;
    if (between == ' ')
        return t.len == 19;
    size_t at = 19;
    if (t.ptr[at] == '.')
        for (at++; at < t.len && t.ptr[at] >= '0' && t.ptr[at] <= '9';)
            at++;
    return at < 30 && at + 1 == t.len && t.ptr[at] == 'Z' && t.ptr[at - 1] != '.';
}

/* ---- one value into its column ---- */

static bool put_integer(cell *c, ss_str number)
{
    bool good = json_i64(number, &c->as.i64);
    if (good)
        c->kind = CELL_INT;
    return good;
}

/* A client that counts in fractions of seconds still has a time; never the whole of what it said. */
static bool put_whole_part(cell *c, ss_str number)
{
    double value;
    if (json_double(number, &value) && value > -WHOLE_MAX && value < WHOLE_MAX) {
        c->as.i64 = (int64_t)value;
        c->kind = CELL_INT;
    }
    return false;
}

/* true: the cell says everything that the value said. */
static bool put_scalar(reading *g, cell *c, uint32_t type, const json_value *v, ss_str raw)
{
    switch (type) {
    case SS_FIELD_STRING:
        return v->kind == JSON_STRING ? put_string(g, c, v) : put_raw(g, c, raw); /* a number as its text */
    case SS_FIELD_INT:
        return v->kind == JSON_NUMBER && (put_integer(c, v->text) || put_whole_part(c, v->text));
    case SS_FIELD_DOUBLE:
        if (v->kind != JSON_NUMBER || !json_double(v->text, &c->as.f64))
            return false;
        c->kind = CELL_REAL;
        return true;
    case SS_FIELD_BOOL:
        if (v->kind != JSON_TRUE && v->kind != JSON_FALSE)
            return false;
        c->kind = CELL_INT;
        c->as.i64 = v->kind == JSON_TRUE;
        return true;
    case SS_FIELD_TIMESTAMP:
    case SS_FIELD_DATETIME:
        if (v->kind != JSON_STRING || v->escaped || !is_time(v->text, type == SS_FIELD_TIMESTAMP ? 'T' : ' '))
            return false;
        if (g->shape->micros && v->text.len > TIME_MICROS_MAX)
            return false;
        put_text(c, v->text);
        return true;
    default:
        return false;
    }
}

/* The value that was just read, as it stands in the line; containers are passed over. */
static bool raw_of(json_scan *s, const json_value *v, ss_str *raw)
{
    if (v->kind == JSON_OBJECT || v->kind == JSON_ARRAY) {
        const char *from = s->at - 1;
        if (!json_leave(s))
            return false;
        *raw = ss_s(from, (size_t)(s->at - from));
    } else if (v->kind == JSON_STRING) {
        *raw = ss_s(v->text.ptr - 1, v->text.len + 2);
    } else {
        *raw = v->text;
    }
    return true;
}

static void read_column(reading *g, uint16_t column, ss_str key)
{
    cell *c = &g->row->cells[column];
    uint32_t type = g->shape->columns[column].field_type;
    json_value v;
    ss_str raw;
    if (type == SS_FIELD_JSON) {
        if (!json_skip(&g->scan, &raw))
            return;
        v.kind = raw.len == 4 && raw.ptr[0] == 'n' ? JSON_NULL : JSON_NONE;
    } else if (!json_read(&g->scan, &v) || !raw_of(&g->scan, &v, &raw)) {
        return;
    }
    if (v.kind == JSON_NULL)
        return;
    bool taken =
        c->kind != CELL_NULL || !g->shape->used[column]; /* the same key twice; a column that is not there */
    if (taken)
        extra_add(g, key, raw);
    else if (!(type == SS_FIELD_JSON ? put_raw(g, c, raw) : put_scalar(g, c, type, &v, raw)))
        extra_add(g, key, raw);
}

/* ---- objects ---- */

/* Lines have their keys in the catalog's order, so the search begins behind the last one found. */
static uint16_t find_node(const shape *s, uint16_t first, uint16_t expected, const json_value *key)
{
    char plain[SHAPE_KEY_MAX];
    ss_str name = key->text;
    if (key->escaped && name.len < sizeof plain)
        name = ss_s(plain, json_unescape(plain, name));
    uint16_t n = expected != SHAPE_NONE ? expected : first, start = n;
    while (n != SHAPE_NONE) {
        const shape_node *node = &s->nodes[n];
        if (ss_eq(node->name, name))
            return n;
        n = node->next == SHAPE_NONE && start != first ? first : node->next;
        if (n == start)
            break;
    }
    return SHAPE_NONE;
}

static void read_object(reading *g, uint16_t first);

static void read_inner(reading *g, uint16_t node, ss_str key)
{
    json_value v;
    ss_str raw;
    size_t before = g->path_len;
    if (!json_read(&g->scan, &v))
        return;
    if (v.kind != JSON_OBJECT) {
        if (raw_of(&g->scan, &v, &raw) && v.kind != JSON_NULL)
            extra_add(g, key, raw);
        return;
    }
    if (key.len + 1 < sizeof g->path - g->path_len) {
        memcpy(g->path + g->path_len, key.ptr, key.len);
        g->path_len += key.len;
        g->path[g->path_len++] = '.';
    }
    read_object(g, g->shape->nodes[node].first);
    g->path_len = before;
}

static void read_object(reading *g, uint16_t first)
{
    json_value key;
    ss_str raw;
    uint16_t expected = first;
    while (json_member(&g->scan, &key)) {
        uint16_t n = find_node(g->shape, first, expected, &key);
        if (n == SHAPE_NONE) {
            if (json_skip(&g->scan, &raw))
                extra_add(g, key.text, raw);
            continue;
        }
        expected = g->shape->nodes[n].next;
        if (g->shape->nodes[n].column == SHAPE_NONE)
            read_inner(g, n, key.text);
        else
            read_column(g, g->shape->nodes[n].column, key.text);
    }
}

bool row_bare(row *r, const shape *s, ss_str line)
{
    if (!row_room(r, s, line.len) || !buf_reserve(&r->extra, json_escape_bound(line.len) + 16))
        return false;
    buf_adds(&r->extra, "{\"ss_line\":");
    if (line.len > 0 && line.ptr[0] == '{' && json_valid(line)) /* a BOM before it would be inside then */
        buf_add(&r->extra, line.ptr, line.len);
    else
        r->extra.len += json_put_string(r->extra.ptr + r->extra.len, line);
    buf_adds(&r->extra, "}");
    return !r->extra.failed;
}

bool row_read(row *r, const shape *s, ss_str line)
{
    json_value v = {.kind = JSON_NONE};
    reading g = {.row = r, .shape = s};
    if (!row_room(r, s, line.len))
        return false;
    g.nul = memchr(line.ptr, '\\', line.len) != NULL && memmem(line.ptr, line.len, "\\u0000", 6) != NULL;
    json_start(&g.scan, line);
    if (json_read(&g.scan, &v) && v.kind == JSON_OBJECT)
        read_object(&g, s->first);
    if (!json_finish(&g.scan) || v.kind != JSON_OBJECT)
        return row_bare(r, s, line);
    if (r->extra.len > 0)
        buf_adds(&r->extra, "}");
    return !r->extra.failed;
}

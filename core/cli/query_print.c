#include "core/cli/query_print.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/cli/query_text.h"
#include "plugins/common/json.h"

#define NULL_TEXT    "NULL"
#define NAME_MAX_LEN 300u /* of a column, in JSON */

typedef struct table_cell {
    size_t at, len; /* in the text */
    uint32_t columns, right;
} table_cell;

struct query_print {
    FILE *to;
    enum query_format format;
    int64_t limit, rows;
    bool more, failed;
    size_t count; /* of columns */
    char **names; /* owned; JSON: each once */
    buf text;     /* table: all cells; else: one value */
    table_cell *cells;
    size_t cell_count, cell_room, cell_max;
    uint32_t *widths;
};

bool query_format_read(const char *text, enum query_format *out)
{
    static const char *const names[] = {[QUERY_TABLE] = "table", [QUERY_CSV] = "csv", [QUERY_JSON] = "json"};
    for (int i = QUERY_TABLE; i <= QUERY_JSON; i++) {
        if (strcmp(names[i], text) != 0)
            continue;
        *out = (enum query_format)i;
        return true;
    }
    return false;
}

query_print *query_print_new(FILE *to, enum query_format format, int64_t limit, int64_t bytes)
{
    query_print *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->to = to;
    p->format = format;
    p->limit = limit;
    buf_init(&p->text, (size_t)bytes);
    p->cell_max = (size_t)bytes / sizeof *p->cells;
    return p;
}

void query_print_free(query_print *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->names && i < p->count; i++)
        free(p->names[i]);
    free(p->names);
    free(p->widths);
    free(p->cells);
    buf_fini(&p->text);
    free(p);
}

static bool out_of_memory(query_print *p)
{
    p->failed = true;
    return false;
}

/* PostgreSQL's way to write bytes. */
static void put_bytes(buf *out, ss_str bytes)
{
    buf_adds(out, "\\x");
    for (size_t i = 0; i < bytes.len; i++)
        buf_addf(out, "%02x", (unsigned char)bytes.ptr[i]);
}

static void write_buf(query_print *p)
{
    (void)fwrite(p->text.ptr, 1, p->text.len, p->to);
    buf_reset(&p->text);
}

/* ---- table ---- */

/* A text that is NULL, or looks like one that was marked here, is put in quotes: only null itself has none.
 */
static bool looks_like_null(ss_str text)
{
    while (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = ss_s(text.ptr + 1, text.len - 2);
    return ss_eq(text, SS_LIT(NULL_TEXT));
}

static size_t put_shown(query_print *p, const warehouse_cell *cell)
{
    buf hex;
    size_t columns = 0;
    switch (cell->kind) {
    case WAREHOUSE_NULL:
        return query_text_put(&p->text, SS_LIT(NULL_TEXT), QUERY_CELL_COLUMNS_MAX);
    case WAREHOUSE_BYTES:
        buf_init(&hex, QUERY_CELL_COLUMNS_MAX * 4);
        put_bytes(&hex,
                  ss_s(cell->text.ptr,
                       cell->text.len < QUERY_CELL_COLUMNS_MAX ? cell->text.len : QUERY_CELL_COLUMNS_MAX));
        columns = query_text_put(&p->text, buf_str(&hex), QUERY_CELL_COLUMNS_MAX);
        buf_fini(&hex);
        return columns;
    default:
        if (!looks_like_null(cell->text))
            return query_text_put(&p->text, cell->text, QUERY_CELL_COLUMNS_MAX);
        buf_adds(&p->text, "\"");
        columns = query_text_put(&p->text, cell->text, QUERY_CELL_COLUMNS_MAX - 2);
        buf_adds(&p->text, "\"");
        return columns + 2;
    }
}

static bool add_cell(query_print *p, const warehouse_cell *cell)
{
    if (p->cell_count == p->cell_room) {
        size_t room = p->cell_room ? p->cell_room * 2 : 256;
        table_cell *cells = room <= p->cell_max ? realloc(p->cells, room * sizeof *cells) : NULL;
        if (!cells)
            return out_of_memory(p);
        p->cells = cells;
        p->cell_room = room;
    }
    table_cell *c = &p->cells[p->cell_count];
    c->at = p->text.len;
    c->columns = (uint32_t)put_shown(p, cell);
    c->len = p->text.len - c->at;
    c->right = cell->kind == WAREHOUSE_NUMBER;
    uint32_t *width = &p->widths[p->cell_count++ % p->count];
    *width = c->columns > *width ? c->columns : *width;
    return !p->text.failed || out_of_memory(p);
}

static void fill(FILE *to, char with, size_t count)
{
    while (count--)
        (void)fputc(with, to);
}

static void print_line(const query_print *p, size_t first)
{
    for (size_t i = 0; i < p->count; i++) {
        const table_cell *c = &p->cells[first + i];
        size_t room = p->widths[i] - c->columns;
        bool last = i + 1 == p->count;
        (void)fputs(i ? " | " : " ", p->to);
        fill(p->to, ' ', c->right ? room : 0);
        (void)fwrite(p->text.ptr + c->at, 1, c->len, p->to);
        fill(p->to, ' ', c->right || last ? 0 : room);
    }
    (void)fputc('\n', p->to);
}

static void print_table(const query_print *p)
{
    for (size_t at = 0; at + p->count <= p->cell_count; at += p->count) {
        print_line(p, at);
        for (size_t i = 0; at == 0 && i < p->count; i++) {
            (void)fputs(i ? "+" : "", p->to);
            fill(p->to, '-', p->widths[i] + 2);
        }
        if (at == 0)
            (void)fputc('\n', p->to);
    }
    (void)fprintf(p->to, "(%" PRId64 " row%s%s)\n", p->rows, p->rows == 1 ? "" : "s",
                  p->more ? ", and there are more: --limit N, or --format csv" : "");
}

/* ---- CSV ---- */

/* An empty text has quotes, null has none. */
static void put_csv(query_print *p, const warehouse_cell *cell)
{
    if (cell->kind == WAREHOUSE_NULL)
        return;
    if (cell->kind == WAREHOUSE_BYTES) {
        put_bytes(&p->text, cell->text);
        return;
    }
    bool quotes = cell->text.len == 0;
    for (size_t i = 0; !quotes && i < cell->text.len; i++)
        quotes = memchr(",\"\r\n", cell->text.ptr[i], 4) != NULL;
    if (!quotes) {
        buf_add(&p->text, cell->text.ptr, cell->text.len);
        return;
    }
    buf_adds(&p->text, "\"");
    for (size_t i = 0; i < cell->text.len; i++) {
        if (cell->text.ptr[i] == '"')
            buf_adds(&p->text, "\"");
        buf_add(&p->text, &cell->text.ptr[i], 1);
    }
    buf_adds(&p->text, "\"");
}

static bool csv_line(query_print *p, const warehouse_cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_adds(&p->text, i ? "," : "");
        put_csv(p, &cells[i]);
    }
    buf_adds(&p->text, "\r\n");
    if (p->text.failed)
        return out_of_memory(p);
    write_buf(p);
    return true;
}

/* ---- JSON ---- */

static void put_json_string(query_print *p, ss_str text)
{
    if (!buf_reserve(&p->text, json_escape_bound(text.len)))
        return;
    p->text.len += json_put_string(p->text.ptr + p->text.len, text);
}

static void put_json(query_print *p, const warehouse_cell *cell)
{
    buf hex;
    switch (cell->kind) {
    case WAREHOUSE_NULL:
        buf_adds(&p->text, "null");
        break;
    case WAREHOUSE_NUMBER:
    case WAREHOUSE_BOOL:
        buf_add(&p->text, cell->text.ptr, cell->text.len);
        break;
    case WAREHOUSE_BYTES:
        buf_init(&hex, p->text.max);
        put_bytes(&hex, cell->text);
        p->text.failed |= hex.failed;
        put_json_string(p, buf_str(&hex));
        buf_fini(&hex);
        break;
    default:
        put_json_string(p, cell->text);
    }
}

static bool json_row(query_print *p, const warehouse_cell *cells, size_t count)
{
    buf_adds(&p->text, p->rows == 1 ? "{" : ",\n {");
    for (size_t i = 0; i < count; i++) {
        buf_adds(&p->text, i ? "," : "");
        put_json_string(p, ss_cstr(p->names[i]));
        buf_adds(&p->text, ":");
        put_json(p, &cells[i]);
    }
    buf_adds(&p->text, "}");
    if (p->text.failed)
        return out_of_memory(p);
    write_buf(p);
    return true;
}

static bool is_taken(const query_print *p, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(p->names[i], name) == 0)
            return true;
    return false;
}

/* Columns of one name would be one member: the second becomes name_2. */
static char *own_name(const query_print *p, size_t i, const char *name)
{
    char text[NAME_MAX_LEN + 16];
    (void)snprintf(text, sizeof text, "%.*s", (int)NAME_MAX_LEN, name);
    for (unsigned n = 2; p->format == QUERY_JSON && is_taken(p, i, text); n++)
        (void)snprintf(text, sizeof text, "%.*s_%u", (int)NAME_MAX_LEN, name, n);
    return strdup(text);
}

/* ---- whatever the format ---- */

static bool take_columns(void *arg, const char *const *names, size_t count)
{
    query_print *p = arg;
    p->names = calloc(count ? count : 1, sizeof *p->names);
    p->widths = calloc(count ? count : 1, sizeof *p->widths);
    if (!p->names || !p->widths)
        return out_of_memory(p);
    for (p->count = 0; p->count < count; p->count++)
        if (!(p->names[p->count] = own_name(p, p->count, names[p->count])))
            return out_of_memory(p);
    if (p->format == QUERY_JSON)
        return fputs("[", p->to) >= 0;
    for (size_t i = 0; i < count; i++) {
        warehouse_cell head = {.kind = WAREHOUSE_TEXT, .text = ss_cstr(p->names[i])};
        if (p->format == QUERY_TABLE && !add_cell(p, &head))
            return false;
        if (p->format == QUERY_CSV) {
            buf_adds(&p->text, i ? "," : "");
            put_csv(p, &head);
        }
    }
    if (p->format == QUERY_CSV) {
        buf_adds(&p->text, "\r\n");
        write_buf(p);
    }
    return true;
}

static bool take_row(void *arg, const warehouse_cell *cells, size_t count)
{
    query_print *p = arg;
    if (p->limit && p->rows == p->limit) {
        p->more = true;
        return false;
    }
    p->rows++;
    if (p->format == QUERY_CSV)
        return csv_line(p, cells, count);
    if (p->format == QUERY_JSON)
        return json_row(p, cells, count);
    for (size_t i = 0; i < count; i++)
        if (!add_cell(p, &cells[i]))
            return false;
    return true;
}

warehouse_rows query_print_rows(query_print *p)
{
    return (warehouse_rows){.columns = take_columns, .row = take_row, .arg = p};
}

const char *query_print_end(query_print *p)
{
    if (p->failed)
        return "the rows need more memory than --memory allows; a --limit, or --format csv, needs less";
    if (p->format == QUERY_JSON)
        (void)fputs("]\n", p->to);
    if (p->format == QUERY_TABLE)
        print_table(p);
    return fflush(p->to) != 0 || ferror(p->to) ? "the rows could not be written" : NULL;
}

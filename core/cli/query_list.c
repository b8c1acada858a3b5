#include "core/cli/query_list.h"

#include <stdio.h>

#include "core/cli/query_text.h"

#define TEXT_MAX     (1024u * 1024)
#define LIST_COLUMNS 110 /* of a line */

static void print_name(const char *name, size_t len, const char *kind, size_t kind_len)
{
    buf out;
    buf_init(&out, TEXT_MAX);
    (void)query_text_put(&out, ss_s(name, len), TEXT_MAX);
    (void)printf("  %s%s%.*s%s\n", buf_text(&out), kind_len ? " (" : "", (int)kind_len, kind,
                 kind_len ? ")" : "");
    buf_fini(&out);
}

/* "a, b, c", in lines that break behind commas. */
static void print_columns(ss_str columns)
{
    buf out;
    buf_init(&out, TEXT_MAX);
    (void)query_text_put(&out, columns, TEXT_MAX);
    const char *line = buf_text(&out);
    while (strlen(line) > LIST_COLUMNS) {
        size_t cut = LIST_COLUMNS;
        while (cut > 0 && !(line[cut - 1] == ',' && line[cut] == ' '))
            cut--;
        if (cut == 0)
            break;
        (void)printf("      %.*s\n", (int)cut, line);
        line += cut + 1;
    }
    (void)printf("      %s\n", line);
    buf_fini(&out);
}

void query_list_saved(void)
{
    (void)puts("Saved queries (--saved NAME), the views with the same rows, their columns:\n");
    for (const game_query *s = game_queries; s->name; s++) {
        const char *view = s->view ? s->view : "";
        print_name(s->name, strlen(s->name), view, strlen(view));
        (void)printf("      %s\n", s->doc);
        if (*s->columns)
            print_columns(ss_cstr(s->columns));
    }
    (void)fflush(stdout); /* before what goes to stderr */
}

static bool heads_are_known(void *arg, const char *const *names, size_t count)
{
    (void)arg;
    (void)names;
    return count == 3;
}

static bool print_relation(void *arg, const warehouse_cell *cells, size_t count)
{
    (void)arg;
    (void)count;
    print_name(cells[0].text.ptr, cells[0].text.len, cells[1].text.ptr, cells[1].text.len);
    print_columns(cells[2].text);
    return true;
}

warehouse_rows query_list_rows(void)
{
    return (warehouse_rows){.columns = heads_are_known, .row = print_relation};
}

#include "core/config/problems.h"

#include <stdlib.h>

#define PROBLEM_TEXT_MAX 1024u

void problems_init(problems *p, arena *a)
{
    *p = (problems){.arena = a};
}

void problems_file(problems *p, const char *file)
{
    if (p->file_count < PROBLEMS_FILES_MAX)
        p->files[p->file_count++] = file;
}

static uint32_t file_order(const problems *p, const char *file)
{
    for (size_t i = 0; i < p->file_count; i++)
        if (strcmp(p->files[i], file) == 0)
            return (uint32_t)i;
    return UINT32_MAX;
}

void problems_add(problems *p, place at, const char *format, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t size = strlen(text) + 1;
    char *copy = p->count < PROBLEMS_MAX ? arena_take(p->arena, size) : NULL;
    if (!copy) {
        p->dropped++;
        return;
    }
    memcpy(copy, text, size);
    p->list[p->count++] = (problem){.at = at, .file_order = file_order(p, at.file), .text = copy};
}

static int compare(const void *a, const void *b)
{
    const problem *x = a, *y = b;
    if (x->file_order != y->file_order)
        return x->file_order < y->file_order ? -1 : 1;
    if (x->at.line != y->at.line)
        return x->at.line < y->at.line ? -1 : 1;
    if (x->at.column != y->at.column)
        return x->at.column < y->at.column ? -1 : 1;
    return strcmp(x->text, y->text);
}

void problems_write(problems *p, buf *out)
{
    qsort(p->list, p->count, sizeof p->list[0], compare);
    for (size_t i = 0; i < p->count; i++) {
        const problem *one = &p->list[i];
        if (one->at.line > 0)
            buf_addf(out, "%s:%u:%u: %s\n", one->at.file, one->at.line, one->at.column, one->text);
        else
            buf_addf(out, "%s: %s\n", one->at.file, one->text);
    }
    if (p->dropped > 0)
        buf_addf(out, "and %zu more errors\n", p->dropped);
}

/* What is wrong with a configuration: all of it, each with its place, so that one run shows everything.
   Not thread-safe. Texts are copied into the arena that the owner lends. */
#ifndef CONFIG_PROBLEMS_H
#define CONFIG_PROBLEMS_H

#include "core/base/arena.h"
#include "core/base/buf.h"

#define PROBLEMS_MAX       100u /* more are counted, not kept          */
#define PROBLEMS_FILES_MAX 257u /* the file and its conf.d fragments   */

/* Where something stands. Lines and columns count from 1; line 0 = the file as a whole. */
typedef struct place {
    const char *file;
    uint32_t line, column;
} place;

typedef struct problem {
    place at;
    uint32_t file_order;
    const char *text;
} problem;

typedef struct problems {
    arena *arena;
    size_t count, dropped;
    size_t file_count;
    const char *files[PROBLEMS_FILES_MAX];
    problem list[PROBLEMS_MAX];
} problems;

void problems_init(problems *p, arena *a);
/* Errors are listed in the order in which the files were named here. */
void problems_file(problems *p, const char *file);
void problems_add(problems *p, place at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "FILE:LINE:COL: text", one a line, in the order of the files. */
void problems_write(problems *p, buf *out);

#endif

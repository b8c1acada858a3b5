/* The lines of a lake's files, one after the other: plain, or in gzip members. A file that is not as long as
   its manifest says, or that ends inside a member, is an error with its path. One thread; nothing is kept but
   one line's room. */
#ifndef COMMON_LAKE_LINES_H
#define COMMON_LAKE_LINES_H

#include "plugins/common/lake_files.h"
#include "plugins/common/line_reader.h"

typedef struct lake_lines {
    const char *lake;
    const lake_file *const *files; /* borrowed; none of Parquet */
    size_t count, next;
    void *in; /* the file that is read, or NULL */
    line_reader reader;
} lake_lines;

/* 1: a line without its newline, valid until the next call; 0: the last file is done; -1: err says why. */
int lake_lines_next(lake_lines *l, ss_str *line, ss_error *err);
/* The file of the line that came last. */
const lake_file *lake_lines_file(const lake_lines *l);
void lake_lines_end(lake_lines *l);

#endif

/* Lines out of bytes that come in pieces: whole, one at a time, in bounded memory. One thread. */
#ifndef COMMON_LINE_READER_H
#define COMMON_LINE_READER_H

#include <sys/types.h>

#include "streamsteam/plugin.h"

#define LINE_READER_MAX (64u << 20) /* bytes of a line */

typedef struct line_source {                                          /* pieces may end anywhere */
    ssize_t (*read)(void *arg, char *to, size_t size, ss_error *err); /* 0: the end; -1 with err */
    void *arg;
} line_source;

typedef struct line_reader { /* begins as {.source = ...} */
    line_source source;
    char *buffer; /* what was read and not yet taken: from..to */
    size_t from, to, size;
    uint64_t lines, bytes; /* taken, with their newlines */
    bool ended;
} line_reader;

/* 1: a line without its newline, valid until the next call; the last one may lack it. 0: the end; -1: err. */
int line_reader_next(line_reader *r, ss_str *line, ss_error *err);
/* After the end: the source begins with another piece of lines. */
void line_reader_again(line_reader *r);
void line_reader_end(line_reader *r);

#endif

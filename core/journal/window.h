/* A view that slides over a file: gives any range of up to WINDOW_BYTES as one piece of memory. A page that
   the disk cannot read reads as zeros and is counted: recovery has to go on past it. One thread. */
#ifndef JOURNAL_WINDOW_H
#define JOURNAL_WINDOW_H

#include "core/journal/format.h"

#define WINDOW_BYTES (JOURNAL_RECORD_MAX + 128u * 1024)

typedef struct window {
    int fd;
    char *bytes; /* owned */
    size_t fill, size;
    uint64_t start, file_bytes; /* file_bytes: beyond it there is nothing */
    uint64_t bad_pages, last_bad_offset;
} window;

int window_init(window *w, int fd); /* -1: out of memory or no file, errno is set */
void window_fini(window *w);
const char *window_at(window *w, uint64_t offset, size_t need); /* NULL: past the end. Until the next call */

#endif

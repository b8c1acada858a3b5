#include "plugins/common/line_reader.h"

#include <stdlib.h>

#define READ_BYTES (1u << 20)

static bool more_room(line_reader *r, ss_error *err)
{
    if (r->from > 0) {
        memmove(r->buffer, r->buffer + r->from, r->to - r->from);
        r->to -= r->from;
        r->from = 0;
    }
    if (r->to + READ_BYTES / 2 <= r->size)
        return true;
    size_t size = r->size ? r->size * 2 : READ_BYTES;
    char *buffer = size <= 2 * LINE_READER_MAX ? realloc(r->buffer, size) : NULL;
    if (!buffer)
        return ss_fail(err, SS_RETRY, "no memory for a line of %zu bytes", r->to), false;
    r->buffer = buffer;
    r->size = size;
    return true;
}

static bool read_more(line_reader *r, ss_error *err)
{
    if (!more_room(r, err))
        return false;
    ssize_t n = r->source.read(r->source.arg, r->buffer + r->to, r->size - r->to, err);
    if (n < 0)
        return false;
    r->to += (size_t)n;
    r->ended = n == 0;
    return true;
}

int line_reader_next(line_reader *r, ss_str *line, ss_error *err)
{
    size_t seen = 0;
    for (;;) {
        size_t have = r->to - r->from;
        char *end = have > seen ? memchr(r->buffer + r->from + seen, '\n', have - seen) : NULL;
        if (end || (r->ended && have > 0)) {
            char *from = r->buffer + r->from;
            size_t len = end ? (size_t)(end - from) : have, taken = len + (end != NULL);
            *line = ss_s(from, len);
            r->from += taken;
            r->bytes += taken;
            r->lines++;
            return 1;
        }
        if (r->ended)
            return 0;
        seen = have;
        if (!read_more(r, err))
            return -1;
    }
}

void line_reader_again(line_reader *r)
{
    r->ended = false;
}

void line_reader_end(line_reader *r)
{
    free(r->buffer);
    *r = (line_reader){.buffer = NULL};
}

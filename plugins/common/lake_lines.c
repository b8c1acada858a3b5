#include "plugins/common/lake_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define READ_BYTES (256u * 1024)
#define DAMAGED    "it is not whole: put it back from a backup"

static bool give_up(const lake_lines *l, const char *why, ss_error *err)
{
    (void)ss_fail(err, SS_RETRY, "%.200s: %.200s", lake_lines_file(l)->path, why);
    return false;
}

static bool next_file(lake_lines *l, ss_error *err)
{
    char path[PATH_MAX];
    const lake_file *file = l->files[l->next++];
    (void)snprintf(path, sizeof path, "%.2500s/%.1024s", l->lake, file->path);
    l->from = l->to = 0;
    l->ended = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return give_up(l, strerror(errno), err);
    struct stat st;
    bool whole = fstat(fd, &st) == 0 && (file->bytes < 0 || st.st_size == file->bytes);
    l->in = whole ? gzdopen(fd, "rb") : NULL;
    if (l->in)
        return true;
    (void)close(fd);
    return give_up(l, whole ? "out of memory" : DAMAGED, err);
}

/* zlib tells only now that the file ended inside a gzip member. */
static bool end_file(lake_lines *l, ss_error *err)
{
    int code = gzclose(l->in);
    l->in = NULL;
    return code == Z_OK || give_up(l, DAMAGED, err);
}

static bool more_room(lake_lines *l, ss_error *err)
{
    if (l->from > 0) {
        memmove(l->buffer, l->buffer + l->from, l->to - l->from);
        l->to -= l->from;
        l->from = 0;
    }
    if (l->to + READ_BYTES <= l->size)
        return true;
    size_t size = l->size ? l->size * 2 : 2 * READ_BYTES;
    char *buffer = size <= 2 * LAKE_LINE_MAX ? realloc(l->buffer, size) : NULL;
    if (!buffer)
        return give_up(l, "a line that is too long", err);
    l->buffer = buffer;
    l->size = size;
    return true;
}

static bool read_more(lake_lines *l, ss_error *err)
{
    if (!more_room(l, err))
        return false;
    int n = gzread(l->in, l->buffer + l->to, READ_BYTES), code = Z_OK;
    if (n < 0)
        return give_up(l, gzerror(l->in, &code), err);
    l->to += (size_t)n;
    l->ended = n == 0;
    return true;
}

int lake_lines_next(lake_lines *l, ss_str *line, ss_error *err)
{
    size_t seen = 0;
    for (;;) {
        if (!l->in && l->next == l->count)
            return 0;
        if (!l->in && !next_file(l, err))
            return -1;
        char *from = l->buffer + l->from;
        size_t have = l->to - l->from;
        char *end = have > seen ? memchr(from + seen, '\n', have - seen) : NULL;
        if (end || (l->ended && have > 0)) {
            size_t len = end ? (size_t)(end - from) : have;
            *line = ss_s(from, len);
            l->from += len + (end != NULL);
            return 1;
        }
        seen = have;
        if (l->ended) {
            seen = 0;
            if (!end_file(l, err))
                return -1;
        } else if (!read_more(l, err)) {
            return -1;
        }
    }
}

const lake_file *lake_lines_file(const lake_lines *l)
{
    return l->files[l->next - 1];
}

void lake_lines_end(lake_lines *l)
{
    if (l->in)
        (void)gzclose(l->in);
    free(l->buffer);
    l->in = l->buffer = NULL;
}

#include "plugins/common/lake_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define DAMAGED "it is not whole: put it back from a backup"

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
    line_reader_again(&l->reader);
    return code == Z_OK || give_up(l, DAMAGED, err);
}

static ssize_t read_file(void *in, char *to, size_t size, ss_error *err)
{
    int n = gzread(in, to, (unsigned)size), code = Z_OK;
    return n >= 0 ? n : (ss_fail(err, SS_RETRY, "%s", gzerror(in, &code)), -1);
}

int lake_lines_next(lake_lines *l, ss_str *line, ss_error *err)
{
    ss_error why = {.struct_size = sizeof why};
    for (;;) {
        if (!l->in && l->next == l->count)
            return 0;
        if (!l->in && !next_file(l, err))
            return -1;
        l->reader.source = (line_source){read_file, l->in};
        int got = line_reader_next(&l->reader, line, &why);
        if (got > 0)
            return got;
        if (got < 0 ? !give_up(l, why.text, err) : !end_file(l, err))
            return -1;
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
    l->in = NULL;
    line_reader_end(&l->reader);
}

#include "core/journal/window.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_PAGE_BYTES 4096u

int window_init(window *w, int fd)
{
    struct stat st;
    *w = (window){.fd = fd};
    if (fstat(fd, &st) != 0)
        return -1;
    w->file_bytes = (uint64_t)st.st_size;
    w->size = w->file_bytes < WINDOW_BYTES - 64 ? ((size_t)w->file_bytes + 64) & ~(size_t)63 : WINDOW_BYTES;
    w->bytes = aligned_alloc(64, w->size);
    return w->bytes ? 0 : -1;
}

void window_fini(window *w)
{
    free(w->bytes);
    *w = (window){.fd = -1};
}

/* Reads what it can; an unreadable page becomes zeros. */
static void fill_from(window *w, size_t have)
{
    size_t want = w->size;
    if (w->file_bytes - w->start < want)
        want = (size_t)(w->file_bytes - w->start);
    while (have < want) {
        ssize_t n = pread(w->fd, w->bytes + have, want - have, (off_t)(w->start + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0) { /* truncated meanwhile */
            w->file_bytes = w->start + have;
            break;
        }
        if (n < 0) {
            size_t page = WINDOW_PAGE_BYTES - (size_t)((w->start + have) % WINDOW_PAGE_BYTES);
            page = page < want - have ? page : want - have;
            memset(w->bytes + have, 0, page);
            w->bad_pages++;
            w->last_bad_offset = w->start + have;
            n = (ssize_t)page;
        }
        have += (size_t)n;
    }
    w->fill = have;
}

const char *window_at(window *w, uint64_t offset, size_t need)
{
    if (offset >= w->start && offset - w->start <= w->fill && w->fill - (size_t)(offset - w->start) >= need)
        return w->bytes + (offset - w->start);
    if (need > w->size || offset > w->file_bytes || w->file_bytes - offset < need)
        return NULL;
    /* The new start keeps the offset's alignment by 8, which the structs laid over the bytes need. */
    uint64_t start = offset & ~(uint64_t)7;
    size_t kept = 0;
    if (start >= w->start && start - w->start < w->fill) {
        kept = w->fill - (size_t)(start - w->start);
        memmove(w->bytes, w->bytes + (start - w->start), kept);
    }
    w->start = start;
    fill_from(w, kept);
    size_t at = (size_t)(offset - start);
    return w->fill >= at && w->fill - at >= need ? w->bytes + at : NULL;
}

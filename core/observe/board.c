#include "core/observe/board.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int board_create(void)
{
    int fd = memfd_create("streamsteam-board", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)sizeof(board)) != 0) {
        (void)close(fd);
        return -1;
    }
    board *b = board_map(fd);
    if (!b) {
        (void)close(fd);
        return -1;
    }
    b->size = sizeof(board);
    (void)munmap(b, sizeof(board));
    return fd;
}

board *board_map(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size != (off_t)sizeof(board))
        return NULL;
    void *p = mmap(NULL, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

int board_guard(board *b)
{
    return mprotect(&b->journal, offsetof(journal_board, slots), PROT_READ);
}

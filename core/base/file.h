/* Files: the few system call loops that everybody needs. All return 0, or -1 with errno set. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "core/base/buf.h"

int file_write_all(int fd, const void *bytes, size_t len);
int file_pwrite_all(int fd, const void *bytes, size_t len, off_t at);
ssize_t file_pread_all(int fd, void *bytes, size_t len, off_t at); /* short only at the end of the file */
int file_read(const char *path, buf *out);                         /* appends the whole file            */
int file_sync_dir(const char *path);
int file_make_dirs(const char *path, mode_t mode); /* like mkdir -p; syncs each parent it changed */
/* Writes path.tmp, syncs, renames, syncs the directory: after 0 the new content survives a power cut. */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode);

#endif

#include "modules/lake/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0750

static int32_t files_fail(ss_error *err, int32_t status, const char *doing, const char *path)
{
    int why = errno;
    const char *remedy = why == ENOSPC || why == EDQUOT ? "free some space"
                         : why == EACCES || why == EPERM || why == EROFS
                             ? "let the server's user write there"
                             : "check the disk and the kernel's log";
    return ss_fail(err, status, "lake: cannot %s %.300s: %s; %s", doing, path, strerror(why), remedy);
}

int32_t files_sync_dir(const char *path, ss_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return files_fail(err, SS_RETRY, "open the directory", path);
    int rc = fsync(fd);
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return rc == 0 ? SS_OK : files_fail(err, SS_FATAL, "sync the directory", path);
}

static int32_t sync_parent(const char *path, ss_error *err)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    return files_sync_dir(dirname(copy), err);
}

int32_t files_sync_chain(const char *dir, const char *root, ss_error *err)
{
    char path[PATH_MAX];
    size_t root_len = root ? strlen(root) : 0;
    (void)snprintf(path, sizeof path, "%s", dir);
    for (size_t len = strlen(path); len > 1 && len >= root_len; len = strlen(path)) {
        int32_t rc = files_sync_dir(path, err);
        if (rc == SS_FATAL || (rc != SS_OK && root))
            return rc;
        while (len > 1 && path[len - 1] == '/')
            path[--len] = '\0';
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            break;
        *slash = '\0';
    }
    return SS_OK;
}

int32_t files_make_dirs(const char *path, ss_error *err)
{
    char part[PATH_MAX];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
        errno = ENAMETOOLONG;
        return files_fail(err, SS_RETRY, "make the directory", path);
    }
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(part, DIR_MODE) == 0) {
            int32_t rc = sync_parent(part, err);
            if (rc != SS_OK) {
                (void)rmdir(part); /* so that the next try syncs it again */
                return rc;
            }
        } else if (errno != EEXIST) {
            return files_fail(err, SS_RETRY, "make the directory", part);
        }
        *p = kept;
        if (kept == '\0' || p[1] == '\0')
            return SS_OK;
    }
}

int32_t files_write(int fd, const char *path, const char *bytes, size_t len, uint64_t at, ss_error *err)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return files_fail(err, SS_RETRY, "write", path);
        bytes += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return SS_OK;
}

int32_t files_sync(int fd, const char *path, ss_error *err)
{
    return fdatasync(fd) == 0 ? SS_OK : files_fail(err, SS_FATAL, "sync", path);
}

int32_t files_rename(const char *from, const char *to, ss_error *err)
{
    if (rename(from, to) == 0)
        return SS_OK;
    if (errno == ENOENT) {
        char copy[PATH_MAX];
        (void)snprintf(copy, sizeof copy, "%s", to);
        int32_t rc = files_make_dirs(dirname(copy), err);
        if (rc != SS_OK)
            return rc;
        if (rename(from, to) == 0)
            return SS_OK;
    }
    return files_fail(err, SS_RETRY, "rename a finished file to", to);
}

void files_empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    struct dirent *e;
    while ((e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    (void)closedir(dir);
}

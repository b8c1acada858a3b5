#include "modules/compact/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/compact/manifest.h"

#define DIR_MODE  0750
#define DEPTH_MAX 64
#define LOCK_FILE COMPACT_DIR "/lock"

static bool failed(ss_error *err, const char *doing, const char *path)
{
    int why = errno;
    const char *remedy = why == ENOSPC || why == EDQUOT ? "free some space"
                         : why == EACCES || why == EPERM || why == EROFS
                             ? "let the server's user write there"
                             : "check the disk and the kernel's log";
    (void)ss_fail(err, SS_RETRY, "cannot %s %.300s: %s; %s", doing, path, strerror(why), remedy);
    errno = why;
    return false;
}

bool disk_path(char *out, size_t size, const char *root, const char *a, const char *b, ss_error *err)
{
    int n = snprintf(out, size, "%s/%s%s", root, a, b);
    return (n > 0 && (size_t)n < size) ||
           (errno = ENAMETOOLONG, ss_fail(err, SS_REJECT, "the path %.200s... is too long", out), false);
}

static bool sync_dir(const char *path, ss_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = why;
    return good || failed(err, "sync the folder", path);
}

bool disk_sync_dir_of(const char *root, const char *file, ss_error *err)
{
    char path[PATH_MAX];
    if (!disk_path(path, sizeof path, root, file, "", err))
        return false;
    *strrchr(path, '/') = '\0';
    return sync_dir(path, err);
}

bool disk_make_dirs(const char *root, const char *file, ss_error *err)
{
    char path[PATH_MAX];
    if (!disk_path(path, sizeof path, root, file, "", err))
        return false;
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        bool made = mkdir(path, DIR_MODE) == 0;
        if (!made && errno != EEXIST)
            return failed(err, "make the folder", path);
        /* One that is there may have been made by a life that ended before it synced it. */
        char *slash = strrchr(path, '/');
        *slash = '\0';
        bool synced = sync_dir(path, err);
        *slash = '/';
        if (!synced)
            return false;
        *p = '/';
    }
    return true;
}

bool disk_rename(const char *root, const char *from, const char *to, ss_error *err)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (!disk_path(a, sizeof a, root, from, "", err) || !disk_path(b, sizeof b, root, to, "", err))
        return false;
    return rename(a, b) == 0 ? disk_sync_dir_of(root, to, err) : failed(err, "rename a finished file to", b);
}

bool disk_write(const char *root, const char *file, ss_str text, ss_error *err)
{
    char path[PATH_MAX];
    if (!disk_path(path, sizeof path, root, file, "", err))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    bool good = fd >= 0;
    while (good && text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        good = n >= 0 || errno == EINTR;
        text = n > 0 ? ss_s(text.ptr + n, text.len - (size_t)n) : text;
    }
    good = good && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = why;
    return good || failed(err, "write", path);
}

bool disk_remove(const char *root, const char *file, ss_error *err)
{
    char path[PATH_MAX];
    if (!disk_path(path, sizeof path, root, file, "", err))
        return false;
    return unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR || failed(err, "remove", path);
}

void disk_remove_empty_dirs(const char *root, const char *file, const char *stop)
{
    char path[PATH_MAX];
    size_t least = strlen(root) + 1 + strlen(stop);
    if (snprintf(path, sizeof path, "%s/%s", root, file) >= (int)sizeof path)
        return;
    for (char *slash; (slash = strrchr(path, '/')) && (size_t)(slash - path) >= least;) {
        *slash = '\0';
        if (rmdir(path) != 0)
            return;
    }
}

int disk_lock(const char *root, bool *busy, ss_error *err)
{
    char path[PATH_MAX];
    *busy = false;
    if (!disk_path(path, sizeof path, root, LOCK_FILE, "", err) ||
        !disk_make_dirs(root, COMPACT_TMP "/x", err))
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return failed(err, "open", path), -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    *busy = errno == EWOULDBLOCK;
    if (!*busy)
        (void)failed(err, "lock", path);
    (void)close(fd);
    return -1;
}

static void walk(const char *root, char path[PATH_MAX], int depth, void (*visit)(void *arg, const char *path),
                 void *arg)
{
    char whole[PATH_MAX];
    struct dirent *e;
    size_t len = strlen(path);
    int n = snprintf(whole, sizeof whole, "%s/%s", root, path);
    DIR *dir = n > 0 && n < (int)sizeof whole && depth < DEPTH_MAX ? opendir(whole) : NULL;
    while (dir && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            snprintf(path + len, PATH_MAX - len, "/%s", e->d_name) >= (int)(PATH_MAX - len))
            continue;
        if (e->d_type == DT_DIR)
            walk(root, path, depth + 1, visit, arg);
        else
            visit(arg, path);
    }
    path[len] = '\0';
    if (dir)
        (void)closedir(dir);
}

void disk_walk(const char *root, const char *dir, void (*visit)(void *arg, const char *path), void *arg)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", dir);
    walk(root, path, 0, visit, arg);
}

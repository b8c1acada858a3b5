/* The inlet's socket file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/pull/link.h"

#define INLET_BACKLOG 128

typedef int socket_use(int fd, const struct sockaddr *at, socklen_t len);

/* Through the directory's descriptor: the path in sockaddr_un may only have 107 bytes. */
static int use_path(const char *data_dir, int flags, bool make, socket_use *use)
{
    int dir = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/inlet.sock", dir);
    if (fd >= 0 && make)
        (void)unlinkat(dir, "inlet.sock", 0);
    int rc = fd < 0 ? -1 : use(fd, (struct sockaddr *)&at, sizeof at);
    int saved = errno;
    if (dir >= 0)
        (void)close(dir);
    if (rc == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
    return -1;
}

int pull_listen(const char *data_dir)
{
    mode_t old = umask(0177); /* the file is born with mode 0600 */
    int fd = use_path(data_dir, SOCK_NONBLOCK, true, bind);
    (void)umask(old);
    if (fd >= 0 && listen(fd, INLET_BACKLOG) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

void pull_unlink(const char *data_dir)
{
    int dir = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    (void)unlinkat(dir, "inlet.sock", 0);
    (void)close(dir);
}

int pull_connect(const char *data_dir)
{
    return use_path(data_dir, 0, false, connect);
}

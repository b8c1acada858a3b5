/* The client side of the control socket: used by the verbs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/server/control.h"

#define CONTROL_HEAD_MAX 64u /* "error 1048576\n" */
#define STOP_LOOK_MS     100

static int connect_to(const char *data_dir, ss_error *err)
{
    int dir = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return ss_fail(err, -1,
                       "no data directory %s: %s; name it with -d DIR, or the configuration with -c FILE",
                       data_dir, strerror(errno));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/control.sock", dir);
    int rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&at, sizeof at);
    int saved = errno;
    (void)close(dir);
    if (rc == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    if (saved == EACCES || saved == EPERM)
        return ss_fail(err, -1,
                       "%s/control.sock: permission denied; run this as the server's user or as root",
                       data_dir);
    return ss_fail(err, -1, "no server runs on %s (control.sock: %s); start it: streamsteam serve -c FILE",
                   data_dir, strerror(saved));
}

/* Takes the descriptor out of a message; a second one is closed. */
static void take_fd(struct msghdr *message, int *fd_out)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        int fd;
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
        if (fd_out && *fd_out < 0)
            *fd_out = fd;
        else
            (void)close(fd);
    }
}

/* 1: bytes were added, 0: end, -1: errno. */
static int receive_some(int fd, int64_t deadline_us, const _Atomic bool *stop, buf *in, int *fd_out)
{
    int64_t left = (deadline_us - clock_mono_us()) / 1000;
    struct pollfd wait = {fd, POLLIN, 0};
    int step = stop && left > STOP_LOOK_MS ? STOP_LOOK_MS : (int)left;
    int n = left > 0 && !(stop && *stop) ? poll(&wait, 1, step) : 0;
    if (n == 0 && step < left && !*stop)
        return 1;
    if (n <= 0) {
        errno = n == 0 ? ETIMEDOUT : errno;
        return n < 0 && errno == EINTR ? 1 : -1;
    }
    if (!buf_reserve(in, 4096)) {
        errno = EMSGSIZE;
        return -1;
    }
    struct iovec part = {in->ptr + in->len, 4096};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } extra;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = extra.space, .msg_controllen = sizeof extra.space};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return errno == EINTR ? 1 : -1;
    take_fd(&message, fd_out);
    in->len += (size_t)got;
    return got > 0;
}

/* "ok 12\n" + 12 bytes: true when all is there. */
static bool complete(const buf *in, bool *ok, size_t *head_len, size_t *len)
{
    const char *newline = in->len ? memchr(in->ptr, '\n', in->len) : NULL;
    if (!newline || newline - in->ptr >= (ptrdiff_t)CONTROL_HEAD_MAX)
        return false;
    char head[CONTROL_HEAD_MAX];
    *head_len = (size_t)(newline - in->ptr) + 1;
    memcpy(head, in->ptr, *head_len - 1);
    head[*head_len - 1] = '\0';
    *ok = strncmp(head, "ok ", 3) == 0;
    const char *number = strchr(head, ' ');
    *len = number ? strtoul(number + 1, NULL, 10) : 0;
    return in->len >= *head_len + *len;
}

static int exchange(int fd, const char *request, int64_t timeout_ms, const _Atomic bool *stop, buf *answer,
                    int *fd_out, ss_error *err)
{
    char line[CONTROL_REQUEST_MAX];
    int len = snprintf(line, sizeof line, "%s\n", request);
    if (len < 0 || (size_t)len >= sizeof line)
        return ss_fail(err, -1, "the request is longer than %u bytes", CONTROL_REQUEST_MAX - 1);
    if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
        return ss_fail(err, -1, "the server closed the control socket: %s; try again", strerror(errno));
    buf in;
    buf_init(&in, CONTROL_ANSWER_MAX + 8192);
    int64_t deadline = clock_mono_us() + timeout_ms * 1000;
    bool ok = false;
    size_t head_len = 0, text_len = 0;
    int more = 1;
    while (!complete(&in, &ok, &head_len, &text_len) && more > 0)
        more = receive_some(fd, deadline, stop, &in, fd_out);
    int rc = -1;
    if (complete(&in, &ok, &head_len, &text_len)) {
        buf_add(answer, in.ptr + head_len, text_len);
        rc = ok ? 0 : 1;
    } else if (more == 0) {
        (void)ss_fail(err, -1, "the server ended the connection without an answer; its log says why");
    } else {
        (void)ss_fail(err, -1, "no answer from the server: %s; its log says what it is doing",
                      strerror(errno));
    }
    buf_fini(&in);
    return rc;
}

int control_ask(const char *data_dir, const char *request, buf *answer, int *fd_out, ss_error *err)
{
    if (fd_out)
        *fd_out = -1;
    int fd = connect_to(data_dir, err);
    if (fd < 0)
        return -1;
    int rc = exchange(fd, request, CONTROL_TIMEOUT_MS, NULL, answer, fd_out, err);
    (void)close(fd);
    if (rc != 0 && fd_out && *fd_out >= 0) {
        (void)close(*fd_out);
        *fd_out = -1;
    }
    return rc;
}

int control_ask_long(const char *data_dir, const char *request, int64_t timeout_ms, const _Atomic bool *stop,
                     buf *answer, ss_error *err)
{
    int fd = connect_to(data_dir, err);
    if (fd < 0)
        return -1;
    int rc = exchange(fd, request, timeout_ms, stop, answer, NULL, err);
    (void)close(fd);
    return rc;
}

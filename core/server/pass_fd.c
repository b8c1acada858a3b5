#include "core/server/pass_fd.h"

#include <string.h>
#include <sys/socket.h>

ssize_t pass_fd(int socket, const char *text, size_t len, int fd)
{
    struct iovec part = {(char *)text, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } extra;
    if (fd >= 0) {
        memset(&extra, 0, sizeof extra);
        message.msg_control = extra.space;
        message.msg_controllen = sizeof extra.space;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

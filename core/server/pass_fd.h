/* A message to another process, with a descriptor where one goes along. */
#ifndef SERVER_PASS_FD_H
#define SERVER_PASS_FD_H

#include <stddef.h>
#include <sys/types.h>

/* fd -1: none; else the other end gets a copy with the first byte. Waits for nothing. As sendmsg(). */
ssize_t pass_fd(int socket, const char *text, size_t len, int fd);

#endif

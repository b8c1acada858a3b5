/* The remote end's HTTP: reading one request from a connection, writing what a step says. Each connection has
   a thread of its own; nothing here is shared. */
#ifndef TESTKIT_REMOTE_H
#define TESTKIT_REMOTE_H

#include "plugins/sdk/testkit/testkit.h"

#define REMOTE_HEAD_MAX        65536u
#define REMOTE_BODY_MAX        (64u * 1024 * 1024)
#define REMOTE_CONNECTIONS_MAX 64u

typedef struct remote_request { /* all owned, NUL-terminated */
    char *method, *target, *headers, *body;
    size_t body_len;
} remote_request;

/* False: the connection ended, or what came is no request. */
bool remote_read(int fd, remote_request *out);
void remote_request_free(remote_request *r);
/* True: the connection may go on. */
bool remote_answer(int fd, const testkit_step *step, const testkit_seen *request);

#endif

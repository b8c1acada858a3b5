/* A small HTTP client for the samples: posts a batch in the form of OpenSearch's _bulk, with the batch's
   deadline on every socket call. Right, so that a sample's bug is in the sample. */
#ifndef VERIFY_BULK_H
#define VERIFY_BULK_H

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "sample.h"

#define BULK_ANSWER_MAX (1u << 20)

typedef struct instance {
    const ss_host *host;
    char name[256], port[8], token[128];
    char *answer; /* BULK_ANSWER_MAX + 1 */
    void *more;   /* the sample's own */
} instance;

static const ss_option bulk_options[] = {
    {.name = "url", .type = SS_T_URL, .flags = SS_OPT_REQUIRED, .doc = "Where the records go."},
    {.name = "token",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .dflt = "",
     .doc = "Sent as a bearer token."},
    {.name = NULL},
};

static inline int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    ss_str url = host->cfg_str(cfg, "url");
    instance *self = (instance *)calloc(1, sizeof *self);
    char text[300] = "";
    if (!self || !(self->answer = (char *)malloc(BULK_ANSWER_MAX + 1))) {
        free(self);
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)(url.len < 299 ? url.len : 299), url.ptr);
    if (sscanf(text, "http://%255[^:/]:%7[0-9]", self->name, self->port) != 2) {
        free(self->answer);
        free(self);
        return ss_fail(err, SS_FATAL, "url: must read http://HOST:PORT");
    }
    if (host->secret(host->self, cfg, "token", self->token, sizeof self->token - 1, err) < 0) {
        free(self->answer);
        free(self);
        return SS_FATAL;
    }
    self->host = host;
    *inst = self;
    return SS_OK;
}

static inline void destroy(void *inst)
{
    free(((instance *)inst)->answer);
    free(inst);
}

/* A connected socket whose calls end at the deadline, or -1. */
static inline int bulk_connect(instance *self, int64_t deadline_us)
{
    struct addrinfo hint = {.ai_socktype = SOCK_STREAM}, *to = NULL;
    int64_t left = deadline_us ? deadline_us - self->host->now_us(self->host->self) - 200000 : 2000000;
    left = left < 50000 ? 50000 : left > 2000000 ? 2000000 : left;
    struct timeval wait = {.tv_sec = left / 1000000, .tv_usec = left % 1000000};
    if (getaddrinfo(self->name, self->port, &hint, &to))
        return -1;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen)) {
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(to);
    return fd;
}

static inline bool bulk_write(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool bulk_send(instance *self, int fd, const ss_batch *batch)
{
    char head[600], action[64];
    size_t len = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        len += ss_record_at(batch, i)->body.len + 1 +
               (size_t)snprintf(action, sizeof action, "{\"create\":{\"_id\":\"%llu\"}}\n",
                                (unsigned long long)ss_record_at(batch, i)->seq);
    int n = snprintf(head, sizeof head,
                     "POST /_bulk HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\nContent-Type: "
                     "application/x-ndjson\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     self->name, self->port, self->token, len);
    bool sent = bulk_write(fd, head, (size_t)n);
    for (uint32_t i = 0; sent && i < batch->count; i++) {
        const ss_record *record = ss_record_at(batch, i);
        int m = snprintf(action, sizeof action, "{\"create\":{\"_id\":\"%llu\"}}\n",
                         (unsigned long long)record->seq);
        sent = bulk_write(fd, action, (size_t)m) && bulk_write(fd, record->body.ptr, record->body.len) &&
               bulk_write(fd, "\n", 1);
    }
    return sent;
}

/* The whole answer in self->answer; its status, or -1 where it did not come whole. */
static inline int bulk_receive(instance *self, int fd)
{
    size_t got = 0;
    ssize_t n;
    while (got < BULK_ANSWER_MAX && (n = recv(fd, self->answer + got, BULK_ANSWER_MAX - got, 0)) > 0)
        got += (size_t)n;
    self->answer[got] = '\0';
    int status = -1;
    const char *end = strstr(self->answer, "\r\n\r\n"), *length = strcasestr(self->answer, "content-length:");
    if (sscanf(self->answer, "HTTP/1.%*c %d", &status) != 1 || !end)
        return -1;
    if (length && length < end && strtoul(length + 15, NULL, 10) != got - (size_t)(end + 4 - self->answer))
        return -1;
    return status;
}

/* Posts the batch; the answer's status, -1 where there is no whole answer. */
static inline int bulk_post(instance *self, const ss_batch *batch)
{
    int fd = bulk_connect(self, batch->deadline_us), status = -1;
    self->answer[0] = '\0';
    if (fd < 0)
        return -1;
    if (bulk_send(self, fd, batch))
        status = bulk_receive(self, fd);
    (void)close(fd);
    return status;
}

static inline int64_t bulk_retry_after_ms(const instance *self)
{
    const char *at = strcasestr(self->answer, "\r\nretry-after:");
    return at ? 1000 * strtol(at + 14, NULL, 10) : 0;
}

/* The verdicts of an answer 200, item by item; what has none is sent again. */
static inline int32_t bulk_items(instance *self, const ss_batch *batch, ss_result *result, ss_error *err)
{
    const ss_host *host = self->host;
    const char *at = strstr(self->answer, "\"items\"");
    bool again = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        int status = 0;
        at = at ? strstr(at, "\"status\"") : NULL;
        if (at && (at += 8))
            (void)sscanf(at, " : %d", &status);
        if ((status >= 200 && status < 300) || status == 409)
            ss_mark(result, i, SS_RECORD_OK);
        else if (status >= 400 && status < 500 && status != 429)
            host->result(host->self, result, i, SS_RECORD_REJECT, (uint32_t)status,
                         SS_LIT("the other end refuses it"));
        else {
            ss_mark(result, i, SS_RECORD_RETRY);
            again = true;
        }
    }
    return again ? ss_fail(err, SS_RETRY, "url: the other end did not take all records") : SS_OK;
}

/* What an answer other than 200 means for the batch. */
static inline int32_t bulk_refused(instance *self, int status, ss_result *result, ss_error *err)
{
    ss_mark_all(result, SS_RECORD_RETRY);
    if (status == 429) {
        result->retry_after_ms = bulk_retry_after_ms(self);
        return ss_fail(err, SS_THROTTLE, "url: the other end asks for less");
    }
    if (status == 401 || status == 403 || status == 404)
        return ss_fail(err, SS_PAUSE, "url: answer %d: look at the token", status);
    return ss_fail(err, SS_RETRY, "url: no good answer (%d)", status);
}

#endif

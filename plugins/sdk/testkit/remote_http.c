#include "plugins/sdk/testkit/remote.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugins/sdk/testkit/inside.h"

typedef struct incoming { /* what was read and not used yet */
    char *bytes;
    size_t len, size;
} incoming;

static bool read_more(int fd, incoming *in)
{
    if (in->len + 1 >= in->size) {
        in->size = in->size ? in->size * 2 : 4096;
        if (in->size > REMOTE_BODY_MAX + REMOTE_HEAD_MAX)
            return false;
        in->bytes = kit_realloc(in->bytes, in->size);
    }
    ssize_t n;
    do
        n = recv(fd, in->bytes + in->len, in->size - in->len - 1, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    in->len += (size_t)n;
    in->bytes[in->len] = '\0';
    return true;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Up to and with the empty line; the length, or 0. */
static size_t read_head(int fd, incoming *in)
{
    const char *end;
    while (!in->bytes || !(end = strstr(in->bytes, "\r\n\r\n")))
        if (in->len > REMOTE_HEAD_MAX || !read_more(fd, in))
            return 0;
    return (size_t)(end + 4 - in->bytes);
}

/* The value of a header in "Name: value\n" lines, or NULL. */
static const char *header_of(const char *headers, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = headers; *line; line += strcspn(line, "\n") + 1) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
        if (!strchr(line, '\n'))
            break;
    }
    return NULL;
}

/* "POST /x HTTP/1.1\r\nA: b\r\n\r\n" into its parts. */
static bool split_head(const char *head, size_t len, remote_request *out)
{
    size_t method = strcspn(head, " \r\n");
    const char *target = head + method + (head[method] == ' ');
    size_t target_len = strcspn(target, " \r\n");
    const char *line_end = strstr(head, "\r\n");
    if (!line_end || target + target_len > line_end || strncmp(target + target_len, " HTTP/1.", 8) != 0)
        return false;
    out->method = kit_copy(ss_s(head, method));
    out->target = kit_copy(ss_s(target, target_len));
    out->headers = kit_copy(ss_s(line_end + 2, (size_t)(head + len - 2 - (line_end + 2))));
    char *to = out->headers;
    for (const char *from = out->headers; *from; from++)
        if (*from != '\r')
            *to++ = *from;
    *to = '\0';
    return true;
}

static bool read_sized(int fd, incoming *in, size_t at, size_t len, remote_request *out)
{
    if (len > REMOTE_BODY_MAX)
        return false;
    while (in->len < at + len)
        if (!read_more(fd, in))
            return false;
    out->body = kit_copy(ss_s(in->bytes + at, len));
    out->body_len = len;
    return true;
}

static bool read_chunked(int fd, incoming *in, size_t at, remote_request *out)
{
    out->body = kit_alloc(1);
    for (;;) {
        const char *line;
        while (!(line = strstr(in->bytes + at, "\r\n")))
            if (!read_more(fd, in))
                return false;
        size_t size = strtoul(in->bytes + at, NULL, 16), start = (size_t)(line + 2 - in->bytes);
        if (size > REMOTE_BODY_MAX - out->body_len)
            return false;
        while (in->len < start + size + 2)
            if (!read_more(fd, in))
                return false;
        if (size == 0)
            return true;
        out->body = kit_realloc(out->body, out->body_len + size + 1);
        memcpy(out->body + out->body_len, in->bytes + start, size);
        out->body_len += size;
        out->body[out->body_len] = '\0';
        at = start + size + 2;
    }
}

bool remote_read(int fd, remote_request *out)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    incoming in = {0};
    *out = (remote_request){0};
    size_t head = read_head(fd, &in);
    bool ok = head > 0 && split_head(in.bytes, head, out);
    if (ok) {
        const char *expect = header_of(out->headers, "Expect"),
                   *length = header_of(out->headers, "Content-Length");
        const char *coding = header_of(out->headers, "Transfer-Encoding");
        ok = !expect || send_all(fd, go_on, sizeof go_on - 1);
        if (ok && coding && strncasecmp(coding, "chunked", 7) == 0)
            ok = read_chunked(fd, &in, head, out);
        else
            ok = ok && read_sized(fd, &in, head, length ? strtoul(length, NULL, 10) : 0, out);
    }
    free(in.bytes); /* no pipelining: nothing follows a request before its answer */
    if (!ok)
        remote_request_free(out);
    return ok;
}

void remote_request_free(remote_request *r)
{
    free(r->method);
    free(r->target);
    free(r->headers);
    free(r->body);
    *r = (remote_request){0};
}

/* True: the client is still there after that time (negative: for ever). */
static bool pause_ms(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    int n;
    do
        n = poll(&p, 1, ms);
    while (n < 0 && errno == EINTR);
    return n == 0;
}

static bool send_slowly(int fd, const char *bytes, size_t len, uint32_t delay_ms)
{
    for (size_t i = 0; i < len; i++)
        if (!pause_ms(fd, (int)delay_ms) || !send_all(fd, bytes + i, 1))
            return false;
    return true;
}

/* "Name: value\n" lines with the line ends of HTTP. */
static bool send_head(int fd, const testkit_step *step, size_t body_len)
{
    char line[256];
    uint32_t status = step->status ? step->status : 200;
    int n = snprintf(line, sizeof line, "HTTP/1.1 %u Scripted\r\nContent-Length: %zu\r\n", status, body_len);
    if (!send_all(fd, line, (size_t)n))
        return false;
    for (const char *h = step->headers ? step->headers : ""; *h;) {
        size_t len = strcspn(h, "\n");
        if (!send_all(fd, h, len) || !send_all(fd, "\r\n", 2))
            return false;
        h += len + (h[len] == '\n');
    }
    return send_all(fd, "\r\n", 2);
}

bool remote_answer(int fd, const testkit_step *step, const testkit_seen *request)
{
    const char *connection = header_of(request->headers, "Connection");
    bool last = connection && strncasecmp(connection, "close", 5) == 0; /* who asks so reads until the end */
    if (step->act == TESTKIT_CLOSE)
        return false;
    if (step->act == TESTKIT_HANG)
        return pause_ms(fd, -1);
    char *made = step->make ? step->make(step->arg, request) : NULL;
    const char *body = made ? made : step->body ? step->body : "";
    size_t len = strlen(body),
           sent = strcmp(request->method, "HEAD") == 0 ? 0 : len; /* of HEAD only the head */
    bool on;
    if (step->act == TESTKIT_CUT) { /* one byte more is promised, so that an empty body is cut, too */
        (void)(send_head(fd, step, len + 1) && send_all(fd, body, sent / 2));
        on = false;
    } else if (step->act == TESTKIT_SLOW) {
        on = send_head(fd, step, len) && send_slowly(fd, body, sent, step->delay_ms);
    } else {
        on = send_head(fd, step, len) && send_all(fd, body, sent);
    }
    free(made);
    return on && !last;
}

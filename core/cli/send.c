/* streamsteam send: post a sample to the running server. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/node.h"
#include "core/server/control.h"

#define SEND_BODY_MAX   (25u * 1024 * 1024)
#define SEND_ANSWER_MAX (1024u * 1024)
#define SEND_TIMEOUT_S  10
#define SEND_QUERY_MAX  8000u /* longer ones do not fit into a request line */

static const char help[] =
    "usage: streamsteam send FILE|- [--to ADDRESS] [--path PATH] [-c FILE | -d DIR]\n"
    "\n"
    "Sends the file (- = standard input) to the running server and prints status and answer. A text that "
    "begins\n"
    "with { or [ goes as application/json; one line that begins with ? or idsite= goes as the query of a "
    "GET;\n"
    "everything else as a form.\n"
    "\n"
    "  --to ADDRESS        HOST:PORT or http://HOST:PORT/PATH (default: the running server's first "
    "listener)\n"
    "  --path PATH         default /matomo.php\n"
    "  -c, --config FILE   find the server by the data directory in this configuration\n"
    "  -d, --data-dir DIR  find it by its data directory\n"
    "\n"
    "Exit code: 0 = answered with 2xx, 1 = failed, 2 = wrong use.\n";

typedef struct target {
    char host[256], port[16], path[1024];
} target;

static int read_input(const char *verb, const char *name, buf *body)
{
    int rc = file_read(strcmp(name, "-") == 0 ? "/dev/stdin" : name, body);
    if (rc != 0)
        return cli_fail(CLI_FAILED, verb, "cannot read %s: %s", name,
                        errno == EFBIG ? "it is larger than 25 MiB" : strerror(errno));
    while (body->len > 0 && strchr("\r\n", body->ptr[body->len - 1]))
        body->len--;
    if (body->len == 0)
        return cli_fail(CLI_FAILED, verb, "%s is empty: nothing to send", name);
    return CLI_OK;
}

/* HOST:PORT, [IPv6]:PORT or http://... into its parts. */
static bool split_target(const char *text, target *to)
{
    if (strncasecmp(text, "http://", 7) == 0)
        text += 7;
    size_t len = strcspn(text, "/");
    if (text[len] == '/')
        (void)snprintf(to->path, sizeof to->path, "%s", text + len);
    const char *end = text + len, *colon = NULL, *start = text, *host_end = end;
    for (const char *p = text; p < end; p++) {
        if (*p == ':')
            colon = p;
    }
    if (*text == '[') {
        const char *bracket = memchr(text, ']', len);
        if (!bracket)
            return false;
        start = text + 1;
        host_end = bracket;
        if (colon && colon < bracket)
            colon = NULL;
    } else if (colon) {
        host_end = colon;
    }
    if (host_end == start || host_end - start >= (ptrdiff_t)sizeof to->host)
        return false;
    (void)snprintf(to->host, sizeof to->host, "%.*s", (int)(host_end - start), start);
    (void)snprintf(to->port, sizeof to->port, "%.*s", colon ? (int)(end - colon - 1) : 2,
                   colon ? colon + 1 : "80");
    return true;
}

static int find_listener(const char *verb, const char *data_dir, target *to)
{
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask(data_dir, "status", &answer, NULL, &err);
    ss_config *status = rc == 0 ? node_parse(answer.ptr, answer.len, &err) : NULL;
    const ss_config *list = node_get(status, "listeners");
    bool found = false;
    for (size_t i = 0; i < node_len(list) && !found; i++) {
        const ss_config *l = node_at(list, i);
        found = !node_int(l, "admin") && split_target(node_str(l, "address").ptr, to);
    }
    if (strcmp(to->host, "0.0.0.0") == 0)
        (void)snprintf(to->host, sizeof to->host, "127.0.0.1");
    else if (strcmp(to->host, "::") == 0)
        (void)snprintf(to->host, sizeof to->host, "::1");
    node_free(status);
    buf_fini(&answer);
    return found ? CLI_OK : cli_fail(CLI_FAILED, verb, "%s; or name a server with --to HOST:PORT", err.text);
}

static int connect_to(const target *to)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(to->host, to->port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            int saved = errno;
            (void)close(fd);
            errno = saved;
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static void make_request(const target *to, const buf *body, buf *out)
{
    bool query = (body->ptr[0] == '?' || (body->len > 7 && memcmp(body->ptr, "idsite=", 7) == 0)) &&
                 body->len <= SEND_QUERY_MAX && !memchr(body->ptr, '\n', body->len);
    bool json = body->ptr[0] == '{' || body->ptr[0] == '[';
    size_t skip = body->ptr[0] == '?';
    if (query)
        buf_addf(out, "GET %s?%.*s HTTP/1.1\r\n", to->path, (int)(body->len - skip), body->ptr + skip);
    else
        buf_addf(out, "POST %s HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", to->path,
                 json ? "application/json" : "application/x-www-form-urlencoded", body->len);
    bool v6 = strchr(to->host, ':') != NULL;
    buf_addf(out,
             "Host: %s%s%s:%s\r\nUser-Agent: streamsteam-send/" SS_VERSION "\r\nConnection: close\r\n\r\n",
             v6 ? "[" : "", to->host, v6 ? "]" : "", to->port);
    if (!query)
        buf_add(out, body->ptr, body->len);
}

static int exchange(int fd, const buf *request, buf *answer)
{
    for (size_t sent = 0; sent < request->len;) {
        ssize_t n = send(fd, request->ptr + sent, request->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break; /* it may have answered and closed before it read everything: 413 */
        sent += (size_t)n;
    }
    char chunk[8192];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof chunk, 0)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return answer->len > 0 ? 0 : -1;
        buf_add(answer, chunk, (size_t)n);
    }
    return answer->failed ? -1 : 0;
}

static int print_answer(const char *verb, buf *answer)
{
    const char *text = buf_text(answer);
    int status = 0;
    if (sscanf(text, "HTTP/%*d.%*d %d", &status) != 1)
        return cli_fail(CLI_FAILED, verb, "the other side does not speak HTTP; check --to");
    const char *body = strstr(text, "\r\n\r\n");
    (void)printf("%.*s\n", (int)strcspn(text, "\r\n"), text);
    size_t head = body ? (size_t)(body + 4 - text) : answer->len;
    char type[128] = "";
    const char *named = strcasestr(text, "\r\nContent-Type:");
    if (named && (!body || named < body))
        (void)sscanf(named + 15, " %127[^\r\n]", type);
    if (answer->len > head && strncmp(type, "image/", 6) == 0) {
        (void)printf("(%zu bytes of %s)\n", answer->len - head, type);
    } else if (answer->len > head) {
        (void)fwrite(text + head, 1, answer->len - head, stdout);
        (void)fputc('\n', stdout);
    }
    return status >= 200 && status < 300 ? CLI_OK : CLI_FAILED;
}

static int send_body(const char *verb, const target *to, const buf *body)
{
    buf request, answer;
    buf_init(&request, SEND_BODY_MAX + 16384);
    buf_init(&answer, SEND_ANSWER_MAX);
    make_request(to, body, &request);
    int fd = connect_to(to), code;
    if (fd < 0)
        code = cli_fail(CLI_FAILED, verb,
                        "cannot reach %s port %s: %s; does the server run? `streamsteam status` tells",
                        to->host, to->port, strerror(errno));
    else if (exchange(fd, &request, &answer) != 0 || answer.len == 0)
        code =
            cli_fail(CLI_FAILED, verb, "%s port %s did not answer: %s", to->host, to->port, strerror(errno));
    else
        code = print_answer(verb, &answer);
    if (fd >= 0)
        (void)close(fd);
    buf_fini(&request);
    buf_fini(&answer);
    return code;
}

int verb_send(int argc, char **argv)
{
    bool bad = false;
    char dir[PATH_MAX];
    target to = {.path = "/matomo.php"};
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *address = cli_take_option(&argc, argv, NULL, "to", &bad);
    const char *path = cli_take_option(&argc, argv, NULL, "path", &bad);
    int code = cli_data_dir(&argc, argv, dir);
    if (code != CLI_OK)
        return code;
    if (bad || argc != 2)
        return cli_fail(CLI_USAGE, argv[0],
                        "name one file, or - for standard input; see streamsteam send --help");
    if (address && !split_target(address, &to))
        return cli_fail(CLI_USAGE, argv[0], "--to wants HOST:PORT or http://HOST:PORT/PATH, not \"%s\"",
                        address);
    if (!address)
        code = find_listener(argv[0], dir, &to);
    if (path)
        (void)snprintf(to.path, sizeof to.path, "%s%s", path[0] == '/' ? "" : "/", path);
    buf body;
    buf_init(&body, SEND_BODY_MAX);
    if (code == CLI_OK)
        code = read_input(argv[0], argv[1], &body);
    if (code == CLI_OK)
        code = send_body(argv[0], &to, &body);
    buf_fini(&body);
    return code;
}

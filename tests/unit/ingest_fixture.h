/* A running ingest process for unit tests: blob, board, control socket, listening sockets on port 0; a raw
   HTTP client; and what stands in its journal. */
#ifndef TESTS_UNIT_INGEST_FIXTURE_H
#define TESTS_UNIT_INGEST_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "core/journal/reader.h"
#include "core/observe/board.h"
#include "core/server/ingest.h"
#include "tests/unit/check.h"

typedef struct fixture {
    char dir[128], plugins[PATH_MAX];
    pid_t pid;
    int control;
    uint16_t port, admin_port;
    unsigned loops;
    board *board;
    int board_fd;
} fixture;

typedef struct answer {
    int status; /* 0: the connection ended without one */
    char head[8192], body[65536];
    size_t body_len;
    bool closed; /* after it */
} answer;

/* *port: 0 = any, and gets the number; else one more socket on that port. */
static inline int fixture_listen(uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 512) != 0)
        abort();
    (void)getsockname(fd, (struct sockaddr *)&a, &len);
    *port = ntohs(a.sin_port);
    return fd;
}

static inline int fixture_memfd(const char *text)
{
    int fd = memfd_create("blob", MFD_CLOEXEC);
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    return fd;
}

/* server: more members of "server", each with a comma behind it; receiver: more members of the receiver; top:
   more members of the blob, with a comma in front. */
static __attribute__((noinline, unused)) char *fixture_blob(const fixture *f, const char *server,
                                                            const char *receiver, const char *top)
{
    char *text = NULL;
    if (asprintf(
            &text,
            "{\"role\":\"ingest\",\"data_dir\":\"%s\",\"server\":{%s\"loops\":%u,\"log_level\":\"error\","
            "\"journal\":{\"segment_bytes\":4194304,\"max_bytes\":0,\"retain_ms\":0,\"queue_bytes\":16777216,"
            "\"sync_delay_us\":%s,\"window_us\":0}},"
            "\"listeners\":[{\"name\":\"public\",\"address\":\"x\",\"admin\":false},"
            "{\"name\":\"admin\",\"address\":\"x\",\"admin\":true}],"
            "\"receivers\":[{\"name\":\"echo\",\"use\":\"echo\",\"path\":\"%s/"
            "plugin_echo_receiver.so\"%s}]%s}",
            f->dir, server, f->loops, getenv("FIXTURE_SYNC_DELAY") ? getenv("FIXTURE_SYNC_DELAY") : "0",
            f->plugins, receiver, top) < 0)
        abort();
    return text;
}

static inline void fixture_child(const int *fds, size_t count)
{
    int high[16];
    for (size_t i = 0; i < count; i++)
        high[i] = fcntl(fds[i], F_DUPFD, 64);
    for (size_t i = 0; i < count; i++)
        (void)dup2(high[i], 3 + (int)i);
    for (size_t i = 0; i < count; i++)
        (void)close(high[i]);
    exit(ingest_main());
}

/* Waits for one message of ingest; NUL-terminated; false after 10 s or at its end. */
static inline bool fixture_hear(const fixture *f, char *text, size_t size)
{
    struct pollfd p = {.fd = f->control, .events = POLLIN};
    if (poll(&p, 1, 10000) != 1)
        return false;
    ssize_t n = recv(f->control, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static inline bool fixture_launch(fixture *f, const char *blob)
{
    int pair[2], blob_fd = fixture_memfd(blob);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    int fds[16] = {blob_fd, f->board_fd, pair[1]};
    size_t count = 3;
    f->port = f->admin_port = 0;
    for (unsigned i = 0; i < f->loops; i++)
        fds[count++] = fixture_listen(&f->port);
    for (unsigned i = 0; i < f->loops; i++)
        fds[count++] = fixture_listen(&f->admin_port);
    (void)fflush(stdout);
    f->pid = fork();
    if (f->pid == 0) {
        (void)close(pair[0]);
        fixture_child(fds, count);
    }
    f->control = pair[0];
    for (size_t i = 0; i < count; i++)
        if (i != 1)
            (void)close(fds[i]);
    char text[600];
    return fixture_hear(f, text, sizeof text) && strcmp(text, "ready") == 0;
}

static inline void fixture_place(fixture *f)
{
    *f = (fixture){.control = -1, .loops = 1};
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(f->dir, sizeof f->dir, "%s/test-ingest-XXXXXX", tmp && strlen(tmp) < 80 ? tmp : "/tmp");
    if (!mkdtemp(f->dir))
        abort();
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(f->plugins, sizeof f->plugins, "%.4000s/contract", self);
    f->board_fd = board_create();
    f->board = board_map(f->board_fd);
}

static inline bool fixture_start(fixture *f, const char *server, const char *receiver, const char *top)
{
    fixture_place(f);
    char *blob = fixture_blob(f, server, receiver, top);
    bool ok = fixture_launch(f, blob);
    free(blob);
    return ok;
}

/* The exit code; negative: the signal. */
static inline int fixture_wait(fixture *f)
{
    int status = 0;
    if (f->pid > 0)
        (void)waitpid(f->pid, &status, 0);
    f->pid = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int fixture_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline int fixture_stop(fixture *f)
{
    int code = 0;
    if (f->pid > 0) {
        (void)kill(f->pid, SIGTERM);
        code = fixture_wait(f);
    }
    if (f->control >= 0)
        (void)close(f->control);
    f->control = -1;
    return code;
}

static inline void fixture_end(fixture *f)
{
    (void)fixture_stop(f);
    (void)close(f->board_fd);
    (void)munmap(f->board, sizeof *f->board);
    (void)nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- client ---- */

static inline int client_open(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 20};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        abort();
    return fd;
}

static inline void client_send(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static inline bool client_bytes(int fd, char *out, size_t len)
{
    while (len) {
        ssize_t n = recv(fd, out, len, 0);
        if (n <= 0)
            return false;
        out += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads exactly one answer. head_only: to HEAD, 204 and 100. */
static inline answer client_read(int fd, bool head_only)
{
    static answer a;
    memset(&a, 0, sizeof a);
    size_t n = 0;
    while (n < sizeof a.head - 1 && !(n >= 4 && memcmp(a.head + n - 4, "\r\n\r\n", 4) == 0)) {
        if (!client_bytes(fd, a.head + n, 1)) {
            a.closed = true;
            return a;
        }
        n++;
    }
    (void)sscanf(a.head, "HTTP/1.%*d %d", &a.status);
    const char *length = strcasestr(a.head, "content-length:");
    a.closed = strcasestr(a.head, "connection: close") != NULL;
    if (!length || head_only || a.status == 204 || a.status < 200)
        return a;
    a.body_len = (size_t)strtoul(length + 15, NULL, 10);
    if (a.body_len >= sizeof a.body || !client_bytes(fd, a.body, a.body_len))
        a.status = 0;
    return a;
}

static inline answer client_ask(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
    return client_read(fd, strncmp(text, "HEAD", 4) == 0);
}

static inline answer client_once(uint16_t port, const char *text)
{
    int fd = client_open(port);
    answer a = client_ask(fd, text);
    (void)close(fd);
    return a;
}

static inline bool client_is_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

/* ---- journal ---- */

/* Calls visit for every stored record. Returns how many there are. */
static inline size_t stored(const fixture *f, void (*visit)(void *arg, const journal_item *item), void *arg)
{
    char dir[160];
    (void)snprintf(dir, sizeof dir, "%s/journal", f->dir);
    ss_error err = {.struct_size = sizeof err};
    journal_reader *r = journal_reader_open(dir, 0, 64u << 20, &err);
    if (!r) {
        printf("# %s\n", err.text);
        return 0;
    }
    size_t n = 0;
    journal_item item;
    enum journal_read what;
    while ((what = journal_reader_next(r, UINT64_MAX, &item, &err)) != JOURNAL_READ_END &&
           what != JOURNAL_READ_ERROR) {
        if (what == JOURNAL_READ_FULL)
            journal_reader_release(r);
        if (what != JOURNAL_READ_RECORD)
            continue;
        n++;
        if (visit)
            visit(arg, &item);
    }
    journal_reader_close(r);
    return n;
}

static inline void keep_last(void *arg, const journal_item *item)
{
    char *out = arg; /* 65536 bytes */
    size_t len = item->record.json.len < 65535 ? item->record.json.len : 65535;
    memcpy(out, item->record.json.ptr, len);
    out[len] = '\0';
}

static inline const char *stored_last(const fixture *f)
{
    static char text[65536];
    text[0] = '\0';
    (void)stored(f, keep_last, text);
    return text;
}

#endif

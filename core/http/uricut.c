/* uricut: libmicrohttpd parses the query string into a list of arguments before we see the request, which is
   the largest single cost of a tracking GET. The callback that logs the URI comes before that; a NUL behind
   the
   '?' hides the query, and is taken back afterwards. Nothing documents that this works, so it is used with
   exactly the release that was read (0.9.75), and only after this self-test: two requests over a socket pair.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/http/internal.h"

#define URICUT_VERSION "0.9.75"
#define URICUT_PASSES  16

typedef struct uricut_test {
    char *cut;
    char byte;
    unsigned seen, good, calls;
    bool failed;
} uricut_test;

static void *test_target(void *arg, const char *uri, struct MHD_Connection *mhd)
{
    (void)mhd;
    uricut_test *t = arg;
    char *query = strchr((char *)(uintptr_t)uri, '?');
    t->calls = 0;
    t->failed |= !query;
    if (query) {
        t->cut = query + 1;
        t->byte = *t->cut;
        *t->cut = '\0';
    }
    return t;
}

static enum MHD_Result count_argument(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    (void)key;
    (void)value;
    *(unsigned *)arg += 1;
    return MHD_YES;
}

static enum MHD_Result test_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                    const char *method, const char *version, const char *bytes, size_t *len,
                                    void **context)
{
    (void)method;
    (void)version;
    (void)bytes;
    (void)len;
    (void)context;
    uricut_test *t = arg;
    if (++t->calls == 1) { /* answering now would cost the connection */
        if (t->cut)
            *t->cut = t->byte;
        return MHD_YES;
    }
    unsigned arguments = 0;
    (void)MHD_get_connection_values(mhd, MHD_GET_ARGUMENT_KIND, count_argument, &arguments);
    const char *host = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Host");
    t->seen++;
    t->good += arguments == 0 && t->cut && strcmp(t->cut, "k=v%20w&x=1") == 0 && strcmp(url, "/a%20b") == 0 &&
               host && strcmp(host, "test") == 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(2, (void *)(uintptr_t) "ok", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(mhd, 200, response);
    MHD_destroy_response(response);
    return result;
}

static size_t test_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

static void test_message(void *arg, const char *format, va_list args)
{
    (void)arg;
    (void)format;
    (void)args;
}

static bool run_requests(struct MHD_Daemon *mhd, int pair[2], const uricut_test *t)
{
    static const char text[] = "GET /a%20b?k=v%20w&x=1 HTTP/1.1\r\nHost: test\r\n\r\n";
    struct sockaddr_un_like {
        sa_family_t family;
    } nowhere = {.family = AF_UNIX};
    if (MHD_add_connection(mhd, pair[1], (const struct sockaddr *)(const void *)&nowhere, sizeof nowhere) !=
        MHD_YES)
        return false;
    for (unsigned i = 1; i <= 2; i++) {
        char answer[512];
        ssize_t n = -1;
        if (write(pair[0], text, sizeof text - 1) != (ssize_t)sizeof text - 1)
            return false;
        for (int pass = 0; pass < URICUT_PASSES && n < 0; pass++) {
            (void)MHD_run(mhd);
            n = recv(pair[0], answer, sizeof answer, MSG_DONTWAIT);
        }
        if (n < 15 || memcmp(answer, "HTTP/1.1 200 OK", 15) != 0 || t->seen != i || t->good != i || t->failed)
            return false;
    }
    return true;
}

static bool try_it(void)
{
    if (strcmp(MHD_get_version(), URICUT_VERSION) != 0)
        return false;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    uricut_test t = {0};
    struct MHD_Daemon *mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL, test_request, &t,
        MHD_OPTION_EXTERNAL_LOGGER, test_message, NULL, MHD_OPTION_URI_LOG_CALLBACK, test_target, &t,
        MHD_OPTION_UNESCAPE_CALLBACK, test_unescape, NULL, MHD_OPTION_END);
    bool ok = mhd && run_requests(mhd, pair, &t);
    if (mhd)
        MHD_stop_daemon(mhd); /* closes pair[1] */
    else
        (void)close(pair[1]);
    (void)close(pair[0]);
    return ok;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool works;

static void find_out(void)
{
    works = try_it();
    if (!works)
        log_warn("libmicrohttpd %s is not the release whose inner order is known (%s): queries are parsed "
                 "twice, which "
                 "costs about 2 us a request",
                 MHD_get_version(), URICUT_VERSION);
}

bool uricut_works(void)
{
    (void)pthread_once(&once, find_out);
    return works;
}

#include "core/server/listen.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/check.h"

static bool splits(const char *address, const char *want_host, const char *want_port)
{
    char host[256] = "", port[16] = "";
    ss_error err = error_init();
    bool ok = listen_split(address, host, port, &err);
    if (ok && want_host && strcmp(host, want_host) == 0 && strcmp(port, want_port) == 0)
        return true;
    return !ok && !want_host && strstr(err.text, address) != NULL;
}

static void addresses(void)
{
    CHECK(splits("127.0.0.1:8080", "127.0.0.1", "8080"));
    CHECK(splits("localhost:0", "localhost", "0"));
    CHECK(splits("[::1]:80", "::1", "80"));
    CHECK(splits(":80", "0.0.0.0", "80"));
    CHECK(splits("80", "0.0.0.0", "80"));
    CHECK(splits("127.0.0.1", NULL, NULL));
    CHECK(splits("127.0.0.1:", NULL, NULL));
    CHECK(splits("127.0.0.1:65536", NULL, NULL));
    CHECK(splits("127.0.0.1:-1", NULL, NULL));
    CHECK(splits("127.0.0.1:80x", NULL, NULL));
    CHECK(splits("::1:80", NULL, NULL));
    CHECK(splits("[::1]80", NULL, NULL));
    CHECK(splits("[::1", NULL, NULL));
}

static unsigned port_of(int fd)
{
    struct sockaddr_in6 at;
    socklen_t len = sizeof at;
    (void)getsockname(fd, (struct sockaddr *)&at, &len);
    return ntohs(at.sin6_port); /* the same place as in sockaddr_in */
}

static void all_share_a_free_port(void)
{
    int fds[3];
    char bound[LISTEN_ADDRESS_BYTES];
    ss_error err = error_init();
    REQUIRE(listen_open("127.0.0.1:0", 3, 0, fds, bound, &err) == 0);
    CHECK(port_of(fds[0]) != 0 && port_of(fds[0]) == port_of(fds[1]) && port_of(fds[1]) == port_of(fds[2]));
    char want[64];
    (void)snprintf(want, sizeof want, "127.0.0.1:%u", port_of(fds[0]));
    CHECK_STR(bound, want);
    for (int i = 0; i < 3; i++) {
        CHECK((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
        (void)close(fds[i]);
    }
}

static void a_taken_address_is_refused(void)
{
    int fds[2], again[2];
    char bound[LISTEN_ADDRESS_BYTES], other[LISTEN_ADDRESS_BYTES];
    ss_error err = error_init();
    REQUIRE(listen_open("127.0.0.1:0", 2, 0, fds, bound, &err) == 0);
    CHECK(listen_open(bound, 2, 0, again, other, &err) == -1);
    CHECK(strstr(err.text, "another program listens there") != NULL);
    (void)close(fds[0]);
    (void)close(fds[1]);
    CHECK(listen_open(bound, 2, 0, again, other, &err) == 0);
    (void)close(again[0]);
    (void)close(again[1]);
}

static void waits_for_the_address(void)
{
    int fds[1], again[1];
    char bound[LISTEN_ADDRESS_BYTES], other[LISTEN_ADDRESS_BYTES];
    ss_error err = error_init();
    REQUIRE(listen_open("127.0.0.1:0", 1, 0, fds, bound, &err) == 0);
    pid_t holder = fork();
    if (holder == 0) {
        (void)usleep(200000);
        _exit(0);
    }
    (void)close(fds[0]); /* the child still holds it, as the ingest of a killed server would */
    CHECK(listen_open(bound, 1, 10000, again, other, &err) == 0);
    (void)waitpid(holder, NULL, 0);
    (void)close(again[0]);
}

static void other_addresses(void)
{
    int fds[1];
    char bound[LISTEN_ADDRESS_BYTES];
    ss_error err = error_init();
    CHECK(listen_open("192.0.2.1:0", 1, 0, fds, bound, &err) == -1);
    CHECK(strstr(err.text, "no such address") != NULL);
    CHECK(listen_open("no.such.host.invalid:1", 1, 0, fds, bound, &err) == -1);
    if (listen_open("[::1]:0", 1, 0, fds, bound, &err) == 0) { /* not every machine has IPv6 */
        CHECK(strncmp(bound, "[::1]:", 6) == 0);
        (void)close(fds[0]);
    }
}

static const check_test tests[] = {
    TEST(addresses),
    TEST(all_share_a_free_port),
    TEST(a_taken_address_is_refused),
    TEST(waits_for_the_address),
    TEST(other_addresses),
};
CHECK_MAIN(tests)

#include "core/server/control.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/server/watch.h"
#include "tests/unit/check.h"

typedef struct server {
    char dir[64], last[CONTROL_REQUEST_MAX];
    int loop, fd;
    control *control;
    control_client *held;
    _Atomic int holding;
    pthread_mutex_t lock; /* of last */
    _Atomic int stop;
    pthread_t thread;
} server;

static void handle(void *arg, control_client *client, const char *request)
{
    server *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    (void)snprintf(s->last, sizeof s->last, "%s", request);
    (void)pthread_mutex_unlock(&s->lock);
    if (strcmp(request, "fd") == 0) {
        control_answer(client, true, ss_cstr("here"), s->fd);
    } else if (strcmp(request, "big") == 0) {
        static char big[CONTROL_ANSWER_MAX];
        memset(big, 'b', sizeof big);
        control_answer(client, true, ss_s(big, sizeof big), -1);
    } else if (strcmp(request, "hold") == 0) {
        s->held = client;
        atomic_store(&s->holding, 1);
    } else if (strcmp(request, "free") == 0) {
        control_answer(s->held, true, ss_cstr("late"), -1);
        control_answer(client, true, ss_cstr("freed"), -1);
    } else if (strcmp(request, "no") == 0) {
        control_answer(client, false, ss_cstr("because"), -1);
    } else {
        control_answer(client, true, ss_s("", 0), -1);
    }
}

static void *serve(void *arg)
{
    server *s = arg;
    while (!atomic_load(&s->stop)) {
        (void)control_expire(s->control);
        (void)watch_run_once(s->loop, 10);
    }
    return NULL;
}

static bool start(server *s)
{
    ss_error err = error_init();
    *s = (server){.lock = PTHREAD_MUTEX_INITIALIZER, .fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/streamsteam-control-XXXXXX");
    s->loop = watch_new_loop();
    if (!mkdtemp(s->dir))
        return false;
    s->control = control_open(s->dir, s->loop, handle, s, &err);
    return s->control && pthread_create(&s->thread, NULL, serve, s) == 0;
}

static void stop(server *s)
{
    atomic_store(&s->stop, 1);
    (void)pthread_join(s->thread, NULL);
    control_close(s->control);
    (void)close(s->loop);
    (void)close(s->fd);
    CHECK(rmdir(s->dir) == 0); /* the socket file is gone */
}

static int ask(server *s, const char *request, buf *answer, int *fd)
{
    ss_error err = error_init();
    buf_init(answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask(s->dir, request, answer, fd, &err);
    if (rc < 0)
        printf("# %s\n", err.text);
    return rc;
}

static void answers_and_refusals(void)
{
    server s;
    buf answer;
    REQUIRE(start(&s));
    CHECK_INT(ask(&s, "module lake flush", &answer, NULL), 0);
    CHECK_STR(buf_text(&answer), "");
    (void)pthread_mutex_lock(&s.lock);
    CHECK_STR(s.last, "module lake flush");
    (void)pthread_mutex_unlock(&s.lock);
    buf_fini(&answer);
    CHECK_INT(ask(&s, "no", &answer, NULL), 1);
    CHECK_STR(buf_text(&answer), "because");
    buf_fini(&answer);
    stop(&s);
}

static void a_descriptor_comes_along(void)
{
    server s;
    buf answer;
    int fd = -1;
    struct stat null, got;
    REQUIRE(start(&s));
    CHECK_INT(ask(&s, "fd", &answer, &fd), 0);
    CHECK_STR(buf_text(&answer), "here");
    REQUIRE(fd >= 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(fstat(fd, &got) == 0 && stat("/dev/null", &null) == 0 && got.st_rdev == null.st_rdev);
    (void)close(fd);
    buf_fini(&answer);
    CHECK_INT(ask(&s, "fd", &answer, NULL), 0); /* not wanted: closed, not leaked */
    buf_fini(&answer);
    stop(&s);
}

static void *ask_held(void *arg)
{
    buf answer;
    int rc = ask(arg, "hold", &answer, NULL);
    bool right = rc == 0 && strcmp(buf_text(&answer), "late") == 0;
    buf_fini(&answer);
    return right ? arg : NULL;
}

static void a_large_answer_and_a_late_one(void)
{
    server s;
    buf answer;
    REQUIRE(start(&s));
    CHECK_INT(ask(&s, "big", &answer, NULL), 0);
    CHECK_INT(answer.len, CONTROL_ANSWER_MAX);
    buf_fini(&answer);
    pthread_t waiting;
    void *late = NULL;
    REQUIRE(pthread_create(&waiting, NULL, ask_held, &s) == 0);
    while (!atomic_load(&s.holding))
        (void)usleep(1000);
    CHECK_INT(ask(&s, "free", &answer, NULL), 0);
    buf_fini(&answer);
    (void)pthread_join(waiting, &late);
    CHECK(late == &s);
    stop(&s);
}

static int raw_connect(const server *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/control.sock", s->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&at, sizeof at) == 0 ? fd : -1;
}

static void rude_clients(void)
{
    server s;
    buf answer;
    char text[CONTROL_REQUEST_MAX + 64];
    REQUIRE(start(&s));
    struct stat st;
    (void)snprintf(text, sizeof text, "%s/control.sock", s.dir);
    CHECK(stat(text, &st) == 0 && (st.st_mode & 0777) == 0600);
    int fd = raw_connect(&s);
    REQUIRE(fd >= 0);
    memset(text, 'x', sizeof text);
    CHECK(send(fd, text, sizeof text, MSG_NOSIGNAL) > 0);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    CHECK(n > 6 && memcmp(text, "error ", 6) == 0);
    (void)close(fd);
    fd = raw_connect(&s); /* half a line, then gone */
    CHECK(send(fd, "sta", 3, MSG_NOSIGNAL) == 3);
    (void)close(fd);
    int many[CONTROL_CLIENTS_MAX + 4];
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 4; i++)
        many[i] = raw_connect(&s);
    n = recv(many[CONTROL_CLIENTS_MAX + 3], text, 1, 0); /* one too many: closed at once */
    CHECK(n <= 0);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX + 4; i++)
        (void)close(many[i]);
    int rc = -1; /* the server sees the hang-ups one by one */
    for (int i = 0; i < 200 && rc != 0; i++) {
        rc = ask(&s, "status", &answer, NULL);
        buf_fini(&answer);
    }
    CHECK_INT(rc, 0);
    stop(&s);
}

static void nobody_there(void)
{
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, 100);
    CHECK_INT(control_ask("/tmp/no-such-directory-here", "status", &answer, NULL, &err), -1);
    CHECK(strstr(err.text, "-d DIR") != NULL);
    CHECK_INT(control_ask("/tmp", "status", &answer, NULL, &err), -1);
    CHECK(strstr(err.text, "streamsteam serve") != NULL);
    buf_fini(&answer);
}

static void a_stale_socket_is_replaced(void)
{
    server s;
    ss_error err = error_init();
    char dir[] = "/tmp/streamsteam-control-XXXXXX", path[128];
    REQUIRE(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/control.sock", dir);
    int fd = open(path, O_CREAT | O_CLOEXEC, 0644);
    REQUIRE(fd >= 0);
    (void)close(fd);
    memset(&s, 0, sizeof s);
    int loop = watch_new_loop();
    control *c = control_open(dir, loop, handle, &s, &err);
    CHECK(c != NULL);
    control_close(c);
    (void)close(loop);
    CHECK(rmdir(dir) == 0);
}

static const check_test tests[] = {
    TEST(answers_and_refusals),
    TEST(a_descriptor_comes_along),
    TEST(a_large_answer_and_a_late_one),
    TEST(rude_clients),
    TEST(nobody_there),
    TEST(a_stale_socket_is_replaced),
};
CHECK_MAIN(tests)

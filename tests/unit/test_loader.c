/* The loader's gates and what every host table shares. Opens the sample plugins of tests/contract. */
#include "plugins/loader/loader.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

#include "core/base/buf.h"
#include "plugins/loader/host_base.h"
#include "plugins/loader/remove_tree.h"
#include "tests/unit/check.h"

/* BUILD/tests/contract/plugin_NAME.so */
static const char *sample(const char *name, char out[PATH_MAX])
{
    char exe[PATH_MAX] = "";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0)
        exe[n] = '\0';
    (void)snprintf(out, PATH_MAX, "%.3000s/contract/plugin_%s.so", dirname(exe), name);
    return out;
}

static const ss_plugin *open_sample(const char *name, uint32_t kind, ss_error *err)
{
    char path[PATH_MAX];
    *err = error_init();
    return loader_open(sample(name, path), kind, err);
}

static void opens_each_kind(void)
{
    ss_error err;
    const ss_plugin *p = open_sample("receiver", SS_RECEIVER, &err);
    CHECK_STR(err.text, "");
    REQUIRE(p);
    CHECK_STR(p->name, "note");
    CHECK_STR(loader_field(p, 0).name, "text");
    CHECK(loader_field(p, 1).name == NULL);
    CHECK_STR(loader_option(p, p->options, 0).name, "app");
    CHECK_STR(loader_route(p, 0).path, "/note");
    CHECK(loader_view(p, 0).name == NULL);
    CHECK(open_sample("enricher", SS_ENRICHER, &err) != NULL);
    CHECK(open_sample("module", SS_MODULE, &err) != NULL);
    CHECK(open_sample("module", 0, &err) != NULL);
    CHECK(open_sample("options", SS_MODULE, &err) != NULL);
}

static void refuses(const char *name, uint32_t kind, const char *reason, const char *remedy)
{
    ss_error err;
    CHECK(open_sample(name, kind, &err) == NULL);
    char file[64];
    (void)snprintf(file, sizeof file, "plugin_%s.so", name);
    if (!strstr(err.text, reason) || !strstr(err.text, remedy) || !strstr(err.text, file)) {
        CHECK(false); /* the refusal names the file, the reason and the remedy */
        printf("# %s\n", err.text);
    }
}

static void refusals_name_file_versions_and_remedy(void)
{
    char text[128];
    (void)snprintf(text, sizeof text,
                   "built for plugin contract 1.0, this server " SS_VERSION " speaks %u.%u", SS_ABI_MAJOR,
                   SS_ABI_MINOR);
    refuses("abi_major", SS_ENRICHER, text, "rebuild it");
    (void)snprintf(text, sizeof text,
                   "built for plugin contract 0.%u, this server " SS_VERSION " speaks %u.%u",
                   SS_ABI_MINOR + 6, SS_ABI_MAJOR, SS_ABI_MINOR);
    refuses("abi_minor", SS_ENRICHER, text, "upgrade the server");
    (void)snprintf(text, sizeof text, "bytes, that of plugin contract %u.%u", SS_ABI_MAJOR, SS_ABI_MINOR);
    refuses("bigger", SS_ENRICHER, text, "rebuild it");
    refuses("no_doc", SS_ENRICHER, "option 'silent' has no doc", "give it one sentence");
    refuses("no_symbol", SS_MODULE, "does not export ss_plugin_v0()", "SS_PLUGIN(descriptor)");
    refuses("undefined", SS_MODULE, "function_that_nobody_has", "link what it calls");
    refuses("receiver", SS_MODULE, "a receiver, but a module is wanted", "under 'receivers:'");
}

static void refuses_what_is_no_shared_object(void)
{
    char path[] = "/tmp/streamsteam-noelf-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    CHECK(write(fd, "#!/bin/sh\n", 10) == 10);
    (void)close(fd);
    ss_error err = error_init();
    CHECK(loader_open(path, SS_MODULE, &err) == NULL);
    CHECK(strstr(err.text, "not a shared object") != NULL && strstr(err.text, path) != NULL);
    CHECK(truncate(path, 0) == 0);
    CHECK(loader_open(path, SS_MODULE, &err) == NULL);
    CHECK(strstr(err.text, "not a shared object") != NULL);
    (void)unlink(path);
    CHECK(loader_open(path, SS_MODULE, &err) == NULL);
    CHECK(strstr(err.text, "No such file") != NULL);
}

/* ---- finding ---- */

typedef struct found {
    size_t count;
    char last[64];
} found;

static void count_one(void *arg, const char *path, uint32_t kind, const char *name)
{
    found *f = arg;
    (void)path;
    f->count++;
    (void)snprintf(f->last, sizeof f->last, "%u %s", kind, name);
}

static void copy_file(const char *from, const char *to)
{
    char command[2 * PATH_MAX + 16];
    (void)snprintf(command, sizeof command, "cp %s %s", from, to);
    CHECK(system(command) == 0);
}

static void finds_by_name_and_refuses_doubles(void)
{
    char a[] = "/tmp/streamsteam-a-XXXXXX", b[] = "/tmp/streamsteam-b-XXXXXX", from[PATH_MAX], to[PATH_MAX],
         out[PATH_MAX];
    REQUIRE(mkdtemp(a) && mkdtemp(b));
    const char *dirs[] = {a, b};
    (void)snprintf(to, sizeof to, "%s/receiver-note.so", a);
    copy_file(sample("receiver", from), to);
    ss_error err = error_init();
    CHECK(loader_find(dirs, 2, SS_RECEIVER, "note", out, &err));
    CHECK(strstr(out, "/receiver-note.so") != NULL);
    CHECK(loader_open(out, SS_RECEIVER, &err) != NULL);
    found f = {0};
    CHECK_INT(loader_list(a, count_one, &f), 0);
    CHECK_INT(f.count, 1);
    CHECK_STR(f.last, "1 note");
    CHECK_INT(loader_list("/nonexistent", count_one, &f), -1);

    CHECK(!loader_find(dirs, 2, SS_MODULE, "note", out, &err));
    CHECK_INT(err.code, LOADER_UNKNOWN);
    CHECK(strstr(err.text, "there is no module-note.so in") != NULL);
    CHECK(loader_find(NULL, 0, SS_RECEIVER, to, out, &err)); /* a path needs no directory */

    (void)snprintf(to, sizeof to, "%s/receiver-note.so", b);
    copy_file(from, to);
    CHECK(!loader_find(dirs, 2, SS_RECEIVER, "note", out, &err));
    CHECK(strstr(err.text, "is there twice") != NULL && strstr(err.text, a) != NULL &&
          strstr(err.text, b) != NULL);
    CHECK_INT(err.code, 0);

    (void)snprintf(to, sizeof to, "%s/receiver-other.so", b);
    copy_file(from, to);
    CHECK(loader_open(to, SS_RECEIVER, &err) == NULL);
    CHECK(strstr(err.text, "rename the file to receiver-note.so") != NULL);
    remove_tree(a);
    remove_tree(b);
}

/* ---- host table ---- */

static void a_host_has_a_directory_and_state_that_stays(void)
{
    char data[] = "/tmp/streamsteam-host-XXXXXX";
    REQUIRE(mkdtemp(data));
    ss_error err = error_init();
    host_base h;
    REQUIRE(host_base_init(&h, "receiver", "note", data, &err) == 0);
    CHECK(ss_eq(h.table.instance, SS_LIT("note")));
    struct stat st;
    ss_str dir = h.table.data_dir(h.table.self);
    CHECK(stat(dir.ptr, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 077) == 0);
    char *state = h.table.state_file(h.table.self, "visits", 100000, &err);
    REQUIRE(state);
    CHECK(state[0] == 0 && state[99999] == 0);
    state[99999] = 'x';
    CHECK(h.table.state_file(h.table.self, "visits", 100000, &err) == state);
    CHECK(h.table.state_file(h.table.self, "../visits", 100, &err) == NULL);
    CHECK(h.table.state_file(h.table.self, "visits", 0, &err) == NULL);
    host_base_fini(&h);

    REQUIRE(host_base_init(&h, "receiver", "note", data, &err) == 0);
    state = h.table.state_file(h.table.self, "visits", 100000, &err);
    REQUIRE(state);
    CHECK(state[99999] == 'x');
    char *fresh = h.table.state_file(h.table.self, "visits", 5, &err); /* another size starts anew */
    REQUIRE(fresh);
    CHECK(fresh[0] == 0);
    CHECK(state[99999] == 'x'); /* and who still has the old one keeps it */
    host_base_fini(&h);
    CHECK(host_base_init(&h, "receiver", "note", "/proc/nowhere", &err) == -1);
    CHECK(strstr(err.text, "let the server's user write") != NULL);
    remove_tree(data);
}

static void a_dry_host_leaves_nothing_behind(void)
{
    host_base h;
    host_base_init_dry(&h, "module", "append");
    ss_error err = error_init();
    char dir[PATH_MAX];
    ss_str given = h.table.data_dir(h.table.self);
    REQUIRE(given.len > 0);
    (void)snprintf(dir, sizeof dir, "%.*s", (int)given.len, given.ptr);
    CHECK(access(dir, F_OK) == 0);
    CHECK(h.table.state_file(h.table.self, "s", 10, &err) != NULL);
    char inner[PATH_MAX + 8];
    (void)snprintf(inner, sizeof inner, "%s/a", dir);
    CHECK(mkdir(inner, 0700) == 0);
    (void)snprintf(inner, sizeof inner, "%s/a/b", dir);
    CHECK(symlink("/", inner) == 0);
    CHECK(h.table.every(h.table.self, 1000, NULL, NULL) != NULL);
    CHECK_INT(h.table.commit(h.table.self, 1, NULL, 0, 0, &err), SS_DECLINE);
    CHECK(h.table.event_new(NULL) == NULL);
    CHECK(h.table.counter(h.table.self, "x_total", "X.", "") == NULL);
    h.table.metric_add(NULL, 1);
    host_base_fini(&h);
    CHECK(access(dir, F_OK) != 0);
}

static size_t count_lines(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    size_t lines = 0;
    text[n > 0 ? n : 0] = '\0';
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    return lines;
}

static void the_log_is_limited_and_names_the_instance(void)
{
    char path[] = "/tmp/streamsteam-hostlog-XXXXXX", text[65536], data[] = "/tmp/streamsteam-host-XXXXXX";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    REQUIRE(fd >= 0 && saved >= 0 && mkdtemp(data));
    ss_error err = error_init();
    host_base h;
    REQUIRE(host_base_init(&h, "module", "lake", data, &err) == 0);
    (void)dup2(fd, STDERR_FILENO);
    for (int i = 0; i < 100; i++)
        h.table.log(h.table.self, SS_WARNING, "again %s");
    (void)dup2(saved, STDERR_FILENO);
    size_t lines = count_lines(fd, text, sizeof text);
    CHECK(lines >= HOST_LOG_LINES_PER_SECOND && lines <= 2 * HOST_LOG_LINES_PER_SECOND + 2);
    CHECK(strstr(text, "\"instance\":\"module lake\"") != NULL);
    CHECK(strstr(text, "again %s") != NULL); /* text, not a format */
    (void)close(fd), (void)close(saved);
    (void)unlink(path);
    host_base_fini(&h);
    remove_tree(data);
}

static void alarms_are_kept_and_cleared(void)
{
    char data[] = "/tmp/streamsteam-host-XXXXXX", text[256];
    REQUIRE(mkdtemp(data));
    ss_error err = error_init();
    host_base h;
    REQUIRE(host_base_init(&h, "module", "lake", data, &err) == 0);
    h.table.alarm(h.table.self, "disk", "the disk is full");
    h.table.alarm(h.table.self, "slow", "it is slow");
    CHECK(host_base_alarms(&h, text, sizeof text) > 0);
    CHECK_STR(text, "disk: the disk is full; slow: it is slow");
    h.table.alarm(h.table.self, "disk", NULL);
    (void)host_base_alarms(&h, text, sizeof text);
    CHECK_STR(text, "slow: it is slow");
    (void)host_base_alarms(&h, text, 6);
    CHECK_STR(text, "slow:");
    unsigned char a[32] = {0}, b[32] = {0};
    h.table.random(h.table.self, a, sizeof a);
    h.table.random(h.table.self, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    host_base_fini(&h);
    remove_tree(data);
}

static const ss_field own[] = {{.name = "a", .type = SS_FIELD_INT, .doc = "A."},
                               {.name = "b.c", .type = SS_FIELD_JSON, .doc = "B."},
                               {.name = NULL}};

static const ss_field *own_fields(void *inst)
{
    return inst ? inst : own;
}

static void instances_may_have_fields_of_their_own(void)
{
    static const ss_field fixed[] = {{.name = "x", .type = SS_FIELD_INT, .doc = "X."}, {.name = NULL}};
    static ss_field twice[] = {{.name = "a", .type = SS_FIELD_INT, .doc = "A."},
                               {.name = "a", .type = SS_FIELD_INT, .doc = "A."},
                               {.name = NULL}};
    ss_plugin p = {SS_PLUGIN_HEADER, .name = "own", .fields = fixed};
    const ss_field *fields;
    ss_error err = error_init();
    CHECK(loader_instance_fields(&p, NULL, &fields, &err) && fields == fixed);
    p.instance_fields = own_fields;
    CHECK(loader_instance_fields(&p, NULL, &fields, &err) && fields == own);
    CHECK_STR(loader_field_of(&p, fields, 1).name, "b.c");
    CHECK(loader_field_of(&p, fields, 2).name == NULL);
    CHECK(!loader_instance_fields(&p, twice, &fields, &err));
    CHECK_STR(err.text, "own: field 'a' is declared twice");
    /* One that was built before 0.2 ends in front of the callback: it is not looked at. */
    p.struct_size = offsetof(ss_plugin, instance_fields);
    CHECK(loader_instance_fields(&p, twice, &fields, &err) && fields == fixed);
}

static const check_test tests[] = {
    TEST(instances_may_have_fields_of_their_own),
    TEST(opens_each_kind),
    TEST(refusals_name_file_versions_and_remedy),
    TEST(refuses_what_is_no_shared_object),
    TEST(finds_by_name_and_refuses_doubles),
    TEST(a_host_has_a_directory_and_state_that_stays),
    TEST(a_dry_host_leaves_nothing_behind),
    TEST(the_log_is_limited_and_names_the_instance),
    TEST(alarms_are_kept_and_cleared),
};
CHECK_MAIN(tests)

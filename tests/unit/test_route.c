#include "core/pipeline/route.h"
#include "tests/unit/check.h"

static route_table *table(const char *const rows[][3], size_t count)
{
    ss_error err = {.struct_size = sizeof err};
    route_table *t = route_table_new();
    for (size_t i = 0; i < count; i++)
        if (!route_add(t, ss_cstr(rows[i][0]), rows[i][1], rows[i][2][0] == 'p' ? SS_ROUTE_PREFIX : 0,
                       ss_cstr(rows[i][0]), (void *)(uintptr_t)rows[i][0], &err))
            printf("# %s\n", err.text);
    CHECK(route_table_seal(t, &err));
    return t;
}

/* The declared paths in the order in which they would be asked, joined by blanks. */
static const char *walk(const route_table *t, const char *path, const char *method, route_walk *w)
{
    static char text[1024];
    text[0] = '\0';
    route_walk_start(w, t, ss_cstr(path), route_method_of(ss_cstr(method)));
    for (const route_entry *e; (e = route_walk_next(w)) != NULL;)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", text[0] ? " " : "",
                       (int)e->declared.len, e->declared.ptr);
    return text;
}

static void finds_routes(void)
{
    static const char *const rows[][3] = {
        {"/matomo.php", "GET|POST", ""}, {"/", "GET", ""},        {"/v1/{app}/events", "POST", ""},
        {"/v1/x/events", "POST", ""},    {"/static", "GET", "p"}, {"/static/js", "*", "p"},
        {"/matomo.php", "GET", ""},      {"/a/{b}/{c}", "*", ""},
    };
    route_table *t = table(rows, sizeof rows / sizeof rows[0]);
    route_walk w;
    CHECK_STR(walk(t, "/matomo.php", "GET", &w), "/matomo.php /matomo.php");
    CHECK_STR(walk(t, "/matomo.php/", "POST", &w), "/matomo.php");
    CHECK_STR(walk(t, "/matomo.php//", "GET", &w), "");
    CHECK_STR(walk(t, "/", "GET", &w), "/");
    CHECK_STR(walk(t, "/v1/x/events", "POST", &w), "/v1/x/events /v1/{app}/events");
    CHECK_STR(walk(t, "/v1//events", "POST", &w), "");
    CHECK_STR(walk(t, "/v1/x/events/more", "POST", &w), "");
    CHECK_STR(walk(t, "/static/js/a.js", "GET", &w), "/static/js /static");
    CHECK_STR(walk(t, "/static", "GET", &w), "/static");
    CHECK_STR(walk(t, "/staticx", "GET", &w), "");
    CHECK_STR(walk(t, "", "GET", &w), "");
    CHECK_INT(w.methods_seen, 0);
    CHECK_STR(walk(t, "/matomo.php", "DELETE", &w), "");
    CHECK_INT(w.methods_seen, ROUTE_GET | ROUTE_POST);
    char text[64];
    (void)route_put_methods(w.methods_seen, text, sizeof text);
    CHECK_STR(text, "GET, POST");
    CHECK_STR(walk(t, "/static/js", "BREW", &w), "/static/js");
    route_walk_start(&w, t, SS_LIT("/a/one/two"), ROUTE_GET);
    REQUIRE(route_walk_next(&w) != NULL);
    CHECK_INT(w.param_count, 2);
    CHECK(ss_eq(w.params[0].key, SS_LIT("b")) && ss_eq(w.params[0].value, SS_LIT("one")));
    CHECK(ss_eq(w.params[1].key, SS_LIT("c")) && ss_eq(w.params[1].value, SS_LIT("two")));
    route_table_free(t);
}

static void refuses_bad_routes(void)
{
    static const char *const bad[][2] = {
        {"nope", "GET"},  {"", "GET"},      {"/a", "FETCH"}, {"/a", ""},
        {"/x{y}", "GET"}, {"/{y}x", "GET"}, {"/{y", "GET"},  {"/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}", "GET"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ss_error err = {.struct_size = sizeof err};
        route_table *t = route_table_new();
        CHECK(!route_add(t, ss_cstr(bad[i][0]), bad[i][1], 0, ss_cstr(bad[i][0]), NULL, &err));
        CHECK(err.text[0]);
        route_table_free(t);
    }
}

static const check_test tests[] = {TEST(finds_routes), TEST(refuses_bad_routes)};
CHECK_MAIN(tests)

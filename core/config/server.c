#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/prefix.h"
#include "core/config/config_inside.h"
#include "core/config/value.h"

static const tree *server_of(const config *c)
{
    return c->files.sections[MERGE_SERVER];
}

place config_key_place(const tree *map, const char *key, place otherwise)
{
    const tree_item *item = tree_find(map, key);
    return item ? item->value->at : otherwise;
}

/* Item n of server.KEY, or the value itself. */
static place item_place(const config *c, const char *key, size_t n)
{
    config_instance server = {.node = server_of(c), .at = server_of(c)->at};
    return config_item_place(&server, key, n);
}

/* ---- addresses ---- */

/* HOST:PORT, [IPv6]:PORT, :PORT */
static bool good_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || !isdigit((unsigned char)colon[1]) || !value_int(colon + 1, &port) || port > 65535)
        return false;
    char host[256];
    int n = snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (n < 0 || (size_t)n >= sizeof host)
        return false;
    size_t len = strlen(host);
    if (host[0] == '[') {
        struct in6_addr six;
        if (host[len - 1] != ']')
            return false;
        host[len - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &six) == 1;
    }
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)host[i]) && host[i] != '.' && host[i] != '-')
            return false;
    return true;
}

static void check_address(config *c, place at, const char *path, const char *text)
{
    if (!good_address(text))
        problems_add(&c->problems, at,
                     "%s: not an address; write HOST:PORT, [IPv6]:PORT or :PORT, with a port from 0 "
                     "to 65535",
                     path);
}

static void check_listeners(config *c)
{
    const json_t *listen = json_object_get(c->server, "listen");
    const char *admin = json_string_value(json_object_get(c->server, "admin"));
    place admin_at = config_key_place(server_of(c), "admin", server_of(c)->at);
    if (admin && strcmp(admin, "off") == 0) {
        (void)json_object_set_new(c->server, "admin", json_string(""));
        admin = "";
    }
    if (admin && *admin)
        check_address(c, admin_at, "server.admin", admin);
    for (size_t i = 0; i < json_array_size(listen); i++) {
        const char *one = json_string_value(json_array_get(listen, i));
        check_address(c, item_place(c, "listen", i), "server.listen", one);
        size_t len = strlen(one);
        bool any_port = len > 2 && strcmp(one + len - 2, ":0") == 0;
        bool twice = !any_port && admin && strcmp(admin, one) == 0;
        for (size_t j = 0; j < i && !any_port; j++)
            twice |= strcmp(json_string_value(json_array_get(listen, j)), one) == 0;
        if (twice)
            problems_add(&c->problems, item_place(c, "listen", i),
                         "server.listen: the same address twice (server.admin counts too); give each "
                         "listener its own");
    }
}

/* ADDRESS or ADDRESS/BITS */
static bool good_network(const char *text)
{
    char host[64];
    struct in6_addr six;
    const char *slash = strchr(text, '/');
    int64_t bits = 0;
    int n = snprintf(host, sizeof host, "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
    if (n < 0 || (size_t)n >= sizeof host ||
        (slash && (!isdigit((unsigned char)slash[1]) || !value_int(slash + 1, &bits))))
        return false;
    if (inet_pton(AF_INET, host, &six) == 1)
        return bits <= 32;
    return inet_pton(AF_INET6, host, &six) == 1 && bits <= 128;
}

static void check_networks(config *c)
{
    const json_t *list = json_object_get(c->server, "trusted_proxies");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!good_network(json_string_value(json_array_get(list, i))))
            problems_add(&c->problems, item_place(c, "trusted_proxies", i),
                         "server.trusted_proxies: not an address or a network; write 10.0.0.7, 10.0.0.0/8 or "
                         "fd00::/8");
}

static void check_headers(config *c)
{
    const json_t *list = json_object_get(c->server, "client_ip_headers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        size_t len = strlen(name);
        if (len == 0 || len > 63 ||
            strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != len)
            problems_add(
                &c->problems, item_place(c, "client_ip_headers", i),
                "server.client_ip_headers: not the name of a header; write X-Forwarded-For, X-Real-IP "
                "or CF-Connecting-IP");
    }
}

/* ---- directories ---- */

static const char *keep(config *c, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_take(&c->arena, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static void set_data_dir(config *c)
{
    const char *given = json_string_value(json_object_get(c->server, "data_dir"));
    place at = config_key_place(server_of(c), "data_dir", server_of(c)->at);
    char cwd[PATH_MAX] = "";
    if (!given || !*given) {
        if (given)
            problems_add(&c->problems, at, "server.data_dir: must not be empty");
        given = "var";
    }
    if (given[0] != '/' && !getcwd(cwd, sizeof cwd))
        problems_add(&c->problems, at, "server.data_dir: relative, but the working directory is gone: %s",
                     strerror(errno));
    int n = snprintf(c->data_dir, sizeof c->data_dir, "%s%s%s", given[0] == '/' ? "" : cwd,
                     given[0] == '/' ? "" : "/", given);
    if (n < 0 || (size_t)n >= sizeof c->data_dir / 2)
        problems_add(&c->problems, at, "server.data_dir: the path is too long");
    (void)json_object_set_new(c->server, "data_dir", json_string(c->data_dir));
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Beside the binary's folder (a build tree), else the installed ones: never both, or each plugin would be
   there twice for who has installed what he also builds. */
static const char *default_dir(config *c)
{
    char exe[PATH_MAX], dir[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
        int len = snprintf(dir, sizeof dir, "%s/../plugins", exe);
        char real[PATH_MAX];
        if (len > 0 && (size_t)len < sizeof dir && is_dir(dir) && realpath(dir, real))
            return keep(c, real);
    }
    return keep(c, prefix_path("lib/streamsteam/plugins", dir));
}

static void set_plugin_dirs(config *c)
{
    json_t *given = json_object_get(c->server, "plugin_dirs"), *all = json_array();
    size_t count = json_array_size(given);
    if (count == 0)
        c->dirs[c->dir_count++] = default_dir(c);
    for (size_t i = 0; i < count && c->dir_count < CONFIG_DIRS_MAX; i++) {
        const char *one = json_string_value(json_array_get(given, i));
        char path[PATH_MAX];
        int n =
            snprintf(path, sizeof path, "%s%s%s", one[0] == '/' ? "" : c->dir, one[0] == '/' ? "" : "/", one);
        if (n < 0 || (size_t)n >= sizeof path || !is_dir(path))
            problems_add(&c->problems, item_place(c, "plugin_dirs", i),
                         "server.plugin_dirs: no directory %.256s", path);
        else
            c->dirs[c->dir_count++] = keep(c, path);
    }
    for (size_t i = 0; i < c->dir_count; i++)
        (void)json_array_append_new(all, json_string(c->dirs[i]));
    (void)json_object_set_new(c->server, "plugin_dirs", all);
}

static void check_journal(config *c)
{
    const json_t *journal = json_object_get(c->server, "journal");
    int64_t max = json_integer_value(json_object_get(journal, "max_bytes"));
    int64_t segment = json_integer_value(json_object_get(journal, "segment_bytes"));
    const tree_item *section = tree_find(server_of(c), "journal");
    place at = config_key_place(section ? section->value : NULL, "max_bytes", server_of(c)->at);
    if (max > 0 && max / 4 < segment) /* one to write, two spare, one to read */
        problems_add(&c->problems, at,
                     "server.journal.max_bytes: must be at least 4 times segment_bytes, or 0");
}

#define STAGE_MAX        64u
#define BEARER_TOKEN_MIN 16u

static void check_api(config *c)
{
    const json_t *api = json_object_get(json_object_get(c->server, "applications"), "api");
    const char *stage = json_string_value(json_object_get(api, "stage"));
    const char *token = json_string_value(json_object_get(json_object_get(api, "bearer_token"), "$secret"));
    const tree_item *apps = tree_find(server_of(c), "applications");
    const tree_item *section = apps ? tree_find(apps->value, "api") : NULL;
    const tree *given = section ? section->value : NULL;
    size_t len = stage ? strlen(stage) : 0;
    if (stage && (len == 0 || len > STAGE_MAX ||
                  strspn(stage, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != len))
        problems_add(&c->problems, config_key_place(given, "stage", server_of(c)->at),
                     "server.applications.api.stage: 1 to %u letters, digits, _ and -, as in live",
                     STAGE_MAX);
    if (token && *token && strlen(token) < BEARER_TOKEN_MIN)
        problems_add(
            &c->problems, config_key_place(given, "bearer_token", server_of(c)->at),
            "server.applications.api.bearer_token: shorter than %u characters; `openssl rand -base64 "
            "32` makes a good one",
            BEARER_TOKEN_MIN);
}

static void check_applications(config *c)
{
    const json_t *apps = json_object_get(c->server, "applications");
    const char *store = json_string_value(json_object_get(apps, "store"));
    const tree_item *section = tree_find(server_of(c), "applications");
    place at = config_key_place(section ? section->value : NULL, "store", server_of(c)->at);
    if (store && strcmp(store, "postgres") == 0 &&
        !json_object_get(json_object_get(apps, "postgres"), "connection"))
        problems_add(
            &c->problems, at,
            "server.applications.postgres.connection: missing; store: postgres needs to know where the "
            "database is");
}

void config_check_server(config *c)
{
    schema s = {.arena = &c->arena, .problems = &c->problems, .references = {c->dir}};
    schema_part part = {tables_server, sizeof(ss_option), NULL, true};
    schema_check(&s, server_of(c), server_of(c)->at, "server", &part, 1);
    c->server = part.out;
    set_data_dir(c);
    set_plugin_dirs(c);
    check_listeners(c);
    check_networks(c);
    check_headers(c);
    check_journal(c);
    check_api(c);
    check_applications(c);
}

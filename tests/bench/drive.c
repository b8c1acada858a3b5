/* Ingest with the receiver matomo, or game, in a child process, driven over one connection: what
   instructions.py counts under valgrind. usage: drive get|bulk|game FILE PLUGIN.so COUNT (get: a query a
   line; else a body) */
#include "core/admin/store.h"
#include "tests/unit/ingest_fixture.h"

#define INPUT_MAX ((size_t)8 << 20)

static char input[INPUT_MAX], request[INPUT_MAX];

static size_t read_input(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(input, 1, INPUT_MAX / 2, file) : 0;
    if (file)
        (void)fclose(file);
    return len;
}

#define BLOB_HEAD                                                                                            \
    "{\"role\":\"ingest\",\"data_dir\":\"%s\",\"server\":{\"loops\":1,\"log_level\":\"error\","              \
    "\"applications\":{\"store\":\"sqlite\",\"path\":\"applications.db\",\"authorizer_ttl_ms\":300000},"     \
    "\"journal\":{\"segment_bytes\":67108864,\"max_bytes\":0,\"retain_ms\":0,"                               \
    "\"queue_bytes\":16777216,\"sync_delay_us\":0,\"window_us\":0}},"                                        \
    "\"listeners\":[{\"name\":\"public\",\"address\":\"x\",\"admin\":false},"                                \
    "{\"name\":\"admin\",\"address\":\"x\",\"admin\":true}],"                                                \
    "\"receivers\":["

static char app_id[STORE_ID_SIZE], app_key[STORE_VALUE_LEN + 1];

static bool keep_app(void *arg, const store_app *app)
{
    (void)arg;
    (void)snprintf(app_id, sizeof app_id, "%s", app->id);
    return true;
}

static bool keep_key(void *arg, const store_key *key)
{
    (void)arg;
    (void)snprintf(app_key, sizeof app_key, "%.*s", (int)key->value.len, key->value.ptr);
    return true;
}

/* An application with a key, where ingest looks for them. */
static bool application_make(const fixture *f)
{
    char path[PATH_MAX];
    ss_error err = {.struct_size = sizeof err};
    (void)snprintf(path, sizeof path, "%s/applications.db", f->dir);
    database *db = database_new(&(database_options){.kind = DATABASE_SQLITE, .path = path});
    store *s = db && database_open(db, &err) == STORE_OK ? store_new(db, false) : NULL;
    bool good = s && store_app_create(s, SS_LIT("bench"), NULL, keep_app, NULL, &err) == STORE_OK &&
                store_key_create(s, ss_cstr(app_id), SS_LIT("bench"), NULL, keep_key, NULL, &err) == STORE_OK;
    if (!good)
        (void)fprintf(stderr, "drive: %s\n", err.text);
    store_free(s);
    database_free(db);
    return good;
}

static char *blob_make(const fixture *f, bool game, const char *plugin)
{
    char *text = NULL;
    if (game) {
        if (asprintf(
                &text,
                BLOB_HEAD
                "{\"name\":\"game\",\"use\":\"game\",\"path\":\"%s\",\"options\":{\"stage\":\"live\","
                "\"events_auth\":\"key\","
                "\"invalid\":\"refuse\",\"status\":\"seed\",\"max_events\":500,\"max_event\":1048576}}]}",
                f->dir, plugin) < 0)
            abort();
        return text;
    }
    if (asprintf(&text,
                 BLOB_HEAD "{\"name\":\"matomo\",\"use\":\"matomo\",\"path\":\"%s\",\"options\":"
                           "{\"require_rec\":true,\"cdt_auth_after\":86400000,\"max_bulk_items\":20000,"
                           "\"timezone\":\"UTC\"}}]}",
                 f->dir, plugin) < 0)
        abort();
    return text;
}

static const char browser[] =
    "Host: t\r\nReferer: https://shop.example.org/catalogue/shoes?page=2\r\nUser-Agent: Mozilla/5.0 (X11; "
    "Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n";

static size_t next_get(char **line)
{
    char *end = strchr(*line, '\n');
    int len = snprintf(request, sizeof request, "GET /matomo.php?%.*s HTTP/1.1\r\n%s\r\n",
                       (int)(end ? end - *line : 0), *line, browser);
    *line = end && end[1] ? end + 1 : input;
    return (size_t)len;
}

static size_t next_body(bool game, size_t body_len)
{
    int len = game
                  ? snprintf(request, sizeof request,
                             "POST /live/applications/%s/events HTTP/1.1\r\nHost: t\r\nAuthorization: %s\r\n",
                             app_id, app_key)
                  : snprintf(request, sizeof request, "POST /matomo.php HTTP/1.1\r\n%s", browser);
    len += snprintf(request + len, sizeof request - (size_t)len,
                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body_len);
    memcpy(request + len, input, body_len);
    return (size_t)len + body_len;
}

int main(int argc, char **argv)
{
    fixture f;
    if (argc != 5)
        return 2;
    bool game = strcmp(argv[1], "game") == 0, body = game || strcmp(argv[1], "bulk") == 0;
    size_t len = read_input(argv[2]);
    fixture_place(&f);
    char *blob = blob_make(&f, game, argv[3]), *line = input;
    bool good = len > 0 && (!game || application_make(&f)) && fixture_launch(&f, blob);
    int fd = good ? client_open(f.port) : -1;
    for (int left = atoi(argv[4]); good && left > 0; left--) {
        client_send(fd, request, body ? next_body(game, len) : next_get(&line));
        answer a = client_read(fd, false);
        good = a.status == 200;
        if (!good)
            (void)fprintf(stderr, "drive: answered %d %s\n", a.status, a.body);
    }
    if (fd >= 0)
        (void)close(fd);
    fixture_end(&f);
    free(blob);
    return good ? 0 : 1;
}

/* What clients send to be let in: an application's id, a newline, the Authorization header. Nothing but the
   one key that exists may open the one application that exists. */
#include <stdlib.h>
#include <unistd.h>

#include "core/admin/authorizer_inside.h"

static struct {
    authorizer *authorizer;
    char app[STORE_ID_SIZE], value[STORE_VALUE_LEN + 1];
} f;

static bool keep_app(void *arg, const store_app *app)
{
    (void)arg;
    memcpy(f.app, app->id, sizeof f.app);
    return true;
}

static bool keep_key(void *arg, const store_key *key)
{
    (void)arg;
    memcpy(f.value, key->value.ptr, STORE_VALUE_LEN);
    return true;
}

static void start(void)
{
    static char dir[] = "/tmp/fuzz-authorizer-XXXXXX", path[64];
    ss_error err = error_init();
    if (!mkdtemp(dir))
        abort();
    (void)snprintf(path, sizeof path, "%s/applications.db", dir);
    database_options o = {.kind = DATABASE_SQLITE, .path = path};
    database *db = database_new(&o);
    store *s = store_new(db, false);
    if (store_app_create(s, SS_LIT("Game"), NULL, keep_app, NULL, &err) != STORE_OK ||
        store_key_create(s, ss_cstr(f.app), SS_LIT("k"), NULL, keep_key, NULL, &err) != STORE_OK)
        abort();
    store_free(s);
    f.authorizer = authorizer_new(db, &(authorizer_options){.ttl_ms = 1000, .poll_ms = 1000000}, &err);
    if (!f.authorizer || !authorizer_wait(f.authorizer, 10000))
        abort();
    static const char *const ends[] = {"", "-wal", "-shm"}; /* what was read goes on to count */
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char file[80];
        (void)snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file);
    }
    (void)rmdir(dir);
}

static ss_str no_header(const ss_request *request, const char *name)
{
    (void)request, (void)name;
    return ss_s("", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!f.authorizer)
        start();
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    if (!end)
        return 0;
    ss_str app = ss_s(text, (size_t)(end - text)), value = ss_s(end + 1, size - app.len - 1);
    if (ss_eq(app, SS_LIT("@"))) /* so that inputs need not guess it */
        app = ss_cstr(f.app);
    ss_request request = {.struct_size = sizeof request, .raw_query = value};
    ss_app out = {.struct_size = sizeof out};
    ss_error err = error_init();
    char room[AUTHORIZER_TEXT_SIZE];
    bool right = ss_eq(app, ss_cstr(f.app)) && ss_eq(value, ss_cstr(f.value));
    int32_t status = authorizer_check(f.authorizer, &request, value, no_header, app,
                                      SS_PROOF_KEY | (size & 1 ? SS_PROOF_SIGV4 : 0), 1, &out, room, &err);
    if ((status == SS_OK) != right)
        abort();
    key16 k;
    char again[STORE_ID_SIZE];
    if (app.len == STORE_ID_SIZE - 1 && key16_parse(app, &k)) {
        key16_put_uuid(k, again);
        if (!ss_eq(ss_cstr(again), app))
            abort();
    }
    return 0;
}

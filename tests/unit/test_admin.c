/* The application store and the authorizer: data as the guidance has it, answers from memory, limits, and
   what happens when the file is missing, locked, damaged or replaced. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include "core/admin/authorizer_inside.h"
#include "core/admin/hash_index.h"
#include "core/base/clock.h"
#include "plugins/common/base64.h"
#include "tests/unit/check.h"

typedef struct place {
    char dir[64], path[96];
} place;

static place make_place(void)
{
    place p = {.dir = "/tmp/test-admin-XXXXXX"};
    if (!mkdtemp(p.dir))
        abort();
    (void)snprintf(p.path, sizeof p.path, "%s/applications.db", p.dir);
    return p;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void drop_place(const place *p)
{
    (void)nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static database *open_at(const char *path, bool existing)
{
    database_options o = {.kind = DATABASE_SQLITE, .path = path, .existing = existing};
    return database_new(&o);
}

typedef struct seen {
    char id[STORE_ID_SIZE], value[128], name[2048], description[64];
    bool whole, enabled, has_description;
    int64_t created_s, updated_s;
    uint32_t flags;
    store_limits limits;
    int rows;
} seen;

static void keep(char *out, size_t size, ss_str text)
{
    (void)snprintf(out, size, "%.*s", (int)text.len, text.ptr);
}

static bool see_app(void *arg, const store_app *app)
{
    seen *s = arg;
    memcpy(s->id, app->id, sizeof s->id);
    keep(s->name, sizeof s->name, app->name);
    keep(s->description, sizeof s->description, app->description);
    s->has_description = app->has_description;
    s->created_s = app->created_s;
    s->updated_s = app->updated_s;
    s->flags = app->flags;
    s->limits = app->limits;
    s->rows++;
    return true;
}

static bool see_key(void *arg, const store_key *key)
{
    seen *s = arg;
    memcpy(s->id, key->id, sizeof s->id);
    keep(s->value, sizeof s->value, key->value);
    keep(s->name, sizeof s->name, key->name);
    keep(s->description, sizeof s->description, key->description);
    s->has_description = key->has_description;
    s->whole = key->value_whole;
    s->enabled = key->enabled;
    s->created_s = key->created_s;
    s->updated_s = key->updated_s;
    s->limits = key->limits;
    s->rows++;
    return true;
}

static bool count_app(void *arg, const store_app *app)
{
    (void)app;
    ++*(int *)arg;
    return true;
}

/* ---- the store -------------------------------------------------------------------------------- */

static void applications_and_keys_have_the_guidances_data(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    seen app = {.rows = 0}, key = {.rows = 0}, again = {.rows = 0};
    ss_str description = SS_LIT("d");
    CHECK_INT(store_app_create(s, SS_LIT("TestGame"), &description, see_app, &app, &err), STORE_OK);
    CHECK_STR(err.text, "");
    CHECK(store_is_id(ss_cstr(app.id)) && app.id[14] == '4' && strchr("89ab", app.id[19]));
    CHECK_INT(app.created_s, app.updated_s);
    CHECK(llabs((long long)(app.created_s - time(NULL))) < 5);
    CHECK_INT(store_key_create(s, ss_cstr(app.id), SS_LIT("k"), NULL, see_key, &key, &err), STORE_OK);
    CHECK_INT(strlen(key.value), STORE_VALUE_LEN);
    char raw[80];
    size_t len = 0;
    CHECK(base64_read(ss_cstr(key.value), raw, &len) && len == 64);
    CHECK_STR(key.value + 86, "==");
    CHECK(key.enabled && key.whole && !key.has_description);
    CHECK_INT(store_key_get(s, ss_cstr(app.id), ss_cstr(key.id), see_key, &again, &err), STORE_OK);
    CHECK_STR(again.value, key.value);
    CHECK(again.whole);
    struct stat st;
    CHECK(stat(p.path, &st) == 0 && (st.st_mode & 0777) == 0600);
    char text[STORE_TIME_SIZE];
    store_put_time(1737927950, text);
    CHECK_STR(text, "2025-01-26T21:45:50Z");
    store_free(s);
    database_free(db);
    drop_place(&p);
}

static void what_is_not_there_is_not_found(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    static const char none[] = "d76d064f-ca8b-41ff-839f-4735e9a4b69d";
    seen app = {.rows = 0}, key = {.rows = 0}, other = {.rows = 0};
    store_key_change change = {.enabled = &(bool){false}};
    CHECK_INT(store_app_get(s, SS_LIT(none), see_app, &app, &err), STORE_NOT_FOUND);
    CHECK_INT(store_app_get(s, SS_LIT("' OR 1=1 --"), see_app, &app, &err), STORE_NOT_FOUND);
    CHECK_INT(store_app_delete(s, SS_LIT(none), &err), STORE_NOT_FOUND);
    CHECK_INT(store_key_create(s, SS_LIT(none), SS_LIT("k"), NULL, see_key, &key, &err), STORE_NOT_FOUND);
    CHECK_INT(store_key_page(s, SS_LIT(none), ss_s("", 0), 10, see_key, &key, &err), STORE_OK);
    CHECK_INT(key.rows, 0);
    CHECK_INT(store_app_create(s, SS_LIT("A"), NULL, see_app, &app, &err), STORE_OK);
    CHECK_INT(store_app_create(s, SS_LIT("A"), NULL, see_app, &other, &err), STORE_OK); /* names repeat */
    CHECK_INT(store_key_create(s, ss_cstr(app.id), SS_LIT("k"), NULL, see_key, &key, &err), STORE_OK);
    /* A key is named together with its application. */
    CHECK_INT(store_key_get(s, ss_cstr(other.id), ss_cstr(key.id), see_key, &key, &err), STORE_NOT_FOUND);
    CHECK_INT(store_key_set(s, ss_cstr(other.id), ss_cstr(key.id), &change, NULL, NULL, &err),
              STORE_NOT_FOUND);
    CHECK_INT(store_key_delete(s, ss_cstr(other.id), ss_cstr(key.id), &err), STORE_NOT_FOUND);
    CHECK_INT(store_key_delete(s, ss_cstr(app.id), ss_cstr(key.id), &err), STORE_OK);
    CHECK_INT(store_key_delete(s, ss_cstr(app.id), ss_cstr(key.id), &err), STORE_NOT_FOUND);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

static void names_are_bound_never_pasted(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    static const char *const names[] = {
        "'; DROP TABLE applications; --", "\" OR \"\"=\"", "$1", "a%b_c\\", "ü☃\x01", "x', 1, 1)/*"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        seen app = {.rows = 0}, again = {.rows = 0}, key = {.rows = 0};
        ss_str description = ss_cstr(names[i]);
        CHECK_INT(store_app_create(s, ss_cstr(names[i]), &description, see_app, &app, &err), STORE_OK);
        CHECK_INT(store_app_get(s, ss_cstr(app.id), see_app, &again, &err), STORE_OK);
        CHECK_STR(again.name, names[i]);
        CHECK_STR(again.description, names[i]);
        CHECK_INT(store_key_create(s, ss_cstr(app.id), ss_cstr(names[i]), &description, see_key, &key, &err),
                  STORE_OK);
        CHECK_STR(key.name, names[i]);
    }
    int64_t count = 0;
    CHECK_INT(store_app_count(s, &count, &err), STORE_OK);
    CHECK_INT(count, sizeof names / sizeof names[0]);
    char longest[STORE_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    CHECK_INT(store_app_create(s, ss_s(longest, STORE_NAME_MAX), NULL, NULL, NULL, &err), STORE_OK);
    CHECK_INT(store_app_create(s, ss_s(longest, STORE_NAME_MAX + 1), NULL, NULL, NULL, &err), STORE_INVALID);
    CHECK_INT(store_app_create(s, ss_s("", 0), NULL, NULL, NULL, &err), STORE_INVALID);
    CHECK_INT(store_app_create(s, ss_s("a\0b", 3), NULL, NULL, NULL, &err), STORE_INVALID);
    CHECK_INT(store_app_create(s, SS_LIT("\xff"), NULL, NULL, NULL, &err), STORE_INVALID);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

static void deleting_an_application_deletes_its_keys(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    seen app = {.rows = 0}, other = {.rows = 0}, key = {.rows = 0};
    (void)store_app_create(s, SS_LIT("A"), NULL, see_app, &app, &err);
    (void)store_app_create(s, SS_LIT("B"), NULL, see_app, &other, &err);
    for (int i = 0; i < 3; i++)
        CHECK_INT(store_key_create(s, ss_cstr(i ? app.id : other.id), SS_LIT("k"), NULL, see_key, &key, &err),
                  STORE_OK);
    CHECK_INT(store_app_delete(s, ss_cstr(app.id), &err), STORE_OK);
    int64_t left = -1;
    CHECK_INT(store_key_count(s, ss_cstr(app.id), &left, &err), STORE_OK);
    CHECK_INT(left, 0);
    CHECK_INT(store_key_count(s, ss_cstr(other.id), &left, &err), STORE_OK);
    CHECK_INT(left, 1);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

static void lists_are_read_in_pages(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    CHECK_INT(database_begin(db, &err), STORE_OK);
    for (int i = 0; i < 1201; i++) {
        char id[STORE_ID_SIZE];
        (void)snprintf(id, sizeof id, "%08x-0000-4000-8000-000000000000", i * 7919);
        database_value v[] = {database_text(ss_cstr(id))};
        CHECK_INT(database_run(db, "INSERT INTO applications VALUES($1,'n',NULL,0,-1,-1,-1,1,1)", v, 1, NULL,
                               NULL, NULL, &err),
                  STORE_OK);
    }
    CHECK_INT(database_end(db, true, &err), STORE_OK);
    int all = 0;
    CHECK_INT(store_app_each(s, count_app, &all, &err), STORE_OK);
    CHECK_INT(all, 1201);
    seen last = {.rows = 0};
    int total = 0, pages = 0;
    do {
        last.rows = 0;
        char after[STORE_ID_SIZE];
        memcpy(after, last.id, sizeof after);
        CHECK_INT(store_app_page(s, ss_cstr(after), STORE_PAGE_MAX, see_app, &last, &err), STORE_OK);
        total += last.rows;
        pages++;
    } while (last.rows == (int)STORE_PAGE_MAX);
    CHECK_INT(total, 1201);
    CHECK_INT(pages, 3);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

static void hashed_keys_show_their_value_once(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, true);
    seen app = {.rows = 0}, key = {.rows = 0}, again = {.rows = 0};
    (void)store_app_create(s, SS_LIT("A"), NULL, see_app, &app, &err);
    CHECK_INT(store_key_create(s, ss_cstr(app.id), SS_LIT("k"), NULL, see_key, &key, &err), STORE_OK);
    CHECK_INT(strlen(key.value), STORE_VALUE_LEN);
    CHECK(key.whole);
    CHECK_INT(store_key_get(s, ss_cstr(app.id), ss_cstr(key.id), see_key, &again, &err), STORE_OK);
    CHECK_INT(strlen(again.value), STORE_PREFIX_LEN);
    CHECK(!again.whole && strncmp(again.value, key.value, STORE_PREFIX_LEN) == 0);
    store_free(s);
    database_free(db);
    /* Nowhere in the file either. */
    char command[256];
    (void)snprintf(command, sizeof command, "grep -qF '%s' %s/*", key.value, p.dir);
    int status = system(command);
    CHECK(status != -1 && WEXITSTATUS(status) == 1);
    drop_place(&p);
}

/* ---- the authorizer --------------------------------------------------------------------------- */

typedef struct bench {
    place p;
    database *db, *followed;
    store *s;
    authorizer *a;
    seen app, key;
} bench;

/* The authorizer's thread raises it. */
static pthread_mutex_t alarm_lock = PTHREAD_MUTEX_INITIALIZER;
static char alarm_text[400];

static void note_alarm(void *arg, const char *text)
{
    (void)arg;
    (void)pthread_mutex_lock(&alarm_lock);
    (void)snprintf(alarm_text, sizeof alarm_text, "%s", text ? text : "");
    (void)pthread_mutex_unlock(&alarm_lock);
}

/* "" = is there none? */
static bool alarm_says(const char *word)
{
    (void)pthread_mutex_lock(&alarm_lock);
    bool says = *word ? strstr(alarm_text, word) != NULL : !*alarm_text;
    (void)pthread_mutex_unlock(&alarm_lock);
    return says;
}

static bench start(const authorizer_options *o, const char *path)
{
    bench b = {.p = make_place()};
    ss_error err = error_init();
    if (path)
        (void)snprintf(b.p.path, sizeof b.p.path, "%s", path);
    b.db = open_at(b.p.path, false);
    b.s = store_new(b.db, false);
    b.followed = open_at(b.p.path, true);
    authorizer_options options = *o;
    options.poll_ms = options.poll_ms ? options.poll_ms : 20;
    b.a = authorizer_new(b.followed, &options, &err);
    if (!b.a || !authorizer_wait(b.a, 5000))
        abort();
    store_on_change(b.s, authorizer_refresh, b.a);
    (void)store_app_create(b.s, SS_LIT("Game"), NULL, see_app, &b.app, &err);
    (void)store_key_create(b.s, ss_cstr(b.app.id), SS_LIT("k"), NULL, see_key, &b.key, &err);
    return b;
}

static void end(bench *b)
{
    authorizer_free(b->a);
    store_free(b->s);
    database_free(b->db);
    database_free(b->followed);
    drop_place(&b->p);
}

static ss_str no_header(const ss_request *request, const char *name)
{
    (void)request, (void)name;
    return ss_s("", 0);
}

static int32_t ask(authorizer *a, const char *app, const char *value, uint32_t events, int64_t *retry,
                   char *why)
{
    ss_request r = {.struct_size = sizeof r};
    ss_app out = {.struct_size = sizeof out};
    ss_error err = error_init();
    char text[AUTHORIZER_TEXT_SIZE];
    int32_t status = authorizer_check(a, &r, ss_cstr(value), no_header, ss_cstr(app), SS_PROOF_KEY, events,
                                      &out, text, &err);
    if (retry)
        *retry = out.retry_after_ms;
    if (why)
        (void)snprintf(why, 256, "%.255s", err.text);
    if (status == SS_OK)
        CHECK(ss_eq(out.id, ss_cstr(app)));
    return status;
}

static void set_enabled(bench *b, bool on)
{
    ss_error err = error_init();
    store_key_change change = {.enabled = &on};
    CHECK_INT(store_key_set(b->s, ss_cstr(b->app.id), ss_cstr(b->key.id), &change, NULL, NULL, &err),
              STORE_OK);
}

static void a_key_opens_its_own_application_only(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000}, NULL);
    ss_error err = error_init();
    char why[256];
    seen other = {.rows = 0};
    (void)store_app_create(b.s, SS_LIT("Other"), NULL, see_app, &other, &err);
    for (int i = 0; i < 2; i++) { /* the second answers come from the cache */
        CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
        CHECK_INT(ask(b.a, other.id, b.key.value, 1, NULL, why), SS_REJECT);
        CHECK_STR(why, "the key is of another application");
        CHECK_INT(ask(b.a, b.app.id, "", 1, NULL, why), SS_REJECT);
        CHECK_STR(why, "there is no Authorization header");
        CHECK_INT(ask(b.a, b.app.id, "x", 1, NULL, why), SS_REJECT);
        CHECK_STR(why, "the key is not known");
        CHECK_INT(ask(b.a, "d76d064f-ca8b-41ff-839f-4735e9a4b69d", b.key.value, 1, NULL, why), SS_REJECT);
        CHECK_INT(ask(b.a, "' OR 1=1", b.key.value, 1, NULL, why), SS_REJECT);
        CHECK_STR(why, "there is no such application");
    }
    /* Keys of every wrong length, and one bit off. */
    char value[2000];
    memset(value, 'A', sizeof value);
    for (size_t len = 1; len < sizeof value - 1; len += len < 100 ? 1 : 211) {
        value[len] = '\0';
        CHECK_INT(ask(b.a, b.app.id, value, 1, NULL, NULL), SS_REJECT);
        value[len] = 'A';
    }
    for (size_t len = 1; len < STORE_VALUE_LEN; len++) {
        (void)snprintf(value, sizeof value, "%.*s", (int)len, b.key.value);
        CHECK_INT(ask(b.a, b.app.id, value, 1, NULL, NULL), SS_REJECT);
    }
    for (size_t at = 0; at < STORE_VALUE_LEN; at++) {
        (void)snprintf(value, sizeof value, "%s", b.key.value);
        value[at] ^= 1;
        CHECK_INT(ask(b.a, b.app.id, value, 1, NULL, NULL), SS_REJECT);
    }
    end(&b);
}

static void a_change_holds_when_the_call_returns(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000, .poll_ms = 60000}, NULL);
    ss_error err = error_init();
    for (int i = 0; i < 50; i++) {
        CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
        set_enabled(&b, false);
        char why[256];
        CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, why), SS_REJECT);
        CHECK_STR(why, "the key is disabled");
        set_enabled(&b, true);
    }
    seen second = {.rows = 0};
    CHECK_INT(store_key_create(b.s, ss_cstr(b.app.id), SS_LIT("2"), NULL, see_key, &second, &err), STORE_OK);
    CHECK_INT(ask(b.a, b.app.id, second.value, 1, NULL, NULL), SS_OK);
    CHECK_INT(store_key_delete(b.s, ss_cstr(b.app.id), ss_cstr(second.id), &err), STORE_OK);
    CHECK_INT(ask(b.a, b.app.id, second.value, 1, NULL, NULL), SS_REJECT);
    CHECK_INT(store_app_delete(b.s, ss_cstr(b.app.id), &err), STORE_OK);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_REJECT);
    end(&b);
}

static void the_seeds_cache_lives_for_its_time(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 400, .seed_cache = true}, NULL);
    int64_t began = clock_mono_us();
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    set_enabled(&b, false);
    CHECK(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL) == SS_OK || clock_mono_us() - began > 300000);
    while (ask(b.a, b.app.id, b.key.value, 1, NULL, NULL) == SS_OK && clock_mono_us() - began < 5000000)
        (void)usleep(5000);
    CHECK(clock_mono_us() - began >= 350000 && clock_mono_us() - began < 5000000);
    /* Deny answers live, too. */
    set_enabled(&b, true);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_REJECT);
    while (ask(b.a, b.app.id, b.key.value, 1, NULL, NULL) != SS_OK && clock_mono_us() - began < 5000000)
        (void)usleep(5000);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    end(&b);
    /* Without a time to live nothing is kept, whoever is asked for. */
    b = start(&(authorizer_options){.ttl_ms = 0, .seed_cache = true}, NULL);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    set_enabled(&b, false);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_REJECT);
    end(&b);
}

/* Until the answer is the wanted one; false after 5 s. */
static bool becomes(authorizer *a, const char *app, const char *value, int32_t wanted)
{
    for (int i = 0; i < 1000; i++) {
        if (ask(a, app, value, 1, NULL, NULL) == wanted)
            return true;
        (void)usleep(5000);
    }
    return false;
}

static void changes_of_another_process_are_noticed(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000}, NULL);
    store_on_change(b.s, NULL, NULL); /* as if another process had it */
    ss_error err = error_init();
    CHECK(becomes(b.a, b.app.id, b.key.value, SS_OK));
    set_enabled(&b, false);
    CHECK(becomes(b.a, b.app.id, b.key.value, SS_REJECT));
    authorizer_stats stats;
    authorizer_read_stats(b.a, &stats);
    CHECK_INT(stats.loads, 1);
    /* More than the file remembers: read anew. */
    CHECK_INT(database_begin(b.db, &err), STORE_OK);
    database_value v = database_text(ss_cstr(b.key.id));
    CHECK_INT(
        database_run(b.db, "UPDATE authorizations SET enabled=1 WHERE id=$1", &v, 1, NULL, NULL, NULL, &err),
        STORE_OK);
    CHECK_INT(database_run(b.db, "UPDATE change_counter SET value=value+7", NULL, 0, NULL, NULL, NULL, &err),
              STORE_OK);
    CHECK_INT(database_note(b.db, "iam", SS_LIT("x"), ss_s("", 0), &err), STORE_OK);
    CHECK_INT(database_end(b.db, true, &err), STORE_OK);
    CHECK(becomes(b.a, b.app.id, b.key.value, SS_OK));
    authorizer_read_stats(b.a, &stats);
    CHECK_INT(stats.loads, 2);
    end(&b);
}

static void a_missing_file_is_an_empty_store(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *followed = open_at(p.path, true);
    authorizer *a = authorizer_new(followed, &(authorizer_options){.poll_ms = 20, .alarm = note_alarm}, &err);
    REQUIRE(a && authorizer_wait(a, 5000));
    CHECK_INT(ask(a, "d76d064f-ca8b-41ff-839f-4735e9a4b69d", "k", 1, NULL, NULL), SS_REJECT);
    CHECK(alarm_says(""));
    CHECK(access(p.path, F_OK) != 0); /* nothing was made */
    authorizer_free(a);
    database_free(followed);
    drop_place(&p);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static void a_damaged_file_is_an_alarm_and_recovers(void)
{
    place p = make_place();
    ss_error err = error_init();
    write_file(p.path, "this is not a database, and it is long enough to be looked at as one..............."
                       "......................................................................");
    database *db = open_at(p.path, false), *followed = open_at(p.path, true);
    store *s = store_new(db, false);
    seen app = {.rows = 0}, key = {.rows = 0};
    authorizer *a = authorizer_new(followed, &(authorizer_options){.poll_ms = 20, .alarm = note_alarm}, &err);
    REQUIRE(a);
    CHECK(!authorizer_wait(a, 5000));
    CHECK(alarm_says("not a database") && alarm_says("backup"));
    CHECK_INT(ask(a, "d76d064f-ca8b-41ff-839f-4735e9a4b69d", "k", 1, NULL, NULL), SS_RETRY);
    CHECK_INT(store_app_create(s, SS_LIT("A"), NULL, see_app, &app, &err), STORE_DAMAGED);
    CHECK(strstr(err.text, "applications.db"));
    /* The administrator moves it away. */
    CHECK(remove(p.path) == 0);
    (void)usleep((DATABASE_RETRY_MS + 50) * 1000);
    CHECK_INT(store_app_create(s, SS_LIT("A"), NULL, see_app, &app, &err), STORE_OK);
    CHECK_INT(store_key_create(s, ss_cstr(app.id), SS_LIT("k"), NULL, see_key, &key, &err), STORE_OK);
    CHECK(becomes(a, app.id, key.value, SS_OK));
    authorizer_refresh(a);
    CHECK(alarm_says(""));
    authorizer_free(a);
    store_free(s);
    database_free(db);
    database_free(followed);
    drop_place(&p);
}

static void what_was_read_goes_on_while_the_file_is_away(void)
{
    char moved[128];
    bench b = start(&(authorizer_options){.alarm = note_alarm}, NULL);
    (void)snprintf(moved, sizeof moved, "%s.away", b.p.path);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    CHECK(rename(b.p.path, moved) == 0);
    authorizer_refresh(b.a);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    CHECK(alarm_says("goes on to count"));
    CHECK(rename(moved, b.p.path) == 0);
    (void)usleep((DATABASE_RETRY_MS + 50) * 1000);
    authorizer_refresh(b.a);
    CHECK(alarm_says(""));
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    end(&b);
}

static void a_locked_file_is_busy_not_broken(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    seen app = {.rows = 0};
    CHECK_INT(store_app_create(s, SS_LIT("A"), NULL, see_app, &app, &err), STORE_OK);
    sqlite3 *other = NULL;
    REQUIRE(sqlite3_open(p.path, &other) == SQLITE_OK);
    CHECK_INT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t began = clock_mono_us();
    CHECK_INT(store_app_create(s, SS_LIT("B"), NULL, NULL, NULL, &err), STORE_BUSY);
    CHECK(clock_mono_us() - began >= (DATABASE_BUSY_MS - 500) * 1000);
    CHECK(strstr(err.text, "another process holds the file"));
    CHECK_INT(store_app_get(s, ss_cstr(app.id), NULL, NULL, &err), STORE_OK); /* readers do not wait */
    CHECK_INT(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(store_app_create(s, SS_LIT("B"), NULL, NULL, NULL, &err), STORE_OK);
    (void)sqlite3_close(other);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

static void a_newer_version_is_refused(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    CHECK_INT(
        database_run(db, "UPDATE meta SET value='99' WHERE key='version'", NULL, 0, NULL, NULL, NULL, &err),
        STORE_OK);
    database_free(db);
    db = open_at(p.path, false);
    CHECK_INT(database_open(db, &err), STORE_DAMAGED);
    CHECK(strstr(err.text, "newer version"));
    database_free(db);
    drop_place(&p);
}

/* The file may grow no more: as on a full disk. */
static void a_full_disk_changes_nothing_and_says_so(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    CHECK_INT(database_run(db, "PRAGMA max_page_count=1", NULL, 0, NULL, NULL, NULL, &err), STORE_OK);
    char text[STORE_DESCRIPTION_MAX];
    memset(text, 'x', sizeof text);
    ss_str description = ss_s(text, sizeof text);
    int64_t count = 0;
    int made = 0;
    while (store_app_create(s, SS_LIT("A"), &description, NULL, NULL, &err) == STORE_OK && made < 1000)
        made++;
    CHECK(made < 1000);
    CHECK_INT(store_app_create(s, SS_LIT("A"), &description, NULL, NULL, &err), STORE_FULL);
    CHECK(strstr(err.text, "free some disk space"));
    CHECK_INT(store_app_count(s, &count, &err), STORE_OK);
    CHECK_INT(count, made);
    CHECK_INT(database_run(db, "PRAGMA max_page_count=100000", NULL, 0, NULL, NULL, NULL, &err), STORE_OK);
    CHECK_INT(store_app_create(s, SS_LIT("A"), &description, NULL, NULL, &err), STORE_OK);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

/* A process that is killed right after a change was acknowledged leaves it behind. */
static void what_was_acknowledged_is_in_the_file(void)
{
    place p = make_place();
    ss_error err = error_init();
    for (int i = 1; i <= 5; i++) {
        (void)fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            database *mine = open_at(p.path, false);
            store *s = store_new(mine, false);
            if (store_app_create(s, SS_LIT("A"), NULL, NULL, NULL, &err) == STORE_OK)
                (void)kill(getpid(), SIGKILL);
            _exit(1);
        }
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        database *db = open_at(p.path, true);
        store *s = store_new(db, false);
        int64_t count = 0;
        CHECK_INT(store_app_count(s, &count, &err), STORE_OK);
        CHECK_INT(count, i);
        store_free(s);
        database_free(db);
    }
    drop_place(&p);
}

static int32_t verify(void *arg, const ss_request *request,
                      ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                      ss_error *err)
{
    (void)request, (void)header;
    int *asked = arg;
    ++*asked;
    return app.len == STORE_ID_SIZE - 1 && *asked % 2 ? SS_OK
                                                      : ss_fail(err, SS_REJECT, "the signature is wrong");
}

static int32_t prove(const bench *b, const char *app, const char *authorization, const char *query,
                     uint32_t proofs)
{
    ss_request r = {.struct_size = sizeof r, .raw_query = ss_cstr(query)};
    ss_app out = {.struct_size = sizeof out};
    ss_error err = error_init();
    char text[AUTHORIZER_TEXT_SIZE];
    return authorizer_check(b->a, &r, ss_cstr(authorization), no_header, ss_cstr(app), proofs, 1, &out, text,
                            &err);
}

/* Which proof a request offers, and whether the receiver takes that kind. */
static void signatures_go_to_who_verifies_them(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000}, NULL);
    static const char signed_header[] = "AWS4-HMAC-SHA256 Credential=...",
                      presigned[] = "a=1&X-Amz-Signature=00";
    static const uint32_t both = SS_PROOF_KEY | SS_PROOF_SIGV4;
    const char *app = b.app.id, *key = b.key.value;
    int asked = 0;
    CHECK_INT(prove(&b, app, signed_header, "", both), SS_REJECT); /* nobody verifies them here */
    authorizer_set_signature(b.a, (authorizer_signature){.arg = &asked, .verify = verify});
    CHECK_INT(prove(&b, app, signed_header, "", both), SS_OK);
    CHECK_INT(prove(&b, app, signed_header, "", both), SS_REJECT);
    CHECK_INT(prove(&b, app, "", presigned, SS_PROOF_SIGV4), SS_OK);
    CHECK_INT(asked, 3);
    CHECK_INT(prove(&b, app, key, presigned, both), SS_OK); /* the key is what it offers */
    CHECK_INT(prove(&b, app, key, "", SS_PROOF_SIGV4), SS_REJECT);
    CHECK_INT(prove(&b, app, signed_header, "", SS_PROOF_KEY), SS_REJECT);
    CHECK_INT(prove(&b, app, "", presigned, SS_PROOF_KEY), SS_REJECT);
    CHECK_INT(prove(&b, app, "", "", both), SS_REJECT);
    CHECK_INT(prove(&b, app, key, "", 0), SS_REJECT);
    CHECK_INT(prove(&b, "d76d064f-ca8b-41ff-839f-4735e9a4b69d", signed_header, "", both), SS_REJECT);
    CHECK_INT(asked, 3);
    end(&b);
}

/* An administrator has sqlite3 and psql, too. */
static void rows_that_others_wrote_do_no_harm(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000, .poll_ms = 60000}, NULL);
    ss_error err = error_init();
    static const char long_one[] = "d76d064f-ca8b-41ff-839f-4735e9a4b69d";
    char name[5000];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = "\xc3\xbc"[i % 2];
    database_value v[] = {database_text(SS_LIT(long_one)), database_text(ss_s(name, sizeof name))};
    static const char insert[] =
        "INSERT INTO applications VALUES($1,$2,NULL,-1,-9,9223372036854775807,-1,1,1)";
    CHECK_INT(database_run(b.db, insert, v, 2, NULL, NULL, NULL, &err), STORE_OK);
    v[0] = database_text(SS_LIT("no uuid"));
    CHECK_INT(database_run(b.db, insert, v, 2, NULL, NULL, NULL, &err), STORE_OK);
    CHECK_INT(database_begin(b.db, &err), STORE_OK);
    CHECK_INT(database_note(b.db, "app", SS_LIT(long_one), SS_LIT("?"), &err), STORE_OK);
    CHECK_INT(database_note(b.db, "app", SS_LIT("no uuid"), ss_s("", 0), &err), STORE_OK);
    CHECK_INT(database_note(b.db, "key", SS_LIT("x"), SS_LIT("no detail"), &err), STORE_OK);
    CHECK_INT(database_note(b.db, "another kind of change", SS_LIT("x"), ss_s(name, sizeof name), &err),
              STORE_OK);
    CHECK_INT(database_end(b.db, true, &err), STORE_OK);
    authorizer_refresh(b.a);
    ss_app out = {.struct_size = sizeof out};
    char text[AUTHORIZER_TEXT_SIZE];
    CHECK_INT(authorizer_get(b.a, SS_LIT(long_one), &out, text), SS_OK);
    CHECK_INT(out.name.len, STORE_NAME_MAX);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    authorizer_stats stats;
    authorizer_read_stats(b.a, &stats);
    CHECK_INT(stats.apps, 2);
    end(&b);
}

/* Deleted applications with many keys do not fill the memory: the store is read anew. */
static void what_is_deleted_makes_room(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000, .poll_ms = 60000}, NULL);
    ss_error err = error_init();
    authorizer_stats stats;
    for (int round = 0; round < 3; round++) {
        seen app = {.rows = 0};
        CHECK_INT(store_app_create(b.s, SS_LIT("big"), NULL, see_app, &app, &err), STORE_OK);
        CHECK_INT(database_begin(b.db, &err), STORE_OK);
        for (int i = 0; i < 2000; i++) {
            char id[STORE_ID_SIZE], hash[KEY_HASH_TEXT + 1];
            key16_put_uuid((key16){(uint64_t)round, (uint64_t)i}, id);
            key16_put((key16){(uint64_t)i << 50 | (uint64_t)i, (uint64_t)round}, hash);
            database_value v[] = {database_text(ss_cstr(app.id)), database_text(ss_cstr(id)),
                                  database_text(ss_cstr(hash))};
            CHECK_INT(database_run(
                          b.db, "INSERT INTO authorizations VALUES($1,$2,$3,'v',1,'k',NULL,1,-1,-1,-1,1,1)",
                          v, 3, NULL, NULL, NULL, &err),
                      STORE_OK);
            CHECK_INT(key_hash_note(b.db, app.id, id, hash, &err), STORE_OK);
        }
        CHECK_INT(database_end(b.db, true, &err), STORE_OK);
        authorizer_refresh(b.a);
        authorizer_read_stats(b.a, &stats);
        CHECK_INT(stats.keys, 2001);
        CHECK_INT(store_app_delete(b.s, ss_cstr(app.id), &err), STORE_OK);
        authorizer_read_stats(b.a, &stats);
        CHECK_INT(stats.keys, 1);
        CHECK_INT(stats.loads, 2 + round);
    }
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 1, NULL, NULL), SS_OK);
    end(&b);
}

static void ids_are_read_and_written_alike(void)
{
    char out[STORE_ID_SIZE], hex[KEY_HASH_TEXT + 1];
    key16 k = {0, 0};
    CHECK(key16_parse(SS_LIT("d76d064f-ca8b-41ff-839f-4735e9a4b69d"), &k));
    key16_put_uuid(k, out);
    CHECK_STR(out, "d76d064f-ca8b-41ff-839f-4735e9a4b69d");
    key16_put(k, hex);
    CHECK_STR(hex, "d76d064fca8b41ff839f4735e9a4b69d");
    CHECK(key16_parse(ss_cstr(hex), &k));
    static const char *const wrong[] = {"",
                                        "d76d064f-ca8b-41ff-839f-4735e9a4b69",
                                        "d76d064f-ca8b-41ff-839f-4735e9a4b69D",
                                        "d76d064f-ca8b-41ff-839f-4735e9a4b69g",
                                        "d76d064fca8b-41ff--839f-4735e9a4b69d",
                                        "d76d064f-ca8b-41ff-839f-4735e9a4b69d0",
                                        "d76d064fca8b41ff839f4735e9a4b69-",
                                        "------------------------------------"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(!key16_parse(ss_cstr(wrong[i]), &k));
    keyed_hash salt;
    keyed_hash_init(&salt, SS_LIT("salt"));
    char digits[KEY_HASH_TEXT];
    keyed_hash_put(&salt, SS_LIT("value"), digits, sizeof digits);
    key16_put(key_hash_bytes(&salt, SS_LIT("value")), hex);
    CHECK(memcmp(hex, digits, sizeof digits) == 0);
}

/* SipHash-2-4-128 of 00 01 02 ... under the key 00 01 ... 0f, as its authors publish it (two lengths). */
static void questions_are_named_by_siphash(void)
{
    struct {
        uint64_t key[2];
        void *table;
    } v;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    memcpy(v.key, bytes, sizeof v.key);
    key16 app;
    memcpy(&app.a, bytes, 8); /* the application is the message's first 16 bytes */
    memcpy(&app.b, bytes + 8, 8);
    const verdicts *fake = (const verdicts *)(const void *)&v;
    key16 got = verdicts_question(fake, app, ss_s((const char *)bytes + 16, 47));
    const uint8_t want[16] = {0x51, 0x50, 0xd1, 0x77, 0x2f, 0x50, 0x83, 0x4a,
                              0x50, 0x3e, 0x06, 0x9a, 0x97, 0x3f, 0xbd, 0x7c};
    CHECK(memcmp(&got.a, want, 8) == 0 && memcmp(&got.b, want + 8, 8) == 0);
}

static void a_transaction_is_all_or_nothing(void)
{
    place p = make_place();
    ss_error err = error_init();
    database *db = open_at(p.path, false);
    store *s = store_new(db, false);
    int64_t before = 0, after = 0, count = -1;
    CHECK_INT(database_newest(db, &before, &err), STORE_OK);
    CHECK_INT(database_begin(db, &err), STORE_OK);
    CHECK_INT(database_note(db, "iam", SS_LIT("x"), ss_s("", 0), &err), STORE_OK);
    CHECK_INT(database_run(
                  db,
                  "INSERT INTO applications VALUES('d76d064f-ca8b-41ff-839f-4735e9a4b69d','n',NULL,0,-1,-1,"
                  "-1,1,1)",
                  NULL, 0, NULL, NULL, NULL, &err),
              STORE_OK);
    CHECK_INT(database_run(
                  db,
                  "INSERT INTO applications VALUES('d76d064f-ca8b-41ff-839f-4735e9a4b69d','n',NULL,0,-1,-1,"
                  "-1,1,1) ",
                  NULL, 0, NULL, NULL, NULL, &err),
              STORE_CONFLICT);
    CHECK_INT(database_end(db, false, &err), STORE_OK);
    CHECK_INT(database_newest(db, &after, &err), STORE_OK);
    CHECK_INT(after, before);
    CHECK_INT(store_app_count(s, &count, &err), STORE_OK);
    CHECK_INT(count, 0);
    store_free(s);
    database_free(db);
    drop_place(&p);
}

/* ---- limits ----------------------------------------------------------------------------------- */

static void buckets_fill_and_days_end(void)
{
    limit_table *l = limits_new();
    key16 id = {1, 2};
    int64_t now = 1700000000000000, retry = 0;
    store_limits rate = {.rate = 10, .burst = 20};
    CHECK(limits_take(l, LIMITS_APP, id, &rate, 20, now, &retry));
    CHECK(!limits_take(l, LIMITS_APP, id, &rate, 1, now, &retry));
    CHECK(retry >= 100 && retry <= 102);
    CHECK(limits_take(l, LIMITS_KEY, id, &rate, 1, now, &retry)); /* another bucket */
    CHECK(!limits_take(l, LIMITS_APP, id, &rate, 2, now + 100000, &retry));
    CHECK(limits_take(l, LIMITS_APP, id, &rate, 1, now + 100000, &retry));
    now += 10000000;
    CHECK(
        limits_take(l, LIMITS_APP, id, &rate, 100, now, &retry)); /* larger than the burst: once, when full */
    CHECK(!limits_take(l, LIMITS_APP, id, &rate, 1, now + 7900000, &retry));
    CHECK(limits_take(l, LIMITS_APP, id, &rate, 1, now + 8100000, &retry));
    key16 other = {3, 4};
    store_limits quota = {.quota = 5};
    CHECK(limits_take(l, LIMITS_APP, other, &quota, 3, now, &retry));
    CHECK(!limits_take(l, LIMITS_APP, other, &quota, 3, now, &retry));
    int64_t midnight = (limits_day(now) + 1) * 86400000000;
    CHECK_INT(retry, (midnight - now) / 1000 + 1);
    CHECK(limits_take(l, LIMITS_APP, other, &quota, 2, now, &retry));
    CHECK(!limits_take(l, LIMITS_APP, other, &quota, 1, midnight - 1, &retry));
    CHECK(limits_take(l, LIMITS_APP, other, &quota, 5, midnight, &retry));
    limits_free(l);
}

static void limits_of_applications_and_keys_throttle(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 300000, .app_default = {.quota = 100}}, NULL);
    ss_error err = error_init();
    int64_t retry = 0, ten = 10, off = 0;
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 60, &retry, NULL), SS_OK);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 60, &retry, NULL), SS_THROTTLE);
    CHECK(retry > 0 && retry <= 86400001);
    store_app_change of_app = {.quota = &off};
    CHECK_INT(store_app_set(b.s, ss_cstr(b.app.id), &of_app, NULL, NULL, &err), STORE_OK);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 60, &retry, NULL), SS_OK);
    store_key_change of_key = {.rate = &ten, .burst = &ten};
    CHECK_INT(store_key_set(b.s, ss_cstr(b.app.id), ss_cstr(b.key.id), &of_key, NULL, NULL, &err), STORE_OK);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 10, &retry, NULL), SS_OK);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 10, &retry, NULL), SS_THROTTLE);
    CHECK(retry > 0 && retry <= 1001);
    uint32_t tolerant = SS_APP_TOLERANT;
    store_app_change flag = {.flags = &tolerant};
    CHECK_INT(store_app_set(b.s, ss_cstr(b.app.id), &flag, NULL, NULL, &err), STORE_OK);
    ss_app out = {.struct_size = sizeof out};
    char text[AUTHORIZER_TEXT_SIZE];
    CHECK_INT(authorizer_get(b.a, ss_cstr(b.app.id), &out, text), SS_OK);
    CHECK_INT(out.flags, SS_APP_TOLERANT);
    CHECK(ss_eq(out.name, SS_LIT("Game")));
    int64_t low = -5;
    store_app_change wrong = {.rate = &low};
    CHECK_INT(store_app_set(b.s, ss_cstr(b.app.id), &wrong, NULL, NULL, &err), STORE_INVALID);
    end(&b);
}

static void quotas_survive_a_restart(void)
{
    authorizer_options o = {.app_default = {.quota = 100}, .poll_ms = 20};
    bench b = start(&o, NULL);
    ss_error err = error_init();
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 60, NULL, NULL), SS_OK);
    authorizer_free(b.a);
    b.a = authorizer_new(b.followed, &o, &err);
    REQUIRE(b.a && authorizer_wait(b.a, 5000));
    store_on_change(b.s, authorizer_refresh, b.a);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 60, NULL, NULL), SS_THROTTLE);
    CHECK_INT(ask(b.a, b.app.id, b.key.value, 40, NULL, NULL), SS_OK);
    end(&b);
}

/* ---- in memory, from several threads ---------------------------------------------------------- */

static void the_index_finds_what_was_put(void)
{
    hash_index *x = hash_index_new(10);
    for (uint64_t i = 1; i <= 5000; i++) {
        key16 k = {i * 0x9E3779B97F4A7C15ULL, i};
        if (!hash_index_put(x, k, (uint32_t)i * 4, 4)) {
            hash_index *big = hash_index_grown(x);
            hash_index_free(x);
            x = big;
            CHECK(hash_index_put(x, k, (uint32_t)i * 4, 4));
        }
        if (i % 3 == 0)
            hash_index_drop(x, k, (uint32_t)i * 4, 4);
        if (i % 3 == 1)
            CHECK(hash_index_put(x, k, (uint32_t)i * 4 + 1, 4)); /* replaces */
        if (i % 5 == 0)
            CHECK(hash_index_put(x, k, 7, 4) || true); /* a second number for the same key */
    }
    for (uint64_t i = 1; i <= 5000; i++) {
        key16 k = {i * 0x9E3779B97F4A7C15ULL, i};
        uint32_t want = i % 3 == 0 ? 0 : i % 3 == 1 ? (uint32_t)i * 4 + 1 : (uint32_t)i * 4;
        CHECK_INT(hash_index_find(x, k, (uint32_t)i, 4), want);
    }
    CHECK_INT(hash_index_find(x, (key16){12345, 1}, 0, 0), 0);
    hash_index_free(x);
}

typedef struct hammer {
    bench *b;
    _Atomic bool stop;
    _Atomic int wrong, asked;
} hammer;

static void *strike(void *arg)
{
    hammer *h = arg;
    while (!atomic_load(&h->stop)) {
        if (ask(h->b->a, h->b->app.id, h->b->key.value, 1, NULL, NULL) != SS_OK ||
            ask(h->b->a, h->b->app.id, "nobody's", 1, NULL, NULL) != SS_REJECT)
            atomic_fetch_add(&h->wrong, 1);
        atomic_fetch_add(&h->asked, 1);
    }
    return NULL;
}

/* Answers stay right while the directory grows, is read anew and loses entries. */
static void answers_stay_right_while_the_store_changes(void)
{
    bench b = start(&(authorizer_options){.ttl_ms = 1, .poll_ms = 5}, NULL);
    ss_error err = error_init();
    hammer h = {.b = &b};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, strike, &h) == 0);
    seen app = {.rows = 0}, key = {.rows = 0};
    CHECK_INT(store_app_create(b.s, SS_LIT("other"), NULL, see_app, &app, &err), STORE_OK);
    for (int i = 0; i < 200; i++) {
        CHECK_INT(store_key_create(b.s, ss_cstr(app.id), SS_LIT("k"), NULL, see_key, &key, &err), STORE_OK);
        CHECK_INT(ask(b.a, app.id, key.value, 1, NULL, NULL), SS_OK);
        if (i % 2)
            CHECK_INT(store_key_delete(b.s, ss_cstr(app.id), ss_cstr(key.id), &err), STORE_OK);
        if (i % 50 == 49) {
            CHECK_INT(database_begin(b.db, &err), STORE_OK);
            (void)database_run(b.db, "DELETE FROM changes", NULL, 0, NULL, NULL, NULL, &err);
            (void)database_run(b.db, "UPDATE change_counter SET value=value+3", NULL, 0, NULL, NULL, NULL,
                               &err);
            CHECK_INT(database_end(b.db, true, &err), STORE_OK);
            authorizer_refresh(b.a);
        }
    }
    atomic_store(&h.stop, true);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK_INT(h.wrong, 0);
    CHECK(h.asked > 100);
    authorizer_stats stats;
    authorizer_read_stats(b.a, &stats);
    CHECK_INT(stats.loads, 5);
    CHECK_INT(stats.keys, 101);
    end(&b);
}

static const check_test tests[] = {
    TEST(applications_and_keys_have_the_guidances_data),
    TEST(what_is_not_there_is_not_found),
    TEST(names_are_bound_never_pasted),
    TEST(deleting_an_application_deletes_its_keys),
    TEST(lists_are_read_in_pages),
    TEST(hashed_keys_show_their_value_once),
    TEST(a_key_opens_its_own_application_only),
    TEST(a_change_holds_when_the_call_returns),
    TEST(the_seeds_cache_lives_for_its_time),
    TEST(changes_of_another_process_are_noticed),
    TEST(a_missing_file_is_an_empty_store),
    TEST(a_damaged_file_is_an_alarm_and_recovers),
    TEST(what_was_read_goes_on_while_the_file_is_away),
    TEST(a_locked_file_is_busy_not_broken),
    TEST(a_newer_version_is_refused),
    TEST(a_transaction_is_all_or_nothing),
    TEST(a_full_disk_changes_nothing_and_says_so),
    TEST(what_was_acknowledged_is_in_the_file),
    TEST(signatures_go_to_who_verifies_them),
    TEST(rows_that_others_wrote_do_no_harm),
    TEST(what_is_deleted_makes_room),
    TEST(ids_are_read_and_written_alike),
    TEST(questions_are_named_by_siphash),
    TEST(buckets_fill_and_days_end),
    TEST(limits_of_applications_and_keys_throttle),
    TEST(quotas_survive_a_restart),
    TEST(the_index_finds_what_was_put),
    TEST(answers_stay_right_while_the_store_changes),
};
CHECK_MAIN(tests)

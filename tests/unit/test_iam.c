/* Access keys, what they allow, the judgement on signatures, and the routes of the admin API. */
#include <limits.h>
#include <sys/stat.h>

#include "core/admin/api.h"
#include "core/admin/keyring.h"
#include "core/base/clock.h"
#include "tests/unit/check.h"

typedef struct place {
    char dir[64], path[96];
    database *db;
} place;

static place open_place(void)
{
    place p = {.dir = "/tmp/test-iam-XXXXXX"};
    if (!mkdtemp(p.dir))
        abort();
    (void)snprintf(p.path, sizeof p.path, "%s/applications.db", p.dir);
    const database_options o = {.kind = DATABASE_SQLITE, .path = p.path};
    p.db = database_new(&o);
    return p;
}

static void drop_place(place *p)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    database_free(p->db);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", p->path, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(p->dir);
}

/* ---- keys ---- */

static void count_keys(void *arg, const iam_key *key)
{
    *(size_t *)arg += key->id[0] == 'A';
}

static void keys_are_made_read_and_deleted(void)
{
    place p = open_place();
    ss_error err = error_init();
    iam_key a, b, got;
    size_t count = 0;
    CHECK_INT(iam_create(p.db, SS_LIT("ci"), SS_LIT("admin"), 0, &a, &err), STORE_OK);
    CHECK_INT(iam_create(p.db, SS_LIT(""), SS_LIT("events:*"), 3600, &b, &err), STORE_OK);
    CHECK(strncmp(a.id, "AKIA", 4) == 0 && strncmp(b.id, "ASIA", 4) == 0);
    CHECK_INT(strlen(a.id), IAM_ID_LEN);
    CHECK_INT(strlen(a.secret), IAM_SECRET_LEN);
    CHECK_INT(strlen(a.token), 0);
    CHECK_INT(strlen(b.token), IAM_TOKEN_LEN);
    CHECK(strcmp(a.secret, b.secret) != 0 && strcmp(a.id + 4, b.id + 4) != 0);
    CHECK_INT(b.expires_s, b.created_s + 3600);
    CHECK_INT(iam_get(p.db, ss_cstr(b.id), &got, &err), STORE_OK);
    CHECK_STR(got.secret, b.secret);
    CHECK_STR(got.token, b.token);
    CHECK(got.enabled);
    CHECK_INT(iam_each(p.db, count_keys, &count, &err), STORE_OK);
    CHECK_INT(count, 2);
    CHECK_INT(iam_set_enabled(p.db, ss_cstr(a.id), false, &err), STORE_OK);
    CHECK_INT(iam_get(p.db, ss_cstr(a.id), &got, &err), STORE_OK);
    CHECK(!got.enabled);
    CHECK_INT(iam_delete(p.db, ss_cstr(a.id), &err), STORE_OK);
    CHECK_INT(iam_delete(p.db, ss_cstr(a.id), &err), STORE_NOT_FOUND);
    CHECK_INT(iam_set_enabled(p.db, ss_cstr(a.id), true, &err), STORE_NOT_FOUND);
    CHECK_INT(iam_get(p.db, ss_cstr(a.id), &got, &err), STORE_NOT_FOUND);
    CHECK_INT(iam_get(p.db, SS_LIT("' OR 1=1 --"), &got, &err), STORE_NOT_FOUND);
    struct stat st;
    REQUIRE(stat(p.path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    iam_forget(&b);
    CHECK(b.secret[0] == '\0' && b.token[0] == '\0');
    drop_place(&p);
}

static void what_is_wrong_is_not_made(void)
{
    static const char *const bad[] = {
        "",          "root",      "admin,", ",admin",       "admin,,admin",    "events:", "Admin",
        "events: x", "read_only", "admin ", "events:\"x\"", "events:\xc3\xbc", "admin,x", "events:a\nb"};
    static const char *const good[] = {"admin", "read-only", "events:*", "events:a",
                                       "read-only,events:a,events:b"};
    place p = open_place();
    ss_error err = error_init();
    iam_key key;
    char name[200];
    memset(name, 'n', sizeof name);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!iam_policies_problem(ss_cstr(bad[i])))
            printf("# \"%s\" is taken\n", bad[i]);
        CHECK_INT(iam_create(p.db, SS_LIT(""), ss_cstr(bad[i]), 0, &key, &err), STORE_INVALID);
        CHECK(err.text[0]);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(!iam_policies_problem(ss_cstr(good[i])));
    CHECK_INT(iam_create(p.db, ss_s(name, sizeof name), SS_LIT("admin"), 0, &key, &err), STORE_INVALID);
    CHECK_INT(iam_create(p.db, SS_LIT(""), SS_LIT("admin"), -1, &key, &err), STORE_INVALID);
    CHECK_INT(iam_create(p.db, SS_LIT(""), SS_LIT("admin"), IAM_LIFE_MAX_S + 1, &key, &err), STORE_INVALID);
    drop_place(&p);
}

static void policies_allow_what_they_say(void)
{
    const struct {
        const char *policies;
        bool read, change, a, b;
    } rows[] = {{"admin", true, true, true, true},
                {"read-only", true, false, false, false},
                {"events:a", false, false, true, false},
                {"events:*", false, false, true, true},
                {"read-only,events:b", true, false, false, true},
                {"events:ab", false, false, false, false},
                {"administrator", false, false, false, false},
                {"", false, false, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        iam_key key = {.enabled = true};
        (void)snprintf(key.policies, sizeof key.policies, "%s", rows[i].policies);
        CHECK_INT(iam_allows(&key, IAM_READ, SS_LIT("")), rows[i].read);
        CHECK_INT(iam_allows(&key, IAM_CHANGE, SS_LIT("")), rows[i].change);
        CHECK_INT(iam_allows(&key, IAM_EVENTS, SS_LIT("a")), rows[i].a);
        CHECK_INT(iam_allows(&key, IAM_EVENTS, SS_LIT("b")), rows[i].b);
    }
}

static void signatures_are_used_once(void)
{
    place p = open_place();
    ss_error err = error_init();
    char text[SIGV4_HEX + 1];
    CHECK_INT(iam_use_once(p.db, SS_LIT("one"), 1100, 1000, &err), STORE_OK);
    CHECK_INT(iam_use_once(p.db, SS_LIT("one"), 1100, 1000, &err), STORE_CONFLICT);
    CHECK_INT(iam_use_once(p.db, SS_LIT("two"), 1100, 1000, &err), STORE_OK);
    iam_unuse(p.db, SS_LIT("one"));
    CHECK_INT(iam_use_once(p.db, SS_LIT("one"), 1100, 1000, &err), STORE_OK);
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof text, "%064u", i);
        CHECK_INT(iam_use_once(p.db, ss_cstr(text), 1050, 1000, &err), STORE_OK);
    }
    /* Later, those that are over are forgotten, and only those. */
    CHECK_INT(iam_use_once(p.db, SS_LIT("three"), 1300, 1070, &err), STORE_OK);
    CHECK_INT(iam_use_once(p.db, SS_LIT("two"), 1100, 1070, &err), STORE_CONFLICT);
    CHECK_INT(iam_use_once(p.db, ss_cstr(text), 1300, 1070, &err), STORE_OK);
    drop_place(&p);
}

/* ---- the keyring ---- */

static void the_keyring_follows(void)
{
    place p = open_place();
    keyring *k = keyring_new();
    ss_error err = error_init();
    iam_key made[40], got;
    bool known;
    CHECK(!keyring_find(k, SS_LIT("AKIA"), &got, &known) && !known);
    for (size_t i = 0; i < 40; i++)
        CHECK_INT(iam_create(p.db, SS_LIT("x"), SS_LIT("admin"), 0, &made[i], &err), STORE_OK);
    CHECK_INT(keyring_load(k, p.db, &err), STORE_OK);
    for (size_t i = 0; i < 40; i++) {
        CHECK(keyring_find(k, ss_cstr(made[i].id), &got, &known));
        CHECK_STR(got.secret, made[i].secret);
    }
    CHECK(!keyring_find(k, SS_LIT("AKIAAAAAAAAAAAAAAAAA"), &got, &known) && known);
    CHECK(!keyring_find(k, SS_LIT(""), &got, &known));
    CHECK(!keyring_find(k, SS_LIT("AKIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &got, &known));
    CHECK_INT(iam_delete(p.db, ss_cstr(made[7].id), &err), STORE_OK);
    CHECK_INT(keyring_load(k, p.db, &err), STORE_OK);
    CHECK(!keyring_find(k, ss_cstr(made[7].id), &got, &known));
    CHECK(keyring_find(k, ss_cstr(made[8].id), &got, &known));
    keyring_free(k);
    drop_place(&p);
}

/* ---- signatures ---- */

#define NOW_US (1795000000LL * 1000000)

typedef struct signing {
    iam_key key;
    ss_pair headers[8];
    char date[SIGV4_DATE + 1], authorization[1024];
    signed_request r;
} signing;

static void make_signed(signing *s, const char *service, const char *token, ss_str body)
{
    memset(s, 0, sizeof *s);
    s->key = (iam_key){
        .id = "AKIAEXAMPLEEXAMPLE77", .secret = "s3cr3t-of-the-test", .enabled = true, .policies = "admin"};
    sigv4_date(s->date, NOW_US);
    size_t count = 0;
    s->headers[count++] = (ss_pair){SS_LIT("Host"), SS_LIT("127.0.0.1:8080")};
    s->headers[count++] = (ss_pair){SS_LIT("X-Amz-Date"), ss_cstr(s->date)};
    if (token)
        s->headers[count++] = (ss_pair){SS_LIT("X-Amz-Security-Token"), ss_cstr(token)};
    char hash[SIGV4_HEX + 1];
    sigv4_hash(hash, body);
    const sigv4_request q = {.method = SS_LIT("POST"),
                             .path = SS_LIT("/live/applications"),
                             .query = SS_LIT(""),
                             .headers = s->headers,
                             .header_count = count,
                             .payload_hash = ss_cstr(hash)};
    sigv4_scope scope = {.region = SS_LIT("eu-west-1"), .service = ss_cstr(service)};
    memcpy(scope.date, s->date, sizeof scope.date);
    const sigv4_keys keys = {ss_cstr(s->key.id), ss_cstr(s->key.secret), {"", 0}};
    int64_t len = sigv4_sign(&q, &scope, &keys, s->authorization, sizeof s->authorization);
    s->headers[count++] = (ss_pair){SS_LIT("Authorization"), ss_s(s->authorization, (size_t)len)};
    s->r = (signed_request){.method = q.method,
                            .path = q.path,
                            .query = q.query,
                            .body = body,
                            .headers = s->headers,
                            .header_count = count};
}

static enum signature_result judge(const signing *s, const iam_key *key, const char *region, int64_t now_us)
{
    sigv4_claim claim;
    const char *reason = "";
    const signature_policy policy = {.region = ss_cstr(region), .now_us = now_us, .skew_s = SIGNATURE_SKEW_S};
    enum signature_result result = signature_read(&s->r, &claim, &reason);
    if (result == SIGNATURE_GOOD)
        result = signature_check(&s->r, &claim, key, &policy, &reason);
    CHECK(reason && (result == SIGNATURE_GOOD) == (reason[0] == '\0'));
    CHECK(!strstr(reason, s->key.secret));
    return result;
}

static void signatures_are_judged(void)
{
    signing s;
    make_signed(&s, "execute-api", NULL, SS_LIT("{}"));
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_GOOD);
    CHECK_INT(judge(&s, &s.key, "eu-west-1", NOW_US), SIGNATURE_GOOD);
    CHECK_INT(judge(&s, &s.key, "eu-west-2", NOW_US), SIGNATURE_BAD);
    CHECK_INT(judge(&s, NULL, "", NOW_US), SIGNATURE_UNKNOWN);
    CHECK_INT(judge(&s, &s.key, "", NOW_US + 301 * 1000000LL), SIGNATURE_BAD);
    s.r.body = SS_LIT("{ }");
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_BAD);
    s.r.body = SS_LIT("{}");
    s.key.enabled = false;
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_UNKNOWN);
    s.r.header_count--;
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_NONE);
    make_signed(&s, "", NULL, SS_LIT(""));
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_GOOD);
    make_signed(&s, "s3", NULL, SS_LIT(""));
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_BAD);
}

static void tokens_belong_to_temporary_keys(void)
{
    signing s;
    make_signed(&s, "execute-api", "the token", SS_LIT(""));
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_TOKEN); /* a lasting key has none */
    (void)snprintf(s.key.token, sizeof s.key.token, "the token");
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_GOOD);
    s.key.expires_s = NOW_US / 1000000 + 1;
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_GOOD);
    s.key.expires_s = NOW_US / 1000000;
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_TOKEN);
    s.key.expires_s = 0;
    (void)snprintf(s.key.token, sizeof s.key.token, "the token, longer");
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_TOKEN);
    make_signed(&s, "execute-api", NULL, SS_LIT(""));
    (void)snprintf(s.key.token, sizeof s.key.token, "the token");
    CHECK_INT(judge(&s, &s.key, "", NOW_US), SIGNATURE_TOKEN);
}

/* ---- routes ---- */

static void routes_are_found(void)
{
    const struct {
        const char *method, *path;
        int below;
        enum admin_route route;
        const char *app, *key;
    } rows[] = {
        {"GET", "/live/applications", 1, ADMIN_APPS, "", ""},
        {"GET", "/live/applications/", 1, ADMIN_APPS, "", ""},
        {"POST", "/live/applications", 1, ADMIN_APPS, "", ""},
        {"HEAD", "/live/applications/a", 1, ADMIN_APP, "a", ""},
        {"DELETE", "/live/applications/a", 1, ADMIN_APP, "a", ""},
        {"GET", "/live/applications/a/authorizations", 1, ADMIN_KEYS, "a", ""},
        {"DELETE", "/live/applications/a/authorizations/", 1, ADMIN_KEYS, "a", ""},
        {"PUT", "/live/applications/a/authorizations/k", 1, ADMIN_KEY, "a", "k"},
        {"POST", "/live/redshift/setup", 1, ADMIN_SETUP, "", ""},
        {"OPTIONS", "/live/redshift/setup", 1, ADMIN_SETUP, "", ""},
        {"GET", "/live/redshift/setup", 1, ADMIN_UNKNOWN, "", ""},
        {"PATCH", "/live/applications", 1, ADMIN_UNKNOWN, "", ""},
        {"GE", "/live/applications", 1, ADMIN_UNKNOWN, "", ""},
        {"", "/live/applications", 1, ADMIN_UNKNOWN, "", ""},
        {"GET HEAD", "/live/applications", 1, ADMIN_UNKNOWN, "", ""},
        {"PUT", "/live/applications/a/authorizations", 1, ADMIN_UNKNOWN, "", ""},
        {"POST", "/live/applications/a/events", 1, ADMIN_UNKNOWN, "", ""},
        {"GET", "/live/applications/a/authorizations/k/x", 1, ADMIN_UNKNOWN, "", ""},
        {"GET", "/live/applications//authorizations", 1, ADMIN_UNKNOWN, "", ""},
        {"GET", "/live", 1, ADMIN_UNKNOWN, "", ""},
        {"GET", "/live/", 1, ADMIN_UNKNOWN, "", ""},
        {"GET", "/lively/applications", 0, ADMIN_UNKNOWN, "", ""},
        {"GET", "/liv", 0, ADMIN_UNKNOWN, "", ""},
        {"GET", "", 0, ADMIN_UNKNOWN, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        admin_target t;
        bool below = admin_route_of(SS_LIT("/live"), ss_cstr(rows[i].path), ss_cstr(rows[i].method), &t);
        if (below != (rows[i].below != 0) || t.route != rows[i].route)
            printf("# %s %s\n", rows[i].method, rows[i].path);
        CHECK_INT(below, rows[i].below);
        CHECK_INT(t.route, rows[i].route);
        CHECK(ss_eq(t.app, ss_cstr(rows[i].app)) && ss_eq(t.key, ss_cstr(rows[i].key)));
    }
}

int main(int argc, char **argv)
{
    static const check_test tests[] = {TEST(keys_are_made_read_and_deleted),
                                       TEST(what_is_wrong_is_not_made),
                                       TEST(policies_allow_what_they_say),
                                       TEST(signatures_are_used_once),
                                       TEST(the_keyring_follows),
                                       TEST(signatures_are_judged),
                                       TEST(tokens_belong_to_temporary_keys),
                                       TEST(routes_are_found)};
    return check_main(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}

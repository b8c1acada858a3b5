#include "core/admin/iam.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/clock.h"
#include "plugins/common/base64.h"

#define RANDOM_MAX      64u
#define PURGE_EVERY_S   60
#define EVENTS_PREFIX   "events:"
#define EVENTS_PREFIX_N (sizeof EVENTS_PREFIX - 1)

/* ---- making one ---- */

static bool random_bytes(unsigned char *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len;
}

/* AKIA7Q... as AWS writes them: base32 letters, 80 random bits. */
static bool make_id(char out[IAM_ID_SIZE], bool temporary)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char random[IAM_ID_LEN];
    if (!random_bytes(random, sizeof random))
        return false;
    memcpy(out, temporary ? "ASIA" : "AKIA", 4);
    for (size_t i = 4; i < IAM_ID_LEN; i++)
        out[i] = letters[random[i] & 31];
    out[IAM_ID_LEN] = '\0';
    return true;
}

/* Base64 of random bytes, len characters: as many as fill it without a rest. */
static bool make_secret(char *out, size_t len, size_t bytes)
{
    unsigned char random[RANDOM_MAX];
    bool good = random_bytes(random, bytes);
    if (good)
        (void)base64_put(out, ss_s((const char *)random, bytes));
    explicit_bzero(random, sizeof random);
    out[len] = '\0';
    return good;
}

static bool make_key(iam_key *k, ss_str name, ss_str policies, int64_t life_s)
{
    *k = (iam_key){.enabled = true, .created_s = clock_now_us() / 1000000};
    k->updated_s = k->created_s;
    k->expires_s = life_s > 0 ? k->created_s + life_s : 0;
    (void)snprintf(k->name, sizeof k->name, "%.*s", (int)name.len, name.ptr);
    (void)snprintf(k->policies, sizeof k->policies, "%.*s", (int)policies.len, policies.ptr);
    return make_id(k->id, life_s > 0) && make_secret(k->secret, IAM_SECRET_LEN, 30) &&
           (life_s == 0 || make_secret(k->token, IAM_TOKEN_LEN, RANDOM_MAX));
}

static enum store_status insert(database *db, const iam_key *k, ss_error *err)
{
    const database_value values[] = {
        database_text(ss_cstr(k->id)),
        database_text(ss_cstr(k->secret)),
        k->token[0] ? database_text(ss_cstr(k->token)) : database_null(),
        database_text(ss_cstr(k->policies)),
        database_text(ss_cstr(k->name)),
        database_int(1),
        database_int(k->created_s),
        database_int(k->expires_s),
    };
    return database_run(db,
                        "INSERT INTO iam_keys (id, secret, token, policies, name, enabled, created, "
                        "updated, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
                        values, sizeof values / sizeof *values, NULL, NULL, NULL, err);
}

/* Ends the transaction: what changed is told to other processes with it. */
static enum store_status finish(database *db, enum store_status status, ss_str id, ss_error *err)
{
    if (status == STORE_OK)
        status = database_note(db, "iam", id, ss_s("", 0), err);
    ss_error ignored = error_init();
    enum store_status ended = database_end(db, status == STORE_OK, status == STORE_OK ? err : &ignored);
    return status == STORE_OK ? ended : status;
}

static enum store_status invalid(ss_error *err, const char *text)
{
    (void)ss_fail(err, 0, "%s", text);
    return STORE_INVALID;
}

enum store_status iam_create(database *db, ss_str name, ss_str policies, int64_t life_s, iam_key *out,
                             ss_error *err)
{
    const char *problem = iam_policies_problem(policies);
    int64_t count = 0;
    if (problem)
        return invalid(err, problem);
    if (name.len >= IAM_NAME_SIZE)
        return invalid(err, "the name is longer than 128 bytes");
    if (life_s < 0 || life_s > IAM_LIFE_MAX_S)
        return invalid(err, "a temporary key lives up to 366 days");
    if (!make_key(out, name, policies, life_s)) {
        (void)ss_fail(err, 0, "no random bytes: %s", strerror(errno));
        return STORE_FAILED;
    }
    enum store_status status = iam_count(db, &count, err);
    if (status == STORE_OK && count >= (int64_t)IAM_KEYS_MAX)
        return invalid(err, "there are 4096 access keys already; delete some");
    if (status == STORE_OK)
        status = database_begin(db, err);
    return status == STORE_OK ? finish(db, insert(db, out, err), ss_cstr(out->id), err) : status;
}

/* ---- reading ---- */

static void copy_text(char *out, size_t size, ss_str text)
{
    size_t len = text.len < size ? text.len : size - 1;
    if (len)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

#define COLUMNS "id, secret, token, policies, name, enabled, created, updated, expires"

static void read_row(iam_key *k, const database_row *row)
{
    copy_text(k->id, sizeof k->id, database_row_text(row, 0));
    copy_text(k->secret, sizeof k->secret, database_row_text(row, 1));
    copy_text(k->token, sizeof k->token, database_row_text(row, 2));
    copy_text(k->policies, sizeof k->policies, database_row_text(row, 3));
    copy_text(k->name, sizeof k->name, database_row_text(row, 4));
    k->enabled = database_row_int(row, 5) != 0;
    k->created_s = database_row_int(row, 6);
    k->updated_s = database_row_int(row, 7);
    k->expires_s = database_row_int(row, 8);
}

static bool take_one(void *arg, const database_row *row)
{
    read_row(arg, row);
    return false;
}

enum store_status iam_get(database *db, ss_str id, iam_key *out, ss_error *err)
{
    const database_value value = database_text(id);
    *out = (iam_key){.enabled = false};
    enum store_status status = database_run(db, "SELECT " COLUMNS " FROM iam_keys WHERE id = $1", &value, 1,
                                            take_one, out, NULL, err);
    return status == STORE_OK && out->id[0] == '\0' ? STORE_NOT_FOUND : status;
}

typedef struct each {
    void (*visit)(void *arg, const iam_key *key);
    void *arg;
} each;

static bool take_each(void *arg, const database_row *row)
{
    const each *e = arg;
    iam_key key;
    read_row(&key, row);
    e->visit(e->arg, &key);
    iam_forget(&key);
    return true;
}

enum store_status iam_each(database *db, void (*visit)(void *arg, const iam_key *key), void *arg,
                           ss_error *err)
{
    each e = {visit, arg};
    return database_run(db, "SELECT " COLUMNS " FROM iam_keys ORDER BY created, id", NULL, 0, take_each, &e,
                        NULL, err);
}

static bool take_number(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

enum store_status iam_count(database *db, int64_t *count, ss_error *err)
{
    *count = 0;
    return database_run(db, "SELECT count(*) FROM iam_keys", NULL, 0, take_number, count, NULL, err);
}

/* ---- changing ---- */

static enum store_status change(database *db, const char *sql, const database_value *values, size_t count,
                                ss_error *err)
{
    int64_t changed = 0;
    enum store_status status = database_begin(db, err);
    if (status != STORE_OK)
        return status;
    status = database_run(db, sql, values, count, NULL, NULL, &changed, err);
    if (status == STORE_OK && changed == 0)
        status = STORE_NOT_FOUND;
    return finish(db, status, values[0].text, err);
}

enum store_status iam_set_enabled(database *db, ss_str id, bool enabled, ss_error *err)
{
    const database_value values[] = {database_text(id), database_int(enabled),
                                     database_int(clock_now_us() / 1000000)};
    return change(db, "UPDATE iam_keys SET enabled = $2, updated = $3 WHERE id = $1", values, 3, err);
}

enum store_status iam_delete(database *db, ss_str id, ss_error *err)
{
    const database_value value = database_text(id);
    return change(db, "DELETE FROM iam_keys WHERE id = $1", &value, 1, err);
}

/* ---- used signatures ---- */

static enum store_status purge(database *db, int64_t now_s, int64_t *left, ss_error *err)
{
    const database_value now = database_int(now_s);
    enum store_status status =
        database_run(db, "DELETE FROM iam_seen WHERE until < $1", &now, 1, NULL, NULL, NULL, err);
    *left = 0;
    return status == STORE_OK
               ? database_run(db, "SELECT count(*) FROM iam_seen", NULL, 0, take_number, left, NULL, err)
               : status;
}

enum store_status iam_use_once(database *db, ss_str signature, int64_t until_s, int64_t now_s, ss_error *err)
{
    static _Atomic int64_t purged_s, kept;
    const database_value values[] = {database_text(signature), database_int(until_s)};
    int64_t changed = 0, left = kept;
    enum store_status status = STORE_OK;
    if (now_s - purged_s >= PURGE_EVERY_S || left >= IAM_SEEN_MAX) {
        status = purge(db, now_s, &left, err);
        purged_s = now_s;
    }
    kept = left + 1;
    if (status == STORE_OK && left >= IAM_SEEN_MAX) {
        (void)ss_fail(err, 0, "more than %d changes in a few minutes: try again later", IAM_SEEN_MAX);
        return STORE_FULL;
    }
    if (status == STORE_OK)
        status = database_run(db,
                              "INSERT INTO iam_seen (signature, until) VALUES ($1, $2) ON CONFLICT DO "
                              "NOTHING",
                              values, 2, NULL, NULL, &changed, err);
    return status == STORE_OK && changed == 0 ? STORE_CONFLICT : status;
}

void iam_unuse(database *db, ss_str signature)
{
    const database_value value = database_text(signature);
    ss_error err = error_init();
    (void)database_run(db, "DELETE FROM iam_seen WHERE signature = $1", &value, 1, NULL, NULL, NULL, &err);
}

/* ---- policies ---- */

static bool next_policy(ss_str *rest, ss_str *one)
{
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;
    *one = ss_s(rest->ptr, len);
    size_t used = comma ? len + 1 : len;
    *rest = ss_s(rest->ptr + used, rest->len - used);
    return true;
}

static bool is_events(ss_str one)
{
    return one.len > EVENTS_PREFIX_N && memcmp(one.ptr, EVENTS_PREFIX, EVENTS_PREFIX_N) == 0;
}

const char *iam_policies_problem(ss_str policies)
{
    ss_str rest = policies, one;
    if (policies.len == 0)
        return "a key needs a policy: admin, read-only, or events:<application id>";
    if (policies.len >= IAM_POLICIES_SIZE)
        return "the policies are longer than 511 bytes; use events:* or several keys";
    if (policies.ptr[policies.len - 1] == ',')
        return "the policies end with a comma";
    while (next_policy(&rest, &one)) {
        bool known = ss_eq(one, SS_LIT("admin")) || ss_eq(one, SS_LIT("read-only")) || is_events(one);
        for (size_t i = 0; i < one.len; i++)
            known &= (unsigned char)one.ptr[i] > ' ' && one.ptr[i] != '"' && (one.ptr[i] & 0x80) == 0;
        if (!known)
            return "a policy is admin, read-only, events:<application id> or events:*; several are joined by "
                   "commas";
    }
    return NULL;
}

bool iam_allows(const iam_key *key, enum iam_action action, ss_str app)
{
    ss_str rest = ss_cstr(key->policies), one;
    while (next_policy(&rest, &one)) {
        bool admin = ss_eq(one, SS_LIT("admin")), reader = ss_eq(one, SS_LIT("read-only"));
        if (action == IAM_EVENTS && is_events(one)) {
            ss_str named = ss_s(one.ptr + EVENTS_PREFIX_N, one.len - EVENTS_PREFIX_N);
            if (ss_eq(named, SS_LIT("*")) || ss_eq(named, app))
                return true;
        }
        if (admin || (reader && action == IAM_READ))
            return true;
    }
    return false;
}

void iam_forget(iam_key *key)
{
    explicit_bzero(key->secret, sizeof key->secret);
    explicit_bzero(key->token, sizeof key->token);
}

/* What applications and keys have in common. */
#include "core/admin/store_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/clock.h"
#include "plugins/common/utf8.h"

store *store_new(database *db, bool hashed)
{
    store *s = calloc(1, sizeof *s);
    if (s)
        *s = (store){.db = db, .hashed = hashed};
    return s;
}

void store_set_remote(store *s, struct remote *r)
{
    s->remote = r;
    s->hashed &= r == NULL;
}

void store_free(store *s)
{
    free(s);
}

database *store_database(store *s)
{
    return s->db;
}

void store_on_change(store *s, void (*changed)(void *arg), void *arg)
{
    s->changed = changed;
    s->changed_arg = arg;
}

/* ---- small parts ------------------------------------------------------------------------------ */

void store_random(uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = getrandom(out + at, len - at, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* cannot happen on a kernel that has it; a guessable key would be worse */
        at += n > 0 ? (size_t)n : 0;
    }
}

void store_make_id(char out[STORE_ID_SIZE])
{
    uint8_t b[16];
    store_random(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, STORE_ID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

enum store_status store_invalid(ss_error *err, const char *text)
{
    (void)ss_fail(err, 0, "%s", text);
    err->code = STORE_INVALID;
    return STORE_INVALID;
}

enum store_status store_not_found(ss_error *err, const char *what)
{
    (void)ss_fail(err, 0, "there is no such %s", what);
    err->code = STORE_NOT_FOUND;
    return STORE_NOT_FOUND;
}

enum store_status store_no_memory(ss_error *err)
{
    (void)ss_fail(err, 0, "out of memory");
    return STORE_FAILED;
}

/* UTF-8 without NUL, which PostgreSQL's text does not hold. */
static bool good_text(ss_str text, size_t max)
{
    if (text.len > max)
        return false;
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_sequence(text.ptr + i, text.len - i);
        if (len == 0 || text.ptr[i] == '\0')
            return false;
        i += len;
    }
    return true;
}

enum store_status store_check_texts(ss_str name, const ss_str *description, ss_error *err)
{
    if (name.len == 0 || !good_text(name, STORE_NAME_MAX))
        return store_invalid(err, "the name must be 1 to 1024 bytes of UTF-8");
    if (description && !good_text(*description, STORE_DESCRIPTION_MAX))
        return store_invalid(err, "the description must be at most 16384 bytes of UTF-8");
    return STORE_OK;
}

static bool good_limit(const int64_t *limit)
{
    return !limit || (*limit >= STORE_LIMIT_DEFAULT && *limit <= STORE_LIMIT_MAX);
}

enum store_status store_check_limits(const int64_t *rate, const int64_t *burst, const int64_t *quota,
                                     ss_error *err)
{
    if (good_limit(rate) && good_limit(burst) && good_limit(quota))
        return STORE_OK;
    return store_invalid(
        err, "rates, bursts and quotas are numbers from 0 to 1000000000000; default = as configured");
}

database_value store_optional(const ss_str *text)
{
    return text ? database_text(*text) : database_null();
}

database_value store_or_keep(const int64_t *value)
{
    return value ? database_int(*value) : database_null();
}

enum store_status store_touch(store *s, enum store_status status, ss_str app_id, ss_str key_id, ss_error *err)
{
    return status == STORE_OK && s->remote ? mirror_touch(s->db, app_id, key_id, err) : status;
}

enum store_status store_settled(const store *s, enum store_status remote_status, enum store_status status)
{
    if (s->remote && status == STORE_NOT_FOUND && remote_status == STORE_OK)
        return STORE_OK;
    return status;
}

enum store_status store_finish(store *s, enum store_status status, ss_error *err)
{
    ss_error ignored = error_init();
    enum store_status ended = database_end(s->db, status == STORE_OK, status == STORE_OK ? err : &ignored);
    if (status != STORE_OK)
        return status;
    if (ended == STORE_OK && s->changed)
        s->changed(s->changed_arg);
    return ended;
}

void store_copy_id(char out[STORE_ID_SIZE], ss_str id)
{
    size_t len = id.len < STORE_ID_SIZE ? id.len : STORE_ID_SIZE - 1;
    memcpy(out, id.ptr, len);
    out[len] = '\0';
}

bool store_count_row(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

/* ---- pages that are copied --------------------------------------------------------------------- */

static ss_str copy_text(store_copies *c, ss_str text)
{
    if (c->used + text.len > c->size) {
        size_t size = (c->used + text.len) * 2;
        char *grown = realloc(c->texts, size);
        if (!grown) {
            c->failed = true;
            return ss_s("", 0);
        }
        c->texts = grown;
        c->size = size;
    }
    memcpy(c->texts + c->used, text.ptr, text.len);
    c->used += text.len;
    return ss_s(NULL, text.len); /* where it is, is known once the texts do not move any more */
}

void store_settle(const store_copies *c, size_t *at, ss_str *text)
{
    text->ptr = c->texts ? c->texts + *at : "";
    *at += text->len;
}

bool store_keep_app(void *arg, const store_app *app)
{
    store_copies *c = arg;
    store_app *copy = (store_app *)c->rows + c->count++;
    *copy = *app;
    copy->name = copy_text(c, app->name);
    copy->description = copy_text(c, app->description);
    return !c->failed;
}

bool store_keep_key(void *arg, const store_key *key)
{
    store_copies *c = arg;
    store_key *copy = (store_key *)c->rows + c->count++;
    *copy = *key;
    copy->value = copy_text(c, key->value);
    copy->name = copy_text(c, key->name);
    copy->description = copy_text(c, key->description);
    return !c->failed;
}

void store_copies_free(store_copies *c)
{
    free(c->rows);
    if (c->texts)
        explicit_bzero(c->texts, c->size); /* keys */
    free(c->texts);
}

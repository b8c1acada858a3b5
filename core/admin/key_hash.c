#include "core/admin/key_hash.h"

#include <inttypes.h>

static bool take_salt(void *arg, const database_row *row)
{
    keyed_hash_init(arg, database_row_text(row, 0));
    return false;
}

enum store_status key_hash_salt(database *db, keyed_hash *out, ss_error *err)
{
    keyed_hash_init(out, ss_s("", 0));
    return database_run(db, "SELECT value FROM meta WHERE key='salt'", NULL, 0, take_salt, out, NULL, err);
}

enum store_status key_hash_of(database *db, ss_str value, char out[KEY_HASH_TEXT], ss_error *err)
{
    keyed_hash salt;
    enum store_status status = key_hash_salt(db, &salt, err);
    keyed_hash_put(&salt, value, out, KEY_HASH_TEXT);
    explicit_bzero(&salt, sizeof salt);
    return status;
}

enum store_status key_hash_note(database *db, const char *app_id, const char *key_id, const char *hash,
                                ss_error *err)
{
    char detail[STORE_ID_SIZE + KEY_HASH_TEXT + 1];
    int n = snprintf(detail, sizeof detail, "%s %.32s", app_id, hash);
    return database_note(db, "key", ss_cstr(key_id), ss_s(detail, n > 0 ? (size_t)n : 0), err);
}

key16 key_hash_bytes(const keyed_hash *salt, ss_str value)
{
    char text[KEY_HASH_TEXT];
    key16 out = {0, 0};
    keyed_hash_put(salt, value, text, sizeof text);
    (void)key16_parse(ss_s(text, sizeof text), &out);
    return out;
}

/* 0 to 15, or 16. */
static unsigned digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

bool key16_parse(ss_str text, key16 *out)
{
    uint64_t halves[2] = {0, 0};
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned d = digit(text.ptr[i]);
        if (text.ptr[i] == '-' && text.len == STORE_ID_SIZE - 1)
            continue;
        if (d > 15 || digits == KEY_HASH_TEXT)
            return false;
        halves[digits / 16] = halves[digits / 16] << 4 | d;
        digits++;
    }
    *out = (key16){halves[0], halves[1]};
    return digits == KEY_HASH_TEXT;
}

void key16_put(key16 k, char out[KEY_HASH_TEXT + 1])
{
    (void)snprintf(out, KEY_HASH_TEXT + 1, "%016" PRIx64 "%016" PRIx64, k.a, k.b);
}

void key16_put_uuid(key16 k, char out[STORE_ID_SIZE])
{
    (void)snprintf(out, STORE_ID_SIZE, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                   k.a >> 32, k.a >> 16 & 0xffff, k.a & 0xffff, k.b >> 48, k.b & (uint64_t)0xffffffffffff);
}

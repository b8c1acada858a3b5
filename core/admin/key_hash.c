#include "core/admin/key_hash.h"

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

/* The same bytes as the digits that key_hash_of() gives. */
key16 key_hash_bytes(const keyed_hash *salt, ss_str value)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    key16 out = {0, 0};
    keyed_hash_digest(salt, value, digest);
    for (size_t i = 0; i < 8; i++) {
        out.a = out.a << 8 | digest[i];
        out.b = out.b << 8 | digest[8 + i];
    }
    return out;
}

/* 0 to 15, or 16. Branch-free, since it runs for each request. */
static inline uint64_t digit(char c)
{
    unsigned number = (unsigned)(unsigned char)c - '0', letter = (unsigned)(unsigned char)c - 'a';
    return number < 10 ? number : letter < 6 ? letter + 10 : 16;
}

static uint64_t take_digits(const char *text, size_t from, size_t to, uint64_t before, uint64_t *bad)
{
    for (size_t i = from; i < to; i++) {
        uint64_t d = digit(text[i]);
        *bad |= d & 16;
        before = before << 4 | (d & 15);
    }
    return before;
}

bool key16_parse(ss_str text, key16 *out)
{
    uint64_t bad = 0;
    const char *t = text.ptr;
    if (text.len == KEY_HASH_TEXT) {
        out->a = take_digits(t, 0, 16, 0, &bad);
        out->b = take_digits(t, 16, 32, 0, &bad);
        return !bad;
    }
    if (text.len != STORE_ID_SIZE - 1 || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-')
        return false;
    out->a = take_digits(t, 14, 18, take_digits(t, 9, 13, take_digits(t, 0, 8, 0, &bad), &bad), &bad);
    out->b = take_digits(t, 24, 36, take_digits(t, 19, 23, 0, &bad), &bad);
    return !bad;
}

static char *put_digits(char *out, uint64_t bits, unsigned from, unsigned count)
{
    static const char hex[] = "0123456789abcdef";
    for (unsigned i = 0; i < count; i++)
        *out++ = hex[bits >> (60 - 4 * (from + i)) & 15];
    return out;
}

void key16_put(key16 k, char out[KEY_HASH_TEXT + 1])
{
    *put_digits(put_digits(out, k.a, 0, 16), k.b, 0, 16) = '\0';
}

void key16_put_uuid(key16 k, char out[STORE_ID_SIZE])
{
    char *at = put_digits(out, k.a, 0, 8);
    *at++ = '-';
    at = put_digits(at, k.a, 8, 4);
    *at++ = '-';
    at = put_digits(at, k.a, 12, 4);
    *at++ = '-';
    at = put_digits(at, k.b, 0, 4);
    *at++ = '-';
    *put_digits(at, k.b, 4, 12) = '\0';
}

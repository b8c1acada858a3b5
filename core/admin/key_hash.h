/* The hash of a key's value under the store's own salt: what is compared in memory, and all that is kept
   where keys are hashed. 16 bytes of HMAC-SHA256: 64 random bytes cannot be found again from it. */
#ifndef ADMIN_KEY_HASH_H
#define ADMIN_KEY_HASH_H

#include "core/admin/store.h"
#include "plugins/common/keyed_hash.h"

#define KEY_HASH_TEXT 32u /* hexadecimal digits */
#define KEY_SALT_TEXT 64u

typedef struct key16 { /* 16 bytes: a hash, or a UUID */
    uint64_t a, b;
} key16;

/* Reads the salt; several statements, or once for many. */
enum store_status key_hash_salt(database *db, keyed_hash *out, ss_error *err);
enum store_status key_hash_of(database *db, ss_str value, char out[KEY_HASH_TEXT], ss_error *err);
/* Notes the change of a key: detail is application and hash, since the row may be gone. */
enum store_status key_hash_note(database *db, const char *app_id, const char *key_id, const char *hash,
                                ss_error *err);

key16 key_hash_bytes(const keyed_hash *salt, ss_str value);
/* 32 hexadecimal digits, dashes between them ignored: false where it is something else. */
bool key16_parse(ss_str text, key16 *out);
void key16_put(key16 k, char out[KEY_HASH_TEXT + 1]);
void key16_put_uuid(key16 k, char out[STORE_ID_SIZE]);

static inline bool key16_equal(key16 x, key16 y)
{
    return ((x.a ^ y.a) | (x.b ^ y.b)) == 0;
}

#endif

#include "plugins/common/kpl.h"

#include <openssl/evp.h>

#define MAGIC     "\xF3\x89\x9A\xC2"
#define MAGIC_LEN 4u
#define MD5_LEN   16u

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct field {
    uint32_t number;
    enum wire wire;
    uint64_t value; /* VARINT */
    ss_str bytes;   /* others */
} field;

static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char c = *(*at)++;
        value |= (uint64_t)(c & 0x7F) << shift;
        if (!(c & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool read_field(const unsigned char **at, const unsigned char *end, field *f)
{
    uint64_t tag, len = 0;
    if (!read_varint(at, end, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    *f = (field){.number = (uint32_t)(tag >> 3), .wire = (enum wire)(tag & 7), .bytes = {"", 0}};
    switch (f->wire) {
    case WIRE_VARINT:
        return read_varint(at, end, &f->value);
    case WIRE_BYTES:
        if (!read_varint(at, end, &len))
            return false;
        break;
    case WIRE_64:
        len = 8;
        break;
    case WIRE_32:
        len = 4;
        break;
    default:
        return false;
    }
    if (len > (uint64_t)(end - *at))
        return false;
    f->bytes = ss_s((const char *)*at, (size_t)len);
    *at += len;
    return true;
}

static bool is(const field *f, uint32_t number, enum wire wire)
{
    return f->number == number && f->wire == wire;
}

enum { KEY_TABLE = 1, RECORDS = 3 };      /* of the whole; 2: explicit hash keys                 */
enum { RECORD_KEY = 1, RECORD_DATA = 3 }; /* of one record; 2: its explicit hash key, 4: its tags */

static bool read_record(const kpl_scan *s, ss_str bytes, kpl_record *out)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr, *end = at + bytes.len;
    bool data = false, key = false;
    field f;
    *out = (kpl_record){{"", 0}, {"", 0}};
    while (at < end) {
        if (!read_field(&at, end, &f))
            return false;
        if (is(&f, RECORD_KEY, WIRE_VARINT)) {
            if (f.value >= s->keys)
                return false;
            out->key = s->key_table[f.value];
            key = true;
        } else if (is(&f, RECORD_DATA, WIRE_BYTES)) {
            out->data = f.bytes;
            data = true;
        }
    }
    return key && data;
}

/* The tables first, wherever they stand; then every record must be right, so that nothing is half unpacked.
 */
static bool check(kpl_scan *s)
{
    const unsigned char *at = s->at;
    kpl_record record;
    field f;
    s->keys = 0;
    while (at < s->end) {
        if (!read_field(&at, s->end, &f))
            return false;
        if (!is(&f, KEY_TABLE, WIRE_BYTES))
            continue;
        if (s->keys == KPL_KEYS_MAX)
            return false;
        s->key_table[s->keys++] = f.bytes;
    }
    uint32_t count = 0;
    for (at = s->at; at < s->end;) {
        if (!read_field(&at, s->end, &f))
            return false;
        if (is(&f, RECORDS, WIRE_BYTES) && !read_record(s, f.bytes, &record))
            return false;
        count += is(&f, RECORDS, WIRE_BYTES);
    }
    return count > 0;
}

bool kpl_start(kpl_scan *s, ss_str record)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    if (record.len < MAGIC_LEN + MD5_LEN || memcmp(record.ptr, MAGIC, MAGIC_LEN) != 0)
        return false;
    const char *message = record.ptr + MAGIC_LEN;
    size_t size = record.len - MAGIC_LEN - MD5_LEN;
    if (EVP_Digest(message, size, digest, &len, EVP_md5(), NULL) != 1 || len != MD5_LEN ||
        memcmp(digest, message + size, MD5_LEN) != 0)
        return false;
    s->at = (const unsigned char *)message;
    s->end = s->at + size;
    return check(s);
}

bool kpl_next(kpl_scan *s, kpl_record *out)
{
    field f;
    while (s->at < s->end && read_field(&s->at, s->end, &f))
        if (is(&f, RECORDS, WIRE_BYTES))
            return read_record(s, f.bytes, out);
    return false;
}

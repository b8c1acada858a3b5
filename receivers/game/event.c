/* Reading an event in one pass, and the schema as tables: no regular expression runs here. */
#include "receivers/game/event.h"

#include "plugins/common/block.h"

#define KEY_MAX      GAME_NAME_MAX
#define PLAIN_DIGITS 32u /* a number of so many characters without an exponent is finite */

const char game_member_names[MEMBERS][KEY_MAX + 1] = {
    "event_id", "event_type", "event_name", "event_timestamp", "event_version", "app_version", "event_data"};

/* ---- reading --------------------------------------------------------------------------------- */

bool game_value_read(json_scan *s, game_value *v)
{
    json_value j;
    if (!json_read(s, &j))
        return false;
    *v = (game_value){j.text.ptr, (uint32_t)j.text.len, (uint8_t)j.kind, j.escaped};
    if (j.kind != JSON_OBJECT && j.kind != JSON_ARRAY)
        return true;
    v->ptr = s->at - 1; /* the bracket */
    bool ok = json_leave(s);
    v->len = (uint32_t)(s->at - v->ptr);
    return ok;
}

/* By length and last letter each name has a place of its own; one comparison says whether it is that one. */
static inline uint32_t member_of(ss_str key)
{
    static const uint8_t by_length[KEY_MAX + 1] = {[8] = MEMBER_ID,
                                                   [10] = MEMBER_TYPE,
                                                   [11] = MEMBER_APP_VERSION,
                                                   [13] = MEMBER_EVENT_VERSION,
                                                   [15] = MEMBER_TIMESTAMP};
    if (key.len < 8 || key.len > KEY_MAX)
        return MEMBERS;
    uint32_t member = by_length[key.len];
    if (key.len == 10)
        member = key.ptr[6] == 't' ? MEMBER_TYPE : key.ptr[6] == 'n' ? MEMBER_NAME : MEMBER_DATA;
    const char *name = game_member_names[member];
    return memcmp(key.ptr, name, key.len) == 0 && name[key.len] == '\0' ? member : MEMBERS;
}

static __attribute__((noinline)) uint32_t member_of_escaped(ss_str key)
{
    char plain[6 * KEY_MAX];
    return key.len > sizeof plain ? MEMBERS : member_of(ss_s(plain, json_unescape(plain, key)));
}

#define INDEX_DIGITS 10u

/* A key that JavaScript takes for an index of an array: "0" to "4294967294", no zero in front. */
static bool index_of(const game_value *key, uint64_t *out)
{
    char plain[6 * INDEX_DIGITS];
    ss_str text = ss_s(key->ptr, key->len);
    if (key->escaped && key->len <= sizeof plain)
        text = ss_s(plain, json_unescape(plain, text));
    if (text.len == 0 || text.len > INDEX_DIGITS || (text.ptr[0] == '0' && text.len > 1))
        return false;
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return *out < UINT32_MAX;
}

void game_extra_note(game_value *extra, const json_value *key)
{
    game_value given = {key->text.ptr, (uint32_t)key->text.len, JSON_STRING, key->escaped};
    uint64_t mine = 0, other = 0;
    if (!extra->kind || (index_of(&given, &mine) && !(index_of(extra, &other) && other <= mine)))
        *extra = given;
}

static bool read_members(json_scan *s, game_event *e)
{
    json_value key;
    game_value unused;
    while (json_member(s, &key)) {
        uint32_t member = key.escaped ? member_of_escaped(key.text) : member_of(key.text);
        if (member == MEMBERS)
            game_extra_note(&e->extra, &key);
        /* The same name again: the last one counts, as with JSON.parse(). */
        if (!game_value_read(s, member == MEMBERS ? &unused : &e->members[member]))
            return false;
    }
    return !s->problem;
}

bool game_event_read(json_scan *s, game_event *e)
{
    json_value whole;
    memset(e, 0, sizeof *e);
    bool before = s->halves;
    s->halves = false;
    if (!json_read(s, &whole))
        return false;
    e->kind = (uint8_t)whole.kind;
    const char *from = whole.text.len || whole.kind == JSON_STRING ? whole.text.ptr : s->at - 1;
    if (whole.kind == JSON_STRING)
        from--;
    if (whole.kind == JSON_OBJECT ? !read_members(s, e) : whole.kind == JSON_ARRAY && !json_leave(s))
        return false;
    e->raw = ss_s(from, (size_t)(s->at - from));
    e->surrogates = s->halves;
    s->halves |= before;
    return true;
}

/* ---- the schema ------------------------------------------------------------------------------ */

/* The patterns, sixteen characters at a time.

   A UUID has 8-4-4-4-12 digits; the first of the third group is the version, that of the fourth the variant.
 */
#define DASHES_0  0x2100u /* of characters 0 to 15: 8 and 13  */
#define DASHES_16 0x0084u /* of characters 16 to 31: 18 and 23 */
#define DASHES_20 0x0008u /* of the last sixteen: 23          */
#define VERSION   14u
#define VARIANT   19u

static inline bool digits_between(const char *text, uint32_t dashes)
{
    block b = block_load(text);
    uint32_t digits = block_between(b, '0', '9') | block_between(b, 'a', 'f');
    return (digits | dashes) == (1u << BLOCK_BYTES) - 1 && block_equal(b, '-') == dashes;
}

bool game_is_uuid(ss_str text)
{
    const char *p = text.ptr;
    return text.len == GAME_UUID_SIZE && digits_between(p, DASHES_0) && digits_between(p + 16, DASHES_16) &&
           digits_between(p + 20, DASHES_20) && p[VERSION] >= '1' && p[VERSION] <= '5' &&
           (p[VARIANT] == '8' || p[VARIANT] == '9' || p[VARIANT] == 'a' || p[VARIANT] == 'b');
}

/* Bit i: character i is a letter, a digit, '-', '.' or '_'. */
static inline uint32_t word_characters(block b)
{
    return block_between(b, 'a', 'z') | block_between(b, 'A', 'Z') | block_between(b, '0', '9') |
           block_equal2(b, '-', '.') | block_equal(b, '_');
}

static bool is_word(ss_str text)
{
    const char *at = text.ptr, *end = at + text.len;
    for (; end - at >= (ptrdiff_t)BLOCK_BYTES; at += BLOCK_BYTES)
        if (word_characters(block_load(at)) != (1u << BLOCK_BYTES) - 1)
            return false;
    uint32_t rest = (1u << (end - at)) - 1;
    return text.len > 0 &&
           (rest == 0 || (word_characters(block_load_short(at, (size_t)(end - at))) & rest) == rest);
}

/* Patterns speak of plain characters; an escape may stand for one of them. */
static __attribute__((noinline)) bool fits_escaped(const game_value *v, bool uuid)
{
    char plain[6 * GAME_UUID_SIZE];
    const char *at = v->ptr, *end = v->ptr + v->len;
    if (uuid)
        return v->len <= sizeof plain &&
               game_is_uuid(ss_s(plain, json_unescape(plain, ss_s(v->ptr, v->len))));
    while (at < end) { /* piece by piece, never through an escape */
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        if (slash == at) {
            size_t len = at[1] == 'u' ? 6 : 2;
            if (!is_word(ss_s(plain, json_unescape(plain, ss_s(at, len)))))
                return false;
            at += len;
            continue;
        }
        const char *stop = slash ? slash : end;
        if (!is_word(ss_s(at, (size_t)(stop - at))))
            return false;
        at = stop;
    }
    return v->len > 0;
}

static inline bool fits(const game_value *v, bool uuid)
{
    if (v->escaped)
        return fits_escaped(v, uuid);
    ss_str text = ss_s(v->ptr, v->len);
    return uuid ? game_is_uuid(text) : is_word(text);
}

/* ajv takes a number that no double holds for none. */
static bool is_number(const game_value *v)
{
    double value;
    bool plain = v->len <= PLAIN_DIGITS;
    for (uint32_t i = 0; plain && i < v->len; i++)
        plain = v->ptr[i] <= '9'; /* no exponent */
    return v->kind == JSON_NUMBER && (plain || json_double(ss_s(v->ptr, v->len), &value));
}

static inline void fail(game_error *error, enum game_rule rule, uint32_t place)
{
    error->rule = (uint8_t)rule;
    error->place = (uint8_t)place;
}

static bool member_ok(const game_value *v, uint32_t member, game_error *error)
{
    bool type = member == MEMBER_TIMESTAMP ? is_number(v)
                : member == MEMBER_DATA    ? v->kind == JSON_OBJECT
                                           : v->kind == JSON_STRING;
    bool ok = type;
    if (!type)
        fail(error, RULE_TYPE, member);
    else if (v->kind == JSON_STRING && !(ok = fits(v, member == MEMBER_ID)))
        fail(error, RULE_PATTERN, member);
    return ok;
}

void game_event_check(const game_event *e, game_error *error)
{
    static const uint8_t required[] = {MEMBER_ID, MEMBER_TYPE, MEMBER_TIMESTAMP, MEMBER_NAME};
    *error = (game_error){.rule = RULE_NONE};
    if (e->kind != JSON_OBJECT) {
        fail(error, RULE_TYPE, PLACE_EVENT);
        return;
    }
    for (size_t i = 0; i < sizeof required; i++)
        if (!e->members[required[i]].kind) {
            fail(error, RULE_REQUIRED, required[i]);
            return;
        }
    if (e->extra.kind) {
        fail(error, RULE_EXTRA, PLACE_EVENT);
        error->extra = e->extra;
        return;
    }
    for (uint32_t m = 0; m < MEMBERS; m++)
        if (e->members[m].kind && !member_ok(&e->members[m], m, error))
            return;
}

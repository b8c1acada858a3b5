#include "receivers/matomo/visitor.h"

#include "receivers/matomo/sha1.h"

static const char hex[] = "0123456789abcdef";

/* 16 characters, lower case; what is no hex digit becomes 0, as in Matomo. */
static void put_normal(char *out, const char *id)
{
    /* By character, from '0' on. */
    static const char normal[] = "0123456789"
                                 "0000000abcdef00000000000000000000000000abcdef";
    for (size_t i = 0; i < VISITOR_ID_CHARS; i++) {
        unsigned place = (unsigned char)id[i] - (unsigned)'0';
        out[i] = place < sizeof normal - 1 ? normal[place] : '0';
    }
}

static void put_hash(char *out, ss_str uid)
{
    unsigned char digest[SHA1_BYTES];
    sha1(digest, uid);
    for (size_t i = 0; i < VISITOR_ID_CHARS; i++)
        out[i] = hex[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
}

/* A generator per thread (splitmix64): the host's random() may be a system call. The ids need to differ, not
   to be unguessable. */
static void put_random(char *out, const ss_host *host)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        host->random(host->self, &state, sizeof state);
    state += 0x9E3779B97F4A7C15u;
    uint64_t x = state;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    for (size_t i = 0; i < VISITOR_ID_CHARS; i++, x >>= 4)
        out[i] = hex[x & 15];
}

ss_str visitor_resolve(char out[VISITOR_ID_CHARS], const params *p, const visitor_hints *hints,
                       const ss_host *host)
{
    if (params_has(p, PARAM_UID)) {
        put_hash(out, p->value[PARAM_UID]);
        return SS_LIT("uid");
    }
    if (params_has(p, PARAM_CID) && p->value[PARAM_CID].len >= VISITOR_ID_CHARS) {
        put_normal(out, p->value[PARAM_CID].ptr);
        return SS_LIT("cid");
    }
    if (hints->cookie[0] && !hints->cookieless) {
        put_normal(out, hints->cookie);
        return SS_LIT("cookie");
    }
    if (!hints->cookieless && params_has(p, PARAM_ID) && p->value[PARAM_ID].len >= VISITOR_ID_CHARS) {
        put_normal(out, p->value[PARAM_ID].ptr);
        return SS_LIT("_id");
    }
    put_random(out, host);
    return SS_LIT("generated");
}

#include "receivers/matomo/pattern.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* What one match may cost: enough for any sane expression, an end for the others. */
#define STEPS_MAX  100000u
#define HEAP_KB    1024u
#define DEPTH_MAX  1000u
#define ERROR_TEXT 128u
#define PAIRS_MAX  2u /* the match and its first group */

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    /* Room for a match, lent to one thread at a time; others make their own for the moment. */
    _Atomic(pcre2_match_data *) spare;
};

/* The place of the slash that ends it; 0: it is none. */
static size_t closing_slash(ss_str text)
{
    if (text.len < 3 || text.ptr[0] != '/')
        return 0;
    const char *last = memrchr(text.ptr + 1, '/', text.len - 1);
    size_t at = last ? (size_t)(last - text.ptr) : 0;
    for (size_t i = at + 1; at && i < text.len; i++)
        if (!strchr("imsux", text.ptr[i]))
            return 0;
    return at > 1 ? at : 0;
}

bool pattern_is(ss_str text)
{
    return closing_slash(text) > 0;
}

static uint32_t flags_of(ss_str letters)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < letters.len; i++)
        flags |= letters.ptr[i] == 'i'   ? PCRE2_CASELESS
                 : letters.ptr[i] == 'm' ? PCRE2_MULTILINE
                 : letters.ptr[i] == 's' ? PCRE2_DOTALL
                 : letters.ptr[i] == 'x' ? PCRE2_EXTENDED
                                         : PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
    return flags;
}

static pattern *compile(ss_str expression, uint32_t flags, ss_error *err)
{
    size_t where;
    int problem;
    pattern *p = calloc(1, sizeof *p);
    if (!p) {
        (void)ss_fail(err, SS_LIMIT, "no memory for a regular expression");
        return NULL;
    }
    p->code = pcre2_compile((PCRE2_SPTR)expression.ptr, expression.len, flags, &problem, &where, NULL);
    if (!p->code) {
        unsigned char why[ERROR_TEXT] = "";
        (void)pcre2_get_error_message(problem, why, sizeof why);
        (void)ss_fail(err, SS_REJECT, "\"%.*s\" is no regular expression: %s at character %zu",
                      (int)expression.len, expression.ptr, (const char *)why, where);
        pattern_free(p);
        return NULL;
    }
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where the system allows it */
    p->limits = pcre2_match_context_create(NULL);
    if (!p->limits) {
        (void)ss_fail(err, SS_LIMIT, "no memory for a regular expression");
        pattern_free(p);
        return NULL;
    }
    (void)pcre2_set_match_limit(p->limits, STEPS_MAX);
    (void)pcre2_set_heap_limit(p->limits, HEAP_KB);
    (void)pcre2_set_depth_limit(p->limits, DEPTH_MAX);
    return p;
}

pattern *pattern_new(ss_str text, ss_error *err)
{
    size_t slash = closing_slash(text);
    uint32_t flags = flags_of(ss_s(text.ptr + slash + 1, text.len - slash - 1));
    return compile(ss_s(text.ptr + 1, slash - 1), flags, err);
}

pattern *pattern_new_plain(ss_str expression, bool caseless, ss_error *err)
{
    return compile(expression, caseless ? PCRE2_CASELESS : 0, err);
}

void pattern_free(pattern *p)
{
    if (!p)
        return;
    pcre2_match_data_free(atomic_load(&p->spare));
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    free(p);
}

bool pattern_capture(const pattern *p, ss_str text, ss_str *part)
{
    pattern *own = (pattern *)(uintptr_t)p; /* the spare room is all that changes */
    pcre2_match_data *room = atomic_exchange(&own->spare, NULL);
    if (!room)
        room = pcre2_match_data_create(PAIRS_MAX, NULL);
    if (!room)
        return false;
    size_t len = text.len < PATTERN_SUBJECT_MAX ? text.len : PATTERN_SUBJECT_MAX;
    int found = pcre2_match(p->code, (PCRE2_SPTR)(len ? text.ptr : ""), len, 0, 0, room, p->limits);
    const size_t *places = pcre2_get_ovector_pointer(room);
    bool group =
        found >= 0 && found != 1 && places[2] != PCRE2_UNSET; /* 0: there are more groups than room */
    *part = group ? ss_s(text.ptr + places[2], places[3] - places[2]) : ss_s("", 0);
    pcre2_match_data_free(atomic_exchange(&own->spare, room));
    return found >= 0;
}

bool pattern_matches(const pattern *p, ss_str text)
{
    ss_str part;
    return pattern_capture(p, text, &part);
}

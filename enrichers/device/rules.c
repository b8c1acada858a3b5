#include "enrichers/device/rules.h"

#include <stdlib.h>

#define NAME_MAX_LEN  120u
#define REGEX_MAX_LEN 32768u
#define STEPS_MAX     10000u /* of one match of an expression */
#define HEAP_KIB_MAX  1024u
#define GROUPS_MAX    20u
#define STACK_FIRST   (32u << 10)
#define STACK_MAX     (512u << 10)

bool rules_push(rules *r, const rule *one)
{
    if (r->count == RULES_MAX)
        return false;
    if ((r->count & (r->count - 1)) == 0) {
        rule *bigger = realloc(r->rules, (r->count ? (size_t)r->count * 2 : 1) * sizeof *bigger);
        if (!bigger)
            return false;
        r->rules = bigger;
    }
    r->rules[r->count++] = *one;
    return true;
}

static const struct {
    const char *before, *after;
} wraps[] = {[WRAP_WORD] = {"(?:^|[^A-Z0-9_-]|[^A-Z0-9-]_|sprd-|MZ-)(?:", ")"},
             [WRAP_LETTER] = {"(?:^|[^A-Z_-])(?:", ")"},
             [WRAP_NONE] = {"", ""}};

static pcre2_code *compile(const rules *r, const rule *one, int *error, PCRE2_SIZE *at)
{
    const char *regex = texts_get(&r->texts, one->regex);
    size_t before = strlen(wraps[one->wrap].before), len = strlen(regex),
           after = strlen(wraps[one->wrap].after);
    char *whole = len <= REGEX_MAX_LEN ? malloc(before + len + after + 1) : NULL;
    *error = PCRE2_ERROR_NOMEMORY;
    *at = before;
    if (!whole)
        return NULL;
    memcpy(whole, wraps[one->wrap].before, before);
    memcpy(whole + before, regex, len);
    memcpy(whole + before + len, wraps[one->wrap].after, after);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)whole, before + len + after, PCRE2_CASELESS, error, at, NULL);
    free(whole);
    *at = *at > before ? *at - before : 0;
    return code;
}

bool rule_check(const rules *r, const rule *one, char *why, size_t size)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = compile(r, one, &error, &at);
    if (code) {
        pcre2_code_free(code);
        return true;
    }
    PCRE2_UCHAR text[200] = "";
    (void)pcre2_get_error_message(error, text, sizeof text);
    (void)snprintf(why, size, "%s at character %zu of \"%.120s\"", (const char *)text, (size_t)at,
                   texts_get(&r->texts, one->regex));
    return false;
}

bool matcher_init(matcher *m)
{
    m->data = pcre2_match_data_create(GROUPS_MAX, NULL);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MAX, NULL);
    if (!m->data || !m->context || !m->stack)
        return false;
    (void)pcre2_set_match_limit(m->context, STEPS_MAX);
    (void)pcre2_set_heap_limit(m->context, HEAP_KIB_MAX);
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    m->left = UINT32_MAX;
    return true;
}

void matcher_free(matcher *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
}

/* Two threads may make the same one: the first one's stays. */
static pcre2_code *publish(_Atomic(pcre2_code *) *to, pcre2_code *code)
{
    pcre2_code *none = NULL;
    if (atomic_compare_exchange_strong_explicit(to, &none, code, memory_order_acq_rel, memory_order_acquire))
        return code;
    pcre2_code_free(code);
    return none;
}

/* A rule that is used often is compiled once more, because nobody may match with a code while machine code is
   made for it. */
static pcre2_code *make_fast(rules *r, rule *one)
{
    int error;
    PCRE2_SIZE at;
    if (atomic_fetch_add_explicit(&r->jit_count, 1, memory_order_relaxed) >= JIT_MAX)
        return NULL;
    pcre2_code *code = compile(r, one, &error, &at);
    if (!code || pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0) {
        pcre2_code_free(code);
        return NULL;
    }
    return publish(&one->fast, code);
}

static pcre2_code *code_of(rules *r, rule *one)
{
    pcre2_code *code = atomic_load_explicit(&one->fast, memory_order_acquire);
    int error;
    PCRE2_SIZE at;
    if (code)
        return code;
    if (atomic_load_explicit(&one->uses, memory_order_relaxed) < JIT_AFTER &&
        atomic_fetch_add_explicit(&one->uses, 1, memory_order_relaxed) == JIT_AFTER - 1 &&
        (code = make_fast(r, one)))
        return code;
    code = atomic_load_explicit(&one->code, memory_order_acquire);
    if (!code && (code = compile(r, one, &error, &at)))
        code = publish(&one->code, code);
    return code;
}

int rule_match(rules *r, uint32_t id, const subject *s, matcher *m)
{
    if (!subject_may(s, id))
        return 0;
    if (m->left == 0) {
        atomic_fetch_add_explicit(&r->limited, 1, memory_order_relaxed);
        return 0;
    }
    m->left--;
    pcre2_code *code = code_of(r, &r->rules[id]);
    if (!code)
        return 0;
    int groups = pcre2_match(code, (PCRE2_SPTR)s->text, s->len, s->from[id], 0, m->data, m->context);
    if (groups == PCRE2_ERROR_MATCHLIMIT || groups == PCRE2_ERROR_HEAPLIMIT ||
        groups == PCRE2_ERROR_DEPTHLIMIT || groups == PCRE2_ERROR_JIT_STACKLIMIT)
        atomic_fetch_add_explicit(&r->limited, 1, memory_order_relaxed);
    return groups > 0 ? groups : groups == 0 ? (int)pcre2_get_ovector_count(m->data) : 0;
}

uint32_t rules_first(rules *r, rule_list list, const subject *s, matcher *m, int *groups)
{
    for (uint32_t id = subject_next(s, list.first, list.end); id < list.end;
         id = subject_next(s, id + 1, list.end)) {
        *groups = rule_match(r, id, s, m);
        if (*groups > 0)
            return id;
    }
    *groups = 0;
    return list.end;
}

bool rules_own(rules *r, enum own_rule own, const subject *s, matcher *m)
{
    return rule_match(r, r->lists[FILE_OWN].first + (uint32_t)own, s, m) > 0;
}

static const rule_name *find_name(const rules *r, const rule_names *names, ss_str name)
{
    char lower[NAME_MAX_LEN];
    if (name.len >= sizeof lower)
        return NULL;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = text_lower(name.ptr[i]);
    uint32_t row = dict_get(&names->by_name, &r->texts, ss_s(lower, name.len));
    return row == DICT_NONE ? NULL : &names->rows[row];
}

const rule_name *rules_system(const rules *r, ss_str name)
{
    return find_name(r, &r->systems, name);
}

const rule_name *rules_browser(const rules *r, ss_str name)
{
    return find_name(r, &r->browsers, name);
}

static void names_free(rule_names *names)
{
    free(names->rows);
    dict_free(&names->by_name);
    dict_free(&names->by_loose);
}

void rules_free(rules *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        pcre2_code_free(atomic_load(&r->rules[i].code));
        pcre2_code_free(atomic_load(&r->rules[i].fast));
    }
    free(r->rules);
    free(r->bots);
    free(r->engines);
    free(r->froms);
    names_free(&r->systems);
    names_free(&r->browsers);
    dict_free(&r->apps);
    dict_free(&r->browser_apps);
    filter_free(&r->filter);
    texts_free(&r->texts);
    free(r);
}

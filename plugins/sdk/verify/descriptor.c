/* What the descriptor says of itself. */
#include <ctype.h>
#include <stdlib.h>

#include "plugins/sdk/verify/inside.h"

static bool good_name(const char *name, const char *more)
{
    if (!name || !islower((unsigned char)name[0]))
        return false;
    for (const char *p = name; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_' && !strchr(more, *p))
            return false;
    return true;
}

static void want_text(const char *what, const char *text)
{
    if (!text || !*text)
        verify_fail("the descriptor has no %s", what);
}

void check_identity(const verify_subject *s)
{
    const ss_plugin *p = s->plugin;
    static const char *const kinds[] = {"", "receiver", "enricher", "module"};
    char file[320];
    if (!good_name(p->name, "-"))
        verify_fail("the name is '%s': lower case letters, digits, _ and -, beginning with a letter",
                    p->name ? p->name : "");
    want_text("version", p->version);
    want_text("summary: `streamsteam plugins` shows it", p->summary);
    want_text("license", p->license);
    (void)snprintf(file, sizeof file, "%s-%s.so", kinds[p->kind], p->name ? p->name : "");
    const char *base = strrchr(s->path, '/');
    if (strcmp(base ? base + 1 : s->path, file) != 0)
        verify_fail("the file must be called %s, so that `use: %s` finds it", file, p->name ? p->name : "");
    if (p->abi_minor != SS_ABI_MINOR)
        verify_step("it was built for contract %u.%u", p->abi_major, p->abi_minor);
    if (p->kind == SS_MODULE && p->module->flags & SS_MODULE_COMMITS && !p->module->flush)
        verify_fail("a module with SS_MODULE_COMMITS holds records: it needs flush(), or the last ones wait "
                    "for ever");
}

/* ---- options ---- */

static const ss_option *option_at(const verify_subject *s, const ss_option *table, size_t i)
{
    const void *at = (const char *)table + i * s->plugin->option_size;
    return at;
}

static bool parses(const ss_option *o)
{
    char *end = NULL;
    switch (o->type) {
    case SS_T_INT:
        (void)strtoll(o->dflt, &end, 10);
        return *o->dflt && !*end;
    case SS_T_FLOAT:
        (void)strtod(o->dflt, &end);
        return *o->dflt && !*end;
    case SS_T_BOOL:
        return strcmp(o->dflt, "true") == 0 || strcmp(o->dflt, "false") == 0;
    case SS_T_SIZE:
    case SS_T_DURATION:
        return isdigit((unsigned char)o->dflt[0]);
    default:
        return true;
    }
}

static bool is_choice(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = choices; *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == len && memcmp(p, word, len) == 0)
            return true;
    return false;
}

static bool looks_secret(const char *name)
{
    static const char *const words[] = {"secret",  "password",    "passwd",    "token",
                                        "api_key", "private_key", "credential"};
    static const char arn[] = "_arn"; /* names where a secret is kept */
    size_t len = strlen(name);
    if (len >= sizeof arn && strcmp(name + len - (sizeof arn - 1), arn) == 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

static void check_option(const verify_subject *s, const ss_option *o, const char *where)
{
    if (strcmp(o->name, "*") != 0 && !good_name(o->name, ""))
        verify_fail("option %s%s: lower case letters, digits and _, as all others", where, o->name);
    if (!o->doc || strlen(o->doc) < 8)
        verify_fail("option %s%s: doc is one sentence that says what it does", where, o->name);
    if (o->dflt && !parses(o))
        verify_fail("option %s%s: the default '%s' is not of its type", where, o->name, o->dflt);
    if (o->type == SS_T_ENUM && o->dflt && o->choices && !is_choice(o->choices, o->dflt))
        verify_fail("option %s%s: the default '%s' is none of %s", where, o->name, o->dflt, o->choices);
    if (o->dflt && o->flags & SS_OPT_REQUIRED)
        verify_fail("option %s%s: required, and yet it has a default; one of the two", where, o->name);
    if (o->min > o->max)
        verify_fail("option %s%s: its range is empty", where, o->name);
    if (o->type == SS_T_INT && o->dflt && o->min != o->max && parses(o)) {
        long long n = strtoll(o->dflt, NULL, 10);
        if (n < o->min || n > o->max)
            verify_fail("option %s%s: the default %s is outside its own range", where, o->name, o->dflt);
    }
    if ((o->type == SS_T_STRING || o->type == SS_T_ANY) && looks_secret(o->name) &&
        !(o->flags & SS_OPT_SECRET))
        verify_fail("option %s%s: by its name a secret: set SS_OPT_SECRET, or it is printed and logged",
                    where, o->name);
    if ((o->type == SS_T_LIST || o->type == SS_T_MAP) && o->min == o->max)
        verify_fail("option %s%s: give it a largest count (max): nothing is unbounded", where, o->name);
    (void)s;
}

static void walk_options(const verify_subject *s, const ss_option *table, const char *where, int depth)
{
    for (size_t i = 0; table && depth < 12; i++) {
        const ss_option *o = option_at(s, table, i);
        char inner[256];
        if (!o->name)
            return;
        check_option(s, o, where);
        (void)snprintf(inner, sizeof inner, "%.120s%.100s.", where, o->name);
        walk_options(s, o->children, inner, depth + 1);
    }
}

void check_options(const verify_subject *s)
{
    walk_options(s, s->plugin->options, "", 0);
}

/* ---- fields ---- */

/* A name that others gave, METRIC_NAME, stays as they write it: all of it in capitals. */
static bool good_capitals(const char *name)
{
    for (const char *at = name; *at; at++)
        if (!(*at >= 'A' && *at <= 'Z') && *at != '_' && !(at > name && *at >= '0' && *at <= '9'))
            return false;
    return *name != '\0';
}

void check_fields(const verify_subject *s)
{
    const ss_plugin *p = s->plugin;
    for (size_t i = 0; p->fields; i++) {
        const void *at = (const char *)p->fields + i * p->field_size;
        const ss_field *f = at;
        if (!f->name)
            break;
        if (!good_name(f->name, ".") && !good_capitals(f->name))
            verify_fail("field %s: lower case letters, digits, _ and . (for objects): it becomes a column",
                        f->name);
        if (!f->doc || strlen(f->doc) < 4)
            verify_fail("field %s: doc is one sentence; it goes into the manual and the catalog", f->name);
    }
    if (p->fields && p->kind == SS_RECEIVER && p->schema_rev == 0)
        verify_fail("schema_rev is 0: begin with 1 and raise it when fields change");
}

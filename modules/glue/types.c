#include "modules/glue/types.h"

#include <strings.h>

#define DEPTH_MAX 16u

static bool begins(ss_str text, const char *with)
{
    return text.len >= strlen(with) && strncasecmp(text.ptr, with, strlen(with)) == 0;
}

static ss_str trim(ss_str t)
{
    while (t.len && *t.ptr == ' ')
        t = ss_s(t.ptr + 1, t.len - 1);
    while (t.len && t.ptr[t.len - 1] == ' ')
        t.len--;
    return t;
}

static bool same(ss_str a, ss_str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* How wide a plain type is among its kind; 0: not one of them. */
static int rank(ss_str type, int *kind)
{
    static const struct {
        const char *name;
        int kind, rank;
    } known[] = {{"tinyint", 1, 1}, {"smallint", 1, 2}, {"int", 1, 3},    {"integer", 1, 3},
                 {"bigint", 1, 4},  {"float", 2, 1},    {"double", 2, 2}, {"string", 3, 9},
                 {"boolean", 4, 1}, {"timestamp", 5, 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (same(type, ss_cstr(known[i].name))) {
            *kind = known[i].kind;
            return known[i].rank;
        }
    *kind = begins(type, "varchar(") || begins(type, "char(") ? 3 : 0;
    return *kind ? 1 : 0;
}

/* ---- structs: "a:int,b:struct<c:string>" field by field ---- */

typedef struct field {
    ss_str name, type;
} field;

static bool next_field(ss_str *rest, field *f)
{
    size_t depth = 0, i = 0;
    ss_str text = trim(*rest);
    if (text.len == 0)
        return false;
    for (; i < text.len && !(text.ptr[i] == ',' && depth == 0); i++) {
        depth += text.ptr[i] == '<' || text.ptr[i] == '(';
        depth -= (text.ptr[i] == '>' || text.ptr[i] == ')') && depth > 0;
    }
    ss_str one = ss_s(text.ptr, i);
    *rest = i < text.len ? ss_s(text.ptr + i + 1, text.len - i - 1) : ss_s("", 0);
    const char *colon = one.len ? memchr(one.ptr, ':', one.len) : NULL;
    if (!colon)
        return false;
    f->name = trim(ss_s(one.ptr, (size_t)(colon - one.ptr)));
    f->type = trim(ss_s(colon + 1, one.len - (size_t)(colon + 1 - one.ptr)));
    return true;
}

static bool find_field(ss_str fields, ss_str name, field *out)
{
    while (next_field(&fields, out))
        if (same(out->name, name))
            return true;
    return false;
}

static ss_str inner(ss_str type, const char *with)
{
    size_t skip = strlen(with);
    return type.len > skip && type.ptr[type.len - 1] == '>' ? ss_s(type.ptr + skip, type.len - skip - 1)
                                                            : ss_s("", 0);
}

static enum types_change widen(ss_str have, ss_str want, uint32_t depth, buf *out);

static enum types_change widen_struct(ss_str have, ss_str want, uint32_t depth, buf *out)
{
    enum types_change all = TYPES_SAME;
    field f, other;
    const char *comma = "";
    buf_adds(out, "struct<");
    for (ss_str rest = have; next_field(&rest, &f); comma = ",") {
        bool both = find_field(want, f.name, &other);
        buf_addf(out, "%s%.*s:", comma, (int)f.name.len, f.name.ptr);
        enum types_change one = both ? widen(f.type, other.type, depth, out) : TYPES_SAME;
        if (!both)
            buf_add(out, f.type.ptr, f.type.len);
        all = one > all ? one : all;
    }
    for (ss_str rest = want; next_field(&rest, &f);) {
        if (find_field(have, f.name, &other))
            continue;
        buf_addf(out, "%s%.*s:%.*s", comma, (int)f.name.len, f.name.ptr, (int)f.type.len, f.type.ptr);
        all = all > TYPES_WIDER ? all : TYPES_WIDER;
        comma = ",";
    }
    buf_adds(out, ">");
    return all;
}

static enum types_change widen(ss_str have, ss_str want, uint32_t depth, buf *out)
{
    int have_kind, want_kind;
    have = trim(have);
    want = trim(want);
    if (depth > 0 && begins(have, "struct<") && begins(want, "struct<"))
        return widen_struct(inner(have, "struct<"), inner(want, "struct<"), depth - 1, out);
    if (depth > 0 && begins(have, "array<") && begins(want, "array<")) {
        buf_adds(out, "array<");
        enum types_change one = widen(inner(have, "array<"), inner(want, "array<"), depth - 1, out);
        buf_adds(out, ">");
        return one;
    }
    int have_rank = rank(have, &have_kind), want_rank = rank(want, &want_kind);
    bool fit = same(have, want) || (have_kind && have_kind == want_kind);
    bool wider = fit && want_rank > have_rank;
    buf_add(out, wider ? want.ptr : have.ptr, wider ? want.len : have.len);
    return !fit ? TYPES_CONFLICT : wider ? TYPES_WIDER : TYPES_SAME;
}

enum types_change types_widen(ss_str have, ss_str want, buf *out)
{
    return widen(have, want, DEPTH_MAX, out);
}

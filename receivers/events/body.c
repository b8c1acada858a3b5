#include "receivers/events/body.h"

#include <strings.h>

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static ss_str trim(const char *from, const char *end)
{
    while (from < end && is_space(*from))
        from++;
    while (end > from && is_space(end[-1]))
        end--;
    return ss_s(from, (size_t)(end - from));
}

static bool is_lines(ss_str content_type)
{
    static const char *const names[] = {"application/x-ndjson", "application/ndjson", "application/jsonl",
                                        "application/x-jsonlines", "application/json-lines"};
    const char *semicolon = content_type.len ? memchr(content_type.ptr, ';', content_type.len) : NULL;
    ss_str name = trim(content_type.ptr, semicolon ? semicolon : content_type.ptr + content_type.len);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.ptr, names[i], name.len) == 0)
            return true;
    return false;
}

void body_start(event_body *b, ss_str text, ss_str content_type)
{
    ss_str all = trim(text.ptr, text.ptr + text.len);
    *b = (event_body){.at = all.ptr, .end = all.ptr + all.len, .done = all.len == 0};
    if (is_lines(content_type)) {
        b->form = BODY_LINES;
    } else if (all.len > 0 && all.ptr[0] == '[') {
        b->form = BODY_ARRAY;
        b->at++;
    }
}

/* Behind the string whose opening quote is at p. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        p = memchr(p, '"', (size_t)(end - p));
        if (!p)
            return end;
        const char *slash = p;
        while (slash[-1] == '\\')
            slash--; /* ends at the opening quote at the latest */
        if ((p - slash) % 2 == 0)
            return p + 1;
    }
    return end;
}

/* To the comma or bracket that ends an item. */
static const char *item_end(const char *p, const char *end)
{
    for (size_t depth = 0; p < end;) {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return p;
            depth--;
            break;
        case ',':
            if (depth == 0)
                return p;
            break;
        default:
            break;
        }
        p++;
    }
    return p;
}

/* What follows the array's end, or what is left where the end is missing, is an input, too: one that is not
 * JSON. */
static bool next_item(event_body *b, ss_str *input)
{
    while (b->at < b->end && is_space(*b->at))
        b->at++;
    const char *from = b->at, *stop = item_end(from, b->end);
    if (stop < b->end && *stop == ',') {
        *input = trim(from, stop);
        b->at = stop + 1;
        b->begun = true;
        return true;
    }
    b->done = true;
    bool whole = stop < b->end && *stop == ']' && stop + 1 == b->end;
    *input = whole ? trim(from, stop) : ss_s(from, (size_t)(b->end - from));
    return !whole || input->len > 0 || b->begun;
}

static bool next_line(event_body *b, ss_str *input)
{
    while (b->at < b->end) {
        const char *newline = memchr(b->at, '\n', (size_t)(b->end - b->at)),
                   *stop = newline ? newline : b->end;
        *input = trim(b->at, stop);
        b->at = newline ? newline + 1 : b->end;
        if (input->len > 0)
            return true;
    }
    return false;
}

bool body_next(event_body *b, ss_str *input)
{
    if (b->done)
        return false;
    switch (b->form) {
    case BODY_LINES:
        return next_line(b, input);
    case BODY_ARRAY:
        return next_item(b, input);
    default:
        b->done = true;
        *input = ss_s(b->at, (size_t)(b->end - b->at));
        return true;
    }
}

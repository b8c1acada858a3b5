#include "enrichers/device/texts.h"

#include <stdlib.h>

bool texts_init(texts *t)
{
    *t = (texts){.room = 1u << 16};
    t->bytes = malloc(t->room);
    if (!t->bytes)
        return false;
    t->bytes[t->len++] = '\0';
    return true;
}

void texts_free(texts *t)
{
    free(t->bytes);
    *t = (texts){0};
}

uint32_t texts_add(texts *t, ss_str text)
{
    size_t need = t->len + text.len + 1;
    if (text.len == 0 || need > UINT32_MAX)
        return 0;
    if (need > t->room) {
        size_t room = t->room * 2 > need ? t->room * 2 : need;
        char *bytes = realloc(t->bytes, room);
        if (!bytes)
            return 0;
        t->bytes = bytes;
        t->room = room;
    }
    uint32_t at = (uint32_t)t->len;
    memcpy(t->bytes + at, text.ptr, text.len);
    t->bytes[at + text.len] = '\0';
    t->len = need;
    return at;
}

bool text_same_fold(ss_str a, ss_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (text_lower(a.ptr[i]) != text_lower(b.ptr[i]))
            return false;
    return true;
}

bool text_is(ss_str a, const char *b)
{
    return ss_eq(a, ss_cstr(b));
}

bool text_starts(ss_str text, const char *start)
{
    size_t len = strlen(start);
    return text.len >= len && memcmp(text.ptr, start, len) == 0;
}

bool text_in(ss_str text, const char *const *list)
{
    for (; *list; list++)
        if (text_is(text, *list))
            return true;
    return false;
}

ss_str text_trim(ss_str text, const char *set)
{
    while (text.len > 0 && (!*text.ptr || strchr(set, *text.ptr))) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (!text.ptr[text.len - 1] || strchr(set, text.ptr[text.len - 1])))
        text.len--;
    return text;
}

int32_t text_int(ss_str text)
{
    int32_t value = 0;
    for (size_t i = 0; i < text.len && i < 9 && text_is_digit(text.ptr[i]); i++)
        value = value * 10 + (text.ptr[i] - '0');
    return value;
}

const char *text_find(ss_str text, const char *part)
{
    return text.len ? memmem(text.ptr, text.len, part, strlen(part)) : NULL;
}

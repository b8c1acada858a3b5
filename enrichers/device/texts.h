/* Texts of the loaded files, one after the other, each ended by a NUL, named by their offset. Offset 0 is the
   empty text. */
#ifndef DEVICE_TEXTS_H
#define DEVICE_TEXTS_H

#include "streamsteam/plugin.h"

typedef struct texts {
    char *bytes;
    size_t len, room;
} texts;

/* Offset of the copy, 0 where memory (or the limit of 32 bits) is out, or the text is empty. */
uint32_t texts_add(texts *t, ss_str text);
bool texts_init(texts *t);
void texts_free(texts *t);

static inline const char *texts_get(const texts *t, uint32_t at)
{
    return t->bytes + at;
}

static inline ss_str texts_str(const texts *t, uint32_t at)
{
    return ss_cstr(t->bytes + at);
}

/* ASCII only, as the regular expressions compare. */
static inline char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool text_same_fold(ss_str a, ss_str b);
bool text_is(ss_str a, const char *b);
bool text_starts(ss_str text, const char *start);
/* Is it one of these? The list ends with NULL. */
bool text_in(ss_str text, const char *const *list);
/* Without characters of the set at both ends. */
ss_str text_trim(ss_str text, const char *set);
/* The integer it starts with, as a cast reads it: "10.0" is 10, "x" is 0; stops at nine digits. */
int32_t text_int(ss_str text);
/* Where the part is in the text, or NULL. */
const char *text_find(ss_str text, const char *part);

#endif

#include "enrichers/bots/words.h"

#include <stdlib.h>

/* ASCII only: nothing that depends on a locale. */
static inline unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static int by_first(const void *a, const void *b)
{
    return (unsigned char)((const ss_str *)a)->ptr[0] - (unsigned char)((const ss_str *)b)->ptr[0];
}

static int32_t check(const words *w, ss_str word, ss_error *err)
{
    if (w->count == WORDS_MAX)
        return ss_fail(err, SS_LIMIT, "user_agents: more than %u", WORDS_MAX);
    if (word.len < WORD_BYTES_MIN || word.len > WORD_BYTES_MAX)
        return ss_fail(
            err, SS_REJECT,
            "user_agents: '%.*s': %u to %u bytes are wanted; a shorter word is in almost every user agent",
            (int)(word.len > 64 ? 64 : word.len), word.ptr, WORD_BYTES_MIN, WORD_BYTES_MAX);
    return SS_OK;
}

int32_t words_make(words *w, const ss_host *host, const ss_config *list, ss_error *err)
{
    size_t count = list ? host->cfg_len(list) : 0;
    char *to = w->text = malloc((count + 1) * WORD_BYTES_MAX);
    if (!to)
        return ss_fail(err, SS_LIMIT, "no memory for user_agents");
    for (size_t i = 0; i < count; i++) {
        ss_str word = host->cfg_str(host->cfg_at(list, i), "");
        int32_t status = check(w, word, err);
        if (status != SS_OK)
            return status;
        for (size_t c = 0; c < word.len; c++)
            to[c] = (char)lower(word.ptr[c]);
        w->list[w->count++] = ss_s(to, word.len);
        to += word.len;
    }
    qsort(w->list, w->count, sizeof w->list[0], by_first);
    for (size_t byte = 0, i = 0; byte <= 256; byte++) {
        while (i < w->count && (unsigned char)w->list[i].ptr[0] < byte)
            i++;
        w->first[byte] = (uint16_t)i;
    }
    for (size_t byte = 0; byte < 256; byte++) {
        unsigned char c = lower((char)byte);
        w->starts[byte] = w->first[c] < w->first[c + 1];
    }
    return SS_OK;
}

static bool starts_with(ss_str text, ss_str word)
{
    if (text.len < word.len)
        return false;
    for (size_t i = 1; i < word.len; i++)
        if (lower(text.ptr[i]) != (unsigned char)word.ptr[i])
            return false;
    return true;
}

ss_str words_find(const words *w, ss_str text)
{
    for (size_t i = 0; i + WORD_BYTES_MIN <= text.len; i++) {
        if (__builtin_expect(!w->starts[(unsigned char)text.ptr[i]], 1))
            continue;
        unsigned char c = lower(text.ptr[i]);
        for (size_t k = w->first[c]; k < w->first[c + 1]; k++)
            if (starts_with(ss_s(text.ptr + i, text.len - i), w->list[k]))
                return ss_s(text.ptr + i, w->list[k].len);
    }
    return ss_s("", 0);
}

void words_free(words *w)
{
    free(w->text);
    w->text = NULL;
}

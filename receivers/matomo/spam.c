#include "receivers/matomo/spam.h"

#include <errno.h>
#include <stdlib.h>

#include "receivers/matomo/lower.h"

#define URL_MAX 2048u /* bytes of a referrer that are looked at */

static uint32_t hash_of(const char *four)
{
    uint32_t word;
    memcpy(&word, four, sizeof word);
    return word * 0x9E3779B1u >> (32 - SPAM_BITS);
}

static int32_t read_file(spam *s, ss_str path, size_t *len, ss_error *err)
{
    char name[4096];
    if (path.len >= sizeof name)
        return ss_fail(err, SS_REJECT, "referrer_spam: the path is too long");
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    FILE *f = fopen(name, "rbe");
    if (!f)
        return ss_fail(err, SS_REJECT, "referrer_spam: %s: %s", name, strerror(errno));
    s->text = malloc(SPAM_BYTES_MAX + 1);
    *len = s->text ? fread(s->text, 1, SPAM_BYTES_MAX + 1, f) : 0;
    bool failed = ferror(f);
    (void)fclose(f);
    if (!s->text)
        return ss_fail(err, SS_LIMIT, "no memory for the list of referrer spam");
    if (failed || *len > SPAM_BYTES_MAX)
        return ss_fail(err, SS_REJECT, "referrer_spam: %s: %s", name,
                       failed ? "it cannot be read" : "more than 4 MiB");
    return SS_OK;
}

static int32_t add(spam *s, uint32_t at, uint32_t len, size_t line, ss_error *err)
{
    if (len < SPAM_LENGTH_MIN)
        return ss_fail(err, SS_REJECT, "referrer_spam: line %zu: \"%.*s\" has fewer than %u bytes", line,
                       (int)len, s->text + at, SPAM_LENGTH_MIN);
    if (s->count == SPAM_ENTRIES_MAX)
        return ss_fail(err, SS_REJECT, "referrer_spam: more than %u entries", SPAM_ENTRIES_MAX);
    uint32_t *head = &s->heads[hash_of(s->text + at)];
    s->entries[s->count] = (spam_entry){at, len, *head};
    *head = (uint32_t)++s->count;
    return SS_OK;
}

int32_t spam_make(spam *s, ss_str path, ss_error *err)
{
    size_t len;
    int32_t status = read_file(s, path, &len, err);
    if (status != SS_OK)
        return status;
    lower_ascii(s->text, len);
    s->heads = calloc((size_t)1 << SPAM_BITS, sizeof *s->heads);
    s->entries = calloc(SPAM_ENTRIES_MAX, sizeof *s->entries);
    if (!s->heads || !s->entries)
        return ss_fail(err, SS_LIMIT, "no memory for the list of referrer spam");
    size_t line = 1;
    for (size_t at = 0, end; status == SS_OK && at < len; at = end + 1, line++) {
        const char *stop = memchr(s->text + at, '\n', len - at);
        end = stop ? (size_t)(stop - s->text) : len;
        size_t to = end;
        while (at < to && strchr(" \t\r", s->text[at]))
            at++;
        while (to > at && strchr(" \t\r", s->text[to - 1]))
            to--;
        if (to > at && s->text[at] != '#')
            status = add(s, (uint32_t)at, (uint32_t)(to - at), line, err);
    }
    return status;
}

void spam_free(spam *s)
{
    free(s->text);
    free(s->entries);
    free(s->heads);
    *s = (spam){0};
}

bool spam_has(const spam *s, ss_str url)
{
    char lower[URL_MAX];
    size_t len = url.len < URL_MAX ? url.len : URL_MAX;
    if (!s->heads || len < SPAM_LENGTH_MIN)
        return false;
    memcpy(lower, url.ptr, len);
    lower_ascii(lower, len);
    for (size_t at = 0; at + SPAM_LENGTH_MIN <= len; at++)
        for (uint32_t i = s->heads[hash_of(lower + at)]; i; i = s->entries[i - 1].next) {
            const spam_entry *e = &s->entries[i - 1];
            if (e->len <= len - at && memcmp(s->text + e->at, lower + at, e->len) == 0)
                return true;
        }
    return false;
}

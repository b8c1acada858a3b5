#include "core/config/reference.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "core/base/file.h"

#define REFERENCE_NAME_MAX 256u

static bool starts(ss_str text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.ptr, with, len) == 0;
}

static ss_str after(ss_str text, size_t n)
{
    return ss_s(text.ptr + n, text.len - n);
}

static bool absolute(const reference_rules *rules, ss_str path, char *out, size_t size)
{
    int n;
    if (path.len > 0 && path.ptr[0] == '/')
        n = snprintf(out, size, "%.*s", (int)path.len, path.ptr);
    else
        n = snprintf(out, size, "%s/%.*s", rules->dir ? rules->dir : ".", (int)path.len, path.ptr);
    return path.len > 0 && path.len < size && n > 0 && (size_t)n < size;
}

bool reference_read_file(const char *path, buf *out, ss_error *err)
{
    buf content;
    buf_init(&content, REFERENCE_VALUE_MAX);
    bool good = false;
    if (file_read(path, &content) != 0)
        (void)ss_fail(err, 0, "${file:%.300s}: %s", path,
                      content.failed ? "larger than 64 KiB" : strerror(errno));
    else if (content.len > 0 && memchr(content.ptr, '\0', content.len))
        (void)ss_fail(err, 0, "${file:%.300s}: holds NUL bytes; it must be text", path);
    else
        good = true;
    size_t len = content.len;
    if (len > 0 && content.ptr[len - 1] == '\n')
        len--;
    if (len > 0 && content.ptr[len - 1] == '\r')
        len--;
    if (good)
        buf_add(out, content.ptr, len);
    if (content.len > 0)
        explicit_bzero(content.ptr, content.len);
    buf_fini(&content);
    return good;
}

static bool expand_env(ss_str inner, buf *out, ss_error *err)
{
    ss_str fallback = {NULL, 0};
    const char *cut = memmem(inner.ptr, inner.len, ":-", 2);
    ss_str name = inner;
    if (cut) {
        name.len = (size_t)(cut - inner.ptr);
        fallback = after(inner, name.len + 2);
    }
    if (name.len == 0 || name.len >= REFERENCE_NAME_MAX)
        return ss_fail(err, 0,
                       "${env:} without the name of a variable; write ${env:NAME} or ${env:NAME:-default}");
    char key[REFERENCE_NAME_MAX];
    (void)snprintf(key, sizeof key, "%.*s", (int)name.len, name.ptr);
    const char *value = getenv(key);
    if (cut && (!value || !*value)) {
        buf_add(out, fallback.ptr, fallback.len);
        return true;
    }
    if (!value)
        return ss_fail(err, 0, "the environment variable %s is not set; set it, or write ${env:%s:-default}",
                       key, key);
    buf_adds(out, value);
    return true;
}

static bool expand_file(const reference_rules *rules, ss_str inner, buf *out, ss_error *err)
{
    char path[PATH_MAX];
    if (!rules->dir)
        return ss_fail(err, 0, "${file:} cannot be used here");
    if (!absolute(rules, inner, path, sizeof path))
        return ss_fail(err, 0, "${file:} without a path, or with one that is too long");
    return reference_read_file(path, out, err);
}

/* text begins with "${": one reference. used: its length. */
static bool expand_one(const reference_rules *rules, ss_str text, size_t *used, buf *out, ss_error *err)
{
    const char *end = memchr(text.ptr, '}', text.len);
    if (!end)
        return ss_fail(err, 0, "'${' without its '}'; a literal one is written $${");
    ss_str inner = ss_s(text.ptr + 2, (size_t)(end - text.ptr) - 2);
    *used = inner.len + 3;
    if (starts(inner, "env:"))
        return expand_env(after(inner, 4), out, err);
    if (starts(inner, "file:"))
        return expand_file(rules, after(inner, 5), out, err);
    return ss_fail(err, 0,
                   "an unknown reference '${%.*s}'; there are ${env:NAME}, ${env:NAME:-default} and "
                   "${file:PATH}, and a literal one is written $${",
                   (int)(inner.len < 64 ? inner.len : 64), inner.ptr);
}

bool reference_expand(const reference_rules *rules, ss_str text, buf *out, ss_error *err)
{
    while (text.len > 0) {
        if (starts(text, "$${")) {
            buf_adds(out, "${");
            text = after(text, 3);
            continue;
        }
        size_t used = 1;
        if (!starts(text, "${"))
            buf_add(out, text.ptr, 1);
        else if (!expand_one(rules, text, &used, out, err))
            return false;
        text = after(text, used);
    }
    if (out->failed)
        return ss_fail(err, 0, "longer than 64 KiB with its references filled in");
    return true;
}

bool reference_is_file(const reference_rules *rules, ss_str text, char *path, size_t size)
{
    const char *end = text.len > 0 ? memchr(text.ptr, '}', text.len) : NULL;
    if (!rules->dir || !starts(text, "${file:") || end != text.ptr + text.len - 1)
        return false;
    return absolute(rules, ss_s(text.ptr + 7, text.len - 8), path, size);
}

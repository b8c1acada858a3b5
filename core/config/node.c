#include "core/config/node.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/config/reference.h"

#define NODE_DEPTH_MAX 64u

/* An ss_config is a json_t by another name: nothing to allocate, nothing to keep in step. */
static const json_t *json_of(const ss_config *n)
{
    return (const json_t *)(const void *)n;
}

static const ss_config *node_of(const json_t *j)
{
    return (const ss_config *)(const void *)j;
}

static void register_secrets(const json_t *j, unsigned depth)
{
    if (depth > NODE_DEPTH_MAX)
        return;
    const json_t *secret = json_object_get(j, "$secret");
    if (json_is_string(secret))
        log_add_secret(ss_s(json_string_value(secret), json_string_length(secret)));
    if (json_is_array(j))
        for (size_t i = 0; i < json_array_size(j); i++)
            register_secrets(json_array_get(j, i), depth + 1);
    if (json_is_object(j))
        for (void *i = json_object_iter((json_t *)(uintptr_t)j); i;
             i = json_object_iter_next((json_t *)(uintptr_t)j, i))
            register_secrets(json_object_iter_value(i), depth + 1);
}

ss_config *node_parse(const char *json, size_t len, ss_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!root) {
        (void)ss_fail(err, 0, "the configuration handed over is not JSON: %s at byte %d", why.text,
                      why.position);
        return NULL;
    }
    register_secrets(root, 0);
    return (ss_config *)(void *)root;
}

void node_free(ss_config *root)
{
    json_decref((json_t *)(void *)root);
}

/* A wrapped secret is a value, not an object. */
static const json_t *unwrap(const json_t *j)
{
    const json_t *secret = json_object_size(j) == 1 ? json_object_get(j, "$secret") : NULL;
    return secret ? secret : j;
}

static bool is_file(const json_t *j)
{
    return json_object_size(j) == 1 && json_is_string(json_object_get(j, "$file"));
}

static const json_t *get(const json_t *j, const char *path)
{
    while (j && *path) {
        const json_t *whole = json_object_get(j, path);
        if (whole)
            return unwrap(whole);
        const char *dot = strchr(path, '.');
        if (!dot)
            return NULL;
        j = json_object_getn(j, path, (size_t)(dot - path));
        path = dot + 1;
    }
    return unwrap(j);
}

const ss_config *node_get(const ss_config *n, const char *path)
{
    const json_t *j = get(json_of(n), path);
    return json_is_null(j) ? NULL : node_of(j);
}

size_t node_len(const ss_config *n)
{
    const json_t *j = json_of(n);
    if (is_file(j) || unwrap(j) != j)
        return 0;
    return json_is_array(j) ? json_array_size(j) : json_object_size(j);
}

static void *object_at(const json_t *j, size_t i)
{
    void *at = json_object_iter((json_t *)(uintptr_t)j);
    while (at && i-- > 0)
        at = json_object_iter_next((json_t *)(uintptr_t)j, at);
    return at;
}

const ss_config *node_at(const ss_config *n, size_t i)
{
    const json_t *j = json_of(n);
    if (json_is_array(j))
        return node_of(unwrap(json_array_get(j, i)));
    void *at = json_is_object(j) ? object_at(j, i) : NULL;
    return at ? node_of(unwrap(json_object_iter_value(at))) : NULL;
}

ss_str node_key(const ss_config *n, size_t i)
{
    void *at = json_is_object(json_of(n)) ? object_at(json_of(n), i) : NULL;
    return at ? ss_cstr(json_object_iter_key(at)) : ss_s("", 0);
}

ss_str node_str(const ss_config *n, const char *path)
{
    const json_t *j = get(json_of(n), path);
    if (json_is_string(j))
        return ss_s(json_string_value(j), json_string_length(j));
    if (json_is_boolean(j))
        return json_is_true(j) ? ss_s("true", 4) : ss_s("false", 5);
    return ss_s("", 0);
}

int64_t node_int(const ss_config *n, const char *path)
{
    const json_t *j = get(json_of(n), path);
    if (json_is_integer(j))
        return json_integer_value(j);
    if (json_is_real(j)) {
        double d = json_real_value(j);
        return d > -9.2e18 && d < 9.2e18 ? (int64_t)d : 0;
    }
    return json_is_true(j);
}

double node_float(const ss_config *n, const char *path)
{
    const json_t *j = get(json_of(n), path);
    return json_is_true(j) ? 1 : json_number_value(j);
}

bool node_is_list(const ss_config *n)
{
    return json_is_array(json_of(n));
}

static int64_t copy_out(ss_str value, const char *path, char *out, size_t size, ss_error *err)
{
    if (value.len > size)
        return ss_fail(err, -1, "%s: %zu bytes do not fit into the %zu the plugin has for it", path,
                       value.len, size);
    memcpy(out, value.ptr, value.len);
    if (value.len < size)
        out[value.len] = '\0';
    return (int64_t)value.len;
}

int64_t node_secret(const ss_config *n, const char *path, char *out, size_t size, ss_error *err)
{
    const json_t *j = get(json_of(n), path);
    if (!is_file(j))
        return copy_out(node_str(n, path), path, out, size, err);
    buf content;
    buf_init(&content, REFERENCE_VALUE_MAX);
    int64_t len = -1;
    if (reference_read_file(json_string_value(json_object_get(j, "$file")), &content, err)) {
        log_add_secret(buf_str(&content));
        len = copy_out(ss_s(content.ptr ? content.ptr : "", content.len), path, out, size, err);
    }
    if (content.len > 0)
        explicit_bzero(content.ptr, content.len);
    buf_fini(&content);
    return len;
}

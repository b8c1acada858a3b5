/* An instance's options with the secrets in them, as the testkit reads them. */
#include <stdlib.h>

#include "core/config/config_inside.h"

static json_t *reveal(const json_t *value, buf *secrets);

/* {"$secret":"value"} or {"$file":"/path"} -> "value". NULL: it cannot be had. */
static json_t *reveal_secret(const char *value, const char *file, buf *secrets)
{
    buf content;
    ss_error err = error_init();
    buf_init(&content, REFERENCE_VALUE_MAX);
    bool read = !file || reference_read_file(file, &content, &err);
    const char *text = file ? buf_text(&content) : value;
    json_t *plain = read ? json_string(text) : NULL;
    if (read && *text)
        buf_addf(secrets, "%s\n", text);
    buf_fini(&content);
    return plain;
}

static json_t *reveal_object(const json_t *value, buf *secrets)
{
    const char *secret = json_string_value(json_object_get(value, "$secret"));
    const char *file = json_string_value(json_object_get(value, "$file"));
    if (secret || file)
        return reveal_secret(secret, file, secrets);
    json_t *out = json_object(), *item;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        if (json_object_set_new(out, key, reveal(item, secrets)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *reveal(const json_t *value, buf *secrets)
{
    if (json_is_object(value))
        return reveal_object(value, secrets);
    if (!json_is_array(value))
        return json_copy((json_t *)(uintptr_t)value);
    json_t *out = json_array(), *item;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)value, i, item)
    {
        if (json_array_append_new(out, reveal(item, secrets)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

bool config_entry_options(const config *c, const config_entry *entry, char **options, char **secrets)
{
    const config_instance *i = config_instance_find(c, entry->kind, entry->name);
    buf lines;
    buf_init(&lines, REFERENCE_VALUE_MAX * 4);
    json_t *plain = reveal(i->options, &lines);
    *options = plain ? json_dumps(plain, JSON_COMPACT) : NULL;
    *secrets = lines.failed ? NULL : strdup(buf_text(&lines));
    json_decref(plain);
    buf_fini(&lines);
    return *options && *secrets;
}

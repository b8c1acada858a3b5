/* The bodies that calls of the admin API bring. */
#include <jansson.h>

#include "core/admin/api_inside.h"

static ss_str text_of(const json_t *string)
{
    return ss_s(json_string_value(string), json_string_length(string));
}

static bool is_truthy(const json_t *v)
{
    bool falsy = !v || json_is_null(v) || json_is_false(v) ||
                 (json_is_string(v) && json_string_length(v) == 0) ||
                 (json_is_number(v) && json_number_value(v) == 0);
    return !falsy;
}

/* As express.json() does: no body is an empty object, and a body is an object (or an array, which has no
   names). */
bool admin_read_fields(ss_str body, admin_fields *out, admin_reply *reply)
{
    json_error_t why;
    *out = (admin_fields){.root = NULL};
    if (body.len == 0)
        return true;
    json_t *root = json_loadb(body.ptr, body.len, 0, &why);
    if (!root) {
        admin_error(reply, 400, "BadRequest", ss_cstr(why.text));
        return false;
    }
    const json_t *name = json_object_get(root, "Name"), *description = json_object_get(root, "Description"),
                 *enabled = json_object_get(root, "Enabled");
    out->root = root;
    out->has_name = json_is_string(name) && json_string_length(name) > 0;
    if (out->has_name)
        out->name = text_of(name);
    out->bad_description = is_truthy(description) && !json_is_string(description);
    out->has_description = json_is_string(description);
    if (out->has_description)
        out->description = text_of(description);
    out->has_enabled = json_is_boolean(enabled);
    out->enabled = json_is_true(enabled);
    return true;
}

void admin_fields_fini(admin_fields *fields)
{
    json_decref(fields->root);
    *fields = (admin_fields){.root = NULL};
}

#include "receivers/events/setup.h"

#include <errno.h>
#include <stdlib.h>

#include "receivers/events/access.h"
#include "receivers/events/fields.h"

/* ---- schemas --------------------------------------------------------------------------------- */

static int32_t read_file(const char *name, ss_str file, char **out, size_t *len, ss_error *err)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%.*s", (int)file.len, file.ptr);
    FILE *f = fopen(path, "re");
    *out = f ? malloc(SCHEMA_BYTES_MAX + 1) : NULL;
    *len = *out ? fread(*out, 1, SCHEMA_BYTES_MAX + 1, f) : 0;
    bool read = *out && !ferror(f);
    int saved = errno;
    if (f)
        (void)fclose(f);
    if (read)
        return SS_OK;
    free(*out);
    *out = NULL;
    return ss_fail(err, SS_REJECT, "types.%s.schema_file: %.256s: %s", name, path, strerror(saved));
}

/* The text of the schema: written in the YAML, or a text that ${file:} brought, or a file of its own. Owned.
 */
static int32_t schema_text(const events *e, const ss_config *node, const char *name, char **out, size_t *len,
                           bool *inline_, ss_error *err)
{
    ss_str given = e->host->cfg_str(node, "schema"), file = e->host->cfg_str(node, "schema_file");
    if ((given.len > 0) == (file.len > 0))
        return ss_fail(err, SS_REJECT, "types.%s: give it one of schema and schema_file", name);
    if (file.len > 0)
        return read_file(name, file, out, len, err);
    *out = malloc(given.len);
    if (!*out)
        return ss_fail(err, SS_LIMIT, "no memory for the schemas");
    *inline_ = given.ptr[0] != '"';
    *len = given.len;
    if (*inline_)
        memcpy(*out, given.ptr, given.len);
    else
        *len = json_unescape(*out, ss_s(given.ptr + 1, given.len - 2));
    return SS_OK;
}

static int32_t schema_read(const events *e, event_type *type, const ss_config *node, const char *name,
                           bool assert_format, ss_error *err)
{
    char *text = NULL;
    size_t len = 0;
    json_schema_options options = {.assert_format = assert_format};
    json_schema_problem why;
    int32_t status = schema_text(e, node, name, &text, &len, &options.from_doubles, err);
    if (status != SS_OK)
        return status;
    type->schema = json_schema_new(ss_s(text, len), &options, &why);
    free(text);
    if (!type->schema)
        return ss_fail(err, SS_REJECT, "types.%s: %.400s", name, why.text);
    for (size_t i = 0; json_schema_warning(type->schema, i); i++)
        ss_logf(e->host, SS_WARNING, "types.%s: %s", name, json_schema_warning(type->schema, i));
    return SS_OK;
}

/* ---- types ----------------------------------------------------------------------------------- */

static int32_t read_path(const events *e, const ss_config *node, const char *option, event_path *out,
                         ss_error *err)
{
    ss_str text = e->host->cfg_str(node, option);
    if (path_read(out, text))
        return SS_OK;
    return ss_fail(err, SS_REJECT,
                   "%s: '%.*s' is neither a JSON pointer (/a/b) nor names with dots (a.b), at most %u deep",
                   option, (int)(text.len < 200 ? text.len : 200), text.ptr, PATH_PARTS_MAX);
}

/* The type's own path, else that of the instance. */
static int32_t type_path(const events *e, const ss_config *node, const ss_config *cfg, const char *option,
                         event_path *out, ss_error *err)
{
    const ss_config *own = e->host->cfg_get(node, option);
    bool given = own && e->host->cfg_str(node, option).len > 0;
    return read_path(e, given ? node : cfg, option, out, err);
}

static enum policy policy_of(ss_str text, enum policy otherwise)
{
    return text.len == 0 ? otherwise : ss_eq(text, SS_LIT("reject")) ? POLICY_REJECT : POLICY_QUARANTINE;
}

static int32_t type_read(events *e, event_type *type, const ss_config *node, const ss_config *cfg,
                         ss_error *err)
{
    char name[NAME_BYTES_MAX];
    (void)snprintf(name, sizeof name, "%.*s", (int)type->name.len, type->name.ptr);
    if (type->name.len >= sizeof name || ss_eq(type->name, e->quarantine_type))
        return ss_fail(err, SS_REJECT,
                       "types.%s: a name has less than %u characters and is not that of quarantine_type",
                       name, NAME_BYTES_MAX);
    type->policy = policy_of(e->host->cfg_str(node, "on_invalid"), e->policy);
    int32_t status = schema_read(e, type, node, name, e->host->cfg_int(cfg, "assert_format") != 0, err);
    const struct {
        const char *option;
        event_path *out;
    } paths[] = {{"time_path", &type->time}, {"id_path", &type->id}, {"key_path", &type->key}};
    for (size_t i = 0; status == SS_OK && i < sizeof paths / sizeof *paths; i++)
        status = type_path(e, node, cfg, paths[i].option, paths[i].out, err);
    return status;
}

static int32_t default_type(events *e, const ss_config *cfg, ss_error *err)
{
    ss_str name = e->host->cfg_str(cfg, "default_type");
    e->default_type = e->type_count == 1 ? 0 : UINT32_MAX;
    if (name.len == 0)
        return SS_OK;
    for (uint32_t i = 0; i < e->type_count; i++)
        if (ss_eq(e->types[i].name, name)) {
            e->default_type = i;
            return SS_OK;
        }
    return ss_fail(err, SS_REJECT, "default_type: '%.*s' is none of the declared types", (int)name.len,
                   name.ptr);
}

static int32_t types_read(events *e, const ss_config *cfg, ss_error *err)
{
    const ss_config *map = e->host->cfg_get(cfg, "types");
    size_t count = map ? e->host->cfg_len(map) : 0;
    int32_t status = SS_OK;
    if (count == 0 || count > TYPES_MAX)
        return ss_fail(err, SS_REJECT, "types: declare 1 to %u event types", TYPES_MAX);
    e->types = calloc(count, sizeof *e->types);
    if (!e->types)
        return ss_fail(err, SS_LIMIT, "no memory for the types");
    for (size_t i = 0; status == SS_OK && i < count; i++) {
        event_type *type = &e->types[e->type_count++];
        type->name = e->host->cfg_key(map, i);
        status = type_read(e, type, e->host->cfg_at(map, i), cfg, err);
    }
    return status == SS_OK ? default_type(e, cfg, err) : status;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int32_t setup_read(events *e, const ss_config *cfg, ss_error *err)
{
    const ss_host *host = e->host;
    ss_str answer = host->cfg_str(cfg, "answer");
    e->app = host->cfg_str(cfg, "app");
    e->quarantine_type = host->cfg_str(cfg, "quarantine_type");
    e->policy = policy_of(host->cfg_str(cfg, "on_invalid"), POLICY_QUARANTINE);
    e->answer = ss_eq(answer, SS_LIT("none"))     ? ANSWER_NONE
                : ss_eq(answer, SS_LIT("errors")) ? ANSWER_ERRORS
                                                  : ANSWER_ALL;
    e->max_events = (uint32_t)host->cfg_int(cfg, "max_events");
    e->max_errors = (uint32_t)host->cfg_int(cfg, "max_errors");
    e->max_event_bytes = (size_t)host->cfg_int(cfg, "max_event_bytes");
    e->quarantined = host->counter(host->self, "events_quarantined_total",
                                   "Inputs that fit no declared type and were stored in quarantine.", "");
    e->rejected = host->counter(host->self, "events_rejected_total",
                                "Inputs that fit no declared type and were refused.", "");
    if (e->quarantine_type.len == 0)
        return ss_fail(err, SS_REJECT, "quarantine_type must not be empty");
    int32_t status = read_path(e, cfg, "type_path", &e->type_path, err);
    if (status == SS_OK)
        status = read_path(e, cfg, "data_path", &e->data_path, err);
    if (status == SS_OK)
        status = read_path(e, cfg, "app_path", &e->app_path, err);
    if (status == SS_OK)
        status = types_read(e, cfg, err);
    if (status == SS_OK)
        status = fields_make(e, err);
    return status == SS_OK ? access_make(e, cfg, err) : status;
}

void setup_free(events *e)
{
    access_free(e);
    fields_free(e);
    for (uint32_t i = 0; i < e->type_count; i++)
        json_schema_free(e->types[i].schema);
    free(e->types);
}

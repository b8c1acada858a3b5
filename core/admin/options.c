#include "core/admin/options.h"

static store_limits read_limits(const ss_config *section, const char *name)
{
    const ss_config *node = node_get(section, name);
    return (store_limits){node_int(node, "rate"), node_int(node, "burst"), node_int(node, "quota")};
}

static bool is(const ss_config *section, const char *key, const char *value)
{
    return ss_eq(node_str(section, key), ss_cstr(value));
}

static bool read_path(store_options *out, const ss_config *section, const char *data_dir, ss_error *err)
{
    ss_str path = section ? node_str(section, "path") : SS_LIT("applications.db");
    bool absolute = path.len && path.ptr[0] == '/';
    int n = snprintf(out->path, sizeof out->path, "%s%s%.*s", absolute ? "" : data_dir, absolute ? "" : "/",
                     (int)path.len, path.ptr);
    if (path.len == 0 || n < 0 || (size_t)n >= sizeof out->path)
        return ss_fail(err, false, "server.applications.path: empty or too long");
    out->database = (database_options){.kind = DATABASE_SQLITE, .path = out->path};
    return true;
}

static bool read_connection(store_options *out, const ss_config *section, ss_error *err)
{
    int64_t len =
        node_secret(section, "postgres.connection", out->connection, sizeof out->connection - 1, err);
    if (len < 0)
        return false;
    out->connection[len] = '\0';
    out->database = (database_options){.kind = DATABASE_POSTGRES, .connection = out->connection};
    out->authorizer.poll_ms = node_int(section, "postgres.poll_ms");
    return true;
}

static bool copy(char out[REMOTE_TEXT_MAX], const ss_config *section, const char *name, ss_error *err)
{
    ss_str text = node_str(section, name);
    if (text.len >= REMOTE_TEXT_MAX)
        return ss_fail(err, false, "server.applications.%s: longer than %u bytes", name, REMOTE_TEXT_MAX - 1);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool read_remote(store_options *out, const ss_config *section, const char *data_dir, ss_error *err)
{
    remote_options *r = &out->remote;
    out->has_remote = true;
    out->pull_ms = node_int(section, "dynamodb.poll_ms");
    if (out->hashed)
        return ss_fail(
            err, false,
            "server.applications.keys: hashed does not go with store: dynamodb, whose other readers need "
            "whole keys; leave it at clear");
    return copy(r->applications, section, "dynamodb.applications_table", err) &&
           copy(r->authorizations, section, "dynamodb.authorizations_table", err) &&
           copy(r->region, section, "dynamodb.region", err) &&
           copy(r->endpoint, section, "dynamodb.endpoint", err) &&
           copy(r->profile, section, "dynamodb.profile", err) && read_path(out, section, data_dir, err);
}

bool store_options_read(store_options *out, const ss_config *section, const char *data_dir, ss_error *err)
{
    memset(out, 0, sizeof *out);
    out->none = is(section, "store", "none");
    out->hashed = is(section, "keys", "hashed");
    out->authorizer = (authorizer_options){.ttl_ms = node_int(section, "authorizer_ttl_ms"),
                                           .seed_cache = is(section, "authorizer_cache", "seed"),
                                           .poll_ms = STORE_POLL_MS,
                                           .app_default = read_limits(section, "per_application"),
                                           .key_default = read_limits(section, "per_key")};
    if (is(section, "store", "dynamodb"))
        return read_remote(out, section, data_dir, err);
    return is(section, "store", "postgres") ? read_connection(out, section, err)
                                            : read_path(out, section, data_dir, err);
}

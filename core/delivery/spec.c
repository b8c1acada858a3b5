#include "core/delivery/spec.h"

#include <stdlib.h>

#include "core/base/buf.h"
#include "core/config/node.h"

#define HOST_JSON_MAX (4u * 1024 * 1024)

/* ---- filter
 * ------------------------------------------------------------------------------------------------ */

static bool list_has(const ss_str *list, size_t count, ss_str value)
{
    for (size_t i = 0; i < count; i++)
        if (ss_eq(list[i], value))
            return true;
    return count == 0;
}

bool spec_wants(const spec_filter *f, const ss_record *r)
{
    return list_has(f->receivers, f->receiver_count, r->receiver) &&
           list_has(f->types, f->type_count, r->type) && list_has(f->apps, f->app_count, r->app);
}

static int read_list(const ss_config *node, const char *path, ss_str **list, size_t *count, ss_error *err)
{
    const ss_config *items = node_get(node, path);
    size_t n = node_len(items);
    free(*list);
    *list = NULL;
    *count = 0;
    if (n == 0)
        return 0;
    *list = calloc(n, sizeof **list);
    if (!*list)
        return ss_fail(err, -1, "module: out of memory for the list `%s`; make it shorter", path);
    for (size_t i = 0; i < n; i++)
        (*list)[i] = node_str(node_at(items, i), "");
    *count = n;
    return 0;
}

static void filter_fini(spec_filter *f)
{
    free(f->receivers);
    free(f->types);
    free(f->apps);
    *f = (spec_filter){0};
}

/* host: an object with receivers, types, apps, view. */
static int read_filter(spec *s, const ss_config *host, ss_error *err)
{
    spec_filter *f = &s->filter;
    ss_str view = node_str(host, "view");
    (void)snprintf(s->view, sizeof s->view, "%.*s", (int)view.len, view.ptr);
    if (read_list(host, "receivers", &f->receivers, &f->receiver_count, err) != 0 ||
        read_list(host, "types", &f->types, &f->type_count, err) != 0)
        return -1;
    return read_list(host, "apps", &f->apps, &f->app_count, err);
}

/* ---- what is stored of it
 * ---------------------------------------------------------------------------------- */

static void put_string(buf *out, ss_str s)
{
    buf_adds(out, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else
            buf_addf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    buf_adds(out, "\"");
}

static void put_list(buf *out, const char *name, const ss_str *list, size_t count)
{
    buf_addf(out, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        buf_adds(out, i ? "," : "");
        put_string(out, list[i]);
    }
    buf_adds(out, "],");
}

static char *host_text(const spec *s)
{
    buf out;
    buf_init(&out, HOST_JSON_MAX);
    buf_adds(&out, "{");
    put_list(&out, "receivers", s->filter.receivers, s->filter.receiver_count);
    put_list(&out, "types", s->filter.types, s->filter.type_count);
    put_list(&out, "apps", s->filter.apps, s->filter.app_count);
    buf_adds(&out, "\"view\":");
    put_string(&out, ss_cstr(s->view));
    buf_adds(&out, "}");
    char *text = strdup(buf_text(&out));
    bool failed = out.failed;
    buf_fini(&out);
    if (failed) {
        free(text);
        return NULL;
    }
    return text;
}

int spec_hold(spec *s, ss_str host_json, ss_error *err)
{
    ss_config *held = node_parse(host_json.ptr, host_json.len, err);
    if (!held)
        return -1;
    int rc = read_filter(s, held, err);
    node_free(s->held);
    s->held = held;
    return rc;
}

int spec_release(spec *s, ss_error *err)
{
    int rc = read_filter(s, node_get(s->root, "host"), err);
    node_free(s->held);
    s->held = NULL;
    return rc;
}

/* ---- the blob
 * ---------------------------------------------------------------------------------------------- */

static int64_t between(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int64_t positive_or(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int read_path(const ss_config *root, const char *key, char *out, ss_error *err)
{
    ss_str value = node_str(root, key);
    if (value.len == 0 || value.len >= PATH_MAX)
        return ss_fail(
            err, -1,
            "module: the configuration has no usable `%s`; start the server with `streamsteam serve`", key);
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
    return 0;
}

static int read_start(spec *s, const ss_config *host, ss_error *err)
{
    ss_str text = node_str(host, "start");
    if (text.len == 0 && node_int(host, "start") > 0) {
        s->start = SPEC_SEQ;
        s->start_seq = (uint64_t)node_int(host, "start");
    } else if (text.len == 0 || ss_eq(text, SS_LIT("earliest"))) {
        s->start = SPEC_EARLIEST;
    } else if (ss_eq(text, SS_LIT("latest"))) {
        s->start = SPEC_LATEST;
    } else {
        char number[24], *end = number;
        (void)snprintf(number, sizeof number, "%.*s", (int)text.len, text.ptr);
        s->start = SPEC_SEQ;
        s->start_seq = strtoull(number, &end, 10);
        if (*end || text.len >= sizeof number)
            return ss_fail(err, -1,
                           "module %s: start: '%s' is neither earliest, latest nor a sequence number",
                           s->name, number);
    }
    return 0;
}

static void read_limits(spec *s, const ss_config *host)
{
    s->batch_records =
        (uint32_t)between(positive_or(node_int(host, "batch.records"), 500), 1, SPEC_BATCH_MAX);
    s->batch_bytes = (size_t)between(positive_or(node_int(host, "batch.bytes"), 4 << 20),
                                     SPEC_BATCH_BYTES_MIN, SPEC_BATCH_BYTES_MAX);
    s->linger_ms = node_int(host, "batch.linger_ms");
    s->deadline_ms = positive_or(node_int(host, "deadline_ms"), 60000);
    s->retry_base_ms = positive_or(node_int(host, "retry.base_ms"), 200);
    s->retry_max_ms = positive_or(node_int(host, "retry.max_ms"), 60000);
    if (s->retry_max_ms < s->retry_base_ms)
        s->retry_max_ms = s->retry_base_ms;
    s->drain_ms = positive_or(node_int(host, "drain_ms"), SPEC_DRAIN_MS);
    s->max_bytes = (uint64_t)node_int(host, "max_bytes");
    s->memory_bytes = (uint64_t)node_int(host, "memory");
}

static uint64_t fingerprint(ss_str text)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return h;
}

int spec_read(spec *s, ss_str blob, ss_error *err)
{
    *s = (spec){0};
    s->root = node_parse(blob.ptr, blob.len, err);
    if (!s->root)
        return -1;
    ss_str name = node_str(s->root, "name");
    if (name.len == 0 || name.len >= sizeof s->name)
        return ss_fail(
            err, -1,
            "module: the configuration has no usable name; start the server with `streamsteam serve`");
    (void)snprintf(s->name, sizeof s->name, "%.*s", (int)name.len, name.ptr);
    const ss_config *host = node_get(s->root, "host");
    s->options = node_get(s->root, "options");
    if (read_path(s->root, "path", s->plugin_path, err) != 0 ||
        read_path(s->root, "data_dir", s->data_dir, err) != 0 ||
        read_path(s->root, "journal_dir", s->journal_dir, err) != 0 || read_start(s, host, err) != 0 ||
        read_filter(s, host, err) != 0)
        return -1;
    read_limits(s, host);
    s->fingerprint = fingerprint(blob);
    s->host_json = host_text(s);
    return s->host_json ? 0 : ss_fail(err, -1, "module %s: out of memory for its configuration", s->name);
}

void spec_fini(spec *s)
{
    filter_fini(&s->filter);
    node_free(s->root);
    node_free(s->held);
    free(s->host_json);
    *s = (spec){0};
}

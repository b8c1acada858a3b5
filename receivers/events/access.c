#include "receivers/events/access.h"

#include <stdlib.h>
#include <strings.h>

#include "plugins/common/secret.h"

#define HEADERS_MAX 6u

/* ---- options --------------------------------------------------------------------------------- */

static int32_t key_types(const events *e, event_key *key, const ss_config *list, size_t place, ss_error *err)
{
    size_t count = list ? e->host->cfg_len(list) : 0;
    key->all = count == 0;
    for (size_t i = 0; i < count; i++) {
        ss_str name = e->host->cfg_str(e->host->cfg_at(list, i), "");
        uint32_t t = 0;
        while (t < e->type_count && !ss_eq(e->types[t].name, name))
            t++;
        if (t == e->type_count)
            return ss_fail(err, SS_REJECT, "keys[%zu].types: '%.*s' is none of the declared types", place,
                           (int)name.len, name.ptr);
        key->types[t >> 6] |= (uint64_t)1 << (t & 63u);
    }
    return SS_OK;
}

static int32_t key_read(events *e, event_key *key, const ss_config *node, size_t place, ss_error *err)
{
    int64_t len = e->host->secret(e->host->self, node, "secret", key->secret, sizeof key->secret, err);
    if (len < 0)
        return SS_REJECT;
    if (len == 0)
        return ss_fail(err, SS_REJECT, "keys[%zu].secret is empty: it would let everybody in", place);
    key->len = (size_t)len;
    key->app = e->host->cfg_str(node, "app");
    return key_types(e, key, e->host->cfg_get(node, "types"), place, err);
}

static int32_t keys_make(events *e, const ss_config *cfg, ss_error *err)
{
    const ss_config *list = e->host->cfg_get(cfg, "keys");
    size_t count = list ? e->host->cfg_len(list) : 0;
    ss_str header = e->host->cfg_str(cfg, "key_header");
    int32_t status = SS_OK;
    if (count > KEYS_MAX || header.len == 0 || header.len >= sizeof e->key_header)
        return ss_fail(err, SS_REJECT, "keys: at most %u; key_header: 1 to %u characters", KEYS_MAX,
                       NAME_BYTES_MAX - 1);
    memcpy(e->key_header, header.ptr, header.len);
    for (size_t i = 0; i < header.len; i++)
        if (header.ptr[i] <= ' ' || header.ptr[i] >= 127 || header.ptr[i] == ':')
            return ss_fail(err, SS_REJECT, "key_header: '%s' is no name of a header", e->key_header);
    (void)snprintf(e->allow_headers, sizeof e->allow_headers, "Content-Type, %s", e->key_header);
    e->key_parameter = e->host->cfg_str(cfg, "key_parameter");
    e->keys = calloc(count + 1, sizeof *e->keys);
    if (!e->keys)
        return ss_fail(err, SS_LIMIT, "no memory for the keys");
    for (; status == SS_OK && e->key_count < count; e->key_count++)
        status = key_read(e, &e->keys[e->key_count], e->host->cfg_at(list, e->key_count), e->key_count, err);
    return status;
}

static int32_t methods_make(events *e, const ss_config *cfg, ss_error *err)
{
    static const char *const known[METHODS_MAX] = {"POST", "PUT", "PATCH", "GET"};
    const ss_config *list = e->host->cfg_get(cfg, "methods");
    size_t count = list ? e->host->cfg_len(list) : 0, len = 0;
    for (size_t i = 0; i < count && i < METHODS_MAX; i++) {
        ss_str method = e->host->cfg_str(e->host->cfg_at(list, i), "");
        size_t k = 0;
        while (k < METHODS_MAX && !ss_eq(method, ss_cstr(known[k])))
            k++;
        if (k == METHODS_MAX)
            return ss_fail(err, SS_REJECT, "methods: '%.*s' is none of POST, PUT, PATCH and GET",
                           (int)method.len, method.ptr);
        e->methods[e->method_count++] = method;
        len += (size_t)snprintf(e->allow + len, sizeof e->allow - len, "%s, ", known[k]);
    }
    (void)snprintf(e->allow + len, sizeof e->allow - len, "OPTIONS");
    return SS_OK;
}

int32_t access_make(events *e, const ss_config *cfg, ss_error *err)
{
    const ss_config *list = e->host->cfg_get(cfg, "origins");
    size_t count = list ? e->host->cfg_len(list) : 0;
    for (size_t i = 0; i < count && i < ORIGINS_MAX; i++) {
        ss_str origin = e->host->cfg_str(e->host->cfg_at(list, i), "");
        if (origin.len > 0 && origin.ptr[origin.len - 1] == '/')
            return ss_fail(err, SS_REJECT, "origins: '%.*s' ends with a slash, which browsers do not send",
                           (int)origin.len, origin.ptr);
        e->origins[e->origin_count++] = origin;
    }
    int32_t status = methods_make(e, cfg, err);
    return status == SS_OK ? keys_make(e, cfg, err) : status;
}

void access_free(events *e)
{
    for (uint32_t i = 0; e->keys && i < e->key_count; i++)
        explicit_bzero(e->keys[i].secret, sizeof e->keys[i].secret);
    free(e->keys);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool key_equal(const event_key *key, ss_str given)
{
    return secret_equal(key->secret, sizeof key->secret, key->len, given);
}

static ss_str key_given(const events *e, const ss_request *request)
{
    ss_str given = e->host->header(request, e->key_header);
    uint32_t count = 0;
    if (given.len > 7 && strncasecmp(given.ptr, "Bearer ", 7) == 0)
        given = ss_s(given.ptr + 7, given.len - 7);
    if (given.len > 0 || e->key_parameter.len == 0)
        return given;
    const ss_pair *pairs = e->host->query(request, &count);
    for (uint32_t i = 0; i < count; i++) {
        const ss_pair *p =
            (const ss_pair *)(const void *)((const char *)pairs + (size_t)i * request->pair_size);
        if (ss_eq(p->key, e->key_parameter))
            return p->value;
    }
    return given;
}

const event_key *access_key(const events *e, const ss_request *request)
{
    ss_str given = key_given(e, request);
    const event_key *found = NULL;
    for (uint32_t i = 0; given.len > 0 && i < e->key_count; i++)
        if (key_equal(&e->keys[i], given))
            found = &e->keys[i];
    return found;
}

bool access_origin(const events *e, ss_str origin)
{
    for (uint32_t i = 0; i < e->origin_count; i++)
        if (ss_eq(e->origins[i], SS_LIT("*")) || ss_eq(e->origins[i], origin))
            return true;
    return false;
}

bool access_method(const events *e, ss_str method)
{
    for (uint32_t i = 0; i < e->method_count; i++)
        if (ss_eq(e->methods[i], method))
            return true;
    return false;
}

static bool add_headers(const events *e, const ss_request *request, ss_response *response,
                        const ss_pair *more, uint32_t count)
{
    ss_pair *list = e->host->mem(request->call, (response->header_count + count) * sizeof *list);
    if (!list)
        return false;
    if (response->header_count)
        memcpy(list, response->headers, response->header_count * sizeof *list);
    memcpy(list + response->header_count, more, count * sizeof *list);
    response->headers = list;
    response->header_count += count;
    return true;
}

bool access_headers(const events *e, const ss_request *request, ss_response *response)
{
    if (e->origin_count == 0)
        return true;
    ss_str origin = e->host->header(request, "Origin");
    if (origin.len == 0 || !access_origin(e, origin))
        return true;
    const ss_pair more[] = {{SS_LIT("Access-Control-Allow-Origin"), origin},
                            {SS_LIT("Vary"), SS_LIT("Origin")}};
    return add_headers(e, request, response, more, 2);
}

bool access_preflight(const events *e, const ss_request *request, ss_response *response)
{
    const ss_pair more[] = {{SS_LIT("Access-Control-Allow-Methods"), ss_cstr(e->allow)},
                            {SS_LIT("Access-Control-Allow-Headers"), ss_cstr(e->allow_headers)},
                            {SS_LIT("Access-Control-Max-Age"), SS_LIT("7200")}};
    response->status = 204;
    ss_str origin = e->host->header(request, "Origin");
    bool browser = origin.len > 0 && access_origin(e, origin);
    const ss_pair allow = {SS_LIT("Allow"), ss_cstr(e->allow)};
    return add_headers(e, request, response, browser ? more : &allow, browser ? 3 : 1) &&
           access_headers(e, request, response);
}

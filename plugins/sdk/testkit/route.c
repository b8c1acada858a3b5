/* Which of a receiver's routes takes a request, as the server decides it: exact paths, then those with {name}
   parts, then prefixes, the longest first; among equals the order of the table. A trailing slash matters to
   none. */
#include "plugins/sdk/testkit/inside.h"

enum { RANK_NONE, RANK_PREFIX, RANK_PATTERN, RANK_EXACT };

static bool method_fits(const char *methods, const char *method)
{
    size_t len = strlen(method);
    if (!methods || strcmp(methods, "*") == 0)
        return true;
    for (const char *p = methods; *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == len && memcmp(p, method, len) == 0)
            return true;
    return false;
}

static ss_str without_slash(ss_str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

/* Fills the parameters on the way; a part that is empty fits no {name}. */
static bool pattern_fits(ss_str route, ss_str path, kit_params *params)
{
    const char *r = route.ptr, *r_end = r + route.len, *p = path.ptr, *p_end = p + path.len;
    params->count = 0;
    while (r < r_end) {
        if (*r != '{') {
            if (p == p_end || *r++ != *p++)
                return false;
            continue;
        }
        const char *name = r + 1, *value = p;
        while (r < r_end && *r++ != '}')
            ;
        while (p < p_end && *p != '/')
            p++;
        if (p == value || params->count == KIT_PARAMS_MAX)
            return false;
        params->pairs[params->count++] =
            (ss_pair){ss_s(name, (size_t)(r - 1 - name)), ss_s(value, (size_t)(p - value))};
    }
    return p == p_end;
}

static bool prefix_fits(ss_str route, ss_str path)
{
    return path.len >= route.len && memcmp(path.ptr, route.ptr, route.len) == 0 &&
           (route.len == 1 || path.len == route.len || path.ptr[route.len] == '/');
}

static int route_rank(const ss_route *route, ss_str path, kit_params *params)
{
    ss_str own = without_slash(ss_cstr(route->path));
    path = without_slash(path);
    params->count = 0;
    if (route->flags & SS_ROUTE_PREFIX)
        return prefix_fits(own, path) ? RANK_PREFIX : RANK_NONE;
    if (memchr(own.ptr, '{', own.len))
        return pattern_fits(own, path, params) ? RANK_PATTERN : RANK_NONE;
    return ss_eq(own, path) ? RANK_EXACT : RANK_NONE;
}

const ss_route *kit_route_find(const testkit *k, ss_str path, const char *method, kit_params *params)
{
    const ss_receiver *r = k->plugin->receiver;
    const ss_route *best = NULL;
    int best_rank = RANK_NONE;
    for (const ss_route *route = r ? r->routes : NULL; route && route->path;
         route = (const ss_route *)(const void *)((const char *)route + r->route_size)) {
        kit_params own;
        int rank = method_fits(route->methods, method) ? route_rank(route, path, &own) : RANK_NONE;
        bool longer =
            rank == RANK_PREFIX && best_rank == RANK_PREFIX && strlen(route->path) > strlen(best->path);
        if (rank <= best_rank && !longer)
            continue;
        best = route;
        best_rank = rank;
        *params = own;
    }
    return best;
}

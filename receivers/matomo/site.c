#include "receivers/matomo/site.h"

#include <stdlib.h>

#include "receivers/matomo/lower.h"

/* ---- look-up ---- */

static uint32_t slot_of(const sites *s, int64_t id)
{
    return (uint32_t)(((uint64_t)id * 0x9E3779B97F4A7C15u) >> 32) & s->slot_mask;
}

const site *sites_find(const sites *s, int64_t id)
{
    if (!s->listed)
        return &s->any;
    for (uint32_t i = slot_of(s, id); s->slots[i]; i = (i + 1) & s->slot_mask)
        if (s->list[s->slots[i] - 1].id == id)
            return &s->list[s->slots[i] - 1];
    return NULL;
}

static int goal_order(const void *a, const void *b)
{
    int64_t x = ((const site_goal *)a)->id, y = ((const site_goal *)b)->id;
    return (x > y) - (x < y);
}

const site_goal *site_goal_find(const site *s, int64_t id)
{
    site_goal key = {.id = id};
    return s->goal_count ? bsearch(&key, s->goals, s->goal_count, sizeof key, goal_order) : NULL;
}

bool site_goal_known(const site *s, int64_t id)
{
    return s->goals_listed ? site_goal_find(s, id) != NULL : id > 0;
}

static bool host_fits(const site_url *u, ss_str host)
{
    if (ss_eq(u->host, host))
        return true;
    return u->subdomains && host.len > u->host.len && host.ptr[host.len - u->host.len - 1] == '.' &&
           memcmp(host.ptr + host.len - u->host.len, u->host.ptr, u->host.len) == 0;
}

bool site_has_url(const site *s, ss_str host, ss_str path)
{
    for (size_t i = 0; i < s->url_count; i++) {
        const site_url *u = &s->urls[i];
        if (!host_fits(u, host))
            continue;
        if (!path.ptr || u->path.len == 0 ||
            (path.len >= u->path.len && memcmp(path.ptr, u->path.ptr, u->path.len) == 0 &&
             (path.len == u->path.len || path.ptr[u->path.len] == '/')))
            return true;
    }
    return false;
}

/* ---- configuration ---- */

/* Where a problem is, for people: "sites.7." */
typedef struct maker {
    sites *s;
    const ss_host *host;
    ss_error *err;
    char place[48];
} maker;

static int32_t no_memory(maker *k)
{
    return ss_fail(k->err, SS_LIMIT, "no memory for the sites");
}

static int32_t make_zone(maker *k, site *out, ss_str name)
{
    sites *s = k->s;
    for (size_t i = 0; i < s->zone_count; i++)
        if (ss_eq(ss_cstr(s->zones[i]->name), name)) {
            out->zone = s->zones[i];
            out->timezone = ss_cstr(out->zone->name);
            return SS_OK;
        }
    zone **more = realloc(s->zones, (s->zone_count + 1) * sizeof *more);
    zone *z = malloc(sizeof *z);
    if (more)
        s->zones = more;
    if (!more || !z) {
        free(z);
        return no_memory(k);
    }
    ss_error why = {.struct_size = sizeof why};
    if (!zone_load(z, name, &why)) {
        free(z);
        return ss_fail(k->err, SS_REJECT, "%stimezone: %s", k->place, why.text);
    }
    s->zones[s->zone_count++] = z;
    out->zone = z;
    out->timezone = ss_cstr(z->name);
    return SS_OK;
}

static char *text_keep(sites *s, ss_str text)
{
    char *at = s->texts + s->text_len; /* room was made for all of them */
    if (text.len)
        memcpy(at, text.ptr, text.len);
    s->text_len += text.len;
    return at;
}

static int32_t read_url(maker *k, site_url *u, ss_str text)
{
    const char *whole = text.ptr, *slashes = text.len ? memmem(text.ptr, text.len, "//", 2) : NULL;
    size_t skip = slashes ? (size_t)(slashes - whole) + 2 : 0, host = 0;
    ss_str rest = ss_s(text.ptr + skip, text.len - skip);
    u->text = text;
    u->subdomains = rest.len > 2 && memcmp(rest.ptr, "*.", 2) == 0;
    if (u->subdomains)
        rest = ss_s(rest.ptr + 2, rest.len - 2);
    while (host < rest.len && !strchr("/?#:", rest.ptr[host]))
        host++;
    u->host = ss_s(text_keep(k->s, ss_s(rest.ptr, host)), host);
    lower_ascii((char *)(uintptr_t)u->host.ptr, host);
    size_t at = host, end;
    while (at < rest.len && !strchr("/?#", rest.ptr[at]))
        at++; /* the port */
    for (end = at; end < rest.len && rest.ptr[end] != '?' && rest.ptr[end] != '#';)
        end++;
    while (end > at && rest.ptr[end - 1] == '/')
        end--;
    u->path = ss_s(rest.ptr + at, end - at);
    if (host == 0 || memchr(u->host.ptr, '*', host))
        return ss_fail(k->err, SS_REJECT,
                       "%shosts: \"%.*s\": write a host such as example.org, *.example.org or "
                       "https://example.org/shop",
                       k->place, (int)text.len, whole);
    return SS_OK;
}

static int32_t read_urls(maker *k, site *out, const ss_config *list)
{
    size_t count = list ? k->host->cfg_len(list) : 0;
    int32_t status = SS_OK;
    out->urls = calloc(count + 1, sizeof *out->urls);
    if (!out->urls)
        return no_memory(k);
    for (; status == SS_OK && out->url_count < count; out->url_count++)
        status = read_url(k, &out->urls[out->url_count],
                          k->host->cfg_str(k->host->cfg_at(list, out->url_count), ""));
    return status;
}

static int32_t read_goals(maker *k, site *out, const ss_config *list)
{
    const ss_host *host = k->host;
    size_t count = list ? host->cfg_len(list) : 0;
    out->goals_listed = list != NULL;
    out->goals = calloc(count + 1, sizeof *out->goals);
    if (!out->goals)
        return no_memory(k);
    for (; out->goal_count < count; out->goal_count++) {
        const ss_config *node = host->cfg_at(list, out->goal_count);
        out->goals[out->goal_count] =
            (site_goal){.id = host->cfg_int(node, "id"),
                        .name = host->cfg_str(node, "name"),
                        .revenue = host->cfg_float(node, "revenue"),
                        .has_revenue = host->cfg_get(node, "revenue") != NULL,
                        .allow_multiple = host->cfg_int(node, "allow_multiple") != 0};
    }
    qsort(out->goals, count, sizeof *out->goals, goal_order);
    for (size_t i = 1; i < count; i++)
        if (out->goals[i].id == out->goals[i - 1].id)
            return ss_fail(k->err, SS_REJECT, "%sgoals: there are two with the id %lld", k->place,
                           (long long)out->goals[i].id);
    return SS_OK;
}

/* What a site does not say is as the receiver says. */
static bool read_switch(const maker *k, const ss_config *node, const char *name, bool otherwise)
{
    return k->host->cfg_get(node, name) ? k->host->cfg_int(node, name) != 0 : otherwise;
}

/* node: one of `sites`, or the receiver's own options. */
static int32_t read_site(maker *k, site *out, const ss_config *node)
{
    const ss_host *host = k->host;
    const site *any = &k->s->any;
    out->name = host->cfg_str(node, "name");
    out->exclude_unknown_urls = read_switch(k, node, "exclude_unknown_urls", any->exclude_unknown_urls);
    const ss_config *timezone = host->cfg_get(node, "timezone");
    int32_t status =
        timezone ? make_zone(k, out, host->cfg_str(timezone, "")) : make_zone(k, out, any->timezone);
    if (status == SS_OK)
        status = read_urls(k, out, host->cfg_get(node, "hosts"));
    if (status == SS_OK)
        status = read_goals(k, out, host->cfg_get(node, "goals"));
    if (status == SS_OK && out != any)
        status = exclude_list_make(&out->exclude, host, node, k->place, k->err);
    return status;
}

static bool read_id(ss_str key, int64_t *id)
{
    *id = 0;
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] < '0' || key.ptr[i] > '9')
            return false;
        *id = *id * 10 + (key.ptr[i] - '0');
    }
    return key.len > 0 && key.len <= 18 && (key.len == 1 || key.ptr[0] != '0');
}

static int32_t read_list(maker *k, const ss_config *map)
{
    sites *s = k->s;
    int32_t status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < k->host->cfg_len(map); i++) {
        ss_str key = k->host->cfg_key(map, i);
        site *out = &s->list[s->count];
        (void)snprintf(k->place, sizeof k->place, "sites.%.*s.", key.len < 30 ? (int)key.len : 30, key.ptr);
        if (!read_id(key, &out->id))
            return ss_fail(k->err, SS_REJECT, "sites: \"%.*s\" is no website id: write a number from 0 on",
                           (int)key.len, key.ptr);
        if (sites_find(s, out->id))
            return ss_fail(k->err, SS_REJECT, "sites: %lld is there twice", (long long)out->id);
        uint32_t slot = slot_of(s, out->id);
        while (s->slots[slot])
            slot = (slot + 1) & s->slot_mask;
        s->slots[slot] = (uint32_t)++s->count;
        status = read_site(k, out, k->host->cfg_at(map, i));
    }
    return status;
}

/* Bytes of all hosts: what text_keep() needs. */
static size_t hosts_bytes(const ss_host *host, const ss_config *map, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const ss_config *hosts = host->cfg_get(host->cfg_at(map, i), "hosts");
        for (size_t n = 0; hosts && n < host->cfg_len(hosts); n++)
            bytes += host->cfg_str(host->cfg_at(hosts, n), "").len;
    }
    return bytes;
}

int32_t sites_make(sites *s, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    maker k = {.s = s, .host = host, .err = err};
    const ss_config *map = host->cfg_get(cfg, "sites");
    size_t count = map ? host->cfg_len(map) : 0, slots = 8;
    if (count > SITES_MAX)
        return ss_fail(err, SS_REJECT, "sites: at most %u", SITES_MAX);
    while (slots < 2 * count)
        slots *= 2;
    s->slot_mask = (uint32_t)slots - 1;
    s->slots = calloc(slots, sizeof *s->slots);
    s->list = calloc(count + 1, sizeof *s->list);
    s->texts = malloc(hosts_bytes(host, map, count) + 1);
    if (!s->slots || !s->list || !s->texts)
        return no_memory(&k);
    s->any.id = -1;
    int32_t status = read_site(&k, &s->any, cfg);
    s->listed = map != NULL;
    return status == SS_OK && map ? read_list(&k, map) : status;
}

static void site_free(site *s)
{
    free(s->urls);
    free(s->goals);
    exclude_list_free(&s->exclude);
}

void sites_free(sites *s)
{
    site_free(&s->any);
    for (size_t i = 0; i < s->count; i++)
        site_free(&s->list[i]);
    for (size_t i = 0; i < s->zone_count; i++) {
        zone_free(s->zones[i]);
        free(s->zones[i]);
    }
    free(s->list);
    free(s->slots);
    free(s->zones);
    free(s->texts);
    *s = (sites){0};
}

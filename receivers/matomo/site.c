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

static bool path_fits(const site_url *u, ss_str path)
{
    return !path.ptr || u->path.len == 0 ||
           (path.len >= u->path.len && memcmp(path.ptr, u->path.ptr, u->path.len) == 0 &&
            (path.len == u->path.len || path.ptr[u->path.len] == '/'));
}

static bool urls_have(const site_url *list, size_t count, ss_str host, ss_str path)
{
    for (size_t i = 0; i < count; i++)
        if (host_fits(&list[i], host) && path_fits(&list[i], path))
            return true;
    return false;
}

bool site_has_url(const site *s, ss_str host, ss_str path)
{
    return urls_have(s->urls, s->url_count, host, path);
}

bool site_excludes_referrer(const site *s, ss_str host, ss_str path)
{
    return urls_have(s->excluded_referrers, s->excluded_referrer_count, host, path);
}

/* ---- by host ---- */

struct site_place {
    const site *site;
    const site_url *url;
    uint32_t next; /* of the same hash, + 1 */
};

static uint32_t hash_host(ss_str host)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < host.len; i++)
        hash = (hash ^ (unsigned char)host.ptr[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* whole: the host itself was looked up, not what is below one of its names. */
static void match_places(const sites *s, const site *self, ss_str host, ss_str path, bool whole,
                         site_match *m)
{
    for (uint32_t i = s->place_heads[hash_host(host) & s->place_mask]; i; i = s->places[i - 1].next) {
        const struct site_place *place = &s->places[i - 1];
        if ((!whole && !place->url->subdomains) || !ss_eq(place->url->host, host) ||
            !path_fits(place->url, path))
            continue;
        m->any = true;
        m->own |= place->site == self;
        if (place->url->path.len > m->path.len)
            m->path = place->url->path;
    }
}

site_match sites_match(const sites *s, const site *self, ss_str host, ss_str path)
{
    site_match m = {.path = ss_s("", 0)};
    if (!s->place_mask)
        return m;
    match_places(s, self, host, path, true, &m);
    for (const char *dot; (dot = host.len ? memchr(host.ptr, '.', host.len) : NULL) != NULL;) {
        host = ss_s(dot + 1, (size_t)(host.ptr + host.len - dot) - 1);
        match_places(s, self, host, path, false, &m);
    }
    return m;
}

static bool index_places(sites *s)
{
    size_t count = 0, heads = 8;
    for (size_t i = 0; i < s->count; i++)
        count += s->list[i].url_count;
    if (count == 0)
        return true;
    while (heads < 2 * count)
        heads *= 2;
    s->places = calloc(count, sizeof *s->places);
    s->place_heads = calloc(heads, sizeof *s->place_heads);
    if (!s->places || !s->place_heads)
        return false;
    s->place_mask = (uint32_t)heads - 1;
    uint32_t at = 0;
    for (size_t i = 0; i < s->count; i++)
        for (size_t n = 0; n < s->list[i].url_count; n++) {
            const site_url *u = &s->list[i].urls[n];
            uint32_t *head = &s->place_heads[hash_host(u->host) & s->place_mask];
            s->places[at++] = (struct site_place){&s->list[i], u, *head};
            *head = at;
        }
    return true;
}

/* ---- configuration ---- */

/* Where a problem is, for people: "sites.7." */
typedef struct maker {
    sites *s;
    const ss_host *host;
    const ss_config *above; /* the receiver's own options */
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

static int32_t read_url(maker *k, const char *option, site_url *u, ss_str text)
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
                       "%s%s: \"%.*s\": write a host such as example.org, *.example.org or "
                       "https://example.org/shop",
                       k->place, option, (int)text.len, whole);
    return SS_OK;
}

static int32_t read_urls(maker *k, const ss_config *node, const char *name, site_url **urls,
                         size_t *url_count)
{
    const ss_config *list = k->host->cfg_get(node, name);
    size_t count = list ? k->host->cfg_len(list) : 0;
    int32_t status = SS_OK;
    *urls = calloc(count + 1, sizeof **urls);
    if (!*urls)
        return no_memory(k);
    for (; status == SS_OK && *url_count < count; ++*url_count)
        status =
            read_url(k, name, &(*urls)[*url_count], k->host->cfg_str(k->host->cfg_at(list, *url_count), ""));
    return status;
}

static int32_t make_rules(maker *k, site *out, const ss_config *node)
{
    sites *s = k->s;
    if (out != &s->any && !page_rules_wanted(k->host, node)) {
        out->rules = s->any.rules;
        return SS_OK;
    }
    page_rules **more = realloc(s->rules, (s->rules_count + 1) * sizeof *more);
    if (!more)
        return no_memory(k);
    s->rules = more;
    page_rules *made = page_rules_new(k->host, node, out == &s->any ? NULL : k->above, k->place, k->err);
    if (!made)
        return SS_REJECT;
    s->rules[s->rules_count++] = made;
    out->rules = made;
    return SS_OK;
}

static int32_t read_goals(maker *k, site *out, const ss_config *list)
{
    const ss_host *host = k->host;
    size_t count = list ? host->cfg_len(list) : 0;
    out->goals_listed = list != NULL;
    out->goals = calloc(count + 1, sizeof *out->goals);
    if (!out->goals)
        return no_memory(k);
    int32_t status = SS_OK;
    for (; status == SS_OK && out->goal_count < count; out->goal_count++) {
        site_goal *g = &out->goals[out->goal_count];
        status = goal_read(g, host, host->cfg_at(list, out->goal_count), k->place, k->err);
        out->goals_match |= g->attribute != GOAL_MANUALLY;
    }
    if (status != SS_OK)
        return status;
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
    out->keep_fragment = read_switch(k, node, "keep_fragment", any->keep_fragment);
    out->site_search = read_switch(k, node, "site_search", any->site_search);
    const ss_config *timezone = host->cfg_get(node, "timezone");
    int32_t status =
        timezone ? make_zone(k, out, host->cfg_str(timezone, "")) : make_zone(k, out, any->timezone);
    if (status == SS_OK)
        status = read_urls(k, node, "hosts", &out->urls, &out->url_count);
    if (status == SS_OK)
        status =
            read_urls(k, node, "excluded_referrers", &out->excluded_referrers, &out->excluded_referrer_count);
    if (status == SS_OK)
        status = make_rules(k, out, node);
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

static size_t list_bytes(const ss_host *host, const ss_config *node, const char *name)
{
    const ss_config *list = host->cfg_get(node, name);
    size_t bytes = 0;
    for (size_t n = 0; list && n < host->cfg_len(list); n++)
        bytes += host->cfg_str(host->cfg_at(list, n), "").len;
    return bytes;
}

/* Bytes of all hosts: what text_keep() needs. */
static size_t hosts_bytes(const ss_host *host, const ss_config *cfg, const ss_config *map, size_t count)
{
    size_t bytes = list_bytes(host, cfg, "excluded_referrers");
    for (size_t i = 0; i < count; i++)
        bytes += list_bytes(host, host->cfg_at(map, i), "hosts") +
                 list_bytes(host, host->cfg_at(map, i), "excluded_referrers");
    return bytes;
}

int32_t sites_make(sites *s, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    maker k = {.s = s, .host = host, .above = cfg, .err = err};
    const ss_config *map = host->cfg_get(cfg, "sites");
    size_t count = map ? host->cfg_len(map) : 0, slots = 8;
    if (count > SITES_MAX)
        return ss_fail(err, SS_REJECT, "sites: at most %u", SITES_MAX);
    while (slots < 2 * count)
        slots *= 2;
    s->slot_mask = (uint32_t)slots - 1;
    s->slots = calloc(slots, sizeof *s->slots);
    s->list = calloc(count + 1, sizeof *s->list);
    s->texts = malloc(hosts_bytes(host, cfg, map, count) + 1);
    if (!s->slots || !s->list || !s->texts)
        return no_memory(&k);
    s->any.id = -1;
    int32_t status = read_site(&k, &s->any, cfg);
    s->listed = map != NULL;
    if (status == SS_OK && map)
        status = read_list(&k, map);
    return status == SS_OK && !index_places(s) ? no_memory(&k) : status;
}

static void site_free(site *s)
{
    free(s->urls);
    for (size_t i = 0; i < s->goal_count; i++)
        goal_free(&s->goals[i]);
    free(s->goals);
    free(s->excluded_referrers);
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
    for (size_t i = 0; i < s->rules_count; i++)
        page_rules_free(s->rules[i]);
    free(s->rules);
    free(s->places);
    free(s->place_heads);
    free(s->list);
    free(s->slots);
    free(s->zones);
    free(s->texts);
    *s = (sites){0};
}

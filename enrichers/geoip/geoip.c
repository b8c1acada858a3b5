/* The enricher for locations: looks addresses up in local database files, which it opens anew when they
   change. No question ever leaves the machine.

   It stands first in the chain (enrich: [geoip, device, bots, privacy]), so that it sees full addresses. */
#include <stdlib.h>

#include "enrichers/geoip/sources.h"
#include "plugins/common/field.h"

#define TICK_MS 1000 /* lookups are counted this often */

enum {
    FIELD_IP,
    FIELD_HOSTNAME,
    FIELD_CITY,
    FIELD_REGION,
    FIELD_COUNTRY,
    FIELD_LONGITUDE,
    FIELD_LATITUDE,
    FIELD_ORG,
    FIELD_POSTAL,
    FIELD_TIMEZONE,
    FIELD_REGION_CODE,
    FIELD_COUNTRY_NAME,
    FIELD_CONTINENT,
    FIELD_ASN,
    FIELD_COUNT
};

static const ss_field fields[FIELD_COUNT + 1] = {
    [FIELD_IP] = {"geo_info.ip", SS_FIELD_STRING, 0, "The address that was looked up.", NULL},
    [FIELD_HOSTNAME] = {"geo_info.hostname", SS_FIELD_STRING, 0,
                        "Name of the host; never set here, for it would need a question to the outside.",
                        NULL},
    [FIELD_CITY] = {"geo_info.city", SS_FIELD_STRING, 0, "City.", NULL},
    [FIELD_REGION] = {"geo_info.region", SS_FIELD_STRING, 0, "Region, by name.", NULL},
    [FIELD_COUNTRY] = {"geo_info.country", SS_FIELD_STRING, 0, "Country, two letters of ISO 3166-1.", NULL},
    [FIELD_LONGITUDE] = {"geo_info.loc.longitude", SS_FIELD_DOUBLE, 0, "Longitude, degrees.", NULL},
    [FIELD_LATITUDE] = {"geo_info.loc.latitude", SS_FIELD_DOUBLE, 0, "Latitude, degrees.", NULL},
    [FIELD_ORG] = {"geo_info.org", SS_FIELD_STRING, 0, "Autonomous system and who runs it: AS64496 Example.",
                   NULL},
    [FIELD_POSTAL] = {"geo_info.postal", SS_FIELD_STRING, 0, "Postal code.", NULL},
    [FIELD_TIMEZONE] = {"geo_info.timezone", SS_FIELD_STRING, 0, "Time zone: Europe/Berlin.", NULL},
    [FIELD_REGION_CODE] = {"geo_info.region_code", SS_FIELD_STRING, 0, "Region, the part of ISO 3166-2.",
                           NULL},
    [FIELD_COUNTRY_NAME] = {"geo_info.country_name", SS_FIELD_STRING, 0, "Country, by name.", NULL},
    [FIELD_CONTINENT] = {"geo_info.continent", SS_FIELD_STRING, 0, "Continent, two letters.", NULL},
    [FIELD_ASN] = {"geo_info.asn", SS_FIELD_INT, 0, "Number of the autonomous system.", NULL},
};

static const uint8_t field_of[LOCATION_TEXTS] = {
    [LOCATION_CITY] = FIELD_CITY,
    [LOCATION_REGION] = FIELD_REGION,
    [LOCATION_REGION_CODE] = FIELD_REGION_CODE,
    [LOCATION_COUNTRY] = FIELD_COUNTRY,
    [LOCATION_COUNTRY_NAME] = FIELD_COUNTRY_NAME,
    [LOCATION_CONTINENT] = FIELD_CONTINENT,
    [LOCATION_ORG] = FIELD_ORG,
    [LOCATION_POSTAL] = FIELD_POSTAL,
    [LOCATION_TIMEZONE] = FIELD_TIMEZONE,
};

static const ss_option path_item[] = {
    {.name = "*", .type = SS_T_PATH, .doc = "A database in MaxMind's format (.mmdb)."}, {.name = NULL}};

static const ss_option options[] = {
    {.name = "database",
     .type = SS_T_PATH,
     .doc = "A city, country or ASN database in MaxMind's format (.mmdb), of any vendor."},
    {.name = "databases",
     .type = SS_T_LIST,
     .max = ATLAS_DATABASES_MAX - 1,
     .children = path_item,
     .doc = "More of them; what one does not know is taken from the next."},
    {.name = "language",
     .type = SS_T_STRING,
     .dflt = "en",
     .doc = "Language of names, where a database has several."},
    {.name = "reload",
     .type = SS_T_DURATION,
     .dflt = "60s",
     .min = 0,
     .max = INT64_C(86400000),
     .doc = "How often to look whether a file changed; a damaged one is told and the old one stays in use; 0 "
            "= never."},
    {.name = "ip_field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .dflt = "ip",
     .doc = "Where the address is."},
    {.name = NULL}};

typedef struct geoip {
    const ss_host *host;
    char language[16];
    sources sources;
    int64_t reload_us, look_at_us; /* timer only */
    uint32_t ip, own[FIELD_COUNT]; /* references */
    ss_metric *found, *unknown, *damaged;
} geoip;

/* ---- events ---- */

static bool is_free(const ss_event *e, uint32_t index)
{
    return index != SS_NO_FIELD && !ss_has(e, index);
}

static void set_text(const geoip *g, ss_event *e, unsigned field, ss_str text)
{
    uint32_t index = ss_ref(e, g->own[field]);
    if (text.len > 0 && is_free(e, index))
        ss_set_str(e, index, text);
}

static void set_degrees(const geoip *g, ss_event *e, const location *l)
{
    uint32_t latitude = ss_ref(e, g->own[FIELD_LATITUDE]), longitude = ss_ref(e, g->own[FIELD_LONGITUDE]);
    if (l->has_latitude && l->has_longitude && is_free(e, latitude) && is_free(e, longitude)) {
        ss_set_double(e, latitude, l->latitude);
        ss_set_double(e, longitude, l->longitude);
    }
}

/* A client with a token said the country: what belongs to another one is not mixed with it. */
static bool contradicts(const geoip *g, const ss_event *e, const location *l)
{
    ss_str said = ss_get_str(e, ss_ref(e, g->own[FIELD_COUNTRY]));
    return said.len > 0 && !ss_eq(said, location_get(l, LOCATION_COUNTRY));
}

static int32_t set_location(const geoip *g, ss_event *e, const location *l)
{
    if (contradicts(g, e, l))
        return SS_OK;
    char *text = g->host->mem(e->call, l->used + 1u);
    if (!text)
        return SS_LIMIT;
    memcpy(text, l->text, l->used);
    for (unsigned i = 0; i < LOCATION_TEXTS; i++)
        set_text(g, e, field_of[i], ss_s(text + l->at[i], l->len[i]));
    set_degrees(g, e, l);
    uint32_t asn = ss_ref(e, g->own[FIELD_ASN]);
    if (l->asn && asn != SS_NO_FIELD)
        ss_set_int(e, asn, l->asn);
    return SS_OK;
}

/* Only the address, and null where nothing is known: privacy sees by it that geoip has run. */
static void set_ip(const geoip *g, ss_event *e, ss_str ip, bool known)
{
    uint32_t index = ss_ref(e, g->own[FIELD_IP]);
    if (index == SS_NO_FIELD)
        return;
    if (known)
        ss_set_str(e, index, ip);
    else if (!ss_has(e, index)) /* another geoip before this one may have known it */
        ss_set_null(e, index);
}

static enum atlas_result find(geoip *g, const ss_event *e, ss_str text, location *out)
{
    ip_address ip;
    guard_slot *slot;
    const atlas *a = sources_enter(&g->sources, e->call, &slot);
    enum atlas_result result = ATLAS_UNKNOWN;
    if (ip_parse(text, &ip))
        result = atlas_find(a, &ip, out);
    (void)atomic_fetch_add_explicit(result == ATLAS_FOUND ? &slot->found : &slot->unknown, 1u,
                                    memory_order_relaxed);
    sources_leave(slot);
    return result;
}

static int32_t geoip_enrich(void *inst, ss_event *e, ss_error *err)
{
    geoip *g = inst;
    location l;
    ss_str ip = ss_get_str(e, ss_ref(e, g->ip));
    enum atlas_result result = find(g, e, ip, &l);
    set_ip(g, e, ip, result == ATLAS_FOUND);
    if (result == ATLAS_DAMAGED)
        g->host->metric_add(g->damaged, 1);
    if (result == ATLAS_FOUND && set_location(g, e, &l) != SS_OK)
        return ss_fail(err, SS_LIMIT, "geoip: out of memory");
    return SS_OK;
}

/* ---- now and then ---- */

static void collect(geoip *g)
{
    uint64_t found = 0, unknown = 0;
    for (size_t i = 0; i < GUARD_SLOTS; i++) {
        found += atomic_exchange_explicit(&g->sources.guard.slots[i].found, 0u, memory_order_relaxed);
        unknown += atomic_exchange_explicit(&g->sources.guard.slots[i].unknown, 0u, memory_order_relaxed);
    }
    if (found)
        g->host->metric_add(g->found, (double)found);
    if (unknown)
        g->host->metric_add(g->unknown, (double)unknown);
}

static void tick(void *arg)
{
    geoip *g = arg;
    int64_t now_us = g->host->now_us(g->host->self);
    collect(g);
    if (g->reload_us == 0 || now_us < g->look_at_us)
        return;
    g->look_at_us = now_us + g->reload_us;
    sources_look(&g->sources);
}

/* ---- life ---- */

static void geoip_destroy(void *inst)
{
    geoip *g = inst;
    sources_close(&g->sources);
    free(g);
}

static void register_metrics(geoip *g, const ss_host *host)
{
    static const char help[] = "Addresses that were looked up, by result.";
    g->found = host->counter(host->self, "geoip_lookups_total", help, "result=\"found\"");
    g->unknown = host->counter(host->self, "geoip_lookups_total", help, "result=\"unknown\"");
    g->damaged = host->counter(host->self, "geoip_damaged_total", "Lookups that met a damaged record.", "");
}

/* The last step of create(): once there is a timer nothing may fail any more. */
static int32_t start_timer(geoip *g, const ss_host *host, int64_t reload_ms, ss_error *err)
{
    g->reload_us = reload_ms * 1000;
    g->look_at_us = host->now_us(host->self) + g->reload_us;
    bool short_one = reload_ms > 0 && reload_ms < TICK_MS;
    if (!host->every(host->self, short_one ? reload_ms : TICK_MS, tick, g))
        return ss_fail(err, SS_LIMIT, "the server has no timer left");
    return SS_OK;
}

static int32_t geoip_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    geoip *g = aligned_alloc(_Alignof(geoip), sizeof *g);
    if (!g)
        return ss_fail(err, SS_LIMIT, "no memory for the enricher");
    memset(g, 0, sizeof *g);
    g->host = host;
    ss_str language = host->cfg_str(cfg, "language");
    (void)snprintf(g->language, sizeof g->language, "%.*s", (int)language.len, language.ptr);
    location_ways_make(&g->sources.ways, g->language);
    g->ip = field_ref(host, host->cfg_str(cfg, "ip_field"));
    for (size_t i = 0; i < FIELD_COUNT; i++)
        g->own[i] = field_ref(host, ss_cstr(fields[i].name));
    int32_t status = sources_open(&g->sources, host, cfg, err);
    if (status == SS_OK) {
        register_metrics(g, host);
        status = start_timer(g, host, host->cfg_int(cfg, "reload"), err);
    }
    if (status != SS_OK) {
        geoip_destroy(g);
        return status;
    }
    *inst = g;
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = geoip_enrich};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_ENRICHER,
    .name = "geoip",
    .version = "0.1.0",
    .build_id = SS_VERSION,
    .summary = "Country, city, coordinates and network of addresses, from local files.",
    .license = "MIT",
    .options = options,
    .fields = fields,
    .schema_rev = 1,
    .enricher = &enricher,
    .create = geoip_create,
    .destroy = geoip_destroy};
SS_PLUGIN(plugin);

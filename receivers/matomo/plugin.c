/* The receiver for Matomo's Tracking HTTP API: the descriptor, its routes, its life. */
#include <stdlib.h>

#include "receivers/matomo/fields.h"
#include "receivers/matomo/matomo.h"
#include "receivers/matomo/options.h"
#include "receivers/matomo/params.h"
#include "receivers/matomo/receiver.h"
#include "receivers/matomo/visiting.h"

#define TRACK(path)                                                                                          \
    {                                                                                                        \
        path, "*", 0, 0, "Matomo's tracking endpoint: one hit in the query or form, or many as JSON."        \
    }

#define SCRIPT(path)                                                                                         \
    {                                                                                                        \
        path, "GET|HEAD", 0, 0, "The tracker's script, from the file of the option script."                  \
    }
#define API(path)                                                                                            \
    {                                                                                                        \
        path, "GET|POST", 0, 0, "What Matomo's log importer asks: module=API&method=SitesManager...."        \
    }

static const ss_route routes[] = {TRACK("/matomo.php"),
                                  TRACK("/piwik.php"),
                                  TRACK("/matomo-event-receiver"),
                                  TRACK("/matomo"),
                                  TRACK("/js"),
                                  TRACK("/js/tracker.php"),
                                  SCRIPT("/matomo.js"),
                                  SCRIPT("/piwik.js"),
                                  /* of a log importer whose --url ends with a slash */
                                  TRACK("//piwik.php"),
                                  TRACK("//matomo.php"),
                                  API("/"),
                                  API("/index.php"),
                                  {NULL, NULL, 0, 0, NULL}};

static void matomo_destroy(void *instance)
{
    matomo *m = instance;
    visits_free(m->visits);
    script_free(m->script);
    tokens_free(&m->tokens);
    sites_free(&m->sites);
    sources_free(m->sources);
    exclude_list_free(&m->exclude_everywhere);
    exclude_free(&m->exclude);
    pixel_free(&m->pixel);
    free(m);
}

static void make_kinds(matomo *m)
{
    for (uint32_t id = 0; id < PARAM_COUNT; id++) {
        uint32_t kind = param_specs[id].kind;
        if (kind != KIND_NONE && kind != KIND_TEXT && kind != KIND_INT && kind != KIND_BOOL)
            kind = KIND_OTHERS;
        m->kinds[kind][id >> 6] |= (uint64_t)1 << (id & 63u);
    }
}

static void read_switches(matomo *m, const ss_host *host, const ss_config *cfg)
{
    const struct {
        bool *to;
        const char *name;
    } list[] = {{&m->require_rec, "require_rec"},
                {&m->strict_auth, "strict_auth"},
                {&m->record_statistics, "record_statistics"},
                {&m->tracking_needs_token, "tracking_requests_require_authentication"},
                {&m->bulk_needs_token, "bulk_requests_require_authentication"},
                {&m->switches.respect_dnt, "respect_dnt"},
                {&m->switches.respect_gpc, "respect_gpc"},
                {&m->switches.third_party_cookie, "third_party_cookie"},
                {&m->switches.cookieless, "cookieless"}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        *list[i].to = host->cfg_int(cfg, list[i].name) != 0;
}

static int32_t configure(matomo *m, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    m->host = host;
    make_kinds(m);
    read_switches(m, host, cfg);
    m->cdt_auth_after_us = host->cfg_int(cfg, "cdt_auth_after") * 1000;
    m->max_bulk_items = (size_t)host->cfg_int(cfg, "max_bulk_items");
    const ss_config *cors = host->cfg_get(cfg, "cors_domains");
    size_t count = cors ? host->cfg_len(cors) : 0;
    for (size_t i = 0; i < count && i < CORS_DOMAINS_MAX; i++)
        m->cors[m->cors_count++] = host->cfg_str(host->cfg_at(cors, i), "");
    if (!names_make(&m->params, param_names, PARAM_COUNT, false))
        return ss_fail(err, SS_FATAL,
                       "the table of parameter names could not be made: a bug, please report it");
    m->values_dropped = host->counter(
        host->self, "matomo_values_dropped_total",
        "Values of optional parameters that were not of their type or past a limit and were left out.", "");
    m->overrides_ignored =
        host->counter(host->self, "matomo_overrides_ignored_total",
                      "Location parameters that were ignored because no valid token came with them.", "");
    int32_t status = tokens_make(&m->tokens, host, cfg, err);
    if (status == SS_OK && !(m->sources = sources_new(err)))
        status = SS_FATAL;
    if (status == SS_OK)
        status = sites_make(&m->sites, host, cfg, err);
    if (status == SS_OK)
        status = exclude_list_make(&m->exclude_everywhere, host, cfg, "", err);
    if (status == SS_OK)
        status = exclude_make(&m->exclude, host, cfg, err);
    if (status == SS_OK)
        status = pixel_make(&m->pixel, host->cfg_str(cfg, "custom_image"), err);
    if (status == SS_OK)
        status = script_make(&m->script, host, cfg, err);
    return status == SS_OK ? visiting_configure(m, cfg, err) : status;
}

static int32_t matomo_create(const ss_host *host, const ss_config *cfg, void **instance, ss_error *err)
{
    matomo *m = calloc(1, sizeof *m);
    if (!m)
        return ss_fail(err, SS_LIMIT, "no memory for the receiver");
    int32_t status = configure(m, host, cfg, err);
    if (status != SS_OK) {
        matomo_destroy(m);
        return status;
    }
    *instance = m;
    return SS_OK;
}

static int32_t matomo_adopt(void *instance, void *old_instance, ss_error *err)
{
    matomo *m = instance, *old = old_instance;
    (void)err;
    if (m->visits && old->visits)
        visits_adopt(m->visits, old->visits);
    return SS_OK;
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .receive = receiver_receive,
                                     .parse = receiver_parse};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_RECEIVER,
    .name = "matomo",
    .version = "0.1.0",
    .build_id = SS_VERSION,
    .summary = "Takes hits of Matomo clients: page views, events, goals, orders, bulk requests.",
    .license = "MIT",
    .options = matomo_options,
    .fields = matomo_fields,
    .schema_rev = MATOMO_SCHEMA_REV,
    .receiver = &receiver,
    .create = matomo_create,
    .adopt = matomo_adopt,
    .destroy = matomo_destroy};

SS_PLUGIN(plugin);

/* The receiver for Matomo's Tracking HTTP API: the descriptor, its options, its routes. */
#include <stdlib.h>

#include "receivers/matomo/fields.h"
#include "receivers/matomo/matomo.h"
#include "receivers/matomo/page.h"
#include "receivers/matomo/params.h"
#include "receivers/matomo/receiver.h"

static const ss_option site_item[] = {
    {.name = "*", .type = SS_T_INT, .max = INT64_MAX, .doc = "A website id."}, {.name = NULL}};

static const ss_option token_keys[] = {{.name = "secret",
                                        .type = SS_T_STRING,
                                        .flags = SS_OPT_REQUIRED | SS_OPT_SECRET,
                                        .doc = "The token as clients send it in token_auth."},
                                       {.name = "role",
                                        .type = SS_T_ENUM,
                                        .dflt = "write",
                                        .choices = "superuser|admin|write",
                                        .doc = "superuser: every site, and bulk answers name the invalid "
                                               "items; admin and write: the sites listed."},
                                       {.name = "sites",
                                        .type = SS_T_LIST,
                                        .children = site_item,
                                        .max = (int64_t)TOKEN_SITES_MAX,
                                        .doc = "Website ids that the token is for; none means all."},
                                       {.name = NULL}};

static const ss_option token_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = token_keys, .doc = "A token."}, {.name = NULL}};

static const ss_option origin_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "An origin such as https://example.org, or *."},
    {.name = NULL}};

static const ss_option options[] = {
    {.name = "require_rec",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Store only hits with rec=1, as Matomo does; others are answered alike and counted."},
    {.name = "strict_auth",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Answer 400 to country, region, city, lat or long without a valid token, as Matomo does, instead "
            "of ignoring them."},
    {.name = "cdt_auth_after",
     .type = SS_T_DURATION,
     .dflt = "24h",
     .min = 0,
     .max = INT64_C(631152000000),
     .doc = "A cdt older than this needs a valid token."},
    {.name = "max_bulk_items",
     .type = SS_T_INT,
     .dflt = "20000",
     .min = 1,
     .max = 1000000,
     .doc = "A bulk request with more items than this is refused whole with 400."},
    {.name = "cors_domains",
     .type = SS_T_LIST,
     .children = origin_item,
     .max = (int64_t)CORS_DOMAINS_MAX,
     .doc =
         "Origins whose pages may read the answer to a GET (other methods always allow the asking origin)."},
    {.name = "tokens",
     .type = SS_T_LIST,
     .children = token_item,
     .max = (int64_t)TOKENS_MAX,
     .doc = "Values of token_auth that may set cip, an old cdt and the location."},
    {.name = NULL}};

#define TRACK(path)                                                                                          \
    {                                                                                                        \
        path, "*", 0, 0, "Matomo's tracking endpoint: one hit in the query or form, or many as JSON."        \
    }

static const ss_route routes[] = {
    TRACK("/matomo.php"), TRACK("/piwik.php"),      TRACK("/matomo-event-receiver"), TRACK("/matomo"),
    TRACK("/js"),         TRACK("/js/tracker.php"), {NULL, NULL, 0, 0, NULL}};

static void matomo_destroy(void *instance)
{
    matomo *m = instance;
    tokens_free(&m->tokens);
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

static int32_t configure(matomo *m, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    m->host = host;
    make_kinds(m);
    m->require_rec = host->cfg_int(cfg, "require_rec") != 0;
    m->strict_auth = host->cfg_int(cfg, "strict_auth") != 0;
    m->cdt_auth_after_us = host->cfg_int(cfg, "cdt_auth_after") * 1000;
    m->max_bulk_items = (size_t)host->cfg_int(cfg, "max_bulk_items");
    const ss_config *cors = host->cfg_get(cfg, "cors_domains");
    size_t count = cors ? host->cfg_len(cors) : 0;
    for (size_t i = 0; i < count && i < CORS_DOMAINS_MAX; i++)
        m->cors[m->cors_count++] = host->cfg_str(host->cfg_at(cors, i), "");
    if (!names_make(&m->params, param_names, PARAM_COUNT, false) || !page_names_make(&m->page))
        return ss_fail(err, SS_FATAL,
                       "the tables of parameter names could not be made: a bug, please report it");
    m->values_dropped = host->counter(
        host->self, "matomo_values_dropped_total",
        "Values of optional parameters that were not of their type or past a limit and were left out.", "");
    m->overrides_ignored =
        host->counter(host->self, "matomo_overrides_ignored_total",
                      "Location parameters that were ignored because no valid token came with them.", "");
    return tokens_make(&m->tokens, host, cfg, err);
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

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .receive = receiver_receive};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_RECEIVER,
    .name = "matomo",
    .version = "0.1.0",
    .build_id = SS_VERSION,
    .summary = "Takes hits of Matomo clients: page views, events, goals, orders, bulk requests.",
    .license = "MIT",
    .options = options,
    .fields = matomo_fields,
    .schema_rev = MATOMO_SCHEMA_REV,
    .receiver = &receiver,
    .create = matomo_create,
    .destroy = matomo_destroy};

SS_PLUGIN(plugin);

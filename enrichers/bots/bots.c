/* The enricher for bots: marks or drops events that a machine made. It goes by what `device` found before it
   in the chain, by words in the user agent, and by addresses; so it stands behind device and before privacy.
 */
#include <stdlib.h>

#include "enrichers/bots/networks.h"
#include "enrichers/bots/words.h"
#include "plugins/common/field.h"

enum { FIELD_IS_BOT, FIELD_NAME, FIELD_REASON };

static const ss_field fields[] = {
    {.name = "is_bot", .type = SS_FIELD_BOOL, .doc = "A bot made this event, as far as one can tell."},
    {.name = "bot_name",
     .type = SS_FIELD_STRING,
     .doc = "Which bot: of the crawler, the network, or the word."},
    {.name = "bot_reason",
     .type = SS_FIELD_STRING,
     .doc = "What gave it away: crawler, user_agent, address, or declared by the client."},
    {.name = NULL}};

static const ss_option network_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "An address, 192.0.2.0/24, 2001:db8::/32 or 192.0.2.*."},
    {.name = NULL}};

static const ss_option network_map[] = {
    {.name = "*", .type = SS_T_LIST, .max = NETWORKS_MAX, .children = network_item, .doc = "Its networks."},
    {.name = NULL}};

static const ss_option word_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "Part of a user agent, in any case."}, {.name = NULL}};

static const ss_option options[] = {
    {.name = "action",
     .type = SS_T_ENUM,
     .dflt = "flag",
     .choices = "flag|drop",
     .doc =
         "flag: is_bot, bot_name, bot_reason are set; drop: the event is not stored and counted by reason."},
    {.name = "crawlers",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Go by device_info.crawler, which the enricher device sets where it stands before this one."},
    {.name = "known_networks",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Go by the fixed networks of crawlers that Matomo has."},
    {.name = "networks",
     .type = SS_T_MAP,
     .max = 1024,
     .children = network_map,
     .doc = "More networks, by the name that goes into bot_name."},
    {.name = "user_agents",
     .type = SS_T_LIST,
     .max = WORDS_MAX,
     .children = word_item,
     .doc = "Parts of user agents that make an event a bot's."},
    {.name = "ip_field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .dflt = "ip",
     .doc = "Where the address is."},
    {.name = "user_agent_field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .dflt = "user_agent",
     .doc = "Where the user agent is."},
    {.name = "allow_field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .dflt = "bots_allowed",
     .doc = "Where it is true the event is left alone (Matomo's bots=1)."},
    {.name = NULL}};

enum reason { REASON_CRAWLER, REASON_USER_AGENT, REASON_ADDRESS, REASON_DECLARED, REASON_COUNT, REASON_NONE };

static const char *const reason_names[REASON_COUNT] = {"crawler", "user_agent", "address", "declared"};

typedef struct bots {
    const ss_host *host;
    bool drop, crawlers;
    networks networks;
    words words;
    uint32_t ip, user_agent, allow, crawler, crawler_name; /* references */
    uint32_t own[3];
    ss_metric *flagged[REASON_COUNT];
} bots;

static bool is_true(const ss_event *e, uint32_t ref)
{
    const ss_value *v = field_value(e, ss_ref(e, ref));
    return v && (v->kind == SS_V_BOOL || v->kind == SS_V_INT) && v->as.i64 != 0;
}

/* What gives it away; the most telling first. */
static enum reason judge(const bots *b, const ss_event *e, ss_str *name)
{
    *name = ss_s("", 0);
    if (b->crawlers && is_true(e, b->crawler)) {
        *name = ss_get_str(e, ss_ref(e, b->crawler_name));
        return REASON_CRAWLER;
    }
    if (b->words.count > 0) {
        *name = words_find(&b->words, ss_get_str(e, ss_ref(e, b->user_agent)));
        if (name->len > 0)
            return REASON_USER_AGENT;
    }
    ip_address ip;
    if (b->networks.count > 0 && ip_parse(ss_get_str(e, ss_ref(e, b->ip)), &ip)) {
        const network *found = networks_find(&b->networks, &ip);
        if (found) {
            *name = found->name;
            return REASON_ADDRESS;
        }
    }
    return REASON_NONE;
}

static void flag(const bots *b, ss_event *e, enum reason reason, ss_str name)
{
    uint32_t is_bot = ss_ref(e, b->own[FIELD_IS_BOT]), name_at = ss_ref(e, b->own[FIELD_NAME]);
    if (is_bot != SS_NO_FIELD)
        ss_set_bool(e, is_bot, reason != REASON_NONE);
    if (reason == REASON_NONE)
        return;
    if (name.len > 0 && name_at != SS_NO_FIELD)
        ss_set_str(e, name_at, name);
    if (ss_ref(e, b->own[FIELD_REASON]) != SS_NO_FIELD)
        ss_set_str(e, ss_ref(e, b->own[FIELD_REASON]), ss_cstr(reason_names[reason]));
    b->host->metric_add(b->flagged[reason], 1);
}

static int32_t bots_enrich(void *inst, ss_event *e, ss_error *err)
{
    const bots *b = inst;
    ss_str name;
    /* Allowed by the client, or judged by another one of this plugin before. */
    if (is_true(e, b->allow) || field_value(e, ss_ref(e, b->own[FIELD_REASON])))
        return SS_OK;
    /* A tracker for bots (recMode=1) says it itself and wants the event to be stored. */
    bool declared = is_true(e, b->own[FIELD_IS_BOT]);
    enum reason reason = judge(b, e, &name);
    if (b->drop && reason != REASON_NONE && !declared)
        return ss_fail(err, SS_DROP, "bot: %s", reason_names[reason]);
    flag(b, e, declared ? REASON_DECLARED : reason, name);
    return SS_OK;
}

/* ---- life ---- */

static int32_t add_networks(bots *b, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    const ss_config *map = host->cfg_get(cfg, "networks");
    size_t names = map ? host->cfg_len(map) : 0;
    int32_t status = host->cfg_int(cfg, "known_networks") ? networks_add_known(&b->networks) : SS_OK;
    for (size_t i = 0; i < names && status == SS_OK; i++) {
        const ss_config *list = host->cfg_at(map, i);
        ss_str name = host->cfg_key(map, i);
        for (size_t k = 0; k < host->cfg_len(list) && status == SS_OK; k++) {
            ss_str text = host->cfg_str(host->cfg_at(list, k), "");
            ip_range range;
            if (!ip_range_parse(text, &range))
                return ss_fail(
                    err, SS_REJECT,
                    "networks.%.*s: '%.*s' is no network; write 192.0.2.0/24, 2001:db8::/32, 192.0.2.* or "
                    "an address",
                    (int)(name.len > 64 ? 64 : name.len), name.ptr, (int)(text.len > 64 ? 64 : text.len),
                    text.ptr);
            status = networks_add(&b->networks, &range, name);
        }
    }
    networks_seal(&b->networks);
    return status == SS_OK ? SS_OK
                           : ss_fail(err, status, "networks: more than %u, or out of memory", NETWORKS_MAX);
}

static void refer(bots *b, const ss_host *host, const ss_config *cfg)
{
    for (size_t i = 0; fields[i].name; i++)
        b->own[i] = field_ref(host, ss_cstr(fields[i].name));
    b->ip = field_ref(host, host->cfg_str(cfg, "ip_field"));
    b->user_agent = field_ref(host, host->cfg_str(cfg, "user_agent_field"));
    b->allow = field_ref(host, host->cfg_str(cfg, "allow_field"));
    b->crawler = field_ref(host, SS_LIT("device_info.crawler.is_crawler"));
    b->crawler_name = field_ref(host, SS_LIT("device_info.crawler.name"));
    for (size_t r = 0; r < REASON_COUNT; r++) {
        char labels[48];
        (void)snprintf(labels, sizeof labels, "reason=\"%s\"", reason_names[r]);
        b->flagged[r] =
            host->counter(host->self, "bots_flagged_total", "Events that were marked as a bot's.", labels);
    }
}

static void bots_destroy(void *inst)
{
    bots *b = inst;
    networks_free(&b->networks);
    words_free(&b->words);
    free(b);
}

static int32_t bots_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    bots *b = calloc(1, sizeof *b);
    if (!b)
        return ss_fail(err, SS_LIMIT, "no memory for the enricher");
    b->host = host;
    b->drop = ss_eq(host->cfg_str(cfg, "action"), SS_LIT("drop"));
    b->crawlers = host->cfg_int(cfg, "crawlers") != 0;
    refer(b, host, cfg);
    int32_t status = add_networks(b, host, cfg, err);
    if (status == SS_OK)
        status = words_make(&b->words, host, host->cfg_get(cfg, "user_agents"), err);
    if (status != SS_OK) {
        bots_destroy(b);
        return status;
    }
    *inst = b;
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = bots_enrich};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,       .kind = SS_ENRICHER,    .name = "bots",
    .version = "0.1.0",     .build_id = SS_VERSION, .summary = "Marks or drops events that bots made.",
    .license = "MIT",       .options = options,     .fields = fields,
    .schema_rev = 1,        .enricher = &enricher,  .create = bots_create,
    .destroy = bots_destroy};
SS_PLUGIN(plugin);

/* The enricher for privacy: addresses masked, referrers cut, user and order ids replaced by keyed hashes.

   It stands last in the chain (enrich: [geoip, device, bots, privacy]): what comes before sees the full
   values. */
#include <stdatomic.h>
#include <stdlib.h>

#include "enrichers/privacy/mask.h"
#include "enrichers/privacy/referrer.h"
#include "plugins/common/field.h"
#include "plugins/common/keyed_hash.h"

#define ID_DIGITS      32u /* of a hashed user or order id */
#define VISITOR_DIGITS 16u /* visitor ids stay what they look like */

static const ss_option name_item[] = {
    {.name = "*", .type = SS_T_STRING, .flags = SS_OPT_FIELD, .doc = "A field."}, {.name = NULL}};

static const ss_option options[] = {
    {.name = "ip_mask",
     .type = SS_T_INT,
     .dflt = "2",
     .min = 0,
     .max = MASK_LEVEL_MAX,
     .doc = "How many of the last bytes of an IPv4 address become 0; IPv6 keeps 128, 64, 48, 24, 0 bits."},
    {.name = "ip_fields",
     .type = SS_T_LIST,
     .dflt = "[\"ip\", \"geo_info.ip\"]",
     .max = FIELD_LIST_MAX,
     .children = name_item,
     .doc = "Fields that hold addresses; what is no address there is removed."},
    {.name = "referrer",
     .type = SS_T_ENUM,
     .dflt = "keep",
     .choices = "keep|exclude_query|exclude_path|exclude_all",
     .doc =
         "What referrers lose: nothing, the query, path and query, everything; campaigns are always kept."},
    {.name = "referrer_fields",
     .type = SS_T_LIST,
     .dflt = "[\"referral_url\", \"referral_url_normalized\", \"attribution_referral_url\"]",
     .max = FIELD_LIST_MAX,
     .children = name_item,
     .doc = "Fields that hold referrers."},
    {.name = "user_id",
     .type = SS_T_ENUM,
     .dflt = "keep",
     .choices = "keep|hash|remove",
     .doc = "What happens to user ids; hash: HMAC-SHA256 under the salt, 32 hexadecimal digits."},
    {.name = "user_id_fields",
     .type = SS_T_LIST,
     .dflt = "[\"user_id\"]",
     .max = FIELD_LIST_MAX,
     .children = name_item,
     .doc = "Fields that hold user ids."},
    {.name = "visitor_id_field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .dflt = "visitor_id",
     .doc = "A visitor id that was made from the user id (visitor_id_source: uid) is hashed with it."},
    {.name = "order_id",
     .type = SS_T_ENUM,
     .dflt = "keep",
     .choices = "keep|hash|remove",
     .doc = "What happens to order ids."},
    {.name = "order_id_fields",
     .type = SS_T_LIST,
     .dflt = "[\"order_id\"]",
     .max = FIELD_LIST_MAX,
     .children = name_item,
     .doc = "Fields that hold order ids."},
    {.name = "salt",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc =
         "The key of the hashes, at least 16 bytes; needed where user or order ids are hashed or removed."},
    {.name = "masked_lookups",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "This enricher stands before geoip on purpose: it shall see masked addresses only."},
    {.name = NULL}};

enum id_rule { ID_KEEP, ID_HASH, ID_REMOVE };

typedef struct privacy {
    const ss_host *host;
    unsigned ip_mask;
    enum referrer_level referrer;
    enum id_rule user_rule, order_rule;
    field_list ips, referrers, users, orders;
    uint32_t visitor, visitor_source;                        /* references */
    uint32_t referrer_type, referrer_name, referrer_keyword; /* references */
    uint32_t looked_up;                                      /* reference: what geoip always sets */
    bool masked_lookups;
    atomic_bool warned;
    keyed_hash hash;
    ss_metric *removed;
} privacy;

/* ---- addresses ---- */

static int32_t mask_field(privacy *p, ss_event *e, uint32_t index)
{
    ss_value *v = field_value(e, index);
    ip_address ip;
    if (!v || v->kind == SS_V_NULL)
        return SS_OK;
    if (v->kind != SS_V_STR || !ip_parse(ss_s(v->as.ptr, v->len), &ip)) {
        ss_unset(e, index);
        p->host->metric_add(p->removed, 1);
        return SS_OK;
    }
    char *text = p->host->mem(e->call, IP_TEXT_MAX);
    if (!text)
        return SS_LIMIT;
    mask_address(&ip, p->ip_mask);
    ss_set_str(e, index, ss_s(text, ip_put(text, &ip)));
    return SS_OK;
}

/* geoip sets its fields in every event, to null where it knows nothing: where they are declared and absent it
   has not run yet. */
static void check_order(privacy *p, const ss_event *e)
{
    uint32_t geo = ss_ref(e, p->looked_up);
    if (p->masked_lookups || geo == SS_NO_FIELD || ss_has(e, geo) || atomic_exchange(&p->warned, true))
        return;
    p->host->alarm(p->host->self, "order",
                   "it stands before geoip, which sees masked addresses: write enrich: [geoip, device, bots, "
                   "privacy], or masked_lookups: true where that is meant");
}

static int32_t mask_all(privacy *p, ss_event *e)
{
    int32_t status = SS_OK;
    check_order(p, e);
    for (size_t i = 0; i < p->ips.count && status == SS_OK; i++)
        status = mask_field(p, e, ss_ref(e, p->ips.refs[i]));
    return status;
}

/* ---- referrers ---- */

static int32_t cut_field(privacy *p, ss_event *e, uint32_t index)
{
    ss_str url = ss_get_str(e, index);
    if (url.len == 0)
        return SS_OK;
    char *out = p->host->mem(e->call, url.len + 1);
    if (!out)
        return SS_LIMIT;
    ss_str kept = referrer_cut(url, p->referrer, out);
    if (kept.len > 0)
        ss_set_str(e, index, kept);
    else
        ss_unset(e, index);
    return SS_OK;
}

static void unset(ss_event *e, uint32_t index)
{
    if (index < e->field_count)
        ss_unset(e, index);
}

/* A keyword comes from the referrer's query, a website's name is its host; a campaign comes from the page's
   own URL. */
static void cut_names(const privacy *p, ss_event *e)
{
    ss_str type = ss_get_str(e, ss_ref(e, p->referrer_type));
    if (ss_eq(type, SS_LIT("campaign")))
        return;
    unset(e, ss_ref(e, p->referrer_keyword));
    if (p->referrer == REFERRER_NOTHING && ss_eq(type, SS_LIT("website")))
        unset(e, ss_ref(e, p->referrer_name));
}

static int32_t cut_all(privacy *p, ss_event *e)
{
    int32_t status = SS_OK;
    for (size_t i = 0; i < p->referrers.count && status == SS_OK; i++)
        status = cut_field(p, e, ss_ref(e, p->referrers.refs[i]));
    cut_names(p, e);
    return status;
}

/* ---- ids ---- */

static int32_t hash_field(privacy *p, ss_event *e, uint32_t index, size_t digits)
{
    ss_str old = ss_get_str(e, index);
    if (old.len == 0)
        return SS_OK;
    char *out = p->host->mem(e->call, digits);
    if (!out)
        return SS_LIMIT;
    keyed_hash_put(&p->hash, old, out, digits);
    ss_set_str(e, index, ss_s(out, digits));
    if (ss_eq(e->key, old)) /* the record's key would give it away */
        e->key = ss_s(out, digits);
    return SS_OK;
}

static int32_t hide_ids(privacy *p, ss_event *e, const field_list *fields, enum id_rule rule)
{
    int32_t status = SS_OK;
    for (size_t i = 0; i < fields->count && status == SS_OK; i++) {
        uint32_t index = ss_ref(e, fields->refs[i]);
        ss_str old = ss_get_str(e, index);
        if (rule == ID_HASH || (old.len > 0 && ss_eq(e->key, old)))
            status = hash_field(p, e, index, ID_DIGITS);
        if (rule == ID_REMOVE && status == SS_OK)
            unset(e, index);
    }
    return status;
}

/* Anybody could make the visitor id of a user id that he guesses. */
static int32_t hide_visitor(privacy *p, ss_event *e)
{
    if (!ss_eq(ss_get_str(e, ss_ref(e, p->visitor_source)), SS_LIT("uid")))
        return SS_OK;
    return hash_field(p, e, ss_ref(e, p->visitor), VISITOR_DIGITS);
}

static int32_t privacy_enrich(void *inst, ss_event *e, ss_error *err)
{
    privacy *p = inst;
    int32_t status = p->ip_mask > 0 ? mask_all(p, e) : SS_OK;
    if (status == SS_OK && p->referrer != REFERRER_KEEP)
        status = cut_all(p, e);
    if (status == SS_OK && p->user_rule != ID_KEEP)
        status = hide_visitor(p, e);
    if (status == SS_OK && p->user_rule != ID_KEEP)
        status = hide_ids(p, e, &p->users, p->user_rule);
    if (status == SS_OK && p->order_rule != ID_KEEP)
        status = hide_ids(p, e, &p->orders, p->order_rule);
    /* An event that could not be made anonymous must not be stored. */
    return status == SS_OK ? SS_OK : ss_fail(err, SS_DROP, "privacy: out of memory");
}

/* ---- life ---- */

static unsigned choice(ss_str text, const char *const *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (ss_eq(text, ss_cstr(names[i])))
            return i;
    return 0;
}

static enum id_rule id_rule_of(ss_str text)
{
    static const char *const names[] = {"keep", "hash", "remove"};
    return (enum id_rule)choice(text, names, 3);
}

static void refer(privacy *p, const ss_host *host, const ss_config *cfg)
{
    field_list_read(&p->ips, host, cfg, "ip_fields");
    field_list_read(&p->referrers, host, cfg, "referrer_fields");
    field_list_read(&p->users, host, cfg, "user_id_fields");
    field_list_read(&p->orders, host, cfg, "order_id_fields");
    p->visitor = field_ref(host, host->cfg_str(cfg, "visitor_id_field"));
    p->visitor_source = field_ref(host, SS_LIT("visitor_id_source"));
    p->referrer_type = field_ref(host, SS_LIT("referrer_type"));
    p->referrer_name = field_ref(host, SS_LIT("referrer_name"));
    p->referrer_keyword = field_ref(host, SS_LIT("referrer_keyword"));
    p->looked_up = field_ref(host, SS_LIT("geo_info.ip"));
}

static int32_t privacy_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    static const char *const referrers[] = {"keep", "exclude_query", "exclude_path", "exclude_all"};
    privacy *p = calloc(1, sizeof *p);
    if (!p)
        return ss_fail(err, SS_LIMIT, "no memory for the enricher");
    p->host = host;
    p->ip_mask = (unsigned)host->cfg_int(cfg, "ip_mask");
    p->referrer = (enum referrer_level)choice(host->cfg_str(cfg, "referrer"), referrers, 4);
    p->user_rule = id_rule_of(host->cfg_str(cfg, "user_id"));
    p->order_rule = id_rule_of(host->cfg_str(cfg, "order_id"));
    p->masked_lookups = host->cfg_int(cfg, "masked_lookups") != 0;
    atomic_init(&p->warned, false);
    refer(p, host, cfg);
    p->removed = host->counter(host->self, "privacy_addresses_removed_total",
                               "Values of address fields that were no address and were removed.", "");
    if (p->user_rule != ID_KEEP || p->order_rule != ID_KEEP) {
        int32_t status = keyed_hash_configure(&p->hash, host, cfg, "salt", err);
        if (status != SS_OK) {
            free(p);
            return status;
        }
    }
    *inst = p;
    return SS_OK;
}

static void privacy_destroy(void *inst)
{
    privacy *p = inst;
    explicit_bzero(&p->hash, sizeof p->hash);
    free(p);
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = privacy_enrich};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,         .kind = SS_ENRICHER,
    .name = "privacy",        .version = "0.1.0",
    .build_id = SS_VERSION,   .summary = "Masks addresses, cuts referrers, hashes user and order ids.",
    .license = "MIT",         .options = options,
    .schema_rev = 1,          .enricher = &enricher,
    .create = privacy_create, .destroy = privacy_destroy};
SS_PLUGIN(plugin);

#include "receivers/matomo/visiting.h"

#include "receivers/matomo/value.h"

int32_t visiting_configure(matomo *m, const ss_config *cfg, ss_error *err)
{
    const ss_host *host = m->host;
    visit_rules rules = {.length_s = host->cfg_int(cfg, "visit_standard_length") / 1000,
                         .trust_ids = host->cfg_int(cfg, "trust_visitors_cookies") != 0,
                         .campaign_begins = host->cfg_int(cfg, "create_new_visit_when_campaign_changes") != 0,
                         .referrer_begins =
                             host->cfg_int(cfg, "create_new_visit_when_website_referrer_changes") != 0};
    int64_t remember = host->cfg_int(cfg, "visits");
    if (remember == 0)
        return SS_OK;
    m->visits = visits_new(host, (uint32_t)remember, rules, err);
    return m->visits ? SS_OK : SS_LIMIT;
}

/* ---- what the rules look at ---- */

/* Of digits and small letters, without a branch that nobody could predict. */
static uint64_t number_of(const char *hex)
{
    uint64_t n = 0;
    for (size_t i = 0; i < VISITOR_ID_CHARS; i++)
        n = n << 4 | (((unsigned char)hex[i] & 15u) + ((unsigned char)hex[i] >> 6) * 9u);
    return n;
}

static void put_hex(char *out, uint64_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 16; i-- > 0; n >>= 4)
        out[i] = digits[n & 15];
}

/* Takes a parameter into the hash, if it is there. */
static inline uint64_t hash_param(uint64_t h, const params *p, uint32_t id)
{
    return params_has(p, id) ? hash_text(h ^ id, p->value[id]) : h;
}

static bool is_set(const params *p, uint32_t id)
{
    int64_t n = 0;
    return params_has(p, id) && value_int(p->value[id], &n) && n != 0;
}

/* The client, as far as a hit tells: no cookie, no id. Another one each day, so that nobody is followed. */
static uint64_t make_fingerprint(const visiting *v)
{
    const params *p = v->params;
    const ss_event *e = v->event;
    static const uint8_t plugins[] = {PARAM_FLA, PARAM_JAVA, PARAM_QT, PARAM_REALP,
                                      PARAM_PDF, PARAM_WMA,  PARAM_AG};
    uint64_t h = hash_mix(v->salt, (uint64_t)zone_day(v->hit.zone, e->event_us));
    h = hash_text(h, ss_get_str(e, FIELD_SITE_ID));
    h = hash_text(h, ss_get_str(e, FIELD_USER_AGENT));
    h = hash_text(h, ss_get_str(e, FIELD_IP));
    h = hash_text(h, ss_get_str(e, FIELD_LANGUAGE));
    uint64_t flags = 0;
    for (size_t i = 0; i < sizeof plugins; i++)
        flags = flags << 1 | is_set(p, plugins[i]);
    return hash_mix(h, flags);
}

static uint64_t fingerprint(const void *of)
{
    const visiting *v = of;
    return v->fingerprint ? v->fingerprint : make_fingerprint(v);
}

/* What tells a hit from every other one: a client that sends it again, because it heard no answer, sends the
   same. 0 where nothing in it is its own: equal hits of such a client are different hits. */
static uint32_t identity(const params *p)
{
    static const uint8_t own[] = {PARAM_R, PARAM_RAND, PARAM_PV_ID, PARAM_CDT};
    static const uint8_t rest[] = {PARAM_URL,    PARAM_ACTION_NAME, PARAM_E_C,   PARAM_E_A,
                                   PARAM_E_N,    PARAM_C_N,         PARAM_LINK,  PARAM_DOWNLOAD,
                                   PARAM_IDGOAL, PARAM_EC_ID,       PARAM_SEARCH};
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof own; i++)
        h = hash_param(h, p, own[i]);
    if (h == 0)
        return 0;
    for (size_t i = 0; i < sizeof rest; i++)
        h = hash_param(h, p, rest[i]);
    return hash_short(h);
}

/* What brought the visitor. A campaign is compared by its own keyword: the one that a referrer lends it is
   gone with the next page. */
static void set_source(visit_hit *hit, const ss_event *e)
{
    ss_str type = ss_get_str(e, FIELD_REFERRER_TYPE), name = ss_get_str(e, FIELD_REFERRER_NAME);
    if (ss_eq(type, SS_LIT("direct")))
        return;
    if (ss_eq(type, SS_LIT("campaign"))) {
        hit->campaign = hash_short(hash_text(hash_text(1, name), ss_get_str(e, FIELD_CAMPAIGN_KEYWORD)));
        return;
    }
    hit->referrer = hash_short(hash_text(2, name));
    hit->website = ss_eq(type, SS_LIT("website"));
}

/* First who it is, so that the memory is on its way while the rest is looked at. */
static void describe(visiting *v, const matomo *m, const params *p, const site *s, int64_t site_id,
                     const ss_event *e, const char *visitor)
{
    visit_hit *hit = &v->hit;
    ss_str source = ss_get_str(e, FIELD_VISITOR_ID_SOURCE);
    *hit = (visit_hit){.site = site_id,
                       .zone = s->zone,
                       .visitor = number_of(visitor),
                       .fingerprint = fingerprint,
                       .of = v,
                       .known = !ss_eq(source, SS_LIT("generated")),
                       .id_only = ss_eq(source, SS_LIT("cid")),
                       .forced_new = is_set(p, PARAM_NEW_VISIT),
                       .ping = ss_has(e, FIELD_IS_PING),
                       .at_s = e->event_us > 0 ? e->event_us / 1000000 : 0,
                       .now_s = e->receive_us > 0 ? e->receive_us / 1000000 : 0};
    v->params = p;
    v->event = e;
    v->salt = visits_salt(m->visits);
    v->fingerprint = hit->known ? 0 : make_fingerprint(v);
    visits_expect(m->visits, hit);
    hit->identity = identity(p);
    if (params_has(p, PARAM_UID))
        hit->user = hash_short(hash_text(3, p->value[PARAM_UID]));
    set_source(hit, e);
}

/* ---- once ---- */

/* An order id is good for one order, a goal for one conversion in a visit. */
static const char *check_once(visiting *v, const matomo *m, const params *p, const site *s, const ss_event *e,
                              const char **why)
{
    uint64_t key = visits_salt(m->visits);
    const char *code = NULL;
    int64_t goal = 0;
    if (ss_eq(e->type, SS_LIT("ecommerce_order"))) {
        key = hash_text(hash_mix(key, (uint64_t)v->hit.site), p->value[PARAM_EC_ID]);
        code = "order_repeated";
        *why = "an order with this ec_id was taken before";
    } else if (ss_eq(e->type, SS_LIT("goal")) && value_int(params_get(p, PARAM_IDGOAL), &goal)) {
        const site_goal *known = site_goal_find(s, goal);
        if (!known || known->allow_multiple)
            return NULL;
        key = hash_mix(hash_mix(key, v->answer.id), (uint64_t)goal);
        code = "goal_repeated";
        *why = "this goal was converted in the visit before (allow_multiple: true takes each conversion)";
    }
    if (!code)
        return NULL;
    enum visits_mark found = visits_mark(m->visits, key, v->hit.identity, v->hit.now_s);
    if (found == MARK_FIRST)
        v->mark = key;
    return found == MARK_TAKEN ? code : NULL;
}

/* ---- */

const char *visiting_take(visiting *v, const matomo *m, const params *p, const site *s, int64_t site_id,
                          ss_event *e, char *visitor, const char **why)
{
    v->mark = 0;
    v->answer = (visit_answer){.id = 0};
    if (!m->visits || ss_eq(e->type, SS_LIT("bot")))
        return NULL;
    describe(v, m, p, s, site_id, e, visitor);
    if (!visits_take(m->visits, &v->hit, &v->answer)) {
        *why = "a heartbeat, and no visit that it could go on with";
        return "ping_without_visit";
    }
    if (!v->hit.known)
        put_hex(visitor, v->answer.visitor);
    put_hex(v->id, v->answer.id);
    ss_set_str(e, FIELD_VISIT_ID, ss_s(v->id, VISIT_ID_CHARS));
    ss_set_bool(e, FIELD_IS_NEW_VISIT, v->answer.is_new);
    const char *code = check_once(v, m, p, s, e, why);
    if (code)
        visiting_undo(v, m); /* a visit of which nothing would be stored */
    return code;
}

void visiting_undo(const visiting *v, const matomo *m)
{
    if (v->mark)
        visits_unmark(m->visits, v->mark);
    if (v->answer.created)
        visits_undo(m->visits, &v->hit, &v->answer);
}

/* The parameters of one hit, by number, as they came: decoded, not yet typed. */
#ifndef MATOMO_PARAMS_H
#define MATOMO_PARAMS_H

#include "receivers/matomo/fields.h"
#include "receivers/matomo/names.h"

enum param_kind {
    KIND_NONE = 0, /* handled by its own code, or of no meaning for what is stored */
    KIND_TEXT,     /* a string, cut to its limit                 */
    KIND_TRIMMED,  /* the same without white space around        */
    KIND_INT,
    KIND_COUNT, /* an integer that is not negative            */
    KIND_DOUBLE,
    KIND_BOOL,   /* an integer, true where it is not 0         */
    KIND_OBJECT, /* JSON object or list                        */
    KIND_JSON,   /* any JSON                                   */
    KIND_MS,     /* 0 ... 16777215, the performance times */
    KIND_OTHERS  /* in masks: all but NONE, TEXT, INT and BOOL */
};

#define TEXT_MAX 8192u /* bytes kept of texts that have no limit of their own */

/* P(enumerator, name, kind, field, limit in bytes of texts). Up to 64 of the common ones first. */
#define MATOMO_PARAMS(P)                                                                                     \
    P(IDSITE, "idsite", NONE, NONE, 0)                                                                       \
    P(REC, "rec", NONE, NONE, 0)                                                                             \
    P(R, "r", INT, RANDOM_PART, 0)                                                                           \
    P(URL, "url", TEXT, PAGE_VIEW_URL, TEXT_MAX)                                                             \
    P(URLREF, "urlref", TEXT, REFERRAL_URL, TEXT_MAX)                                                        \
    P(ACTION_NAME, "action_name", TEXT, ACTION_NAME, TEXT_MAX)                                               \
    P(H, "h", NONE, NONE, 0)                                                                                 \
    P(M, "m", NONE, NONE, 0)                                                                                 \
    P(S, "s", NONE, NONE, 0)                                                                                 \
    P(ID, "_id", TEXT, CLIENT_VISITOR_ID, 64)                                                                \
    P(CID, "cid", TEXT, FORCED_VISITOR_ID, 64)                                                               \
    P(UID, "uid", TEXT, USER_ID, 200)                                                                        \
    P(IDN, "_idn", BOOL, IS_NEW_VISITOR, 0)                                                                  \
    P(IDTS, "_idts", INT, CREATED_TS, 0)                                                                     \
    P(IDVC, "_idvc", INT, VISIT_COUNT, 0)                                                                    \
    P(REFTS, "_refts", INT, REFERRAL_TS, 0)                                                                  \
    P(VIEWTS, "_viewts", INT, LAST_VISIT_TS, 0)                                                              \
    P(RES, "res", TEXT, RESOLUTIONS, 64)                                                                     \
    P(LANG, "lang", TEXT, LANGUAGE, 1024)                                                                    \
    P(GT_MS, "gt_ms", INT, GENERATION_MS, 0)                                                                 \
    P(PV_ID, "pv_id", TEXT, PAGE_VIEW_ID, 6)                                                                 \
    P(SEND_IMAGE, "send_image", BOOL, SEND_IMAGE, 0)                                                         \
    P(UA, "ua", TEXT, USER_AGENT, 4096)                                                                      \
    P(AG, "ag", BOOL, SILVERLIGHT, 0)                                                                        \
    P(COOKIE, "cookie", BOOL, COOKIE, 0)                                                                     \
    P(DIR, "dir", BOOL, DIRECTOR, 0)                                                                         \
    P(FLA, "fla", BOOL, FLASH, 0)                                                                            \
    P(GEARS, "gears", BOOL, GEARS, 0)                                                                        \
    P(JAVA, "java", BOOL, JAVA, 0)                                                                           \
    P(PDF, "pdf", BOOL, PDF, 0)                                                                              \
    P(QT, "qt", BOOL, QUICKTIME, 0)                                                                          \
    P(WMA, "wma", BOOL, MPLAYER2, 0)                                                                         \
    P(REALP, "realp", BOOL, REALAUDIO, 0)                                                                    \
    P(E_C, "e_c", TRIMMED, EVENT_CATEGORY, TEXT_MAX)                                                         \
    P(E_A, "e_a", TRIMMED, EVENT_ACTION, TEXT_MAX)                                                           \
    P(E_N, "e_n", TRIMMED, EVENT_NAME, TEXT_MAX)                                                             \
    P(E_V, "e_v", DOUBLE, EVENT_VALUE, 0)                                                                    \
    P(REF, "_ref", TEXT, ATTRIBUTION_URL, TEXT_MAX)                                                          \
    P(UADATA, "uadata", OBJECT, CLIENT_HINTS, TEXT_MAX)                                                      \
    P(PF_NET, "pf_net", MS, PF_NETWORK, 0)                                                                   \
    P(PF_SRV, "pf_srv", MS, PF_SERVER, 0)                                                                    \
    P(PF_TFR, "pf_tfr", MS, PF_TRANSFER, 0)                                                                  \
    P(PF_DM1, "pf_dm1", MS, PF_DOM_PROCESSING, 0)                                                            \
    P(PF_DM2, "pf_dm2", MS, PF_DOM_COMPLETION, 0)                                                            \
    P(PF_ONL, "pf_onl", MS, PF_ONLOAD, 0)                                                                    \
    P(CDT, "cdt", NONE, NONE, 0)                                                                             \
    P(CDO, "cdo", NONE, NONE, 0)                                                                             \
    P(CIP, "cip", NONE, NONE, 0)                                                                             \
    P(TOKEN_AUTH, "token_auth", NONE, NONE, 0)                                                               \
    P(COUNTRY, "country", NONE, NONE, 0)                                                                     \
    P(REGION, "region", NONE, NONE, 0)                                                                       \
    P(CITY, "city", NONE, NONE, 0)                                                                           \
    P(LAT, "lat", NONE, NONE, 0)                                                                             \
    P(LONG, "long", NONE, NONE, 0)                                                                           \
    P(CA, "ca", NONE, NONE, 0)                                                                               \
    P(PING, "ping", NONE, NONE, 0)                                                                           \
    P(NEW_VISIT, "new_visit", BOOL, NEW_VISIT, 0)                                                            \
    P(APIV, "apiv", NONE, NONE, 0)                                                                           \
    P(RAND, "rand", NONE, NONE, 0)                                                                           \
    P(QUEUEDTRACKING, "queuedtracking", NONE, NONE, 0)                                                       \
    P(DEBUG, "debug", NONE, NONE, 0)                                                                         \
    P(REC_MODE, "recMode", NONE, NONE, 0)                                                                    \
    P(BOTS, "bots", BOOL, BOTS_ALLOWED, 0)                                                                   \
    P(CS, "cs", TEXT, PAGE_CHARSET, 64)                                                                      \
    P(RCN, "_rcn", TEXT, ATTRIBUTION_NAME, 255)                                                              \
    P(RCK, "_rck", TEXT, ATTRIBUTION_KEYWORD, 255)                                                           \
    P(LINK, "link", TEXT, OUTLINK_URL, TEXT_MAX)                                                             \
    P(DOWNLOAD, "download", TEXT, DOWNLOAD_URL, TEXT_MAX)                                                    \
    P(SEARCH, "search", TRIMMED, SEARCH_KEYWORD, TEXT_MAX)                                                   \
    P(SEARCH_CAT, "search_cat", TEXT, SEARCH_CATEGORY, 200)                                                  \
    P(SEARCH_COUNT, "search_count", COUNT, SEARCH_COUNT, 0)                                                  \
    P(CVAR_VISIT, "_cvar", OBJECT, CVAR_VISIT, TEXT_MAX)                                                     \
    P(CVAR, "cvar", OBJECT, CVAR_PAGE, TEXT_MAX)                                                             \
    P(E_CVAR, "e_cvar", OBJECT, CVAR_EVENT, TEXT_MAX)                                                        \
    P(C_N, "c_n", TRIMMED, CONTENT_NAME, TEXT_MAX)                                                           \
    P(C_P, "c_p", TEXT, CONTENT_PIECE, TEXT_MAX)                                                             \
    P(C_T, "c_t", TEXT, CONTENT_TARGET, TEXT_MAX)                                                            \
    P(C_I, "c_i", TEXT, CONTENT_INTERACTION, TEXT_MAX)                                                       \
    P(IDGOAL, "idgoal", NONE, NONE, 0)                                                                       \
    P(REVENUE, "revenue", DOUBLE, REVENUE, 0)                                                                \
    P(EC_ID, "ec_id", TEXT, ORDER_ID, 100)                                                                   \
    P(EC_ST, "ec_st", DOUBLE, ORDER_SUBTOTAL, 0)                                                             \
    P(EC_TX, "ec_tx", DOUBLE, ORDER_TAX, 0)                                                                  \
    P(EC_SH, "ec_sh", DOUBLE, ORDER_SHIPPING, 0)                                                             \
    P(EC_DT, "ec_dt", DOUBLE, ORDER_DISCOUNT, 0)                                                             \
    P(EC_ITEMS, "ec_items", NONE, NONE, 0)                                                                   \
    P(PKS, "_pks", TEXT, PRODUCT_SKU, TEXT_MAX)                                                              \
    P(PKN, "_pkn", TEXT, PRODUCT_NAME, TEXT_MAX)                                                             \
    P(PKC, "_pkc", TEXT, PRODUCT_CATEGORIES, TEXT_MAX)                                                       \
    P(PKP, "_pkp", DOUBLE, PRODUCT_PRICE, 0)                                                                 \
    P(MA_ID, "ma_id", TEXT, MEDIA_ID, 255)                                                                   \
    P(MA_RE, "ma_re", TEXT, MEDIA_RESOURCE, TEXT_MAX)                                                        \
    P(MA_MT, "ma_mt", TEXT, MEDIA_TYPE, 64)                                                                  \
    P(MA_TI, "ma_ti", TEXT, MEDIA_TITLE, TEXT_MAX)                                                           \
    P(MA_PN, "ma_pn", TEXT, MEDIA_PLAYER, 255)                                                               \
    P(MA_ST, "ma_st", COUNT, MEDIA_PLAYED, 0)                                                                \
    P(MA_LE, "ma_le", COUNT, MEDIA_LENGTH, 0)                                                                \
    P(MA_PS, "ma_ps", COUNT, MEDIA_POSITION, 0)                                                              \
    P(MA_TTP, "ma_ttp", COUNT, MEDIA_TIME_TO_PLAY, 0)                                                        \
    P(MA_W, "ma_w", COUNT, MEDIA_WIDTH, 0)                                                                   \
    P(MA_H, "ma_h", COUNT, MEDIA_HEIGHT, 0)                                                                  \
    P(MA_FS, "ma_fs", BOOL, MEDIA_FULLSCREEN, 0)                                                             \
    P(MA_SE, "ma_se", TEXT, MEDIA_SEGMENTS, TEXT_MAX)                                                        \
    P(CRA, "cra", TEXT, CRASH_MESSAGE, TEXT_MAX)                                                             \
    P(CRA_ST, "cra_st", TEXT, CRASH_STACK, 65536)                                                            \
    P(CRA_CT, "cra_ct", TEXT, CRASH_CATEGORY, 255)                                                           \
    P(CRA_TP, "cra_tp", TEXT, CRASH_TYPE, 255)                                                               \
    P(CRA_RU, "cra_ru", TEXT, CRASH_SOURCE, TEXT_MAX)                                                        \
    P(CRA_RL, "cra_rl", COUNT, CRASH_LINE, 0)                                                                \
    P(CRA_RC, "cra_rc", COUNT, CRASH_COLUMN, 0)                                                              \
    P(HTTP_STATUS, "http_status", INT, HTTP_STATUS, 0)                                                       \
    P(BW_BYTES, "bw_bytes", COUNT, RESPONSE_BYTES, 0)                                                        \
    P(DATA, "data", JSON, CUSTOM_DATA, TEXT_MAX)                                                             \
    P(PK_CPN, "pk_cpn", NONE, NONE, 0)                                                                       \
    P(PK_CAMPAIGN, "pk_campaign", NONE, NONE, 0)                                                             \
    P(PIWIK_CAMPAIGN, "piwik_campaign", NONE, NONE, 0)                                                       \
    P(MTM_CAMPAIGN, "mtm_campaign", NONE, NONE, 0)                                                           \
    P(MATOMO_CAMPAIGN, "matomo_campaign", NONE, NONE, 0)                                                     \
    P(UTM_CAMPAIGN, "utm_campaign", NONE, NONE, 0)                                                           \
    P(UTM_SOURCE, "utm_source", NONE, NONE, 0)                                                               \
    P(UTM_MEDIUM, "utm_medium", NONE, NONE, 0)                                                               \
    P(PK_KWD, "pk_kwd", NONE, NONE, 0)                                                                       \
    P(PK_KEYWORD, "pk_keyword", NONE, NONE, 0)                                                               \
    P(PIWIK_KWD, "piwik_kwd", NONE, NONE, 0)                                                                 \
    P(MTM_KWD, "mtm_kwd", NONE, NONE, 0)                                                                     \
    P(MTM_KEYWORD, "mtm_keyword", NONE, NONE, 0)                                                             \
    P(MATOMO_KWD, "matomo_kwd", NONE, NONE, 0)                                                               \
    P(UTM_TERM, "utm_term", NONE, NONE, 0)                                                                   \
    P(MTM_SOURCE, "mtm_source", NONE, NONE, 0)                                                               \
    P(PK_SOURCE, "pk_source", NONE, NONE, 0)                                                                 \
    P(MTM_MEDIUM, "mtm_medium", NONE, NONE, 0)                                                               \
    P(PK_MEDIUM, "pk_medium", NONE, NONE, 0)                                                                 \
    P(MTM_CONTENT, "mtm_content", NONE, NONE, 0)                                                             \
    P(PK_CONTENT, "pk_content", NONE, NONE, 0)                                                               \
    P(UTM_CONTENT, "utm_content", NONE, NONE, 0)                                                             \
    P(MTM_CID, "mtm_cid", NONE, NONE, 0)                                                                     \
    P(PK_CID, "pk_cid", NONE, NONE, 0)                                                                       \
    P(UTM_ID, "utm_id", NONE, NONE, 0)                                                                       \
    P(MTM_GROUP, "mtm_group", NONE, NONE, 0)                                                                 \
    P(PK_GROUP, "pk_group", NONE, NONE, 0)                                                                   \
    P(MTM_PLACEMENT, "mtm_placement", NONE, NONE, 0)                                                         \
    P(PK_PLACEMENT, "pk_placement", NONE, NONE, 0)

#define MATOMO_PARAM_ENUM(id, name, kind, field, limit) PARAM_##id,
enum matomo_param { MATOMO_PARAMS(MATOMO_PARAM_ENUM) PARAM_COUNT };
/* The campaign's parameters are the last ones, in one run. */
#define PARAM_CAMPAIGN_FIRST PARAM_PK_CPN

#define PARAM_WORDS     ((PARAM_COUNT + 63u) / 64u)
#define EXTRA_MAX       64u    /* parameters without a field that are kept of one hit */
#define EXTRA_BYTES_MAX 16384u /* of their names and values                           */

typedef struct param_spec {
    uint8_t kind, field; /* FIELD_NONE: see KIND_NONE */
    uint32_t limit;
} param_spec;
#define FIELD_NONE 0xFFu

extern const param_spec param_specs[PARAM_COUNT];
extern const char *const param_names[PARAM_COUNT];

typedef struct params {
    uint64_t set[PARAM_WORDS]; /* bit: value[] is there and not empty */
    uint32_t dimensions;       /* the same for dimension[]; an empty one clears */
    uint32_t extra_count;
    uint32_t extra_bytes;
    uint32_t count;                /* not 0: there were some */
    uint32_t dropped;              /* extra ones past the limits */
    bool install_check;            /* tracker_install_check was there */
    char filled[PARAM_WORDS * 64]; /* the same as set, a byte each: what the reader writes */
    ss_str value[PARAM_COUNT];
    ss_str dimension[MATOMO_DIMENSION_MAX];
    ss_pair extra[EXTRA_MAX];
} params;

static inline void params_clear(params *p)
{
    memset(p, 0, offsetof(params, value));
}

static inline bool params_has(const params *p, uint32_t id)
{
    return p->set[id >> 6] >> (id & 63u) & 1u;
}

/* Bits of the (up to 64) parameters from `first` to the last. */
static inline uint64_t params_run(const params *p, uint32_t first)
{
    uint32_t word = first >> 6, shift = first & 63u;
    uint64_t bits = p->set[word] >> shift;
    return word + 1 < PARAM_WORDS && shift ? bits | p->set[word + 1] << (64 - shift) : bits;
}

/* Empty where it is missing. */
static inline ss_str params_get(const params *p, uint32_t id)
{
    return params_has(p, id) ? p->value[id] : ss_s("", 0);
}

/* Adds a query string; what it holds replaces what was there. Decoded values go to out (room: query.len), or,
   with out == NULL, over the query itself, which must be the caller's own memory. Others stay slices of the
   query. */
void params_read(params *p, const names *table, ss_str query, char *out);
/* Removes NUL bytes in place, as Matomo does; the length that is left. */
size_t params_strip_nul(char *text, size_t len);
/* One decoded pair; borrowed. */
void params_put(params *p, const names *table, ss_str name, ss_str value);

#endif

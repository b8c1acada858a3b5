// with: receivers/matomo/*.c -lpcre2-8
/* Every parameter of Matomo's tracking API against every kind of bad value: what is optional never costs the
   hit, what is wrong is as if it were not there. */
#include <stdint.h>

#include "plugins/sdk/testkit/testkit.h"
#include "receivers/matomo/params.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define LONG_BYTES 100000u

static testkit *open_kit(const char *options)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    return k;
}

static void close_kit(testkit *k)
{
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

/* The base of each hit, without the one parameter that is looked at. */
static bool ask(testkit *k, const char *param, const char *query)
{
    static char target[LONG_BYTES * 3 + 4096];
    (void)snprintf(target, sizeof target, "/matomo.php?%s%s%s", strcmp(param, "idsite") ? "idsite=1&" : "",
                   strcmp(param, "rec") ? "rec=1&" : "", query);
    (void)testkit_receive(k, &(testkit_request){.target = target});
    return testkit_event_count(k) == 1;
}

static void complain(const char *param, const char *what, const char *got, const char *want)
{
    printf("# %s, %s: got %.80s, want %.80s\n", param, what, got ? got : "(absent)",
           want ? want : "(absent)");
    check_failed = true;
}

/* ---- parameters that become a field as they are ---- */

/* kind: t text, w text without white space around, i integer, c integer not below 0, d number, b true or
   false, o JSON object or list, j JSON, m milliseconds, l text in lower case that is decoded twice */
typedef struct row {
    const char *param, *field;
    char kind;
    uint32_t limit;
} row;

static const row rows[] = {
    {"r", "random_part", 'i', 0},
    {"url", "page_view_url", 't', 8192},
    {"urlref", "referral_url", 't', 8192},
    {"action_name", "action_name", 't', 8192},
    {"_id", "client_visitor_id", 't', 64},
    {"uid", "user_id", 't', 200},
    {"_idn", "is_new_visitor", 'b', 0},
    {"_idts", "visitor_id_created_ts", 'i', 0},
    {"_idvc", "visitor_visit_count", 'i', 0},
    {"_refts", "referral_ts", 'i', 0},
    {"_viewts", "visitor_last_visit_ts", 'i', 0},
    {"res", "display_resolutions", 't', 64},
    {"lang", "language", 't', 1024},
    {"gt_ms", "performance_generation_time_ms", 'i', 0},
    {"pv_id", "page_view_id", 't', 6},
    {"ua", "user_agent", 't', 4096},
    {"ag", "supports_silverlight", 'b', 0},
    {"cookie", "supports_cookie", 'b', 0},
    {"dir", "supports_director", 'b', 0},
    {"fla", "supports_flash", 'b', 0},
    {"gears", "supports_gears", 'b', 0},
    {"java", "supports_java", 'b', 0},
    {"pdf", "supports_pdf", 'b', 0},
    {"qt", "supports_quicktime", 'b', 0},
    {"wma", "supports_mplayer2", 'b', 0},
    {"realp", "supports_realaudio", 'b', 0},
    {"e_c", "event_category", 'w', 8192},
    {"e_a", "event_action", 'w', 8192},
    {"e_n", "event_value_name", 'w', 8192},
    {"e_v", "event_value_numeric", 'd', 0},
    {"_ref", "attribution_referral_url", 't', 8192},
    {"uadata", "client_hints", 'o', 8192},
    {"pf_net", "perf_network_ms", 'm', 0},
    {"pf_srv", "perf_server_ms", 'm', 0},
    {"pf_tfr", "perf_transfer_ms", 'm', 0},
    {"pf_dm1", "perf_dom_processing_ms", 'm', 0},
    {"pf_dm2", "perf_dom_completion_ms", 'm', 0},
    {"pf_onl", "perf_onload_ms", 'm', 0},
    {"new_visit", "is_new_visit_forced", 'b', 0},
    {"bots", "bots_allowed", 'b', 0},
    {"cs", "page_charset", 't', 64},
    {"_rcn", "attribution_campaign_name", 'l', 255},
    {"_rck", "attribution_campaign_keyword", 'l', 255},
    {"link", "outlink_url", 't', 8192},
    {"download", "download_url", 't', 8192},
    {"search", "search_keyword", 'w', 8192},
    {"search_cat", "search_category", 't', 200},
    {"search_count", "search_count", 'c', 0},
    {"_cvar", "custom_vars_visit", 'o', 8192},
    {"cvar", "custom_vars_page", 'o', 8192},
    {"e_cvar", "custom_vars_event", 'o', 8192},
    {"c_n", "content_name", 'w', 8192},
    {"c_p", "content_piece", 't', 8192},
    {"c_t", "content_target", 't', 8192},
    {"c_i", "content_interaction", 't', 8192},
    {"revenue", "revenue", 'd', 0},
    {"ec_id", "order_id", 't', 100},
    {"ec_st", "order_subtotal", 'd', 0},
    {"ec_tx", "order_tax", 'd', 0},
    {"ec_sh", "order_shipping", 'd', 0},
    {"ec_dt", "order_discount", 'd', 0},
    {"_pks", "product_sku", 't', 8192},
    {"_pkn", "product_name", 't', 8192},
    {"_pkc", "product_categories", 't', 8192},
    {"_pkp", "product_price", 'd', 0},
    {"ma_id", "media_id", 't', 255},
    {"ma_re", "media_resource", 't', 8192},
    {"ma_mt", "media_type", 't', 64},
    {"ma_ti", "media_title", 't', 8192},
    {"ma_pn", "media_player", 't', 255},
    {"ma_st", "media_seconds_played", 'c', 0},
    {"ma_le", "media_length_seconds", 'c', 0},
    {"ma_ps", "media_position_seconds", 'c', 0},
    {"ma_ttp", "media_seconds_to_play", 'c', 0},
    {"ma_w", "media_width", 'c', 0},
    {"ma_h", "media_height", 'c', 0},
    {"ma_fs", "media_fullscreen", 'b', 0},
    {"ma_se", "media_segments", 't', 8192},
    {"cra", "crash_message", 't', 8192},
    {"cra_st", "crash_stack", 't', 65536},
    {"cra_ct", "crash_category", 't', 255},
    {"cra_tp", "crash_type", 't', 255},
    {"cra_ru", "crash_source", 't', 8192},
    {"cra_rl", "crash_line", 'c', 0},
    {"cra_rc", "crash_column", 'c', 0},
    {"http_status", "http_status", 'i', 0},
    {"bw_bytes", "response_bytes", 'c', 0},
    {"data", "custom_data", 'j', 8192},
    {"dimension1", "dimension1", 'w', 250},
    {"dimension7", "dimension7", 'w', 250},
    {"dimension20", "dimension20", 'w', 250},
};
#define ROWS (sizeof rows / sizeof *rows)

static bool is_text(char kind)
{
    return strchr("twl", kind) != NULL;
}

/* By kind: a good value, as it is sent and as it is stored. */
static void good_value(char kind, const char **sent, const char **stored)
{
    static const char *const values[][3] = {{"t", "Gut+%C3%A4", "\"Gut \xC3\xA4\""},
                                            {"w", "+Gut+%C3%A4+", "\"Gut \xC3\xA4\""},
                                            {"l", "GUT%2520%25C3%2584", "\"gut \xC3\xA4\""},
                                            {"i", "-17", "-17"},
                                            {"c", "17", "17"},
                                            {"m", "17", "17"},
                                            {"d", "-1.5e1", "-15"},
                                            {"b", "1", "true"},
                                            {"o", "%7B%22a%22%3A%5B1%5D%7D", "{\"a\":[1]}"},
                                            {"j", "%22a%22", "\"a\""}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (*values[i][0] == kind) {
            *sent = values[i][1];
            *stored = values[i][2];
        }
}

static void expect(testkit *k, const row *r, const char *what, const char *query, const char *want)
{
    if (!ask(k, r->param, query)) {
        complain(r->param, what, "not stored", want);
        return;
    }
    const char *got = testkit_value(k, 0, r->field);
    if (want ? !got || strcmp(got, want) != 0 : got != NULL)
        complain(r->param, what, got, want);
}

static void each_row(testkit *k, const row *r)
{
    const char *sent = NULL, *stored = NULL;
    char query[512];
    good_value(r->kind, &sent, &stored);
    if (r->limit == 6) /* pv_id */
        sent = "Gut12", stored = "\"Gut12\"";
    (void)snprintf(query, sizeof query, "%s=%s", r->param, sent);
    expect(k, r, "good", query, stored);
    bool dimension = strncmp(r->param, "dimension", 9) == 0;
    (void)snprintf(query, sizeof query, "%s=", r->param);
    expect(k, r, "empty", query, dimension ? "\"\"" : NULL); /* an empty dimension clears */
    (void)snprintf(query, sizeof query, "%s", r->param);
    expect(k, r, "without an equals sign", query, dimension ? "\"\"" : NULL);
    (void)snprintf(query, sizeof query, "%s%%5B%%5D=%s", r->param, sent);
    expect(k, r, "array", query, NULL);
    (void)snprintf(query, sizeof query, "%s[x]=%s", r->param, sent);
    expect(k, r, "array with a key", query, NULL);
    (void)snprintf(query, sizeof query, "%s=1&%s=%s", r->param, r->param, sent);
    expect(k, r, "twice", query, stored);
    const char *lower = r->kind == 'l' ? "\"ab\"" : "\"aB\"";
    (void)snprintf(query, sizeof query, is_text(r->kind) ? "%s=a%%00B" : "%s=x%%00y", r->param);
    expect(k, r, "NUL", query, is_text(r->kind) ? lower : NULL);
    (void)snprintf(query, sizeof query, "%s=%%FFx%%C3", r->param);
    expect(k, r, "not UTF-8", query, is_text(r->kind) ? "\"\xEF\xBF\xBDx\xEF\xBF\xBD\"" : NULL);
    char upper[32]; /* names are case-sensitive */
    (void)snprintf(upper, sizeof upper, "%s", r->param);
    for (char *c = upper; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    (void)snprintf(query, sizeof query, "%s=%s", upper, sent);
    expect(k, r, "upper case", query, NULL);
}

static void every_row(void)
{
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < ROWS; i++)
        each_row(k, &rows[i]);
    close_kit(k);
}

static void every_number(void)
{
    static const struct {
        const char *text;
        /* What integers, counts, milliseconds, numbers, booleans make of it; NULL: nothing. */
        const char *i, *c, *m, *d, *b;
    } cases[] = {
        {"0", "0", "0", "0", "0", "false"},
        {"12", "12", "12", "12", "12", "true"},
        {"-3", "-3", NULL, NULL, "-3", "true"},
        {"1.0", "1", "1", "1", "1", "true"},
        {"12.5", NULL, NULL, NULL, "12.5", NULL},
        {"12,5", NULL, NULL, NULL, "12.5", NULL},
        {"1abc", NULL, NULL, NULL, NULL, NULL},
        {"abc", NULL, NULL, NULL, NULL, NULL},
        {"%2B7", "7", "7", "7", "7", "true"},
        {"1e2", "100", "100", "100", "100", "true"},
        {"16777216", "16777216", "16777216", NULL, "16777216", "true"},
        {"9223372036854775807", "9223372036854775807", "9223372036854775807", NULL, "9223372036854775807",
         "true"},
        {"9223372036854775808", NULL, NULL, NULL, "9223372036854775808", NULL},
        {"99999999999999999999999999999999999999999999999999999999999999999999", NULL, NULL, NULL, NULL,
         NULL},
        {"1e999", NULL, NULL, NULL, NULL, NULL},
        {"NaN", NULL, NULL, NULL, NULL, NULL},
        {"0x10", NULL, NULL, NULL, NULL, NULL},
        {"%201", NULL, NULL, NULL, NULL, NULL},
        {"-", NULL, NULL, NULL, NULL, NULL},
        {".", NULL, NULL, NULL, NULL, NULL},
    };
    testkit *k = open_kit(NULL);
    for (size_t n = 0; n < ROWS; n++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const row *r = &rows[n];
            const char *want = r->kind == 'i'   ? cases[i].i
                               : r->kind == 'c' ? cases[i].c
                               : r->kind == 'm' ? cases[i].m
                               : r->kind == 'd' ? cases[i].d
                                                : cases[i].b;
            char query[256];
            bool big = r->kind == 'd' && strncmp(cases[i].text, "92233", 5) == 0; /* rounded; not looked at */
            if (!strchr("icmdb", r->kind) || big ||
                (r->kind == 'm' && cases[i].text[0] == '-' && cases[i].text[1] > '1'))
                continue; /* a negative time of a page view is an error of its own */
            (void)snprintf(query, sizeof query, "%s=%s", r->param, cases[i].text);
            expect(k, r, cases[i].text, query, want);
        }
    close_kit(k);
}

static void every_json(void)
{
    static const struct {
        const char *text, *object, *any;
    } cases[] = {{"%7B%7D", "{}", "{}"},     {"%5B%5D", "[]", "[]"},
                 {"5", NULL, "5"},           {"%22x%22", NULL, "\"x\""},
                 {"null", NULL, "null"},     {"%7Bbroken", NULL, NULL},
                 {"%7B%7D%7D", NULL, NULL},  {"nonsense", NULL, NULL},
                 {"%5B1%2C%5D", NULL, NULL}, {"+%7B%22a%22+%3A1%7D+", "{\"a\":1}", "{\"a\":1}"}};
    testkit *k = open_kit(NULL);
    for (size_t n = 0; n < ROWS; n++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char query[256];
            (void)snprintf(query, sizeof query, "%s=%s", rows[n].param, cases[i].text);
            if (rows[n].kind == 'o' || rows[n].kind == 'j')
                expect(k, &rows[n], cases[i].text, query,
                       rows[n].kind == 'o' ? cases[i].object : cases[i].any);
        }
    close_kit(k);
}

/* Far longer than anything that is kept. */
static void oversized(void)
{
    testkit *k = open_kit(NULL);
    char *query = malloc(LONG_BYTES + 64);
    REQUIRE(query);
    for (size_t n = 0; n < ROWS; n++) {
        size_t len = (size_t)sprintf(query, "%s=", rows[n].param);
        memset(query + len, rows[n].kind == 'o' || rows[n].kind == 'j' ? '[' : '7', LONG_BYTES);
        query[len + LONG_BYTES] = '\0';
        if (!ask(k, rows[n].param, query)) {
            complain(rows[n].param, "oversized", "not stored", "");
            continue;
        }
        const char *got = testkit_value(k, 0, rows[n].field);
        size_t kept = got ? strlen(got) - 2 : 0;
        if (is_text(rows[n].kind) ? kept != rows[n].limit : got != NULL)
            printf("# %s: %zu bytes kept, the limit is %u\n", rows[n].param, kept, rows[n].limit),
                check_failed = true;
    }
    free(query);
    close_kit(k);
}

/* The table above names every parameter that has a field. */
static void table_is_complete(void)
{
    for (size_t id = 0; id < PARAM_COUNT; id++) {
        bool found = param_specs[id].kind == KIND_NONE || id == PARAM_CID || id == PARAM_SEND_IMAGE;
        for (size_t n = 0; n < ROWS && !found; n++)
            found = strcmp(rows[n].param, param_names[id]) == 0;
        if (!found)
            complain(param_names[id], "the table", NULL, "a row");
    }
}

/* ---- parameters that do something ---- */

/* query is the whole of what is sent besides what ask() adds. want: "field=json", "field=-" absent, or
   "!code" of a 400,
   "~code" of an excluded hit. */
static void special(void)
{
    static const char *const cases[][3] = {
        {"idsite", "idsite=7", "site_id=\"7\""},
        {"idsite", "", "!bad_site"},
        {"idsite", "idsite=", "!bad_site"},
        {"idsite", "idsite[]=1", "!bad_site"},
        {"idsite", "idsite=1%00", "site_id=\"1\""},
        {"idsite", "idsite=%FF", "!bad_site"},
        {"idsite", "idsite=1&idsite=2", "site_id=\"2\""},
        {"idsite", "idsite=1e3", "site_id=\"1000\""},
        {"idsite", "idsite=99999999999999999999", "!bad_site"},
        {"idsite", "IDSITE=1", "!bad_site"},
        {"rec", "rec=1", "site_id=\"1\""},
        {"rec", "rec=2", "site_id=\"1\""},
        {"rec", "rec=1.0", "site_id=\"1\""},
        {"rec", "", "~no_rec"},
        {"rec", "rec=", "~no_rec"},
        {"rec", "rec=0", "~no_rec"},
        {"rec", "rec=x", "~no_rec"},
        {"rec", "rec[]=1", "~no_rec"},
        {"rec", "rec=%001", "site_id=\"1\""},
        {"rec", "rec=1&rec=0", "~no_rec"},
        {"apiv", "apiv=1", "extra_params=-"},
        {"apiv", "apiv=x", "extra_params=-"},
        {"rand", "rand=17", "extra_params=-"},
        {"queuedtracking", "queuedtracking=0", "extra_params=-"},
        {"debug", "debug=1", "extra_params=-"},
        {"token_auth", "token_auth=secret", "extra_params=-"},
        {"token_auth", "token_auth[]=secret", "extra_params=-"},
        {"token_auth", "TOKEN_AUTH=secret", "extra_params=-"},
        {"dp", "dp=1", "extra_params={\"dp\":\"1\"}"},
        {"consent", "consent=1", "extra_params={\"consent\":\"1\"}"},
        {"source", "recMode=1&source=x", "extra_params={\"source\":\"x\"}"},
        {"tracker_install_check", "tracker_install_check=ab", "~install_check"},
        {"tracker_install_check", "tracker_install_check=", "~install_check"},
        {"send_image", "send_image=0", "send_image=false"},
        {"send_image", "send_image=1", "send_image=true"},
        {"send_image", "send_image=", "send_image=-"},
        {"send_image", "send_image=x", "send_image=-"},
        {"send_image", "send_image[]=0", "send_image=-"},
        {"send_image", "send_image=0&send_image=1", "send_image=true"},
        {"ping", "ping=1", "event_type=\"ping\""},
        {"ping", "ping=x", "event_type=\"pageview\""},
        {"ping", "ping=", "event_type=\"pageview\""},
        {"ping", "ping[]=1", "event_type=\"pageview\""},
        {"ping", "ping=1&ping=0", "event_type=\"pageview\""},
        {"ca", "ca=1", "event_type=\"custom\""},
        {"ca", "ca=0", "event_type=\"pageview\""},
        {"ca", "ca=x", "event_type=\"pageview\""},
        {"ca", "ca[]=1", "event_type=\"pageview\""},
        {"recMode", "recMode=1", "is_bot=true"},
        {"recMode", "recMode=2", "is_bot=-"},
        {"recMode", "recMode=x", "is_bot=-"},
        {"cid", "cid=0123456789abcdef", "forced_visitor_id=\"0123456789abcdef\""},
        {"cid", "cid=", "forced_visitor_id=-"},
        {"cid", "cid[]=0123456789abcdef", "forced_visitor_id=-"},
        {"cid", "cid=0123456789abcde", "!bad_cid"},
        {"cid", "cid=%FF%FF", "!bad_cid"},
        {"cid", "cid=0123456789abcdef&cid=x", "!bad_cid"},
        {"cid", "cid=%000123456789abcdef", "visitor_id=\"0123456789abcdef\""},
        {"cid", "cid=wxyz456789ABCDEF", "visitor_id=\"0000456789abcdef\""},
        {"_id", "_id=0123456789abcde", "visitor_id_source=\"generated\""},
        {"_id", "_id=0123456789ABCDEF", "visitor_id=\"0123456789abcdef\""},
        {"_id", "_id=0123456789abcdef01", "visitor_id=\"0123456789abcdef\""},
        {"uid", "uid=x", "visitor_id=\"11f6ad8ec52a2984\""},
        {"uid", "uid[]=x", "visitor_id_source=\"generated\""},
        {"h", "h=1&m=2&s=3", "local_time=\"01:02:03\""},
        {"h", "h=24&m=60&s=60", "local_time=\"00:00:00\""},
        {"h", "h=-1&m=x&s=", "local_time=\"00:00:00\""},
        {"h", "h=9", "local_time=\"09:00:00\""},
        {"h", "h=&m=&s=", "local_time=-"},
        {"h", "h[]=1", "local_time=-"},
        {"h", "h=1&h=2", "local_time=\"02:00:00\""},
        {"cdt", "cdt=1764559000", "event_datetime_source=\"client\""},
        {"cdt", "cdt=", "event_datetime_source=\"server\""},
        {"cdt", "cdt=%FF%FE", "event_datetime_source=\"server\""},
        {"cdt", "cdt[]=1764559000", "event_datetime_source=\"server\""},
        {"cdt", "cdt=2012-01-01", "!old_cdt"},
        {"cdt", "cdt=2012-01-01&cdt=1764559000", "event_datetime_source=\"client\""},
        {"cdo", "cdo=10", "event_datetime_source=\"client\""},
        {"cdo", "cdo=", "event_datetime_source=\"server\""},
        {"cdo", "cdo=x", "event_datetime_source=\"server\""},
        {"cdo", "cdo=9223372036854775807", "event_datetime_source=\"server\""},
        {"cip", "cip=1.2.3.4", "!cip_without_token"},
        {"cip", "cip=", "ip=\"192.0.2.7\""},
        {"cip", "cip[]=1.2.3.4", "ip=\"192.0.2.7\""},
        {"cip", "cip=1.2.3.4&token_auth=t", "ip=\"1.2.3.4\""},
        {"cip", "cip=2001:db8::1&token_auth=t", "ip=\"2001:db8::1\""},
        {"cip", "cip=-&token_auth=t", "ip=\"0.0.0.0\""},
        {"cip", "cip=%FF&token_auth=t", "ip=\"0.0.0.0\""},
        {"cip", "cip=1.2.3.4%00&token_auth=t", "ip=\"1.2.3.4\""},
        {"cip", "cip=1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5&token_auth=t", "ip=\"0.0.0.0\""},
        {"country", "country=de", "extra_params=-"},
        {"country", "country=de&token_auth=t", "geo_info={\"country\":\"DE\"}"},
        {"country", "country=de&token_auth=t", "extra_params=-"},
        {"region", "region=BE&token_auth=wrong", "extra_params=-"},
        {"city", "city=B%C3%B6&region=BE&token_auth=t",
         "geo_info={\"city\":\"B\xC3\xB6\",\"region\":\"BE\"}"},
        {"lat", "lat=0&long=0", "extra_params=-"},
        {"lat", "lat=52.5&long=13.4&token_auth=t",
         "geo_info={\"loc\":{\"longitude\":13.4,\"latitude\":52.5}}"},
        {"idgoal", "idgoal=3", "goal_id=3"},
        {"idgoal", "idgoal=", "event_type=\"pageview\""},
        {"idgoal", "idgoal[]=3", "event_type=\"pageview\""},
        {"idgoal", "idgoal=3.5", "event_type=\"pageview\""},
        {"idgoal", "idgoal=%FF", "event_type=\"pageview\""},
        {"idgoal", "idgoal=0", "event_type=\"ecommerce_cart\""},
        {"idgoal", "idgoal=0&ec_id=", "event_type=\"ecommerce_cart\""},
        {"ec_items", "idgoal=0&ec_items=[[%22a%22,%22n%22,%22c%22,%221,5%22,%222%22]]",
         "order_items=[{\"sku\":\"a\",\"name\":\"n\",\"categories\":[\"c\"],\"price\":1.5,\"quantity\":2}]"},
        {"ec_items", "idgoal=0&ec_items=", "order_items=-"},
        {"ec_items", "idgoal=0&ec_items=5", "order_items=-"},
        {"ec_items", "idgoal=0&ec_items=%FF", "order_items=-"},
        {"ec_items", "idgoal=0&ec_items[]=x", "order_items=-"},
        {"ec_items", "idgoal=0&ec_items=[[%22%22,%22n%22],[],5,[%22b%22]]",
         "order_items=[{\"sku\":\"b\",\"name\":\"\",\"categories\":[],\"price\":0,\"quantity\":1}]"},
        {"pf_net", "pf_net=-2", "!bad_performance"},
        {"pf_net", "pf_net=-1", "perf_network_ms=-"},
        {"pf_onl", "pf_onl=-2&e_c=c&e_a=a", "perf_onload_ms=-"},
        {"e_c", "e_c=%20&e_a=a", "!blank_event"},
        {"c_n", "c_n=%09", "!blank_content"},
        {"dimension", "dimension0=a", "extra_params={\"dimension0\":\"a\"}"},
        {"dimension", "dimension21=a", "extra_params={\"dimension21\":\"a\"}"},
        {"dimension", "dimension01=a", "dimension1=-"},
        {"dimension", "dimension1=+%20x+", "dimension1=\"x\""},
        {"mtm_campaign", "mtm_campaign=Gut", "campaign_name=\"gut\""},
        {"mtm_campaign", "mtm_campaign=", "campaign_name=-"},
        {"mtm_campaign", "mtm_campaign[]=x", "campaign_name=-"},
        {"mtm_campaign", "mtm_campaign=%FF", "campaign_name=\"\xEF\xBF\xBD\""},
        {"mtm_campaign", "mtm_campaign=a%00b", "campaign_name=\"ab\""},
        {"pk_kwd", "pk_kwd=One&mtm_kwd=Two", "campaign_keyword=\"one\""},
        {"mtm_source", "mtm_source=S&utm_medium=M&mtm_content=C", "campaign_source=\"S\""},
        {"mtm_cid", "mtm_cid=1&utm_id=2", "campaign_id=\"1\""},
        {"mtm_group", "mtm_group=G", "campaign_group=\"G\""},
        {"mtm_placement", "pk_placement=P", "campaign_placement=\"P\""},
    };
    testkit *k = open_kit("{\"tokens\":[{\"secret\":\"t\"}]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *param = cases[i][0], *query = cases[i][1], *want = cases[i][2];
        bool stored = ask(k, param, query), refused = *want == '!' || *want == '~';
        const char *code = testkit_reject_code(k, 0);
        uint32_t http = testkit_http(k);
        if (refused) {
            if (stored || !code || strcmp(code, want + 1) != 0 || http != (*want == '!' ? 400u : 200u))
                complain(query, "refused", stored ? "stored" : code, want + 1);
            continue;
        }
        char field[64];
        size_t len = strcspn(want, "=");
        (void)snprintf(field, sizeof field, "%.*s", (int)len, want);
        const char *got = stored ? testkit_value(k, 0, field) : "not stored", *value = want + len + 1;
        if (strcmp(value, "-") == 0 ? got != NULL : !got || strcmp(got, value) != 0)
            complain(query, field, got, value);
        if (stored && (strstr(testkit_line(k, 0), "secret") || strstr(testkit_line(k, 0), "token_auth")))
            complain(query, "the token", "stored", "nowhere");
    }
    close_kit(k);
}

static void hints(void)
{
    static const struct {
        const char *query, *headers, *want;
    } cases[] = {
        {"",
         "Sec-CH-UA: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\nSec-CH-UA-Mobile: "
         "?0\nSec-CH-UA-Platform: \"Linux\"\n",
         "{\"brands\":[{\"brand\":\"Chromium\",\"version\":\"124\"},{\"brand\":\"Not-A.Brand\",\"version\":"
         "\"99\"}],"
         "\"mobile\":false,\"platform\":\"Linux\"}"},
        {"",
         "Sec-CH-UA: \"a\\\"b, c\"\nSec-CH-UA-Mobile: ?1\nSec-CH-UA-Full-Version-List: "
         "\"X\";v=\"1.2.3\"\nSec-CH-UA-Model: "
         "\"Pixel\"\nSec-CH-UA-Platform-Version: \"14\"\nSec-CH-UA-Arch: \"arm\"\nSec-CH-UA-Bitness: "
         "\"64\"\nSec-CH-UA-Full-Version: \"9\"\n",
         "{\"brands\":[{\"brand\":\"a\\\"b, "
         "c\",\"version\":\"\"}],\"fullVersionList\":[{\"brand\":\"X\",\"version\":\"1.2.3\"}],"
         "\"mobile\":true,\"platformVersion\":\"14\",\"model\":\"Pixel\",\"uaFullVersion\":\"9\","
         "\"architecture\":\"arm\","
         "\"bitness\":\"64\"}"},
        {"", "Sec-CH-UA: \nSec-CH-UA-Mobile: ?1\n", NULL},
        {"", "Sec-CH-UA: nonsense\"\n", "{\"brands\":[]}"},
        {"", "Sec-CH-UA: \"x\\\n", "{\"brands\":[]}"},
        {"", NULL, NULL},
        {"&uadata=%7B%22platform%22%3A%22p%22%7D", "Sec-CH-UA: \"Chromium\";v=\"124\"\n",
         "{\"platform\":\"p\"}"},
        {"&uadata=broken", "Sec-CH-UA: \"C\";v=\"1\"\n", NULL}, /* it overrides them, as in Matomo */
        {"&ua=other", "Sec-CH-UA: \"Chromium\";v=\"124\"\n", NULL},
    };
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[512];
        (void)snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1%s", cases[i].query);
        (void)testkit_receive(k, &(testkit_request){.target = target, .headers = cases[i].headers});
        REQUIRE(testkit_event_count(k) == 1);
        const char *got = testkit_value(k, 0, "client_hints");
        if (cases[i].want ? !got || strcmp(got, cases[i].want) != 0 : got != NULL)
            complain(cases[i].headers ? cases[i].headers : "no header", "client_hints", got, cases[i].want);
    }
    char many[2000] = "Sec-CH-UA: ";
    for (int i = 0; i < 100; i++)
        (void)strcat(many, "\"\",");
    (void)strcat(many, "\n");
    (void)testkit_receive(k, &(testkit_request){.target = "/matomo.php?idsite=1&rec=1", .headers = many});
    REQUIRE(testkit_event_count(k) == 1);
    close_kit(k);
}

/* The fields that the schema promises, besides those of rows and of enrichers. */
static void fields_are_there(void)
{
    static const struct {
        const char *name;
        uint32_t type;
    } fields[] = {{"event_id", SS_FIELD_STRING},
                  {"received_at", SS_FIELD_TIMESTAMP},
                  {"event_datetime", SS_FIELD_DATETIME},
                  {"event_datetime_source", SS_FIELD_STRING},
                  {"event_type", SS_FIELD_STRING},
                  {"site_id", SS_FIELD_STRING},
                  {"visitor_id", SS_FIELD_STRING},
                  {"visitor_id_source", SS_FIELD_STRING},
                  {"client_visitor_id", SS_FIELD_STRING},
                  {"forced_visitor_id", SS_FIELD_STRING},
                  {"user_id", SS_FIELD_STRING},
                  {"is_new_visit_forced", SS_FIELD_BOOL},
                  {"page_view_id", SS_FIELD_STRING},
                  {"page_view_url", SS_FIELD_STRING},
                  {"action_name", SS_FIELD_STRING},
                  {"referral_url", SS_FIELD_STRING},
                  {"page_view_url_normalized", SS_FIELD_STRING},
                  {"referrer_type", SS_FIELD_STRING},
                  {"referrer_name", SS_FIELD_STRING},
                  {"referrer_keyword", SS_FIELD_STRING},
                  {"campaign_name", SS_FIELD_STRING},
                  {"campaign_keyword", SS_FIELD_STRING},
                  {"campaign_source", SS_FIELD_STRING},
                  {"campaign_medium", SS_FIELD_STRING},
                  {"campaign_content", SS_FIELD_STRING},
                  {"campaign_id", SS_FIELD_STRING},
                  {"campaign_group", SS_FIELD_STRING},
                  {"campaign_placement", SS_FIELD_STRING},
                  {"attribution_campaign_name", SS_FIELD_STRING},
                  {"attribution_campaign_keyword", SS_FIELD_STRING},
                  {"referral_ts", SS_FIELD_INT},
                  {"attribution_referral_url", SS_FIELD_STRING},
                  {"event_category", SS_FIELD_STRING},
                  {"event_action", SS_FIELD_STRING},
                  {"event_value_name", SS_FIELD_STRING},
                  {"event_value_numeric", SS_FIELD_DOUBLE},
                  {"content_name", SS_FIELD_STRING},
                  {"content_piece", SS_FIELD_STRING},
                  {"content_target", SS_FIELD_STRING},
                  {"content_interaction", SS_FIELD_STRING},
                  {"outlink_url", SS_FIELD_STRING},
                  {"download_url", SS_FIELD_STRING},
                  {"search_keyword", SS_FIELD_STRING},
                  {"search_category", SS_FIELD_STRING},
                  {"search_count", SS_FIELD_INT},
                  {"goal_id", SS_FIELD_INT},
                  {"revenue", SS_FIELD_DOUBLE},
                  {"order_id", SS_FIELD_STRING},
                  {"order_subtotal", SS_FIELD_DOUBLE},
                  {"order_tax", SS_FIELD_DOUBLE},
                  {"order_shipping", SS_FIELD_DOUBLE},
                  {"order_discount", SS_FIELD_DOUBLE},
                  {"order_items", SS_FIELD_JSON},
                  {"product_sku", SS_FIELD_STRING},
                  {"product_name", SS_FIELD_STRING},
                  {"product_categories", SS_FIELD_STRING},
                  {"product_price", SS_FIELD_DOUBLE},
                  {"dimension1", SS_FIELD_STRING},
                  {"dimension20", SS_FIELD_STRING},
                  {"custom_vars_visit", SS_FIELD_JSON},
                  {"custom_vars_page", SS_FIELD_JSON},
                  {"custom_vars_event", SS_FIELD_JSON},
                  {"perf_network_ms", SS_FIELD_INT},
                  {"perf_server_ms", SS_FIELD_INT},
                  {"perf_transfer_ms", SS_FIELD_INT},
                  {"perf_dom_processing_ms", SS_FIELD_INT},
                  {"perf_dom_completion_ms", SS_FIELD_INT},
                  {"perf_onload_ms", SS_FIELD_INT},
                  {"performance_generation_time_ms", SS_FIELD_INT},
                  {"display_resolutions", SS_FIELD_STRING},
                  {"language", SS_FIELD_STRING},
                  {"local_time", SS_FIELD_STRING},
                  {"page_charset", SS_FIELD_STRING},
                  {"user_agent", SS_FIELD_STRING},
                  {"client_hints", SS_FIELD_JSON},
                  {"ip", SS_FIELD_STRING},
                  {"is_ping", SS_FIELD_BOOL},
                  {"is_bot", SS_FIELD_BOOL},
                  {"http_status", SS_FIELD_INT},
                  {"response_bytes", SS_FIELD_INT},
                  {"custom_data", SS_FIELD_JSON},
                  {"extra_params", SS_FIELD_JSON},
                  {"transport", SS_FIELD_STRING},
                  {"bulk_index", SS_FIELD_INT}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const ss_field *f = matomo_fields;
        while (f->name && strcmp(f->name, fields[i].name) != 0)
            f++;
        if (!f->name || f->type != fields[i].type)
            complain(fields[i].name, "the schema", f->name, "this type");
    }
    for (size_t n = 0; n < ROWS; n++) {
        const ss_field *f = matomo_fields;
        while (f->name && strcmp(f->name, rows[n].field) != 0)
            f++;
        uint32_t want = is_text(rows[n].kind)        ? SS_FIELD_STRING
                        : strchr("oj", rows[n].kind) ? SS_FIELD_JSON
                        : rows[n].kind == 'd'        ? SS_FIELD_DOUBLE
                        : rows[n].kind == 'b'        ? SS_FIELD_BOOL
                                                     : SS_FIELD_INT;
        if (!f->name || f->type != want)
            complain(rows[n].field, "the schema", f->name, "the type of its row");
    }
}

static const check_test tests[] = {
    TEST(every_row),         TEST(every_number), TEST(every_json),       TEST(oversized),
    TEST(table_is_complete), TEST(special),      TEST(fields_are_there), TEST(hints)};
CHECK_MAIN(tests)

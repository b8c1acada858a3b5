// with: receivers/matomo/*.c
/* The Matomo receiver on the testkit: what clients send, what is stored, what they get. */
#include <stdint.h>

#include "plugins/sdk/testkit/testkit.h"
#include "receivers/matomo/fields.h"
#include "receivers/matomo/sha1.h"
#include "receivers/matomo/when.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define TOKENS                                                                                               \
    "{\"tokens\":[{\"secret\":\"super0123\",\"role\":\"superuser\"},{\"secret\":\"write0123\",\"role\":"     \
    "\"write\",\"sites\":[1,2]}]}"

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

static int32_t ask(testkit *k, const char *method, const char *target, const char *headers, const char *body)
{
    return testkit_receive(
        k, &(testkit_request){.method = method, .target = target, .headers = headers, .body = body});
}

/* "name=json" pairs, separated by newlines; "name=-": absent. */
static void fields_are(testkit *k, size_t i, const char *want)
{
    char line[2048];
    while (*want) {
        size_t len = strcspn(want, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)len, want);
        char *value = strchr(line, '=');
        REQUIRE(value);
        *value++ = '\0';
        const char *got = testkit_value(k, i, line);
        if (strcmp(value, "-") == 0 ? got != NULL : !got || strcmp(got, value) != 0) {
            printf("# %s: got %s, want %s\n", line, got ? got : "(absent)", value);
            CHECK(false);
        }
        want += len + (want[len] == '\n');
    }
}

static const unsigned char gif[43] = {0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80,
                                      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x21, 0xf9, 0x04,
                                      0x01, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x00, 0x00, 0x01,
                                      0x00, 0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3b};

/* ---- answers (b2) ---- */

static bool is_gif(testkit *k)
{
    size_t len;
    const char *body = testkit_body(k, &len);
    return strcmp(testkit_content_type(k), "image/gif") == 0 && len == sizeof gif &&
           memcmp(body, gif, sizeof gif) == 0;
}

static bool is_info(testkit *k)
{
    return strncmp(testkit_content_type(k), "text/html", 9) == 0 &&
           strncmp(testkit_body(k, NULL), "This resource is part of Matomo.", 32) == 0;
}

static void answers(void)
{
    static const struct {
        const char *method, *target;
        uint32_t http;
        char body; /* g GIF, i INFO, - nothing */
        size_t stored;
        const char *code; /* of the reject, NULL = none */
    } cases[] = {
        {"GET", "/matomo.php?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/piwik.php?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo-event-receiver?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo-event-receiver/?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php/?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/js/?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=0&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&send_image=0", 204, '-', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&send_image=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&send_image=no", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1", 200, 'g', 0, "no_rec"},
        {"GET", "/matomo.php?idsite=1&rec=0", 200, 'g', 0, "no_rec"},
        {"GET", "/matomo.php?idsite=1&rec=0&send_image=0", 204, '-', 0, "no_rec"},
        {"GET", "/matomo.php?idsite=1&rec=1&tracker_install_check=ab12", 200, 'g', 0, "install_check"},
        {"GET", "/matomo.php", 200, 'i', 0, NULL},
        {"GET", "/matomo.php?", 200, 'i', 0, NULL},
        {"POST", "/matomo.php", 400, 'i', 0, NULL},
        {"HEAD", "/matomo.php", 400, 'i', 0, NULL},
        {"OPTIONS", "/matomo.php", 400, 'i', 0, NULL},
        {"POST", "/matomo.php?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"HEAD", "/matomo.php?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"OPTIONS", "/matomo.php?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"PUT", "/matomo.php?idsite=1&rec=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?rec=1", 400, 'g', 0, "bad_site"},
        {"GET", "/matomo.php?rec=1&send_image=0", 400, 'i', 0, "bad_site"},
        {"GET", "/matomo.php?idsite=-1&rec=1", 400, 'g', 0, "bad_site"},
        {"GET", "/matomo.php?idsite=abc&rec=1", 400, 'g', 0, "bad_site"},
        {"GET", "/matomo.php?idsite=1.5&rec=1", 400, 'g', 0, "bad_site"},
        {"GET", "/matomo.php?idsite=1&rec=1&cid=abc", 400, 'g', 0, "bad_cid"},
        {"GET", "/matomo.php?idsite=1&rec=1&cid=0123456789abcdef0", 400, 'g', 0, "bad_cid"},
        {"GET", "/matomo.php?idsite=1&rec=1&cid=0123456789abcdef", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&cip=1.2.3.4", 400, 'g', 0, "cip_without_token"},
        {"GET", "/matomo.php?idsite=1&cip=1.2.3.4", 400, 'g', 0,
         "cip_without_token"}, /* wins over the missing rec */
        {"GET", "/matomo.php?idsite=1&rec=1&cip=1.2.3.4&token_auth=wrong", 400, 'g', 0, "cip_without_token"},
        {"GET", "/matomo.php?idsite=1&rec=1&cip=1.2.3.4&token_auth=write0123", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=3&rec=1&cip=1.2.3.4&token_auth=write0123", 400, 'g', 0,
         "cip_without_token"},
        {"GET", "/matomo.php?idsite=3&rec=1&cip=1.2.3.4&token_auth=super0123", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&token_auth=wrong", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&cdt=2012-02-10+21:42:07", 400, 'g', 0, "old_cdt"},
        {"GET", "/matomo.php?idsite=1&rec=1&cdt=2012-02-10+21:42:07&token_auth=super0123", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?rec=1&cdt=2012-02-10+21:42:07", 400, 'g', 0,
         "old_cdt"}, /* wins over the missing site */
        {"GET", "/matomo.php?idsite=1&rec=1&cdt=nonsense", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&country=de", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&idgoal=7", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&pf_net=-5", 400, 'g', 0, "bad_performance"},
        {"GET", "/matomo.php?idsite=1&rec=1&pf_net=-1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&pf_net=-5&ping=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?idsite=1&rec=1&e_c=%20&e_a=a", 400, 'g', 0, "blank_event"},
        {"GET", "/matomo.php?idsite=1&rec=1&e_c=c&e_a=+", 400, 'g', 0, "blank_event"},
        {"GET", "/matomo.php?idsite=1&rec=1&c_n=+", 400, 'g', 0, "blank_content"},
        {"GET", "/matomo.php?idsite=1&rec=1&ca=1", 200, 'g', 1, NULL},
        {"GET", "/matomo.php?&&&", 200, 'i', 0, NULL},
        {"GET", "/matomo.php?%&=&%zz=%&idsite=1&rec=1", 200, 'g', 1, NULL},
    };
    testkit *k = open_kit(TOKENS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)ask(k, cases[i].method, cases[i].target, NULL, NULL);
        char body = is_gif(k) ? 'g' : is_info(k) ? 'i' : testkit_body(k, NULL)[0] ? '?' : '-';
        const char *code = testkit_reject_code(k, 0);
        if (testkit_http(k) != cases[i].http || body != cases[i].body ||
            testkit_event_count(k) != cases[i].stored ||
            (cases[i].code ? !code || strcmp(code, cases[i].code) != 0 : code != NULL)) {
            printf("# %s %s: %u %c, %zu stored, %s\n", cases[i].method, cases[i].target, testkit_http(k),
                   body, testkit_event_count(k), code ? code : "no reject");
            CHECK(false);
        }
    }
    CHECK_INT(ask(k, "GET", "/js/", NULL, NULL), SS_DECLINE);
    CHECK_INT(ask(k, "GET", "/other", NULL, NULL), SS_DECLINE);
    CHECK(testkit_metric(k, "matomo_overrides_ignored_total", "") == 1);
    close_kit(k);
}

static void options_matter(void)
{
    testkit *k = open_kit("{\"require_rec\":false}");
    CHECK_INT(ask(k, "GET", "/matomo.php?idsite=1", NULL, NULL), SS_OK);
    CHECK_INT(testkit_event_count(k), 1);
    close_kit(k);
    k = open_kit("{\"strict_auth\":true}");
    CHECK_INT(ask(k, "GET", "/matomo.php?idsite=1&rec=1&country=de", NULL, NULL), SS_REJECT);
    CHECK_INT(testkit_http(k), 400);
    CHECK_INT(ask(k, "GET", "/matomo.php?idsite=1&rec=1&lat=0", NULL, NULL), SS_OK); /* "0" counts as empty */
    close_kit(k);
    k = open_kit("{\"cdt_auth_after\":\"7d\"}");
    CHECK_INT(ask(k, "GET", "/matomo.php?idsite=1&rec=1&cdt=2025-11-28", NULL, NULL), SS_OK);
    close_kit(k);
    k = testkit_new(ss_plugin_v0(), "{\"tokens\":[{\"secret\":\"\"}]}");
    CHECK(testkit_instance(k) == NULL && strstr(testkit_error(k), "tokens[0].secret"));
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(), "{\"nonsense\":1}");
    CHECK(testkit_instance(k) == NULL);
    testkit_free(k);
}

/* ---- CORS (b5) ---- */

static void cors(void)
{
    testkit *k = open_kit(NULL);
    const char *origin = "Origin: https://page.example\n";
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1", origin, NULL);
    CHECK(!testkit_header(k, "Access-Control-Allow-Origin"));
    CHECK_STR(testkit_header(k, "Cache-Control"), "no-store");
    static const char *const targets[] = {"/matomo.php?idsite=1&rec=1", "/matomo.php?rec=1", "/matomo.php"};
    for (size_t i = 0; i < 3; i++) { /* stored, invalid, nothing */
        (void)ask(k, "POST", targets[i], origin, NULL);
        CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "https://page.example");
        CHECK_STR(testkit_header(k, "Access-Control-Allow-Credentials"), "true");
        CHECK(!testkit_header(k, "Cache-Control"));
    }
    (void)ask(k, "HEAD", "/matomo.php?idsite=1&rec=1", NULL, NULL);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "*");
    CHECK_INT(ask(k, "OPTIONS", "/matomo.php?idsite=1&rec=1",
                  "Origin: https://page.example\nAccess-Control-Request-Method: "
                  "POST\nAccess-Control-Request-Headers: content-type\n",
                  NULL),
              SS_OK);
    CHECK_INT(testkit_http(k), 204);
    CHECK_INT(testkit_event_count(k), 0);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Methods"), "GET, POST");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Headers"), "content-type");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "https://page.example");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Credentials"), "true");
    (void)ask(k, "OPTIONS", "/matomo.php", "Access-Control-Request-Method: POST\n", NULL);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Headers"), "*");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "*");
    close_kit(k);
    k = open_kit("{\"cors_domains\":[\"https://page.example\"]}");
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1", origin, NULL);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "https://page.example");
    CHECK_STR(testkit_header(k, "Vary"), "Origin");
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1", "Origin: https://other.example\n", NULL);
    CHECK(!testkit_header(k, "Access-Control-Allow-Origin"));
    close_kit(k);
}

/* ---- captured on the wire (section c) ---- */

static void wire_page_view(void)
{
    testkit *k = open_kit(NULL);
    (void)ask(k, "POST",
              "/matomo.php?action_name=Seite%20%C3%A4&idsite=1&rec=1&r=951496&h=1&m=23&s=38&url=http%3A%2F%"
              "2Fh.example%2Fp&"
              "urlref=https%3A%2F%2Fx%2F&_id=b7b53d306ad3b954&_idn=1&send_image=0&_refts=1795310618&_ref="
              "https%3A%2F%2Fx%2F&pv_id=JNWG1c&"
              "pf_net=0&pf_srv=3&pf_tfr=0&pf_dm1=8&uadata=%7B%22formFactors%22%3A%5B%22Desktop%22%5D%2C%"
              "22fullVersionList%22%3A%5B%5D%2C%22"
              "mobile%22%3Afalse%2C%22model%22%3A%22%22%2C%22platform%22%3A%22Linux%22%2C%22platformVersion%"
              "22%3A%22%22%7D&pdf=1&qt=0&"
              "realp=0&wma=0&fla=0&java=0&ag=0&cookie=1&res=1280x720",
              "Content-Type: application/x-www-form-urlencoded; charset=utf-8\nOrigin: "
              "http://page\nUser-Agent: Mozilla/5.0 X\n"
              "Accept-Language: de,en;q=0.8\n",
              NULL);
    CHECK_INT(testkit_http(k), 204);
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0,
               "event_type=\"pageview\"\nsite_id=\"1\"\naction_name=\"Seite "
               "\xC3\xA4\"\nrandom_part=951496\nlocal_time=\"01:23:38\"\n"
               "page_view_url=\"http://h.example/p\"\npage_view_url_normalized=\"http://h.example/"
               "p\"\nreferral_url=\"https://x/\"\n"
               "client_visitor_id=\"b7b53d306ad3b954\"\nvisitor_id=\"b7b53d306ad3b954\"\nvisitor_id_source="
               "\"_id\"\nsend_image=false\n"
               "referral_ts=1795310618\nattribution_referral_url=\"https://x/"
               "\"\npage_view_id=\"JNWG1c\"\nperf_network_ms=0\nperf_server_ms=3\n"
               "perf_transfer_ms=0\nperf_dom_processing_ms=8\nperf_dom_completion_ms=-\nsupports_pdf="
               "true\nsupports_quicktime=false\n"
               "supports_cookie=true\ndisplay_resolutions=\"1280x720\"\nlanguage=\"de,en;q=0.8\"\nuser_agent="
               "\"Mozilla/5.0 X\"\nip=\"192.0.2.7\"\n"
               "event_datetime=\"2025-12-01 "
               "03:24:05\"\nevent_datetime_source=\"server\"\nreceived_at=\"2025-12-01T03:24:05.000Z\"\n"
               "transport=\"post\"\nis_new_visitor=true\nextra_params=-\nbulk_index=-\nclient_hints.platform="
               "\"Linux\"\nsupports_gears=-");
    testkit_event e = testkit_event_at(k, 0);
    CHECK_STR(e.app, "1");
    CHECK_STR(e.type, "pageview");
    CHECK_STR(e.key, "b7b53d306ad3b954");
    close_kit(k);
}

static void wire_order(void)
{
    testkit *k = open_kit(NULL);
    (void)ask(k, "POST",
              "/matomo.php?idgoal=0&ec_id=A1&revenue=22.5&ec_st=19&ec_tx=1.5&ec_sh=2&ec_dt=0&ec_items=%5B%5B%"
              "22SKU1%22%2C%22B%C3%BCch%22%2C%5B%22Books%22"
              "%2C%22New%22%5D%2C9.5%2C2%5D%2C%5B%22SKU2%22%2C%22Pen%22%2C%22%22%2C0%2C1%5D%2C%5B%22%22%5D%"
              "2C%5B%22SKU3%22%5D%5D&idsite=1&rec=1",
              NULL, NULL);
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0,
               "event_type=\"ecommerce_order\"\ngoal_id=0\norder_id=\"A1\"\nrevenue=22.5\norder_subtotal="
               "19\norder_tax=1.5\n"
               "order_shipping=2\norder_discount=0\norder_items=[{\"sku\":\"SKU1\",\"name\":\"B\xC3\xBC"
               "ch\",\"categories\":[\"Books\",\"New\"],"
               "\"price\":9.5,\"quantity\":2},{\"sku\":\"SKU2\",\"name\":\"Pen\",\"categories\":[],\"price\":"
               "0,\"quantity\":1},"
               "{\"sku\":\"SKU3\",\"name\":\"\",\"categories\":[],\"price\":0,\"quantity\":1}]");
    (void)ask(k, "GET", "/matomo.php?idgoal=0&idsite=1&rec=1&ec_items=broken", NULL, NULL);
    fields_are(k, 0, "event_type=\"ecommerce_cart\"\norder_items=-");
    CHECK(testkit_metric(k, "matomo_values_dropped_total", "") == 1);
    close_kit(k);
}

static void wire_queue(void)
{
    testkit *k = open_kit(NULL);
    const char *type = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n";
    (void)ask(k, "POST", "/matomo.php", type,
              "{\"requests\":[\"?c_n=Ad1&c_p=a.png&ca=1&idsite=1&rec=1\",\"?c_n=Ad2&c_i=click&ca=1&idsite=1&"
              "rec=1\"],\"send_image\":0}");
    CHECK_INT(testkit_http(k), 204);
    REQUIRE(testkit_event_count(k) == 2);
    fields_are(k, 0,
               "event_type=\"content_impression\"\ncontent_name=\"Ad1\"\ncontent_piece=\"a.png\"\ntransport="
               "\"bulk\"\nbulk_index=0");
    fields_are(k, 1, "event_type=\"content_interaction\"\ncontent_interaction=\"click\"\nbulk_index=1");
    close_kit(k);
}

static void wire_php(void)
{
    testkit *k = open_kit(TOKENS);
    (void)ask(k, "POST",
              "/matomo.php?idsite=1&rec=1&apiv=1&r=930540&_idts=1795310590&_id=046c8f8626864670&url=http%3A%"
              "2F%2Fh%2Fq&urlref=&pv_id=246db1&"
              "action_name=tok&cip=1.2.3.4&cdt=2020-01-01+00%3A00%3A00",
              "Content-Type: application/x-www-form-urlencoded\nAccept-Language: fr\n",
              "token_auth=write0123");
    CHECK_INT(testkit_http(k), 200);
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0,
               "visitor_id_created_ts=1795310590\nip=\"1.2.3.4\"\nevent_datetime=\"2020-01-01 00:00:00\"\n"
               "event_datetime_source=\"client\"\nextra_params=-\nlanguage=\"fr\"");
    CHECK(testkit_event_at(k, 0).event_us == 1577836800000000);
    CHECK(!strstr(testkit_line(k, 0), "write0123"));
    (void)ask(k, "POST", "/matomo.php", "Content-Type: application/json\n",
              "{\"requests\":[\"http:\\/\\/host\\/"
              "matomo.php?idsite=1&rec=1&action_name=b0+x&ua=Mozilla%2F5.0+Y&lang=fr-FR%2Cfr%3Bq%3D0.8\","
              "\"http:\\/\\/host\\/"
              "matomo.php?idsite=1&rec=1&action_name=b\\u00e41#frag&x=1\"],\"token_auth\":\"super0123\"}");
    CHECK_INT(testkit_http(k), 200);
    CHECK_STR(testkit_content_type(k), "application/json");
    CHECK_STR(testkit_body(k, NULL), "{\"status\":\"success\",\"tracked\":2,\"invalid\":0}");
    REQUIRE(testkit_event_count(k) == 2);
    fields_are(k, 0, "action_name=\"b0 x\"\nuser_agent=\"Mozilla/5.0 Y\"\nlanguage=\"fr-FR,fr;q=0.8\"");
    fields_are(k, 1,
               "action_name=\"b\xC3\xA4"
               "1\"\nextra_params=-\nuser_agent=-");
    close_kit(k);
}

static void wire_npm(void)
{
    testkit *k = open_kit(NULL);
    (void)ask(
        k, "POST", "/matomo.php", "Content-Type: application/json\n",
        "{\"requests\":[\"?url=http%3A%2F%2Fx.example%2F&action_name=b0&e_c=c&e_a=a&idsite=1&rec=1\"]}");
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0, "event_type=\"event\"\nevent_category=\"c\"\nevent_action=\"a\"\nuser_agent=-");
    close_kit(k);
}

static void wire_import_logs(void)
{
    testkit *k = open_kit(TOKENS);
    (void)ask(k, "POST", "/matomo.php?queuedtracking=0", "Content-Type: application/json\n",
              "{\"token_auth\": \"super0123\", \"requests\": [{\"rec\": \"1\", \"apiv\": \"1\", \"url\": "
              "\"http://h/\", \"urlref\": \"\", "
              "\"cip\": \"1.2.3.4\", \"cdt\": \"2012-02-10 21:42:07\", \"idsite\": \"1\", "
              "\"queuedtracking\": \"0\", \"dp\": \"1\", \"ua\": \"\", "
              "\"uid\": \"theuser\", \"_cvar\": \"{\\\"1\\\": [\\\"Not-Bot\\\", \\\"\\\"]}\", \"cvar\": "
              "\"{\\\"1\\\": [\\\"HTTP-code\\\", \\\"301\\\"]}\", "
              "\"bots\": \"1\", \"action_name\": \"301/URL = http%3A%2F%2Fh%2F\", \"bw_bytes\": 368}, null, "
              "{\"idsite\":1,\"rec\":1,\"cip\":\"-\"}]}");
    CHECK_STR(testkit_body(k, NULL), "{\"status\":\"success\",\"tracked\":3,\"invalid\":0}");
    REQUIRE(testkit_event_count(k) == 2);
    fields_are(k, 0,
               "ip=\"1.2.3.4\"\nevent_datetime=\"2012-02-10 "
               "21:42:07\"\nuser_id=\"theuser\"\nvisitor_id_source=\"uid\"\n"
               "visitor_id=\"c706fd3b69c37a79\"\ncustom_vars_visit={\"1\":[\"Not-Bot\",\"\"]}\ncustom_vars_"
               "page={\"1\":[\"HTTP-code\",\"301\"]}\n"
               "action_name=\"301/URL = "
               "http%3A%2F%2Fh%2F\"\nresponse_bytes=368\nextra_params={\"dp\":\"1\",\"bots\":\"1\"}"
               "\nreferral_url=-");
    fields_are(k, 1, "ip=\"0.0.0.0\"\nbulk_index=2");
    close_kit(k);
}

static void wire_streamsteam(void)
{
    testkit *k = open_kit(NULL);
    (void)ask(k, "GET",
              "/matomo.php?action_name=SS&idsite=1&rec=1&r=353257&h=1&m=24&s=30&url=http%3A%2F%2Fh%2F&_id="
              "0c512638ee37cf8b&_idts=1795310671&_idvc=1&"
              "_idn=0&_refts=0&_viewts=1795310671&send_image=1&pdf=1&dir=0&gears=0&res=1280x720&gt_ms=1&pv_"
              "id=Ab31cG",
              NULL, NULL);
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0,
               "visitor_id_created_ts=1795310671\nvisitor_visit_count=1\nreferral_ts=0\nvisitor_last_visit_"
               "ts=1795310671\n"
               "send_image=true\nsupports_director=false\nsupports_gears=false\nperformance_generation_time_"
               "ms=1\ntransport=\"get\"");
    close_kit(k);
}

/* ---- bulk (b3) ---- */

static void bulk_cases(void)
{
    static const struct {
        const char *body;
        uint32_t http;
        const char *answer;
        size_t stored;
    } cases[] = {
        {"{\"requests\":[]}", 200, "{\"status\":\"success\",\"tracked\":0,\"invalid\":0}", 0},
        {"{\"requests\":[\"?idsite=1&rec=1\"", 200, "{\"status\":\"success\",\"tracked\":0,\"invalid\":0}",
         0},
        {"{'requests':['?idsite=1&rec=1']}", 200, "{\"status\":\"success\",\"tracked\":0,\"invalid\":0}", 0},
        {"{\"requests\":{\"a\":1}}", 200, "{\"status\":\"success\",\"tracked\":0,\"invalid\":0}", 0},
        {"{\"requests\":[{},[],null,\"?\"]}", 200, "{\"status\":\"success\",\"tracked\":4,\"invalid\":0}", 0},
        {"{\"requests\":[\"idsite=1&rec=1\",\"?idsite=1&rec=1\"]}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\"requests\":[\"?idsite=1\",\"?idsite=1&rec=1\"]}", 200,
         "{\"status\":\"success\",\"tracked\":2,\"invalid\":0}", 1},
        {"{\"requests\":[\"?rec=1\",\"?idsite=1&rec=1&cid=1\",\"?idsite=1&rec=1\"]}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":2}", 1},
        {"{\"requests\":[\"nothing\",\"?rec=1\",\"?idsite=1&rec=1\",\"?rec=1\"],\"token_auth\":"
         "\"super0123\"}",
         200, "{\"status\":\"success\",\"tracked\":1,\"invalid\":2,\"invalid_indices\":[0,2]}", 1},
        {"{\"requests\":[\"?rec=1\"],\"token_auth\":\"write0123\"}", 200,
         "{\"status\":\"success\",\"tracked\":0,\"invalid\":1}", 0},
        {"{\"requests\":[\"?idsite=1&rec=1&cip=1.2.3.4\"]}", 200,
         "{\"status\":\"success\",\"tracked\":0,\"invalid\":1}", 0},
        {"{\"requests\":[\"?idsite=1&rec=1&cip=1.2.3.4&token_auth=x\"],\"token_auth\":\"write0123\"}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\"requests\":[\"?idsite=1&rec=1&cip=1.2.3.4&token_auth=write0123\"]}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\"send_image\":\"0\",\"requests\":[\"?idsite=1&rec=1\"]}", 204, "", 1},
        {"{\"send_image\":false,\"requests\":[\"?idsite=1&rec=1&send_image=0\"]}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\r\n \"requests\" : [ \"?idsite=1&\nrec=1\" ] }", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\"requests\":[{\"idsite\":1,\"rec\":1,\"data\":{\"a\":[1]},\"e_v\":1.5,\"cookie\":true,\"x\":null}"
         "]}",
         200, "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {" {\"requests\":[\"\\u003fidsite=1\\u0026rec=1\"]}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
    };
    testkit *k = open_kit(TOKENS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)ask(k, "POST", "/matomo.php", NULL, cases[i].body);
        if (testkit_http(k) != cases[i].http || strcmp(testkit_body(k, NULL), cases[i].answer) != 0 ||
            testkit_event_count(k) != cases[i].stored) {
            printf("# %s: %u %s, %zu stored\n", cases[i].body, testkit_http(k), testkit_body(k, NULL),
                   testkit_event_count(k));
            CHECK(false);
        }
        CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "*");
    }
    (void)ask(k, "POST", "/matomo.php?token_auth=super0123", NULL, "{\"requests\":[\"?rec=1\"]}");
    CHECK_STR(testkit_body(k, NULL),
              "{\"status\":\"success\",\"tracked\":0,\"invalid\":1,\"invalid_indices\":[0]}");
    close_kit(k);
}

static void bulk_object_values(void)
{
    testkit *k = open_kit(NULL);
    (void)ask(k, "POST", "/matomo.php", NULL,
              "{\"requests\":[{\"idsite\":1,\"rec\":1,\"data\":{\"a\":[1]},\"e_v\":1.5,\"cookie\":true,"
              "\"fla\":false,\"a\\u0062c\":\"x\\u0000y\",\"uid\":\"\"}]}");
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0,
               "custom_data={\"a\":[1]}\nevent_value_numeric=1.5\nsupports_cookie=true\nsupports_flash=-"
               "\nextra_params={\"abc\":\"xy\"}\nuser_id=-");
    close_kit(k);
}

static void bulk_large(void)
{
    enum { ITEMS = 5000 };
    testkit *k = open_kit("{\"max_bulk_items\":5000}");
    for (int extra = 0; extra < 2; extra++) {
        char *body = malloc(ITEMS * 64);
        size_t len = (size_t)sprintf(body, "{\"requests\":[");
        for (int i = 0; i < ITEMS + extra; i++)
            len += (size_t)sprintf(body + len, "%s\"?idsite=%d&rec=1\"", i ? "," : "", i % 7);
        (void)sprintf(body + len, "]}");
        (void)ask(k, "POST", "/matomo.php", NULL, body);
        CHECK_INT(testkit_http(k), extra ? 400 : 200);
        CHECK_INT(testkit_event_count(k), extra ? 0 : ITEMS);
        free(body);
    }
    fields_are(k, 0, "");
    close_kit(k);
}

/* ---- forms ---- */

static void forms(void)
{
    testkit *k = open_kit(NULL);
    const char *type = "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\n";
    (void)ask(k, "POST", "/matomo.php", type, "idsite=1&rec=1&action_name=a%2Bb&uid=u");
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0, "action_name=\"a+b\"\ntransport=\"post\"");
    (void)ask(k, "POST", "/matomo.php?action_name=query&uid=", type,
              "idsite=1&rec=1&action_name=body&uid=body");
    fields_are(k, 0, "action_name=\"query\"\nuser_id=-"); /* the query beats the body, even empty */
    (void)ask(k, "POST", "/matomo.php", "Content-Type: text/plain\n", "idsite=1&rec=1");
    CHECK_INT(testkit_http(k), 400);
    CHECK(is_info(k));
    (void)ask(k, "POST", "/matomo.php?idsite=1&rec=1", "Content-Type: text/plain\n", "action_name=x");
    CHECK_INT(testkit_event_count(k), 1);
    (void)ask(
        k, "POST", "/matomo.php", "Content-Type: multipart/form-data; boundary=\"XyZ\"\n",
        "--XyZ\r\nContent-Disposition: form-data; name=\"idsite\"\r\n\r\n4\r\n--XyZ\r\nContent-Disposition: "
        "form-data; name=\"rec\"\r\n\r\n1\r\n"
        "--XyZ\r\nContent-Disposition: form-data; name=\"action_name\"\r\n\r\na%20b\r\nc\r\n--XyZ--\r\n");
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(k, 0, "site_id=\"4\"\naction_name=\"a%20b\\r\\nc\"");
    (void)ask(k, "POST", "/matomo.php", "Content-Type: multipart/form-data\n",
              "--XyZ\r\nname=\"idsite\"\r\n\r\n4\r\n--XyZ--");
    CHECK_INT(testkit_http(k), 400);
    close_kit(k);
}

/* ---- values ---- */

/* What one hit with these parameters becomes. */
static void values(void)
{
    static const char *const cases[][2] = {
        {"idsite=007", "site_id=\"7\""},
        {"idsite=1.0", "site_id=\"1\""},
        {"idsite=0", "site_id=\"0\""},
        {"r=12", "random_part=12"},
        {"r=-3", "random_part=-3"},
        {"r=1.0", "random_part=1"},
        {"r=abc", "random_part=-"},
        {"r=12.5", "random_part=-"},
        {"r=1abc", "random_part=-"},
        {"r=", "random_part=-"},
        {"r=1&r=2", "random_part=2"},
        {"r=99999999999999999999999999", "random_part=-"},
        {"e_v=1,5", "event_value_numeric=1.5"},
        {"e_v=-2.5e2", "event_value_numeric=-250"},
        {"e_v=x", "event_value_numeric=-"},
        {"cookie=2", "supports_cookie=true"},
        {"cookie=0", "supports_cookie=false"},
        {"cookie=yes", "supports_cookie=-"},
        {"pv_id=abcdefghij", "page_view_id=\"abcdef\""},
        {"pf_net=16777215&pf_srv=16777216", "perf_network_ms=16777215\nperf_server_ms=-"},
        {"search_count=-1", "search_count=-"},
        {"search=shoes&search_count=0",
         "event_type=\"site_search\"\nsearch_keyword=\"shoes\"\nsearch_count=0"},
        {"search=+", "event_type=\"pageview\"\nsearch_keyword=-"},
        {"action_name=a%00b", "action_name=\"ab\""},
        {"action_name=%C3", "action_name=\"\xEF\xBF\xBD\""},
        {"action_name=%0A%22%5C", "action_name=\"\\n\\\"\\\\\""},
        {"e_c=+c+&e_a=a&e_n=n", "event_type=\"event\"\nevent_category=\"c\"\nevent_value_name=\"n\""},
        {"e_c=c", "event_type=\"pageview\"\nevent_category=\"c\""},
        {"link=http://o/&e_c=c&e_a=a&c_n=n&c_i=i", "event_type=\"outlink\"\noutlink_url=\"http://o/\""},
        {"download=http://o/f&link=http://o/", "event_type=\"download\""},
        {"search=x&c_n=n", "event_type=\"content_impression\""},
        {"e_c=c&e_a=a&c_n=n", "event_type=\"event\""},
        {"ping=1&e_c=c&e_a=a", "event_type=\"ping\"\nis_ping=true"},
        {"idgoal=3&revenue=9.99&e_c=c&e_a=a", "event_type=\"goal\"\ngoal_id=3\nrevenue=9.99"},
        {"idgoal=x", "event_type=\"pageview\"\ngoal_id=-"},
        {"idgoal=0", "event_type=\"ecommerce_cart\""},
        {"ca=1", "event_type=\"custom\""},
        {"ca=1&ma_id=m&ma_mt=video&ma_fs=1&ma_st=4",
         "event_type=\"media\"\nmedia_id=\"m\"\nmedia_type=\"video\"\nmedia_fullscreen=true\nmedia_seconds_"
         "played=4"},
        {"ca=1&cra=Boom&cra_rl=12", "event_type=\"crash\"\ncrash_message=\"Boom\"\ncrash_line=12"},
        {"recMode=1&http_status=404&source=x",
         "event_type=\"bot\"\nis_bot=true\nhttp_status=404\nextra_params={\"source\":\"x\"}"},
        {"dimension1=one&dimension20=++z++&dimension21=x&dimension0=y&dimension2=",
         "dimension1=\"one\"\ndimension20=\"z\"\ndimension2=\"\"\ndimension3=-\nextra_params={"
         "\"dimension21\":\"x\",\"dimension0\":\"y\"}"},
        {"x[]=1&a.b=2&a.b=3&%C3%A4=%22", "extra_params={\"x[]\":\"1\",\"a.b\":\"3\",\"\xC3\xA4\":\"\\\"\"}"},
        {"token_auth=geheim&apiv=1&rand=3&queuedtracking=0", "extra_params=-"},
        {"cvar=%7Bbroken&uadata=1&data=5&_cvar=%5B%5D",
         "custom_vars_page=-\nclient_hints=-\ncustom_data=5\ncustom_vars_visit=[]"},
        {"h=25&m=61&s=7", "local_time=\"00:00:07\""},
        {"h=23&m=59&s=59", "local_time=\"23:59:59\""},
        {"new_visit=1", "is_new_visit_forced=true"},
        {"uid=user@example.org&_id=0123456789abcdef",
         "visitor_id_source=\"uid\"\nuser_id=\"user@example.org\"\nclient_visitor_id=\"0123456789abcdef\""},
        {"cid=ABCDEF0123456789&_id=0123456789abcdef", "visitor_id=\"abcdef0123456789\"\nvisitor_id_source="
                                                      "\"cid\"\nforced_visitor_id=\"ABCDEF0123456789\""},
        {"_id=0123456789ABCDEFxyz", "visitor_id=\"0123456789abcdef\"\nvisitor_id_source=\"_id\""},
        {"_id=zz23456789abcdef", "visitor_id=\"0023456789abcdef\""},
        {"_id=short", "visitor_id_source=\"generated\""},
        {"lang=de&ua=Mine", "language=\"de\"\nuser_agent=\"Mine\""},
    };
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[1024];
        const char *site = strncmp(cases[i][0], "idsite=", 7) == 0 ? "" : "idsite=1&";
        (void)snprintf(target, sizeof target, "/matomo.php?%srec=1&%s", site, cases[i][0]);
        CHECK_INT(ask(k, "GET", target, "User-Agent: UA\nAccept-Language: en\n", NULL), SS_OK);
        if (testkit_event_count(k) != 1) {
            printf("# not stored: %s\n", cases[i][0]);
            CHECK(false);
            continue;
        }
        bool before = check_failed;
        check_failed = false;
        fields_are(k, 0, cases[i][1]);
        if (check_failed)
            printf("# ... of %s\n", cases[i][0]);
        check_failed |= before;
    }
    close_kit(k);
}

static void long_values(void)
{
    testkit *k = open_kit(NULL);
    size_t size = 200000;
    char *query = malloc(size);
    size_t len = (size_t)sprintf(query, "idsite=1&rec=1&uid=");
    memset(query + len, 'u', 500);
    len += 500;
    for (int i = 0; i < 200; i++)
        len += (size_t)sprintf(query + len, "&extra%d=%d", i, i);
    len += (size_t)sprintf(query + len, "&action_name=");
    while (len + 10 < size)
        len += (size_t)sprintf(query + len, "%%C3%%A4");
    (void)testkit_receive(k, &(testkit_request){.target = "/matomo.php", .raw_query = ss_s(query, len)});
    REQUIRE(testkit_event_count(k) == 1);
    CHECK_INT(strlen(testkit_value(k, 0, "user_id")), 202);
    CHECK_INT(strlen(testkit_value(k, 0, "action_name")), 8194);
    CHECK(testkit_value(k, 0, "extra_params.extra63") && !testkit_value(k, 0, "extra_params.extra64"));
    CHECK(testkit_metric(k, "matomo_values_dropped_total", "") > 0);
    free(query);
    close_kit(k);
}

/* ---- time (b8) ---- */

static void times(void)
{
    const int64_t now = 1764559445; /* 2025-12-01T03:24:05Z */
    static const struct {
        const char *text;
        int64_t want; /* seconds; -1: not a time */
    } cases[] = {{"1328910127", 1328910127},
                 {"1328910127.9", 1328910127},
                 {"2012-02-10 21:42:07", 1328910127},
                 {"2012-02-10T21:42:07Z", 1328910127},
                 {"2012-02-10T21:42:07.123Z", 1328910127},
                 {"2012-02-10T22:42:07+01:00", 1328910127},
                 {"2012-02-10 23:42:07+0200", 1328910127},
                 {"2012-02-10 23:42:07 0200", 1328910127},
                 {"2012-02-10 16:42:07-0500", 1328910127},
                 {"2012-02-10 23:42:07 +02", 1328910127},
                 {"2012-02-10 21:42:07 UTC", 1328910127},
                 {"2012-02-10 21:42:07 GMT", 1328910127},
                 {"2012/02/10 21:42:07", 1328910127},
                 {"2012-02-10 21:42", 1328910120},
                 {"2012-02-10", 1328832000},
                 {" 2012-02-10 ", 1328832000},
                 {"2000-02-29", 951782400},
                 {"now", 1764559445},
                 {"10 seconds ago", 1764559435},
                 {"3 hours ago", 1764548645},
                 {"1 day ago", 1764473045},
                 {"2 weeks ago", 1763349845},
                 {"-1 minute", 1764559385},
                 {"10 years ago", 1448940245},
                 {"1 month ago", 1761967445},
                 {"", -1},
                 {"nonsense", -1},
                 {"2012-13-10", -1},
                 {"2012-02-10 25:00:00", -1},
                 {"2012-02-10 21:42:07 Mars", -1},
                 {"2012-02-1x", -1},
                 {"2012-02-10T21:42:07+0", -1},
                 {"5 fortnights ago", -1},
                 {"1e300", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = -1;
        bool ok = when_parse(ss_cstr(cases[i].text), now * 1000000, &us);
        if (ok != (cases[i].want >= 0) || (ok && us / 1000000 != cases[i].want)) {
            printf("# %s: %d %lld\n", cases[i].text, ok, (long long)(us / 1000000));
            CHECK(false);
        }
    }
}

static void time_rules(void)
{
    static const struct {
        const char *query, *datetime, *source;
    } cases[] = {
        {"cdt=1764559000", "2025-12-01 03:16:40", "client"},
        {"cdt=1764559446", "2025-12-01 03:24:05", "server"},                      /* future */
        {"cdt=2001-01-01&token_auth=super0123", "2025-12-01 03:24:05", "server"}, /* over 20 years */
        {"cdt=0", "2025-12-01 03:24:05", "server"},
        {"cdo=60", "2025-12-01 03:23:05", "client"},
        {"cdo=-60", "2025-12-01 03:23:05", "client"},
        {"cdo=x", "2025-12-01 03:24:05", "server"},
        {"cdt=1764559000&cdo=40", "2025-12-01 03:16:00", "client"},
        {"cdt=2025-12-01+04:20:00%2B0100", "2025-12-01 03:20:00", "client"},
        {"cdt=2025-11-30T03:24:06Z", "2025-11-30 03:24:06", "client"}, /* just under a day */
    };
    testkit *k = open_kit(TOKENS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[256], want[128];
        (void)snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1&%s", cases[i].query);
        (void)snprintf(want, sizeof want, "event_datetime=\"%s\"\nevent_datetime_source=\"%s\"",
                       cases[i].datetime, cases[i].source);
        (void)ask(k, "GET", target, NULL, NULL);
        REQUIRE(testkit_event_count(k) == 1);
        fields_are(k, 0, want);
    }
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1&cdt=2025-11-30T03:24:05Z", NULL, NULL);
    CHECK_INT(testkit_http(k), 400);
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1&cdo=86400", NULL, NULL);
    CHECK_INT(testkit_http(k), 400);
    close_kit(k);
}

/* ---- the page's URL (b9) and campaigns ---- */

static void page_urls(void)
{
    static const char *const cases[][2] = {
        {"http%3A%2F%2FEXAMPLE.org%2FPath",
         "page_view_url_normalized=\"http://example.org/Path\"\npage_view_url=\"http://EXAMPLE.org/Path\""},
        {"http%3A%2F%2Fa%2Fb%23frag", "page_view_url_normalized=\"http://a/b\""},
        {"http%3A%2F%2Fa%2Fb%3Fx%3D1%26gclid%3D2%26y%3D3", "page_view_url_normalized=\"http://a/b?x=1&y=3\""},
        {"http%3A%2F%2Fa%2Fb%3FPHPSESSID%3D1", "page_view_url_normalized=\"http://a/b\""},
        {"http%3A%2F%2Fa%2Fb%3Bjsessionid%3D1%3Bz%3D2", "page_view_url_normalized=\"http://a/b?z=2\""},
        {"http%3A%2F%2Fa%2F%3Fx%26amp%3By%3D2", "page_view_url_normalized=\"http://a/?x&y=2\""},
        {"%2F%2Fa%2Fb", "page_view_url_normalized=\"//a/b\""},
        {"javascript%3A%2F%2Fx", "page_view_url_normalized=-"},
        {"nothing", "page_view_url_normalized=-\npage_view_url=\"nothing\""},
        {"%2Fpath", "page_view_url_normalized=-"},
        {"http%3A%2F%2F", "page_view_url_normalized=-"},
        {"++http%3A%2F%2Fa%2F%0Ab++", "page_view_url_normalized=\"http://a/b\""},
        {"http%3A%2F%2Fa%2F%3Futm_campaign%3DSpring%2BSale%26utm_source%3DNews%26utm_medium%3DMail%26utm_"
         "term%3DShoes%26utm_content%3Dc%26utm_id%3D7",
         "campaign_name=\"spring "
         "sale\"\ncampaign_source=\"News\"\ncampaign_medium=\"Mail\"\ncampaign_keyword=\"shoes\"\ncampaign_"
         "content=\"c\"\n"
         "campaign_id=\"7\"\npage_view_url_normalized=\"http://a/\""},
        {"http%3A%2F%2Fa%2F%3Fpk_campaign%3DA%26mtm_campaign%3DB%26mtm_group%3DG%26mtm_placement%3DP",
         "campaign_name=\"a\"\ncampaign_group=\"G\"\ncampaign_placement=\"P\""},
        {"http%3A%2F%2Fa%2F%23mtm_campaign%3DFrag",
         "campaign_name=\"frag\"\npage_view_url_normalized=\"http://a/\""},
        {"http%3A%2F%2Fa%2F%3Fmtm_campaign%3DInUrl&mtm_campaign=%C3%84PFEL&mtm_kwd=K",
         "campaign_name=\"\xC3\xA4pfel\"\ncampaign_keyword=\"k\""},
        {"http%3A%2F%2Fa%2Ffind%3Fq%3Dred%2Bshoes%26page%3D2",
         "event_type=\"site_search\"\nsearch_keyword=\"red "
         "shoes\"\npage_view_url_normalized=\"http://a/find?page=2\""},
        {"http%3A%2F%2Fa%2Ffind%3FQ%3Dx%26search_count%3D5&e_c=c&e_a=a",
         "event_type=\"event\"\nsearch_keyword=-"},
        {"http%3A%2F%2Fa%2Ffind%3FQ%3Dx%26search_count%3D5", "event_type=\"site_search\"\nsearch_count=5"},
    };
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[1024];
        (void)snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1&url=%s", cases[i][0]);
        (void)ask(k, "GET", target, NULL, NULL);
        REQUIRE(testkit_event_count(k) == 1);
        bool before = check_failed;
        check_failed = false;
        fields_are(k, 0, cases[i][1]);
        if (check_failed)
            printf("# ... of %s\n", cases[i][0]);
        check_failed |= before;
    }
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1", "Referer: https://ref.example/page\n", NULL);
    fields_are(
        k, 0,
        "page_view_url=\"https://ref.example/page\"\npage_view_url_normalized=\"https://ref.example/page\"");
    (void)ask(k, "GET", "/matomo.php?idsite=1&rec=1&urlref=x", "Referer: https://ref.example/page\n", NULL);
    fields_are(k, 0, "page_view_url=-");
    close_kit(k);
}

/* ---- the schema ---- */

static void streamsteam_columns(void)
{
    static const struct {
        const char *name;
        uint32_t type;
    } columns[] = {{"site_id", SS_FIELD_STRING},
                   {"random_part", SS_FIELD_INT},
                   {"visitor_id_created_ts", SS_FIELD_INT},
                   {"visitor_visit_count", SS_FIELD_INT},
                   {"referral_ts", SS_FIELD_INT},
                   {"referral_url", SS_FIELD_STRING},
                   {"visitor_last_visit_ts", SS_FIELD_INT},
                   {"display_resolutions", SS_FIELD_STRING},
                   {"language", SS_FIELD_STRING},
                   {"event_datetime", SS_FIELD_DATETIME},
                   {"performance_generation_time_ms", SS_FIELD_INT},
                   {"page_view_id", SS_FIELD_STRING},
                   {"page_view_url", SS_FIELD_STRING},
                   {"action_name", SS_FIELD_STRING},
                   {"ip", SS_FIELD_STRING},
                   {"user_agent", SS_FIELD_STRING},
                   {"supports_silverlight", SS_FIELD_BOOL},
                   {"supports_cookie", SS_FIELD_BOOL},
                   {"supports_director", SS_FIELD_BOOL},
                   {"supports_flash", SS_FIELD_BOOL},
                   {"supports_gears", SS_FIELD_BOOL},
                   {"supports_java", SS_FIELD_BOOL},
                   {"supports_pdf", SS_FIELD_BOOL},
                   {"supports_quicktime", SS_FIELD_BOOL},
                   {"supports_mplayer2", SS_FIELD_BOOL},
                   {"supports_realaudio", SS_FIELD_BOOL},
                   {"send_image", SS_FIELD_BOOL},
                   {"event_category", SS_FIELD_STRING},
                   {"event_action", SS_FIELD_STRING},
                   {"event_value_name", SS_FIELD_STRING},
                   {"event_value_numeric", SS_FIELD_DOUBLE}};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        const ss_field *f = matomo_fields;
        while (f->name && strcmp(f->name, columns[i].name) != 0)
            f++;
        if (!f->name || f->type != columns[i].type) {
            printf("# %s\n", columns[i].name);
            CHECK(false);
        }
    }
}

static void digests(void)
{
    static const char *const cases[][2] = {{"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
                                           {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
                                           {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                                            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"}};
    for (size_t i = 0; i < 3; i++) {
        unsigned char digest[SHA1_BYTES], portable[SHA1_BYTES];
        char text[2 * SHA1_BYTES + 1];
        sha1(digest, ss_cstr(cases[i][0]));
        sha1_portable(portable, ss_cstr(cases[i][0]));
        CHECK(memcmp(digest, portable, SHA1_BYTES) == 0);
        for (size_t b = 0; b < SHA1_BYTES; b++)
            (void)sprintf(text + 2 * b, "%02x", digest[b]);
        CHECK_STR(text, cases[i][1]);
    }
}

/* ---- when the host cannot ---- */

static void host_faults(void)
{
    static const enum testkit_fault faults[] = {TESTKIT_MEM, TESTKIT_EVENT_NEW, TESTKIT_EMIT};
    static const testkit_request requests[] = {
        {.method = "GET", .target = "/matomo.php?idsite=1&rec=1&url=http://a/&x=1&ec_items=[[1]]"},
        {.method = "POST",
         .target = "/matomo.php?token_auth=q",
         .headers = "Origin: o\n",
         .body = "{\n\"requests\":[\"?idsite=1&rec=1&x=1\",{\"idsite\":1,\"rec\":1},\"?rec=1\"],\"token_"
                 "auth\":\"\\u0061\"}"},
        {.method = "POST",
         .target = "/matomo.php",
         .headers = "Content-Type: application/x-www-form-urlencoded\n",
         .body = "idsite=1&rec=1"},
    };
    testkit *k = open_kit(NULL);
    for (size_t r = 0; r < sizeof requests / sizeof *requests; r++)
        for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
            uint32_t before = testkit_calls(k, faults[f]);
            CHECK_INT(testkit_receive(k, &requests[r]), SS_OK);
            uint32_t calls = testkit_calls(k, faults[f]) - before;
            for (uint32_t nth = 1; nth <= calls; nth++) {
                testkit_fail(k, faults[f], nth);
                int32_t status = testkit_receive(k, &requests[r]);
                if (status != SS_RETRY && !(status == SS_OK && faults[f] == TESTKIT_MEM))
                    printf("# request %zu, fault %d, call %u: %d\n", r, faults[f], nth, status);
                CHECK(status == SS_RETRY || (status == SS_OK && faults[f] == TESTKIT_MEM));
                if (status == SS_RETRY)
                    CHECK_INT(testkit_event_count(k), 0);
            }
            testkit_fail(k, faults[f], 0);
        }
    close_kit(k);
}

static const check_test tests[] = {TEST(answers),
                                   TEST(options_matter),
                                   TEST(cors),
                                   TEST(wire_page_view),
                                   TEST(wire_order),
                                   TEST(wire_queue),
                                   TEST(wire_php),
                                   TEST(wire_npm),
                                   TEST(wire_import_logs),
                                   TEST(wire_streamsteam),
                                   TEST(bulk_cases),
                                   TEST(bulk_object_values),
                                   TEST(bulk_large),
                                   TEST(forms),
                                   TEST(values),
                                   TEST(long_values),
                                   TEST(times),
                                   TEST(time_rules),
                                   TEST(page_urls),
                                   TEST(streamsteam_columns),
                                   TEST(digests),
                                   TEST(host_faults)};
CHECK_MAIN(tests)

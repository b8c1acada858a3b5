/* The parts of the front end that can be tested without a socket: addresses, decompression, limits per
   address, shared replies, and the self-test of uricut. */
#include <zlib.h>

#include "core/base/log.h"
#include "core/http/internal.h"
#include "tests/unit/check.h"

static ss_config *parse(const char *json)
{
    ss_error err = {.struct_size = sizeof err};
    return node_parse(json, strlen(json), &err);
}

static const char *client_of(const char *proxies, const char *peer, const char *first, const char *second)
{
    static char text[TRUST_TEXT_BYTES];
    ss_error err = {.struct_size = sizeof err};
    ss_config *list = parse(proxies);
    trust_list t;
    trust_address peer_address;
    ss_str headers[2] = {ss_cstr(first), ss_cstr(second)};
    if (!trust_read(&t, list, &err) || !trust_from_text(&peer_address, ss_cstr(peer)))
        return "error";
    (void)trust_client(&t, headers, second ? 2 : 1, &peer_address);
    text[trust_put(&peer_address, text)] = '\0';
    node_free(list);
    return text;
}

static void finds_the_client_behind_proxies(void)
{
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "203.0.113.7", NULL), "203.0.113.7");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "6.6.6.6, 203.0.113.7 , 10.9.9.9", NULL),
              "203.0.113.7");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "6.6.6.6", "203.0.113.7,10.9.9.9"), "203.0.113.7");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "10.2.2.2, 10.9.9.9", NULL), "10.2.2.2");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "6.6.6.6, unknown", NULL), "10.0.0.1");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "203.0.113.7:4711", NULL), "203.0.113.7");
    CHECK_STR(client_of("[\"::1\",\"2001:db8::/32\"]", "::1", "[2001:db9::7]:80, 2001:db8::1", NULL),
              "2001:db9::7");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "::ffff:10.0.0.1", "1.2.3.4", NULL), "1.2.3.4");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "", NULL), "10.0.0.1");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", ",,,", NULL), "10.0.0.1");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "unknown, 203.0.113.7", NULL), "203.0.113.7");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "203.0.113.7, unknown, 10.9.9.9", NULL), "10.9.9.9");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "[2001:db8::1]", NULL), "2001:db8::1");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "2001:db8::1", NULL), "2001:db8::1");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "[2001:db8::1", NULL), "10.0.0.1");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "203.0.113.7:", NULL), "203.0.113.7");
    CHECK_STR(client_of("[\"10.0.0.0/8\"]", "10.0.0.1", "<script>", NULL), "10.0.0.1");
}

static bool trusts(const char *list_json, const char *address)
{
    ss_error err = {.struct_size = sizeof err};
    ss_config *list = parse(list_json);
    trust_list t;
    trust_address a;
    bool ok = trust_read(&t, list, &err) && trust_from_text(&a, ss_cstr(address)) && trust_has(&t, &a);
    node_free(list);
    return ok;
}

static void knows_networks(void)
{
    CHECK(trusts("[\"192.168.4.0/22\"]", "192.168.7.255"));
    CHECK(!trusts("[\"192.168.4.0/22\"]", "192.168.8.0"));
    CHECK(trusts("[\"0.0.0.0/0\"]", "8.8.8.8"));
    CHECK(!trusts("[\"0.0.0.0/0\"]", "2001:db8::1"));
    CHECK(trusts("[\"127.0.0.1\"]", "127.0.0.1"));
    CHECK(!trusts("[\"127.0.0.1\"]", "127.0.0.2"));
    CHECK(!trusts("[]", "127.0.0.1"));
    static const char *const bad[] = {"[\"10.0.0.0/33\"]", "[\"10.0.0.0/\"]", "[\"ten\"]", "[\"\"]",
                                      "[\"10.0.0.0/8x\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ss_error err = {.struct_size = sizeof err};
        ss_config *list = parse(bad[i]);
        trust_list t;
        CHECK(!trust_read(&t, list, &err));
        CHECK(strstr(err.text, "trusted_proxies"));
        node_free(list);
    }
}

/* bits: 15 + 16 = gzip, 15 = zlib, -15 = raw */
static size_t squeeze(int bits, const char *in, size_t len, char *out, size_t size)
{
    z_stream z = {0};
    (void)deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)size;
    CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = z.total_out;
    (void)deflateEnd(&z);
    return n;
}

static void check_inflate(inflater *z, const char *in, size_t len, bool gzip, size_t max, const char *want,
                          size_t want_len)
{
    char *out = NULL;
    size_t out_len = 0;
    enum inflate_result r = inflate_body(z, ss_s(in, len), gzip, max, &out, &out_len);
    CHECK_INT(r, INFLATE_OK);
    if (r != INFLATE_OK)
        return;
    CHECK_INT(out_len, want_len);
    CHECK(out_len == want_len && memcmp(out, want, want_len) == 0);
    free(out);
}

static void undoes_encodings(void)
{
    inflater *z = inflate_new();
    static char text[400000], packed[410000];
    unsigned seed = 7;
    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 1103515245u + 12345u;
        text[i] = (char)("abcdefgh"[(seed >> 16) & 7]);
    }
    static const size_t sizes[] = {0, 1, 100, 65536, 65537, sizeof text};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = squeeze(31, text, sizes[i], packed, sizeof packed);
        check_inflate(z, packed, n, true, sizeof text, text, sizes[i]);
        n = squeeze(15, text, sizes[i], packed, sizeof packed);
        check_inflate(z, packed, n, false, sizeof text, text, sizes[i]);
        n = squeeze(-15, text, sizes[i], packed, sizeof packed);
        check_inflate(z, packed, n, false, sizeof text, text, sizes[i]);
    }
    size_t first = squeeze(31, text, 1000, packed, sizeof packed);
    size_t second = squeeze(31, text + 1000, 200000, packed + first, sizeof packed - first);
    check_inflate(z, packed, first + second, true, sizeof text, text, 201000); /* two members */
    inflate_free(z);
}

static enum inflate_result inflate_try(const char *in, size_t len, bool gzip, size_t max)
{
    inflater *z = inflate_new();
    char *out = NULL;
    size_t out_len = 0;
    enum inflate_result r = inflate_body(z, ss_s(in, len), gzip, max, &out, &out_len);
    if (r == INFLATE_OK)
        free(out);
    inflate_free(z);
    return r;
}

static void refuses_bombs_and_damage(void)
{
    static char text[8u << 20], packed[1u << 20];
    size_t n = squeeze(31, text, sizeof text, packed, sizeof packed);      /* zeros: 1000 to 1 */
    CHECK_INT(inflate_try(packed, n, true, sizeof text), INFLATE_TOO_BIG); /* by the ratio */
    n = squeeze(31, text, 1000000, packed, sizeof packed);
    CHECK_INT(inflate_try(packed, n, true, sizeof text), INFLATE_OK); /* small enough for any ratio */
    CHECK_INT(inflate_try(packed, n, true, 999999), INFLATE_TOO_BIG);
    CHECK_INT(inflate_try(packed, n, true, 1000000), INFLATE_OK);
    CHECK_INT(inflate_try(packed, n - 1, true, sizeof text), INFLATE_DAMAGED);
    CHECK_INT(inflate_try(packed, n / 2, true, sizeof text), INFLATE_DAMAGED);
    packed[n - 6] ^= 1; /* the checksum */
    CHECK_INT(inflate_try(packed, n, true, sizeof text), INFLATE_DAMAGED);
    CHECK_INT(inflate_try("no gzip at all", 14, true, 1000), INFLATE_DAMAGED);
    CHECK_INT(inflate_try("no deflate", 10, false, 1000), INFLATE_DAMAGED);
    CHECK_INT(inflate_try("", 0, true, 1000), INFLATE_DAMAGED);
    n = squeeze(31, "abc", 3, packed, sizeof packed);
    memcpy(packed + n, "rubbish", 7);
    CHECK_INT(inflate_try(packed, n + 7, true, 1000), INFLATE_DAMAGED);
}

static trust_address address_of(uint32_t n)
{
    trust_address a = {{0}};
    memcpy(a.bytes + 12, &n, 4);
    return a;
}

static void counts_connections_by_address(void)
{
    enum { CONNECTIONS = 300, PER_IP = 3 };
    ip_counts *c = ip_counts_new(CONNECTIONS, PER_IP);
    REQUIRE(c != NULL);
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            trust_address a = address_of((uint32_t)round * 1000 + i);
            for (int k = 0; k < PER_IP; k++)
                CHECK(ip_counts_enter(c, &a));
            CHECK(!ip_counts_enter(c, &a));
        }
        for (uint32_t i = 0; i < 100; i++) {
            trust_address a = address_of((uint32_t)round * 1000 + i);
            for (int k = 0; k < PER_IP; k++)
                ip_counts_leave(c, &a);
        }
    }
    ip_counts_free(c);
}

static void shares_equal_replies(void)
{
    http_replies c = {0};
    replies_tick(&c, 1763781840000000);
    CHECK_STR(c.date, "Sat, 22 Nov 2025 03:24:00 GMT");
    char body[] = "same";
    ss_pair header = {{"X-A", 3}, {"1", 1}};
    ss_response r = {
        .struct_size = sizeof r, .status = 200, .body = ss_s(body, 4), .headers = &header, .header_count = 1};
    http_reply *a = replies_make(&c, &r, false), *b = replies_make(&c, &r, false);
    CHECK(a && a == b);
    body[0] = 'S'; /* another content at the same address is another reply */
    http_reply *d = replies_make(&c, &r, false);
    CHECK(d != a);
    http_reply *e = replies_make(&c, &r, true);
    CHECK(e != d && e->close);
    header.value = SS_LIT("2");
    http_reply *g = replies_make(&c, &r, false);
    CHECK(g != d);
    replies_tick(&c, 1763781841000000); /* a new Date */
    http_reply *h = replies_make(&c, &r, false);
    CHECK(h != g);
    http_reply *all[] = {a, b, d, e, g, h};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        reply_release(all[i]);
    replies_fini(&c);
}

/* With the release that Debian 12 ships this must work; with another it may say no. */
static void uricut_tests_itself(void)
{
    log_init("test", SS_INFO);
    if (strcmp(MHD_get_version(), "0.9.75") == 0)
        CHECK(uricut_works());
}

static const check_test tests[] = {
    TEST(finds_the_client_behind_proxies),
    TEST(knows_networks),
    TEST(undoes_encodings),
    TEST(refuses_bombs_and_damage),
    TEST(counts_connections_by_address),
    TEST(shares_equal_replies),
    TEST(uricut_tests_itself),
};
CHECK_MAIN(tests)

/* Queries to parameters: whatever the order was before. */
// with: receivers/matomo/params.c
// with: receivers/matomo/names.c
#include "receivers/matomo/params.h"

#include "tests/unit/check.h"

static names table;

static void read_query(params *p, char *text, bool in_place)
{
    static char out[4096];
    if (!table.seed && !names_make(&table, param_names, PARAM_COUNT, false))
        abort();
    params_clear(p);
    params_read(p, &table, ss_cstr(text), in_place ? NULL : out);
}

static void check_value(const params *p, uint32_t id, const char *want)
{
    ss_str got = params_get(p, id);
    CHECK(ss_eq(got, ss_cstr(want)));
}

/* Each query is read behind all those before it: what they taught about the order must not show. */
static void order_does_not_matter(void)
{
    static const struct {
        const char *query, *ca, *cs, *url, *e_n;
        uint32_t count, extra;
    } cases[] = {
        {"ca=1&cs=utf-8&url=a&e_n=x", "1", "utf-8", "a", "x", 1, 0},
        {"ca=1&cs=utf-8&url=a&e_n=x", "1", "utf-8", "a", "x", 1, 0},
        {"cs=utf-8&ca=1&e_n=x&url=a", "1", "utf-8", "a", "x", 1, 0},
        {"ca&cs=&url=%41b&e_n=a+b", "", "", "Ab", "a b", 1, 0},
        {"ca=&cs&url=a=b&e_n==", "", "", "a=b", "=", 1, 0},
        {"cax=1&c=2&urlx=3&e_=4&caca=5", "", "", "", "", 1, 5},
        {"%63a=1&c%73=2&%75rl=3&e%5Fn=4", "1", "2", "3", "4", 1, 0},
        {"&&ca=1&&&cs=2&", "1", "2", "", "", 1, 0},
        {"ca=1&ca=2&ca=&cs=1&cs=3", "", "3", "", "", 1, 0},
        {"foo=1&ca=1&bar=2&cs=2", "1", "2", "", "", 1, 2},
        {"url=http%3A%2F%2Fexample.org%2Fa-long-path-that-goes-over-more-than-64-bytes%3Fa%3Db%26c&ca=7", "7",
         "", "http://example.org/a-long-path-that-goes-over-more-than-64-bytes?a=b&c", "", 1, 0},
        {"ca=1", "1", "", "", "", 1, 0},
        {"ca", "", "", "", "", 1, 0},
        {"", "", "", "", "", 0, 0},
        {"&", "", "", "", "", 0, 0},
    };
    for (size_t round = 0; round < 4; round++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char text[256];
            params p;
            (void)snprintf(text, sizeof text, "%s", cases[i].query);
            read_query(&p, text, round & 1);
            check_value(&p, PARAM_CA, cases[i].ca);
            check_value(&p, PARAM_CS, cases[i].cs);
            check_value(&p, PARAM_URL, cases[i].url);
            check_value(&p, PARAM_E_N, cases[i].e_n);
            CHECK_INT(p.count != 0, cases[i].count);
            CHECK_INT(p.extra_count, cases[i].extra);
        }
}

/* Every pair of names behind each other, against the plain walk. */
static void reads_like_the_plain_walk(void)
{
    for (uint32_t a = 0; a < PARAM_COUNT; a++)
        for (uint32_t b = 0; b < PARAM_COUNT; b += 7) {
            char text[128];
            params p;
            (void)snprintf(text, sizeof text, "%s=1&%s=%%32&%s=3", param_names[a], param_names[b],
                           param_names[a]);
            read_query(&p, text, false);
            check_value(&p, a, "3");
            if (a != b)
                check_value(&p, b, "2");
        }
}

static const check_test tests[] = {TEST(order_does_not_matter), TEST(reads_like_the_plain_walk)};
CHECK_MAIN(tests)

/* Module opensearch from inside: names, ids and actions; what answers of _bulk say; dashboards. */
// with: modules/opensearch/name.c modules/opensearch/answer.c
#include "modules/opensearch/answer.h"
#include "modules/opensearch/name.h"
#include "tests/unit/check.h"

#define DAY_2026_02_01_US 1769904000000000LL
#define DAY_US            86400000000LL

static names *made(const char *index, const char *id, const char *version)
{
    ss_error err = {.struct_size = sizeof err};
    names *n = calloc(1, sizeof *n);
    n->past_us = 30 * DAY_US;
    n->future_us = DAY_US;
    n->op = *version ? NAME_INDEX : NAME_CREATE;
    if (!names_init(n, ss_cstr(index), ss_cstr(id), ss_cstr(version), &err)) {
        free(n);
        return NULL;
    }
    return n;
}

static ss_record record_at(int64_t event_us)
{
    return (ss_record){.receiver = SS_LIT("Events"),
                       .app = SS_LIT("a\"b"),
                       .type = SS_LIT("Click/1"),
                       .id = SS_LIT("e1"),
                       .json = SS_LIT("{\"v\":7,\"w\":\"x\"}"),
                       .body = SS_LIT("{\"v\":7,\"w\":\"x\"}"),
                       .receive_us = DAY_2026_02_01_US,
                       .event_us = event_us};
}

static void index_is_that_of_the_events_day(void)
{
    static const struct {
        int64_t off_us;
        const char *index;
    } rows[] = {{0, "e-events-click_1-2026.02.01"},
                {-1, "e-events-click_1-2026.01.31"},
                {DAY_US, "e-events-click_1-2026.02.02"},
                {DAY_US + 1, "e-events-click_1-2026.02.01"}, /* not believed */
                {-30 * DAY_US, "e-events-click_1-2026.01.02"},
                {-30 * DAY_US - 1, "e-events-click_1-2026.02.01"}};
    char out[NAME_INDEX_MAX + 1];
    names *n = made("e-{receiver}-{type}-%Y.%m.%d", "{app}:{id}", "");
    REQUIRE(n);
    for (int round = 0; round < 2; round++) /* made, and remembered */
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            ss_record r = record_at(DAY_2026_02_01_US + rows[i].off_us);
            (void)names_index(n, &r, out);
            CHECK_STR(out, rows[i].index);
        }
    free(n);
    CHECK(!made("x-%H", "", "") && !made("", "", "") && !made("{what}", "", "") && !made("x%", "", ""));
}

static void actions(void)
{
    char why[200];
    grow out = {.limit = 1u << 20};
    ss_record r = record_at(DAY_2026_02_01_US);
    names *n = made("i", "{app}:{id}", "");
    REQUIRE(n);
    CHECK(names_action(n, &r, &out, why, sizeof why));
    CHECK_STR(out.at, "{\"create\":{\"_index\":\"i\",\"_id\":\"a\\\"b:e1\"}}\n");
    free(n);
    grow_clear(&out);
    n = made("i", "{json:w}", "{json:v}");
    CHECK(names_action(n, &r, &out, why, sizeof why));
    CHECK_STR(
        out.at,
        "{\"index\":{\"_index\":\"i\",\"_id\":\"x\",\"version\":7,\"version_type\":\"external_gte\"}}\n");
    free(n);
    grow_clear(&out);
    n = made("i", "{json:w}", "{json:w}");
    CHECK(!names_action(n, &r, &out, why, sizeof why) && strstr(why, "version \"x\""));
    free(n);
    n = made("i", "{json:none}", "");
    CHECK(!names_action(n, &r, &out, why, sizeof why) && strstr(why, "option id"));
    free(n);
    n = made("i", "", "");
    grow_clear(&out);
    CHECK(names_action(n, &r, &out, why, sizeof why));
    CHECK_STR(out.at, "{\"create\":{\"_index\":\"i\"}}\n");
    free(n);
    grow_free(&out);
}

static void long_ids_are_hashed(void)
{
    char id[NAME_ID_TEXT_MAX], other[NAME_ID_TEXT_MAX], text[600];
    names *n = made("i", "{id}", "");
    REQUIRE(n);
    memset(text, 'k', sizeof text);
    ss_record r = record_at(0);
    r.id = ss_s(text, NAME_ID_MAX);
    CHECK_INT(names_id(n, &r, id), NAME_ID_MAX);
    r.id = ss_s(text, NAME_ID_MAX + 1);
    CHECK_INT(names_id(n, &r, id), 64);
    text[NAME_ID_MAX] = 'l';
    CHECK_INT(names_id(n, &r, other), 64);
    CHECK(memcmp(id, other, 64) != 0);
    free(n);
}

static void patterns(void)
{
    static const struct {
        const char *index, *pattern;
    } rows[] = {{"events-{receiver}-%Y.%m.%d", "events-game-*"},
                {"game_metrics", "game_metrics*"},
                {"{app}-%Y.%m", "*-*"},
                {"m-{receiver}", "m-game*"}};
    char out[TEMPLATE_TEXT_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        names *n = made(rows[i].index, "", "");
        REQUIRE(n);
        names_pattern(n, SS_LIT("game"), out, sizeof out);
        CHECK_STR(out, rows[i].pattern);
        free(n);
    }
}

/* ---- answers ---- */

typedef struct heard {
    char text[2000];
} heard;

static void hear(void *arg, uint32_t i, const answer_item *item)
{
    heard *h = arg;
    size_t len = strlen(h->text);
    (void)snprintf(h->text + len, sizeof h->text - len, "%u:%lld:%s:%s;", i, (long long)item->status,
                   item->type, item->reason);
}

static const char answer[] =
    "{\"took\":3,\"errors\":true,\"items\":[{\"create\":{\"_index\":\"i\",\"_id\":\"1\",\"_shards\":{"
    "\"total\":2},"
    "\"status\":201}},{\"create\":{\"status\":400,\"error\":{\"type\":\"mapper_parsing_exception\","
    "\"reason\":\"field [n]\","
    "\"caused_by\":{\"type\":\"t\",\"reason\":\"out of range\",\"caused_by\":{\"reason\":\"deep\"}}}}},"
    "{\"create\":{\"error\":\"old\",\"status\":429}}]}";

static void answers_are_read_whole_or_not_at_all(void)
{
    heard h = {""};
    ss_str text = ss_s(answer, sizeof answer - 1);
    CHECK(answer_walk(text, 3, hear, &h));
    CHECK_STR(h.text, "0:201::;1:400:mapper_parsing_exception:field [n] (out of range);2:429::old;");
    h.text[0] = '\0';
    CHECK(!answer_walk(text, 2, hear, &h) && !answer_walk(text, 4, hear, &h));
    for (size_t len = 0; len < text.len; len++) {
        char *copy = malloc(len + 1); /* so that a read past the end is seen */
        memcpy(copy, text.ptr, len);
        CHECK(!answer_walk(ss_s(copy, len), 3, hear, &h));
        free(copy);
    }
    CHECK(!answer_walk(SS_LIT("<html>"), 0, hear, &h) && !answer_walk(SS_LIT("{}"), 0, hear, &h));
    CHECK(!answer_walk(SS_LIT("{\"items\":[{\"create\":{}}]}"), 1, hear, &h));
    CHECK(!answer_walk(SS_LIT("{\"items\":[{\"create\":{\"status\":\"201\"}}]}"), 1, hear, &h));
    CHECK_STR(h.text, "");
}

static void verdicts(void)
{
    static const struct {
        int64_t status;
        const char *type, *reason;
        bool there;
        enum answer_verdict verdict;
    } rows[] = {
        {200, "", "", true, ANSWER_OK},
        {201, "", "", false, ANSWER_OK},
        {409, "version_conflict_engine_exception", "", true, ANSWER_THERE},
        {409, "version_conflict_engine_exception", "", false, ANSWER_AGAIN},
        {429, "es_rejected_execution_exception", "", true, ANSWER_BUSY},
        {429, "", "", true, ANSWER_BUSY},
        {503, "unavailable_shards_exception", "", true, ANSWER_BUSY},
        {500, "", "", true, ANSWER_AGAIN},
        {403, "cluster_block_exception", "index read-only", true, ANSWER_AGAIN},
        {403, "security_exception", "", true, ANSWER_PAUSE},
        {404, "index_not_found_exception", "", true, ANSWER_PAUSE},
        {400, "mapper_parsing_exception", "", true, ANSWER_REFUSE},
        {400, "strict_dynamic_mapping_exception", "", true, ANSWER_REFUSE},
        {400, "validation_exception", "this cluster has [1000]/[1000] maximum shards open", true,
         ANSWER_PAUSE},
        {400, "illegal_argument_exception", "Document ID is not supported in create", true, ANSWER_PAUSE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        answer_item item = {.status = rows[i].status};
        (void)snprintf(item.type, sizeof item.type, "%s", rows[i].type);
        (void)snprintf(item.reason, sizeof item.reason, "%s", rows[i].reason);
        CHECK_INT(answer_judge(&item, rows[i].there), rows[i].verdict);
        CHECK(rows[i].verdict != ANSWER_PAUSE || *answer_remedy(&item));
    }
}

static const check_test tests[] = {
    TEST(index_is_that_of_the_events_day),      TEST(actions), TEST(long_ids_are_hashed), TEST(patterns),
    TEST(answers_are_read_whole_or_not_at_all), TEST(verdicts)};
CHECK_MAIN(tests)

/* Receiver kinesis from inside: places, packed records, answers, families of shards, groups. */
// with: receivers/kinesis/place.c receivers/kinesis/family.c receivers/kinesis/list.c
// with: receivers/kinesis/read.c receivers/kinesis/records.c receivers/kinesis/group.c
// libs: -lcurl
#include "plugins/common/base64.h"
#include "tests/unit/check.h"
#include "tests/unit/kinesis_fixture.h"

/* Made with Python's hashlib from the format's description: keys a, b; records (a, "one"), (b, "two"), (a,
 * ""). */
static const char packed[] = "\xf3\x89\x9a\xc2\x0a\x01\x61\x0a\x01\x62\x1a\x07\x08\x00\x1a\x03\x6f\x6e\x65"
                             "\x1a\x07\x08\x01\x1a\x03\x74\x77\x6f\x1a\x04\x08\x00\x1a\x00"
                             "\xc7\xbd\x17\x6f\xb0\x7a\x2c\xc4\xc0\x8b\x61\x3a\xcf\x68\x27\xdb";

static void places_are_texts(void)
{
    static const char *const good[] = {"-",   "@1764559445123", "49600000", "49600000/3",  ".-",
                                       ".@5", ".4960",          ".4960/1",  "0/4294967295"};
    static const char *const bad[] = {
        "",  ".", "@", "@x", "a", "1/", "/1", "1/x", "1/4294967296", "-1", "..-", "@99999999999999999999",
        "1 "};
    char text[256];
    place p;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(place_read(&p, ss_cstr(good[i])));
        size_t len = place_put(&p, text, sizeof text);
        text[len] = '\0';
        CHECK_STR(text, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!place_read(&p, ss_cstr(bad[i])));
    memset(text, '9', sizeof text);
    CHECK(!place_read(&p, ss_s(text, SEQUENCE_MAX + 1)));
    CHECK(place_read(&p, ss_s(text, SEQUENCE_MAX)));
}

static void packed_records_are_unpacked(void)
{
    kpl_scan *s = malloc(sizeof *s);
    kpl_record r;
    ss_str record = ss_s(packed, sizeof packed - 1);
    REQUIRE(kpl_start(s, record));
    CHECK(kpl_next(s, &r) && ss_eq(r.key, SS_LIT("a")) && ss_eq(r.data, SS_LIT("one")));
    CHECK(kpl_next(s, &r) && ss_eq(r.key, SS_LIT("b")) && ss_eq(r.data, SS_LIT("two")));
    CHECK(kpl_next(s, &r) && ss_eq(r.key, SS_LIT("a")) && r.data.len == 0);
    CHECK(!kpl_next(s, &r));
    /* Every change of a byte, and every cut, makes it a record like any other. */
    char *copy = malloc(record.len);
    for (size_t i = 0; i < record.len; i++) {
        memcpy(copy, record.ptr, record.len);
        copy[i] = (char)(copy[i] ^ 1);
        CHECK(!kpl_start(s, ss_s(copy, record.len)));
        CHECK(!kpl_start(s, ss_s(record.ptr, i)));
    }
    free(copy);
    free(s);
}

/* ---- answers ---- */

static void add_record(grow *out, const char *sequence, ss_str data)
{
    char text[1024], base64[512];
    size_t len = base64_put(base64, data);
    (void)snprintf(text, sizeof text,
                   "%s{\"SequenceNumber\":\"%s\",\"New\":{\"a\":[1]},\"PartitionKey\":\"k\\u00e9\","
                   "\"ApproximateArrivalTimestamp\":1.7645594451E9,\"Data\":\"%.*s\"}",
                   out->at && out->at[out->len - 1] == '}' ? "," : "", sequence, (int)len, base64);
    (void)grow_puts(out, text);
}

static void records_become_messages(void)
{
    kinesis_fixture f;
    grow body = {.limit = 1u << 20};
    kinesis_fixture_init(&f);
    shard *s = shard_add(&f.k, "shard-1", &(place){.kind = PLACE_HORIZON});
    (void)grow_puts(&body, "{\"MillisBehindLatest\":5,\"NextShardIterator\":\"it\\/2\",\"Records\":[");
    add_record(&body, "10", SS_LIT("plain"));
    add_record(&body, "11", ss_s(packed, sizeof packed - 1));
    (void)grow_puts(&body, "]}");
    CHECK_INT(records_take(&f.k, s, grow_str(&body), &f.err), SS_OK);
    CHECK_STR(s->iterator, "it/2");
    CHECK_INT(s->behind_ms, 5);
    CHECK_INT(group_commit(&f.k, &f.err), SS_OK);
    CHECK_STR(
        f.said.at,
        "s/shard-1/10=k\xc3\xa9:plain\ns/shard-1/11/0=a:one\ns/shard-1/11/1=b:two\ns/shard-1/11/2=a:\n");
    CHECK_STR(f.position.at, "/s/shard-1=11\n");
    grow_free(&body);
    kinesis_fixture_fini(&f);
}

/* A group may be full at any message: also within a packed record, and reading goes on exactly there. */
static void groups_may_end_anywhere(void)
{
    for (uint32_t limit = 1; limit < 6; limit++) {
        kinesis_fixture f;
        grow body = {.limit = 1u << 20};
        kinesis_fixture_init(&f);
        f.limit = limit;
        shard *s = shard_add(&f.k, "x", &(place){.kind = PLACE_HORIZON});
        (void)grow_puts(&body, "{\"NextShardIterator\":\"i\",\"Records\":[");
        add_record(&body, "1", SS_LIT("p"));
        add_record(&body, "2", ss_s(packed, sizeof packed - 1));
        (void)grow_puts(&body, "]}");
        CHECK_INT(records_take(&f.k, s, grow_str(&body), &f.err), SS_OK);
        CHECK_INT(group_commit(&f.k, &f.err), SS_OK);
        CHECK_STR(f.said.at, "s/x/1=k\xc3\xa9:p\ns/x/2/0=a:one\ns/x/2/1=b:two\ns/x/2/2=a:\n");
        if (limit == 2)
            CHECK_STR(f.position.at, "/s/x=2/1\n/s/x=2\n");
        grow_free(&body);
        kinesis_fixture_fini(&f);
    }
}

static void reading_goes_on_within_a_packed_record(void)
{
    kinesis_fixture f;
    grow body = {.limit = 1u << 20};
    kinesis_fixture_init(&f);
    REQUIRE(kinesis_resume(&f.k, SS_LIT("/other/x=1\n/s/x=2/2\n"), &f.err) == SS_OK);
    CHECK_INT(f.k.count, 1);
    CHECK(!f.k.fresh);
    shard *s = shard_find(&f.k, "x");
    (void)grow_puts(&body, "{\"NextShardIterator\":\"i\",\"Records\":[");
    add_record(&body, "2", ss_s(packed, sizeof packed - 1));
    (void)grow_puts(&body, "]}");
    CHECK_INT(records_take(&f.k, s, grow_str(&body), &f.err), SS_OK);
    CHECK_INT(group_commit(&f.k, &f.err), SS_OK);
    CHECK_STR(f.said.at, "s/x/2/2=a:\n");
    grow_free(&body);
    kinesis_fixture_fini(&f);
}

static void what_is_not_stored_comes_again(void)
{
    kinesis_fixture f;
    grow body = {.limit = 1u << 20};
    kinesis_fixture_init(&f);
    REQUIRE(kinesis_resume(&f.k, SS_LIT("/s/x=1\n"), &f.err) == SS_OK);
    (void)grow_puts(&body, "{\"NextShardIterator\":\"i\",\"Records\":[");
    add_record(&body, "5", SS_LIT("p"));
    (void)grow_puts(&body, "]}");
    f.commit_status = SS_RETRY;
    CHECK_INT(records_take(&f.k, shard_find(&f.k, "x"), grow_str(&body), &f.err), SS_OK);
    (void)shard_add(&f.k, "new", &(place){.kind = PLACE_HORIZON});
    CHECK_INT(group_commit(&f.k, &f.err), SS_RETRY);
    CHECK(f.k.failed);
    kinesis_rewind(&f.k);
    shard *s = shard_find(&f.k, "x");
    CHECK(f.k.count == 1 && s->now.kind == PLACE_AFTER && strcmp(s->now.sequence, "1") == 0 &&
          s->state == SHARD_LOST);
    f.commit_status = SS_OK;
    CHECK_INT(records_take(&f.k, s, grow_str(&body), &f.err), SS_OK);
    CHECK_INT(group_commit(&f.k, &f.err), SS_OK);
    CHECK_STR(f.said.at, "s/x/5=k\xc3\xa9:p\n");
    CHECK_STR(f.position.at, "/s/x=5\n");
    grow_free(&body);
    kinesis_fixture_fini(&f);
}

/* An answer that is not one must not move anything, least of all end a shard. */
static void strange_answers_move_nothing(void)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "{\"Records\":{}}",
        "{\"NextShardIterator\":null}",
        "{\"Records\":[{}]}",
        "{\"Records\":[1]}",
        "{\"Records\":[],\"NextShardIterator\":\"\"}",
        "{\"Records\":[],\"NextShardIterator\":7}",
        "{\"Records\":[],\"NextShardIterator\":\"a\\u0000\"}",
        "{\"Records\":[{\"SequenceNumber\":\"x\",\"Data\":\"\",\"PartitionKey\":\"k\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\",\"Data\":\"?\",\"PartitionKey\":\"k\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\",\"Data\":\"YQ==\",\"PartitionKey\":1}]}",
        "{\"Records\":[],\"MillisBehindLatest\":1.5}",
        "{\"Records\":[]} x"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        kinesis_fixture f;
        kinesis_fixture_init(&f);
        REQUIRE(kinesis_resume(&f.k, SS_LIT("/s/x=1\n"), &f.err) == SS_OK);
        shard *s = shard_find(&f.k, "x");
        if (records_take(&f.k, s, ss_cstr(bodies[i]), &f.err) != SS_RETRY)
            printf("# taken: %s\n", bodies[i]);
        CHECK_INT(records_take(&f.k, s, ss_cstr(bodies[i]), &f.err), SS_RETRY);
        CHECK(s->state != SHARD_ENDED && !s->changed);
        CHECK_INT(group_commit(&f.k, &f.err), SS_OK);
        CHECK_INT(f.commits, 0);
        kinesis_fixture_fini(&f);
    }
}

/* ---- families ---- */

/* "a b<a c<a m<b+c": a shard, its parents; a capital letter at the front: it is closed. */
static void list_is(kinesis *k, const char *text)
{
    k->list.shards = realloc(k->list.shards, 64 * sizeof *k->list.shards);
    k->list.count = 0;
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, " ");
        listed *l = &k->list.shards[k->list.count++];
        *l = (listed){.open = *at != '!'};
        const char *name = at + (*at == '!'), *less = memchr(at, '<', len), *end = at + len;
        (void)snprintf(l->id, sizeof l->id, "%.*s", (int)((less ? less : end) - name), name);
        if (less) {
            const char *plus = memchr(less, '+', (size_t)(end - less));
            (void)snprintf(l->parents[0], sizeof l->parents[0], "%.*s", (int)((plus ? plus : end) - less - 1),
                           less + 1);
            if (plus)
                (void)snprintf(l->parents[1], sizeof l->parents[1], "%.*s", (int)(end - plus - 1), plus + 1);
        }
        at += len + (at[len] == ' ');
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The places after a list: "a=- b=@5". */
static void places(kinesis_fixture *f, char *out, size_t size)
{
    char lines[64][256];
    const char *sorted[64];
    (void)group_commit(&f->k, &f->err);
    for (size_t i = 0; i < f->k.count; i++) {
        char text[200];
        size_t len = place_put(&f->k.shards[i]->now, text, sizeof text);
        (void)snprintf(lines[i], sizeof lines[i], "%.40s=%.*s", f->k.shards[i]->id, (int)len, text);
        sorted[i] = lines[i];
    }
    qsort(sorted, f->k.count, sizeof *sorted, compare);
    *out = '\0';
    for (size_t i = 0; i < f->k.count; i++)
        (void)snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", sorted[i]);
}

typedef struct family_row {
    const char *before, *list,
        *after; /* before: "-" trim_horizon, "@" latest, "@7" from a time, else a position */
} family_row;

static void families_go_on_in_order(void)
{
    static const family_row rows[] = {
        {"-", "a b", "a=- b=-"},
        {"-", "!a b<a c<a", "a=-"},  /* the parent first                          */
        {"-", "b<a c<a", "b=- c=-"}, /* the parent is no longer kept              */
        {"@7", "!a b<a c<a", "a=@7"},
        {"/s/a=1\n", "!a b<a c<a", "a=1"},         /* read to its end first                     */
        {"/s/a=.1\n", "!a b<a c<a", "b=- c=-"},    /* drained: its children, and it goes        */
        {"/s/a=.@7\n", "!a b<a c<a", "b=@7 c=@7"}, /* nothing was read: the time still counts   */
        {"/s/a=.1\n", "!a", "a=.1"},               /* the list lags behind                      */
        {"/s/a=.1\n", "!a b<a", "b=-"},
        {"/s/b=2\n/s/c=-\n", "!a b<a c<a", "b=2 c=-"}, /* ancestors are done                        */
        {"/s/b=2\n/s/c=3\n", "!r !a<r b<a c<a", "b=2 c=3"},
        {"/s/a=.1\n/s/b=2\n", "!a !b m<a+b", "a=.1 b=2"}, /* a merge waits for both                    */
        {"/s/a=.1\n/s/b=.2\n", "!a !b m<a+b", "m=-"},
        {"/s/a=.1\n/s/b=.2\n", "!a !b !m<a+b x<m y<m", "m=-"}, /* and grandchildren for the child           */
        {"/s/a=1\n", "!b c<b d<b", "b=-"},                     /* a is not kept any more; b is somebody's   */
        {"/s/a=1\n", "!a b<a c<a d", "a=1 d=-"},               /* one of another family                     */
        {"/s/b=-\n/s/c=5\n/s/a=.1\n", "!a b<a c<a", "b=- c=5"}, /* killed between two commits */
        {"/s/a=1\n", "b<a c<a", "b=- c=-"}, /* expired before it was read to its end     */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kinesis_fixture f;
        char text[2048];
        kinesis_fixture_init(&f);
        bool fresh = rows[i].before[0] != '/';
        if (rows[i].before[0] == '@')
            f.k.first = (place){.kind = PLACE_TIME, .time_ms = 7};
        REQUIRE(kinesis_resume(&f.k, ss_cstr(fresh ? "" : rows[i].before), &f.err) == SS_OK);
        list_is(&f.k, rows[i].list);
        CHECK_INT(kinesis_reconcile(&f.k, &f.err), SS_OK);
        places(&f, text, sizeof text);
        CHECK_STR(text, rows[i].after);
        kinesis_fixture_fini(&f);
    }
}

static void the_end_of_a_shard_is_confirmed(void)
{
    kinesis_fixture f;
    char text[512];
    kinesis_fixture_init(&f);
    REQUIRE(kinesis_resume(&f.k, SS_LIT("/s/a=1\n"), &f.err) == SS_OK);
    shard *s = shard_find(&f.k, "a");
    for (uint32_t i = 0; i < FAILURES_MAX; i++) {
        CHECK_INT(records_take(&f.k, s, SS_LIT("{\"Records\":[]}"), &f.err), SS_OK);
        CHECK_INT(s->state, SHARD_ENDED);
        list_is(&f.k, "a");
        CHECK_INT(kinesis_reconcile(&f.k, &f.err), SS_OK);
    }
    CHECK_INT(s->state, SHARD_LOST); /* it is open: asked again */
    CHECK_INT(records_take(&f.k, s, SS_LIT("{\"Records\":[]}"), &f.err), SS_OK);
    list_is(&f.k, "!a b<a");
    CHECK_INT(kinesis_reconcile(&f.k, &f.err), SS_OK);
    places(&f, text, sizeof text);
    CHECK_STR(text, "b=-");
    CHECK_STR(f.position.at, "/s/b=-\n/s/a=\n"); /* one commit: the child's place, the parent's end */
    CHECK_INT(f.commits, 1);
    kinesis_fixture_fini(&f);
}

static void many_places_take_several_commits(void)
{
    kinesis_fixture f;
    char id[SHARD_ID_MAX + 1];
    kinesis_fixture_init(&f);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        (void)snprintf(id, sizeof id, "shardId-%0112u", i);
        shard *s = shard_add(&f.k, id, &(place){.kind = PLACE_HORIZON});
        REQUIRE(s != NULL);
        s->changed = true;
    }
    CHECK(shard_add(&f.k, "one more", &(place){.kind = PLACE_HORIZON}) == NULL);
    CHECK_INT(group_commit(&f.k, &f.err), SS_OK);
    CHECK(f.commits > 1);
    CHECK_INT(group_changed(&f.k), 0);
    kinesis_fixture_fini(&f);
}

static void damaged_positions_are_refused(void)
{
    static const char *const bad[] = {"/s/a=\n", "/s/a=x\n", "/s/a=1/\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kinesis_fixture f;
        kinesis_fixture_init(&f);
        CHECK_INT(kinesis_resume(&f.k, ss_cstr(bad[i]), &f.err), SS_REJECT);
        CHECK(strstr(f.err.text, "damaged at /s/a") != NULL);
        kinesis_fixture_fini(&f);
    }
}

static const check_test tests[] = {
    TEST(places_are_texts),
    TEST(packed_records_are_unpacked),
    TEST(records_become_messages),
    TEST(groups_may_end_anywhere),
    TEST(reading_goes_on_within_a_packed_record),
    TEST(what_is_not_stored_comes_again),
    TEST(strange_answers_move_nothing),
    TEST(families_go_on_in_order),
    TEST(the_end_of_a_shard_is_confirmed),
    TEST(many_places_take_several_commits),
    TEST(damaged_positions_are_refused),
};
CHECK_MAIN(tests)

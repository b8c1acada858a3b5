/* The inlet's language. */
#include "core/base/error.h"
#include "core/pull/wire.h"
#include "tests/unit/check.h"

static ss_message message(const char *body)
{
    return (ss_message){
        .struct_size = sizeof(ss_message), .pair_size = sizeof(ss_pair), .body = ss_cstr(body)};
}

static void frames_come_back_as_they_were(void)
{
    buf out;
    buf_init(&out, WIRE_FRAME_BYTES_MAX);
    wire_hello hello = {1, SS_LIT("0.1.0"), SS_LIT("receiver k"), SS_LIT("k"), SS_LIT("events")}, got;
    enum wire_type type;
    ss_str body;
    size_t used;
    wire_put_hello(&out, &hello);
    for (size_t n = 0; n < out.len; n++) /* in pieces: not yet */
        CHECK_INT(wire_frame(ss_s(out.ptr, n), &type, &body, &used), 0);
    CHECK_INT(wire_frame(buf_str(&out), &type, &body, &used), 1);
    CHECK(type == WIRE_HELLO && used == out.len);
    REQUIRE(wire_read_hello(body, &got));
    CHECK(got.protocol == 1 && ss_eq(got.process, hello.process) && ss_eq(got.source, hello.source) &&
          ss_eq(got.parser, hello.parser) && ss_eq(got.version, hello.version));
    wire_welcome w = {SS_OK, SS_LIT("why"), 77, SS_LIT("g"), SS_LIT("/a=1\n")}, w2;
    wire_put_welcome(&out, &w);
    CHECK_INT(wire_frame(buf_str(&out), &type, &body, &used), 1);
    REQUIRE(wire_read_welcome(body, &w2));
    CHECK(w2.journal_id == 77 && ss_eq(w2.position, w.position) && ss_eq(w2.group, w.group));
    wire_answer a = {SS_LIT("id"), SS_RETRY, SS_LIT("later")}, a2;
    wire_put_answer(&out, &a);
    CHECK_INT(wire_frame(buf_str(&out), &type, &body, &used), 1);
    REQUIRE(wire_read_answer(body, &a2));
    CHECK(a2.status == SS_RETRY && ss_eq(a2.text, a.text));
    for (size_t n = 0; n < body.len; n++) /* cut short: it does not add up */
        CHECK(!wire_read_answer(ss_s(body.ptr, n), &a2));
    out.ptr[0] ^= 1;
    CHECK_INT(wire_frame(buf_str(&out), &type, &body, &used), -1);
    buf_fini(&out);
}

static void messages_keep_everything(void)
{
    buf out, frame;
    buf_init(&out, WIRE_FRAME_BYTES_MAX);
    buf_init(&frame, WIRE_FRAME_BYTES_MAX);
    ss_pair headers[WIRE_HEADERS_MAX], given[2] = {{SS_LIT("a"), SS_LIT("1")}, {SS_LIT("b"), SS_LIT("")}};
    ss_message m = message("{\"n\":1}");
    m.key = SS_LIT("key");
    m.id = SS_LIT("t/0/1");
    m.time_us = -5;
    m.headers = given;
    m.header_count = 2;
    CHECK_INT(wire_put_message(&out, &m), 0);
    CHECK_INT(out.len, wire_message_bytes(&m));
    ss_message empty = message("");
    size_t second = wire_put_message(&out, &empty);
    wire_flag_message(out.ptr, second, WIRE_MESSAGE_POISON);
    char id[WIRE_GROUP_ID_BYTES + 1];
    memset(id, '0', sizeof id - 1);
    wire_group g = {ss_s(id, WIRE_GROUP_ID_BYTES), SS_LIT("12"), 2, buf_str(&out)}, g2;
    enum wire_type type;
    ss_str body;
    size_t used;
    wire_put_group(&frame, &g);
    REQUIRE(wire_frame(buf_str(&frame), &type, &body, &used) == 1 && wire_read_group(body, &g2));
    CHECK(g2.count == 2 && ss_eq(g2.position, g.position));
    ss_str rest = g2.messages;
    ss_message got;
    uint32_t flags;
    REQUIRE(wire_next_message(&rest, &got, &flags, headers));
    CHECK(flags == 0 && ss_eq(got.body, m.body) && ss_eq(got.key, m.key) && ss_eq(got.id, m.id) &&
          got.time_us == -5 && got.header_count == 2 && ss_eq(got.headers[1].key, given[1].key));
    REQUIRE(wire_next_message(&rest, &got, &flags, headers));
    CHECK(flags == WIRE_MESSAGE_POISON && got.body.len == 0 && rest.len == 0);
    for (size_t n = 0; n < second; n++) {
        rest = ss_s(out.ptr, n);
        CHECK(!wire_next_message(&rest, &got, &flags, headers));
    }
    buf_fini(&out);
    buf_fini(&frame);
}

static void what_is_too_long_is_cut_and_says_so(void)
{
    buf out;
    buf_init(&out, WIRE_FRAME_BYTES_MAX);
    size_t len = WIRE_MESSAGE_BYTES_MAX + 10u;
    char *large = malloc(len);
    REQUIRE(large != NULL);
    memset(large, 'x', len);
    ss_message m = message("");
    m.body = ss_s(large, len);
    m.key = SS_LIT("key");
    (void)wire_put_message(&out, &m);
    ss_pair headers[WIRE_HEADERS_MAX];
    ss_str rest = buf_str(&out);
    ss_message got;
    uint32_t flags;
    REQUIRE(wire_next_message(&rest, &got, &flags, headers));
    CHECK(flags == WIRE_MESSAGE_CUT);
    CHECK_INT(got.body.len + got.key.len, WIRE_MESSAGE_BYTES_MAX);
    CHECK(wire_message_bytes(&m) >= out.len);
    free(large);
    buf_fini(&out);
}

static bool note(void *arg, ss_str part, ss_str value)
{
    char *text = arg;
    size_t len = strlen(text);
    (void)snprintf(text + len, 200 - len, "[%.*s|%.*s]", (int)part.len, part.ptr, (int)value.len, value.ptr);
    return true;
}

static void positions_have_parts(void)
{
    static const struct {
        const char *position, *want; /* want NULL: refused */
    } cases[] = {
        {"", "[|]"},
        {"12", "[|12]"},
        {"a/b=c", "[|a/b=c]"},
        {"/t/0=5\n", "[/t/0|5]"},
        {"/t/0=5\n/t/1=\n", "[/t/0|5][/t/1|]"},
        {"/s=a=b\n", "[/s|a=b]"},
        {"/t/0=5", NULL},
        {"/t/0\n", NULL},
        {"/=5\n", NULL},
        {"/a=1\nb=2\n", NULL},
        {"/a=1\n\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200] = "";
        ss_error err = error_init();
        bool good = wire_each_part(ss_cstr(cases[i].position), note, text, &err);
        CHECK_INT(good, cases[i].want != NULL);
        if (cases[i].want)
            CHECK_STR(text, cases[i].want);
        else
            CHECK(err.text[0] != '\0');
    }
}

static const check_test tests[] = {TEST(frames_come_back_as_they_were), TEST(messages_keep_everything),
                                   TEST(what_is_too_long_is_cut_and_says_so), TEST(positions_have_parts)};
CHECK_MAIN(tests)

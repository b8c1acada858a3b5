/* Names made from records. */
#include "plugins/common/template.h"
#include "tests/unit/check.h"

static ss_record record(void)
{
    return (ss_record){
        .receiver = SS_LIT("game"),
        .app = SS_LIT("a1"),
        .type = SS_LIT("login"),
        .id = SS_LIT("id-1"),
        .key = SS_LIT("k"),
        .json = SS_LIT(
            "{\"s\":\"Z\\u00fcrich "
            "\\ud83c\\udfae\",\"n\":1.50,\"t\":true,\"z\":null,\"o\":{\"p\":{\"q\":\"deep\"},\"x\":[1, 2]},"
            "\"o\\u0062\":\"escaped name\",\"last\":\"\"}")};
}

static const char *written(const char *text, size_t size)
{
    static char out[2048];
    record_template t;
    ss_error err = {.struct_size = sizeof err};
    ss_record r = record();
    if (!template_compile(&t, ss_cstr(text), &err))
        return "refused";
    out[template_write(&t, &r, out, size)] = '\0';
    return out;
}

static const char *refused(const char *text)
{
    static ss_error err;
    record_template t;
    err = (ss_error){.struct_size = sizeof err};
    return template_compile(&t, ss_cstr(text), &err) ? "taken" : err.text;
}

static void parts(void)
{
    CHECK_STR(written("", 100), "");
    CHECK_STR(written("clicks", 100), "clicks");
    CHECK_STR(written("{receiver}/{app}-{type}.{id}:{key}", 100), "game/a1-login.id-1:k");
    CHECK_STR(written("{{{key}}}", 100), "{k}");
    CHECK_STR(written("}}{{", 100), "}{");
}

static void members(void)
{
    CHECK_STR(written("{json:s}", 100), "Zürich 🎮");
    CHECK_STR(written("{json:n}|{json:t}|{json:z}|{json:last}", 100), "1.50|true||");
    CHECK_STR(written("{json:o.p.q}", 100), "deep");
    CHECK_STR(written("{json:o.x}", 100), "[1, 2]");
    CHECK_STR(written("{json:o.p}", 100), "{\"q\":\"deep\"}");
    CHECK_STR(written("<{json:nothing}{json:o.nothing}{json:s.deeper}{json:o.p.q.r}>", 100), "<>");
}

static void cut_between_characters(void)
{
    CHECK_STR(written("{json:s}", 2), "Z");
    CHECK_STR(written("{json:s}", 3), "Zü");
    CHECK_STR(written("{json:s}", 11), "Zürich ");
    CHECK_STR(written("{json:s}", 12), "Zürich 🎮");
    CHECK_STR(written("{json:s}x", 11), "Zürich "); /* what does not fit ends it */
    CHECK_STR(written("{key}", 0), "");
}

static void long_escapes(void)
{
    static char line[16384];
    char out[TEMPLATE_VALUE_MAX + 1];
    record_template t;
    ss_error err = {.struct_size = sizeof err};
    ss_record r = record();
    size_t len = (size_t)snprintf(line, sizeof line, "{\"s\":\"x");
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, "\\u00fc");
    len += (size_t)snprintf(line + len, sizeof line - len, "\"}");
    r.json = ss_s(line, len);
    REQUIRE(template_compile(&t, SS_LIT("{json:s}"), &err));
    size_t n = template_write(&t, &r, out, TEMPLATE_VALUE_MAX);
    CHECK(n > 300 && n % 2 == 1 && memcmp(out, "x\xc3\xbc\xc3\xbc", 5) == 0); /* whole escapes alone */
}

static void broken(void)
{
    CHECK(strstr(refused("{key"), "byte 1") != NULL);
    CHECK(strstr(refused("ab}"), "byte 3") != NULL);
    CHECK(strstr(refused("{user}"), "{user}") != NULL);
    CHECK(strstr(refused("{json:}"), "{json:") != NULL);
    CHECK(strstr(refused("{json:a..b}"), "{json:") != NULL);
    CHECK(strstr(refused("{json:.a}"), "{json:") != NULL);
    CHECK(strstr(refused("{json:a.b.c.d.e.f.g.h.i}"), "{json:") != NULL);
    CHECK_STR(refused("{json:a.b.c.d.e.f.g.h}"), "taken");
    char many[TEMPLATE_TEXT_MAX + 8];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    CHECK(strstr(refused(many), "at most") != NULL);
    CHECK(strstr(refused(
                     "{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}{key}"),
                 "parts") != NULL);
}

static void fixed(void)
{
    record_template t;
    ss_error err = {.struct_size = sizeof err};
    CHECK(template_compile(&t, SS_LIT("a{{b"), &err) && template_is_fixed(&t));
    CHECK(template_compile(&t, SS_LIT("a{key}"), &err) && !template_is_fixed(&t));
}

static const check_test tests[] = {
    {"each part is written", parts},
    {"members of the line", members},
    {"what does not fit is cut between characters", cut_between_characters},
    {"a long string with escapes is cut between them", long_escapes},
    {"templates that cannot be read are refused with the place", broken},
    {"the same for every record, or not", fixed},
};

CHECK_MAIN(tests)

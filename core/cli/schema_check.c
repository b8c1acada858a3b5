/* streamsteam schema-check: does this data fit that schema? The same code as in the receiver `events`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "plugins/common/json_schema.h"

#define DATA_BYTES_MAX   (256u * 1024 * 1024)
#define MEMORY_BYTES_MAX (2048u * 1024 * 1024ull)
#define SHOWN_MAX        160u /* bytes of one value in an error */

enum { CHECK_UNSUPPORTED = 3, CHECK_ERRORS_DEFAULT = 100, CHECK_ERRORS_MAX = 10000 };

static const char help[] =
    "usage: streamsteam schema-check --schema FILE --data FILE [--lines] [--no-format] [--max-errors N]\n"
    "       streamsteam schema-check --schema FILE\n"
    "       streamsteam schema-check --cases FILE [--no-format]\n"
    "\n"
    "Checks JSON against a JSON Schema (draft 2020-12) as the receiver `events` does. Prints valid, or one\n"
    "line per error: PATH: KEYWORD: expected ..., got ... Without data only the schema is checked.\n"
    "\n"
    "  --schema FILE   the schema\n"
    "  --data FILE     the JSON value; - = standard input\n"
    "  --lines         the data has one value per line (NDJSON); errors begin with the line's number\n"
    "  --no-format     formats are annotations, not rules\n"
    "  --max-errors N  errors told of one value (default 100)\n"
    "  --cases FILE    each line is {\"schema\": ..., \"data\": ...}; prints one word and the reason for "
    "each\n"
    "\n"
    "Exit code: 0 = valid, 1 = not valid, 2 = wrong use or no schema, 3 = the schema has a keyword that is "
    "not\n"
    "supported (it is named).\n";

typedef struct job {
    json_schema_options options;
    uint32_t max_errors;
    json_schema_error *errors;
    arena memory;
} job;

static void *take(void *arg, size_t len)
{
    return arena_take(arg, len);
}

static bool read_input(const char *path, buf *out)
{
    buf_init(out, DATA_BYTES_MAX);
    if (file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, out) == 0 && !out->failed)
        return true;
    (void)cli_fail(CLI_USAGE, "schema-check", "%s: %s", path,
                   out->failed ? "larger than 256 MiB" : strerror(errno));
    return false;
}

/* At most SHOWN_MAX bytes, on one line. */
static void print_cut(ss_str text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        (void)putchar((unsigned char)text.ptr[i] < ' ' ? ' ' : text.ptr[i]);
    if (len < text.len)
        (void)fputs("...", stdout);
}

static void print_error(const json_tape *tape, const json_schema_error *e)
{
    char path[1024];
    (void)json_schema_path(tape, e->token, path, sizeof path);
    print_cut(ss_cstr(*path ? path : "(the value)"));
    (void)printf(": %s: expected ", e->keyword);
    print_cut(e->expected);
    (void)fputs(", got ", stdout);
    print_cut(e->got);
    (void)putchar('\n');
}

/* line 0: the data is one value. */
static bool check_one(job *j, const json_schema *s, ss_str text, size_t line)
{
    json_tape tape;
    tape_memory memory = {take, &j->memory};
    json_schema_run run = {.memory = memory, .errors = j->errors, .max = j->max_errors};
    char prefix[32] = "";
    arena_reset(&j->memory);
    if (line)
        (void)snprintf(prefix, sizeof prefix, "line %zu: ", line);
    if (!json_tape_read(&tape, text, memory)) {
        (void)printf("%snot JSON: %s at byte %zu\n", prefix, tape.problem, tape.offset);
        return false;
    }
    bool ok = json_schema_check(s, &tape, 0, &run);
    for (uint32_t i = 0; i < run.count && i < run.max; i++) {
        (void)fputs(prefix, stdout);
        print_error(&tape, &run.errors[i]);
    }
    if (run.count > run.max)
        (void)printf("%s%u more errors\n", prefix, run.count - run.max);
    return ok;
}

static bool check_lines(job *j, const json_schema *s, ss_str text)
{
    bool ok = true;
    size_t line = 1;
    for (size_t at = 0; at < text.len; line++) {
        const char *end = memchr(text.ptr + at, '\n', text.len - at);
        size_t len = end ? (size_t)(end - text.ptr) - at : text.len - at;
        ss_str one = ss_s(text.ptr + at, len);
        bool empty = true;
        for (size_t i = 0; i < len && empty; i++)
            empty = one.ptr[i] == ' ' || one.ptr[i] == '\t' || one.ptr[i] == '\r';
        ok &= empty || check_one(j, s, one, line);
        at += len + 1;
    }
    return ok;
}

static json_schema *open_schema(const job *j, const char *path, int *code)
{
    buf text;
    json_schema_problem why;
    json_schema *s = NULL;
    *code = CLI_USAGE;
    if (read_input(path, &text)) {
        s = json_schema_new(buf_str(&text), &j->options, &why);
        if (!s && why.unsupported) {
            (void)printf("%s\n", why.text);
            *code = CHECK_UNSUPPORTED;
        } else if (!s) {
            (void)cli_fail(CLI_USAGE, "schema-check", "%s: %s", path, why.text);
        }
    }
    for (size_t i = 0; s && json_schema_warning(s, i); i++)
        (void)cli_fail(CLI_OK, "schema-check", "%s: %s", path, json_schema_warning(s, i));
    buf_fini(&text);
    return s;
}

static int check_files(job *j, const char *schema_file, const char *data_file, bool lines)
{
    int code;
    json_schema *s = open_schema(j, schema_file, &code);
    buf data = {0};
    bool ok = true;
    if (!s)
        return code;
    if (data_file && !read_input(data_file, &data)) {
        buf_fini(&data);
        json_schema_free(s);
        return CLI_USAGE;
    }
    if (data_file)
        ok = lines ? check_lines(j, s, buf_str(&data)) : check_one(j, s, buf_str(&data), 0);
    if (ok)
        (void)puts(data_file ? "valid" : "the schema is valid");
    buf_fini(&data);
    json_schema_free(s);
    return ok ? CLI_OK : CLI_FAILED;
}

/* ---- many schemas in one run: how the official test suite goes through --------------------------- */

static void check_case(job *j, ss_str text)
{
    json_tape tape;
    arena_reset(&j->memory);
    tape_memory memory = {take, &j->memory};
    if (!json_tape_read(&tape, text, memory)) {
        (void)printf("broken not JSON: %s\n", tape.problem);
        return;
    }
    uint32_t rules = json_tape_find(&tape, 0, SS_LIT("schema")),
             data = json_tape_find(&tape, 0, SS_LIT("data"));
    json_schema_problem why = {.text = "a case has the members schema and data"};
    json_schema *s =
        rules && data ? json_schema_new(json_tape_raw(&tape, &tape.tokens[rules]), &j->options, &why) : NULL;
    if (!s) {
        (void)printf("%s %s\n", why.unsupported ? "unsupported" : "broken", why.text);
        return;
    }
    json_tape value;
    json_schema_run run = {.memory = memory, .errors = j->errors, .max = 1};
    bool ok = json_tape_read(&value, json_tape_raw(&tape, &tape.tokens[data]), memory) &&
              json_schema_check(s, &value, 0, &run);
    (void)fputs(ok ? "valid\n" : "invalid ", stdout);
    if (!ok)
        print_error(&value, &run.errors[0]);
    json_schema_free(s);
}

static int check_cases(job *j, const char *path)
{
    buf text;
    bool read = read_input(path, &text);
    for (size_t at = 0; read && at < text.len;) {
        const char *end = memchr(text.ptr + at, '\n', text.len - at);
        size_t len = end ? (size_t)(end - text.ptr) - at : text.len - at;
        if (len > 0)
            check_case(j, ss_s(text.ptr + at, len));
        at += len + 1;
    }
    buf_fini(&text);
    return read ? CLI_OK : CLI_USAGE;
}

static bool read_count(const char *text, uint32_t *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *out = (uint32_t)n;
    return *text && !*end && n >= 1 && n <= CHECK_ERRORS_MAX;
}

int verb_schema_check(int argc, char **argv)
{
    bool bad = false;
    job j = {.options = {.assert_format = true}, .max_errors = CHECK_ERRORS_DEFAULT};
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *schema_file = cli_take_option(&argc, argv, NULL, "schema", &bad);
    const char *data_file = cli_take_option(&argc, argv, NULL, "data", &bad);
    const char *cases = cli_take_option(&argc, argv, NULL, "cases", &bad);
    const char *most = cli_take_option(&argc, argv, NULL, "max-errors", &bad);
    bool lines = cli_take_flag(&argc, argv, "lines");
    j.options.assert_format = !cli_take_flag(&argc, argv, "no-format");
    if (bad || argc > 1 || (most && !read_count(most, &j.max_errors)) || !schema_file == !cases ||
        (cases && data_file))
        return cli_fail(CLI_USAGE, argv[0],
                        "name a schema, and the data to check; see streamsteam schema-check --help");
    j.errors = calloc(j.max_errors, sizeof *j.errors);
    if (!j.errors)
        return cli_fail(CLI_FAILED, argv[0], "no memory");
    arena_init(&j.memory, MEMORY_BYTES_MAX);
    int code = cases ? check_cases(&j, cases) : check_files(&j, schema_file, data_file, lines);
    arena_fini(&j.memory);
    free(j.errors);
    return code;
}

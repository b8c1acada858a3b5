/* A schema and a value, divided by the first NUL byte: what compiles, decides; told or not, the verdict is
 * the same. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/json_schema.h"

#define ERRORS_MAX 8u
#define LOANS_MAX  65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *loans[LOANS_MAX];
static size_t loan_count;

/* Each loan an allocation of its own, so that the sanitizer sees what is read beside it. */
static void *take(void *arg, size_t len)
{
    (void)arg;
    return loan_count < LOANS_MAX ? loans[loan_count++] = malloc(len ? len : 1) : NULL;
}

static void give_back(void)
{
    while (loan_count > 0)
        free(loans[--loan_count]);
}

static void note(void *arg, const json_schema_property *p)
{
    *(size_t *)arg += p->name.len + p->doc.len + p->types;
}

static void judge(const json_schema *s, ss_str text)
{
    json_tape tape;
    json_schema_error errors[ERRORS_MAX];
    tape_memory memory = {take, NULL};
    json_schema_run told = {.memory = memory, .errors = errors, .max = ERRORS_MAX},
                    quiet = {.memory = memory};
    bool read = json_tape_read(&tape, text, memory);
    if (read && !json_valid(text))
        abort();
    if (!read)
        return;
    bool ok = json_schema_check(s, &tape, 0, &told);
    if (ok != (told.count == 0) || ok != json_schema_check(s, &tape, 0, &quiet))
        abort();
    for (uint32_t i = 0; i < told.count && i < told.max; i++) {
        char path[64];
        if (json_schema_path(&tape, errors[i].token, path, sizeof path) >= sizeof path ||
            errors[i].token >= tape.count)
            abort();
        if (errors[i].expected.len > 0 && errors[i].expected.ptr[errors[i].expected.len - 1] == '\0')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)(end - data) : size, words = 0;
    json_schema_problem why;
    char *schema_text = malloc(len + 1), *value = malloc(size - len + 1);
    if (!schema_text || !value)
        abort();
    memcpy(schema_text, data, len);
    memcpy(value, data + len, size - len);
    json_schema *s =
        json_schema_new(ss_s(schema_text, len), &(json_schema_options){.assert_format = len % 2}, &why);
    free(schema_text); /* it must not be looked at any more */
    if (!s && !why.text[0])
        abort();
    if (s) {
        json_schema_properties(s, note, &words);
        if (size > len + 1)
            judge(s, ss_s(value + 1, size - len - 1));
    }
    json_schema_free(s);
    free(value);
    give_back();
    return 0;
}

/* Any bytes to the JSON scanner and writer: what the scanner takes, the writer's forms keep. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(json_scan *s)
{
    json_value v, key;
    if (!json_read(s, &v))
        return;
    if (v.kind == JSON_OBJECT)
        while (json_member(s, &key))
            walk(s);
    else if (v.kind == JSON_ARRAY)
        while (json_item(s))
            walk(s);
    else if (v.kind == JSON_NUMBER) {
        char out[JSON_DOUBLE_SIZE];
        double number, again;
        if (json_double(v.text, &number) &&
            (!json_double(ss_s(out, json_put_double(out, number)), &again) || again != number))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ss_str text = ss_s((const char *)data, size);
    char *out = malloc(json_escape_bound(size));
    json_scan s;
    if (!out)
        return 0;
    json_start(&s, text);
    walk(&s);
    bool ok = json_finish(&s);
    json_scan passed; /* over without a look: the same words in the same place */
    json_start(&passed, text);
    bool skipped = json_skip(&passed, NULL) && json_finish(&passed);
    if (ok != skipped || s.problem != passed.problem || json_offset(&s) != json_offset(&passed))
        abort();
    size_t len = json_put_compact(out, text);
    if (!json_valid(ss_s(out, len)) || len > json_compact_bound(size) || memchr(out, '\n', len))
        abort();
    len = json_put_string(out, text);
    if (!json_valid(ss_s(out, len)))
        abort();
    char *plain = malloc(len);
    if (plain && json_unescape(plain, ss_s(out + 1, len - 2)) < size)
        abort(); /* nothing is lost: U+FFFD is longer than what it replaces */
    free(plain);
    free(out);
    return 0;
}

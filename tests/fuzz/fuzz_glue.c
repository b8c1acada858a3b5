/* What Glue says of a table, against a fixed catalog: whatever it is, the update that comes out is JSON. */
// with: modules/glue/types.c modules/glue/shape.c modules/glue/table.c
#include <stdint.h>
#include <stdlib.h>

#include "modules/glue/table.h"
#include "modules/glue/types.h"
#include "plugins/common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void merge(ss_str have)
{
    static shape s;
    ss_error err = {.struct_size = sizeof err};
    if (s.key_count == 0 &&
        !shape_make(&s, SS_LIT("game"), SS_LIT("s3://b/p"), SS_LIT("{receiver}/year=%Y"), false, &err))
        abort();
    table_spec t = {.shape = &s, .name = "x", .instance = SS_LIT("glue"), .projected = true};
    table_report r = {.added = 0};
    buf out;
    buf_init(&t.columns, 65536);
    buf_init(&t.parameters, 65536);
    buf_init(&out, TABLE_BYTES_MAX);
    buf_init(&r.text, TABLE_BYTES_MAX);
    buf_adds(
        &t.columns,
        "[{\"Name\": \"a\", \"Type\": \"bigint\"}, {\"Name\": \"o\", \"Type\": \"struct<x:int,y:string>\"}]");
    buf_adds(&t.parameters, "\"case.insensitive\": \"true\"");
    if (table_merge(&t, have, &out, &r) && json_valid(have) && !json_valid(buf_str(&out)))
        abort();
    (void)table_is_marked(have, SS_LIT("glue"));
    buf_fini(&out);
    buf_fini(&r.text);
    buf_fini(&t.columns);
    buf_fini(&t.parameters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* so that the sanitizer sees what is read beside it */
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    merge(ss_s(copy, size));
    buf type;
    const char *bar = size ? memchr(copy, '|', size) : NULL;
    size_t len = bar ? (size_t)(bar - copy) : size;
    buf_init(&type, 65536);
    (void)types_widen(ss_s(copy, len), bar ? ss_s(bar + 1, size - len - 1) : ss_s("", 0), &type);
    buf_fini(&type);
    free(copy);
    return 0;
}

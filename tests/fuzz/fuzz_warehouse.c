/* Any bytes as a stored line: cells lie in the line or in the row's own memory, the extra object is JSON, and
   what was JSON is never lost as a whole. */
#include <stdlib.h>

#include "plugins/common/shape.h"

static const ss_field fields[] = {
    {"event_id", SS_FIELD_STRING, 0, "d", NULL},
    {"amount", SS_FIELD_INT, 0, "d", NULL},
    {"price", SS_FIELD_DOUBLE, 0, "d", NULL},
    {"is_new", SS_FIELD_BOOL, 0, "d", NULL},
    {"at", SS_FIELD_TIMESTAMP, 0, "d", NULL},
    {"on", SS_FIELD_DATETIME, 0, "d", NULL},
    {"data", SS_FIELD_JSON, 0, "d", NULL},
    {"geo.city", SS_FIELD_STRING, 0, "d", NULL},
    {"geo.loc.longitude", SS_FIELD_DOUBLE, 0, "d", NULL},
    {NULL, 0, 0, NULL, NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static shape s;
    static row r;
    ss_error err = {.struct_size = sizeof err};
    if (!s.columns) {
        if (!shape_begin(&s, &err))
            abort();
        for (const ss_field *f = fields; f->name; f++)
            if (!shape_add(&s, f, "fuzz", &err))
                abort();
        if (!shape_end(&s, "postgres", &err))
            abort();
        memset(s.used, 1, s.count);
        row_init(&r);
    }
    ss_str line = ss_s((const char *)bytes, len);
    if (!row_read(&r, &s, line))
        abort();
    if (r.extra.len > 0 && !json_valid(buf_str(&r.extra)))
        abort();
    unsigned char sum = 0;
    for (size_t i = 0; i < s.count; i++) /* every byte of every cell can be read */
        for (uint32_t k = 0; r.cells[i].kind == CELL_TEXT && k < r.cells[i].len; k++)
            sum = (unsigned char)(sum ^ (unsigned char)r.cells[i].as.ptr[k]);
    bool bare = strstr(buf_text(&r.extra), "ss_line") != NULL;
    if (!json_valid(line) && !bare)
        abort();
    volatile unsigned char kept = sum;
    (void)kept;
    return 0;
}

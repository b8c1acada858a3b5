#include "receivers/matomo/fields.h"

/* Of what is JSON the receiver itself writes this one, whatever came. */
#define FIELD_FLAGS(id)                        (FIELD_##id == FIELD_EXTRA_PARAMS ? SS_FIELD_OBJECT : 0)
#define FIELD_ROW(id, name, type, source, doc) {name, SS_FIELD_##type, FIELD_FLAGS(id), doc, source},

const ss_field matomo_fields[FIELD_COUNT + 1] = {MATOMO_FIELDS(FIELD_ROW){NULL, 0, 0, NULL, NULL}};

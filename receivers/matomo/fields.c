#include "receivers/matomo/fields.h"

#define FIELD_ROW(id, name, type, source, doc) {name, SS_FIELD_##type, 0, doc, source},

const ss_field matomo_fields[FIELD_COUNT + 1] = {MATOMO_FIELDS(FIELD_ROW){NULL, 0, 0, NULL, NULL}};

/* The plan of a cut as text, as it stands in the module's state: what a redo needs to give the same files. */
#ifndef LAKE_PLAN_H
#define LAKE_PLAN_H

#include "modules/lake/cut.h"

#define PLAN_MAX (PATH_MAX + 2 * LAYOUT_TEMPLATE_MAX + CUT_FIELD_MAX + 384)

size_t plan_write(const cut *c, char out[PLAN_MAX]); /* 0: does not fit */
bool plan_read(ss_str state, cut_settings *s, uint64_t *a, uint64_t *b);

#endif

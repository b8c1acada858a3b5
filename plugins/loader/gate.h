/* Whether a descriptor keeps the contract: versions, sizes, tables, callbacks. */
#ifndef LOADER_GATE_H
#define LOADER_GATE_H

#include "core/base/error.h"

/* false with err: "PATH: what is wrong: what to do". */
bool gate_check(const ss_plugin *p, const char *path, uint32_t kind, ss_error *err);
/* The fields that an instance declares: as strict as those of the descriptor. */
bool gate_check_fields(const ss_plugin *p, const ss_field *fields, const char *path, ss_error *err);

#endif

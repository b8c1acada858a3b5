/* What a cut consists of, as JSON: written last, read by those who load the lake. */
#ifndef LAKE_MANIFEST_H
#define LAKE_MANIFEST_H

#include "modules/lake/cut.h"

#define MANIFEST_DIR "_manifest"

void manifest_put(FILE *f, const cut *c, const char *name);
/* Of its objects' counts and CRCs: the same for each manifest of the same lines. */
uint32_t manifest_crc(const cut *c);

#endif

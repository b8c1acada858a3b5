/* A group as the document that goes out, and its name. */
#ifndef WINDOWS_RENDER_H
#define WINDOWS_RENDER_H

#include "modules/windows/engine.h"

#define RENDER_ID_MAX (METRIC_NAME_MAX + 64u)

/* <journal>-<metric>-<window start, seconds>-<hash of the application and the dimensions>: always the same
 * for the same. */
size_t render_id(const document *d, uint64_t journal_id, char out[RENDER_ID_MAX]);
void render_document(const document *d, ss_str id, buf *out);

#endif

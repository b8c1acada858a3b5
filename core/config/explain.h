/* Everything that can be configured: as commented YAML with the defaults in it, and as Markdown for the
 * manual. */
#ifndef CONFIG_EXPLAIN_H
#define CONFIG_EXPLAIN_H

#include "core/base/buf.h"

void explain_server(buf *out);
/* Options, routes, views and fields of a plugin that the loader has let in. */
void explain_plugin(const ss_plugin *p, const char *path, buf *out);
void explain_server_markdown(buf *out);
void explain_plugin_markdown(const ss_plugin *p, buf *out);
const char *explain_field_type(uint32_t type); /* "string", "" where it is none */

#define EXPLAIN_FRAGMENT_MAX (1024u * 1024) /* bytes */

/* Options as a person gave them: "name=value", the value as it would stand in the YAML. */
typedef struct config_set {
    const char *const *pairs;
    size_t count;
} config_set;
/* A file for conf.d that switches an instance on: what was set, what must be set, the rest as comments. */
void explain_fragment(const ss_plugin *p, const char *name, const char *use, const config_set *set, buf *out);

#endif

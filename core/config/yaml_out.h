/* YAML for people to read, and which can be read back: what `check --print` and `explain` write. */
#ifndef CONFIG_YAML_OUT_H
#define CONFIG_YAML_OUT_H

#include "core/base/buf.h"

/* A string: bare where that cannot be taken for anything else, else in double quotes; ${ becomes $${. */
void yaml_out_string(buf *out, const char *text);
void yaml_out_indent(buf *out, unsigned level); /* two blanks each */
/* "# text", broken at about 100 columns. */
void yaml_out_comment(buf *out, unsigned level, const char *text);

#endif

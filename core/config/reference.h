/* ${env:NAME}, ${env:NAME:-default} and ${file:PATH} inside a scalar. $${ is a literal ${.
   What comes in is text of that scalar and never read as YAML again. */
#ifndef CONFIG_REFERENCE_H
#define CONFIG_REFERENCE_H

#include "core/base/buf.h"
#include "core/base/error.h"

#define REFERENCE_VALUE_MAX 65536u /* bytes of one scalar with everything filled in, and of one file */

typedef struct reference_rules {
    const char *dir; /* relative file references start here; NULL: no file is read at all */
} reference_rules;

/* Appends the text with all references filled in. false: err says which one and why, never a value. */
bool reference_expand(const reference_rules *rules, ss_str text, buf *out, ss_error *err);
/* True where the whole text is one ${file:PATH}; path then has it, made absolute with the rules' dir. */
bool reference_is_file(const reference_rules *rules, ss_str text, char *path, size_t size);
/* The content of a file without one newline at the end; refuses NUL bytes. */
bool reference_read_file(const char *path, buf *out, ss_error *err);

#endif

/* One sentence about what went wrong and how to mend it, filled by the callee. No allocation. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "streamsteam/plugin.h"

/* The plugin contract's struct serves the core too: one way to report an error everywhere. */
static inline ss_error error_init(void)
{
    ss_error e = {.struct_size = sizeof e, .code = 0, .text = ""};
    return e;
}

#endif

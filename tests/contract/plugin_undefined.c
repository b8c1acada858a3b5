/* Calls what nobody has: RTLD_NOW names it when loading, not at the first call. */
#include "streamsteam/plugin.h"

int function_that_nobody_has(void);

SS_EXPORT const ss_plugin *ss_plugin_v0(void);
const ss_plugin *ss_plugin_v0(void)
{
    return function_that_nobody_has() ? NULL : NULL;
}

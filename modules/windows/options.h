/* The option table of the module, which is its manual as well. Constant: any thread. */
#ifndef WINDOWS_OPTIONS_H
#define WINDOWS_OPTIONS_H

#include "streamsteam/plugin.h"

extern const ss_option windows_options[];

#endif

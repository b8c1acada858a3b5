#ifndef WINDOWS_OPTIONS_H
#define WINDOWS_OPTIONS_H

#include "streamsteam/plugin.h"

extern const ss_option windows_options[];

#endif

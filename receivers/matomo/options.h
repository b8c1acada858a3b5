/* The options of the receiver. */
#ifndef MATOMO_OPTIONS_H
#define MATOMO_OPTIONS_H

#include "streamsteam/plugin.h"

extern const ss_option matomo_options[];

#endif

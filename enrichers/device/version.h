/* Version numbers, ordered as PHP's version_compare() orders them: the rules of the original are written for
   that order. */
#ifndef DEVICE_VERSION_H
#define DEVICE_VERSION_H

#include "streamsteam/plugin.h"

int version_compare(ss_str a, ss_str b); /* -1, 0, 1 */

#endif

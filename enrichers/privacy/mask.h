/* Addresses with their last part zeroed, by Matomo's levels. */
#ifndef PRIVACY_MASK_H
#define PRIVACY_MASK_H

#include "plugins/common/ip.h"

#define MASK_LEVEL_MAX 4u

/* IPv4, mapped ones too: as many of the last bytes as the level says. IPv6: keeps /64, /48, /24, nothing. */
void mask_address(ip_address *ip, unsigned level);

#endif

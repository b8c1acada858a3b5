#include "enrichers/privacy/mask.h"

void mask_address(ip_address *ip, unsigned level)
{
    static const uint8_t kept_v6[MASK_LEVEL_MAX + 1] = {16, 8, 6, 3, 0};
    size_t kept = ip_is_v4(ip) ? IP_BYTES - level : kept_v6[level];
    memset(ip->bytes + kept, 0, IP_BYTES - kept);
}

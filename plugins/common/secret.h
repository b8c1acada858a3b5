/* Comparing what a client gave with a secret. All inline: nothing to link. */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include "streamsteam/plugin.h"

/* Time depends on the length of what was given only. kept: size bytes, of which len are the secret. */
static inline bool secret_equal(const char *kept, size_t size, size_t len, ss_str given)
{
    volatile unsigned char different = len != given.len;
    for (size_t i = 0; i < given.len && i < size; i++)
        different = (unsigned char)(different | (unsigned char)(kept[i] ^ given.ptr[i]));
    return !different && given.len <= size;
}

#endif

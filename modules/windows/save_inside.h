/* What writing and reading of the saved windows share. */
#ifndef WINDOWS_SAVE_INSIDE_H
#define WINDOWS_SAVE_INSIDE_H

#include "modules/windows/save.h"

#define SAVE_BLOCK       (64u * 1024) /* of the checksum */
#define SAVE_MAGIC       "SSWINDOW"
#define SAVE_MAGIC_BYTES 8u
#define SAVE_FORMAT      1u

static inline uint64_t save_sum(uint64_t sum, const char *bytes, size_t len)
{
    hash_key key = {0x53617665u ^ sum, 0x57696e64u};
    return hash_bytes(key, bytes, len).a;
}

#endif

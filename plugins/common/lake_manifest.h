/* Objects as they stand in the manifests of a lake: {"path":..., "bytes":..., ...}. What else a manifest says
   is its reader's. No state; any thread. */
#ifndef COMMON_LAKE_MANIFEST_H
#define COMMON_LAKE_MANIFEST_H

#include "plugins/common/json.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAKE_MANIFEST_MAX (64u << 20)
#define LAKE_PATH_MAX     1024u /* bytes of an object's path below the lake, with its NUL */

enum lake_object_has {
    LAKE_HAS_BYTES = 1u,
    LAKE_HAS_RAW_BYTES = 2u,
    LAKE_HAS_COUNT = 4u,
    LAKE_HAS_CRC = 8u,
    LAKE_HAS_MIN = 16u,
    LAKE_HAS_MAX = 32u,
    LAKE_HAS_ALL = 63u
};

typedef struct lake_object {
    ss_str path; /* below the lake, unescaped; never out of it */
    int64_t bytes, raw_bytes, count, min_us, max_us;
    uint32_t crc, has; /* has: what of these there was */
    bool errors;
} lake_object;

/* The next value as an object; path holds the bytes of its path. false: it is none that may be used. */
bool lake_object_read(json_scan *s, lake_object *o, char path[LAKE_PATH_MAX]);
/* The next value as such a path, with NUL. */
bool lake_path_read(json_scan *s, char path[LAKE_PATH_MAX], ss_str *out);

#ifdef __cplusplus
}
#endif
#endif

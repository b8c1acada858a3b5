/* The image that answers a hit: Matomo's own GIF of one pixel, or a file. */
#ifndef MATOMO_PIXEL_H
#define MATOMO_PIXEL_H

#include "streamsteam/plugin.h"

#define PIXEL_BYTES_MAX 65536u

typedef struct pixel {
    ss_str type, bytes;
    char *own; /* the file, or NULL */
} pixel;

/* path: of a GIF, PNG or JPEG; empty: the GIF. */
int32_t pixel_make(pixel *i, ss_str path, ss_error *err);
void pixel_free(pixel *i);

#endif

#include "core/http/inflate.h"

#include <stdlib.h>

#include "core/http/limits.h"

#ifdef HAVE_ISAL
#include <isa-l.h>
#else
#include <zlib.h>
#endif

#define FIRST_OUT_BYTES 65536u

typedef enum inflate_step { STEP_MORE, STEP_END, STEP_BAD } inflate_step;
typedef enum inflate_format { FORMAT_GZIP, FORMAT_ZLIB, FORMAT_RAW } inflate_format;

/* One stream at a time; input and output move forward. */
struct inflater {
    const char *in;
    size_t in_left;
    char *out;
    size_t out_left;
#ifdef HAVE_ISAL
    struct inflate_state state;
#else
    z_stream state;
    bool ready;
#endif
};

inflater *inflate_new(void)
{
    return calloc(1, sizeof(inflater));
}

#ifdef HAVE_ISAL

void inflate_free(inflater *z)
{
    free(z);
}

static bool stream_begin(inflater *z, inflate_format format)
{
    isal_inflate_init(&z->state);
    z->state.crc_flag = format == FORMAT_GZIP ? ISAL_GZIP : format == FORMAT_ZLIB ? ISAL_ZLIB : ISAL_DEFLATE;
    return true;
}

static inflate_step stream_run(inflater *z)
{
    uint32_t in = z->in_left < UINT32_MAX ? (uint32_t)z->in_left : UINT32_MAX;
    uint32_t out = z->out_left < UINT32_MAX ? (uint32_t)z->out_left : UINT32_MAX;
    z->state.next_in = (uint8_t *)(uintptr_t)z->in; /* isa-l's pointer is not const; it only reads */
    z->state.avail_in = in;
    z->state.next_out = (uint8_t *)z->out;
    z->state.avail_out = out;
    int code = isal_inflate(&z->state);
    uint32_t took = in - z->state.avail_in, gave = out - z->state.avail_out;
    z->in += took;
    z->in_left -= took;
    z->out += gave;
    z->out_left -= gave;
    if (code != ISAL_DECOMP_OK)
        return STEP_BAD;
    if (z->state.block_state == ISAL_BLOCK_FINISH)
        return STEP_END;
    return z->in_left == 0 && z->out_left > 0 ? STEP_BAD : STEP_MORE; /* room left, input gone: cut off */
}

#else

void inflate_free(inflater *z)
{
    if (z && z->ready)
        (void)inflateEnd(&z->state);
    free(z);
}

static bool stream_begin(inflater *z, inflate_format format)
{
    int bits = format == FORMAT_GZIP ? 15 + 16 : format == FORMAT_ZLIB ? 15 : -15;
    if (z->ready)
        return inflateReset2(&z->state, bits) == Z_OK;
    z->ready = inflateInit2(&z->state, bits) == Z_OK;
    return z->ready;
}

static inflate_step stream_run(inflater *z)
{
    uInt in = z->in_left < UINT32_MAX ? (uInt)z->in_left : UINT32_MAX;
    uInt out = z->out_left < UINT32_MAX ? (uInt)z->out_left : UINT32_MAX;
    z->state.next_in = (Bytef *)(uintptr_t)z->in; /* zlib only reads */
    z->state.avail_in = in;
    z->state.next_out = (Bytef *)z->out;
    z->state.avail_out = out;
    int code = inflate(&z->state, Z_NO_FLUSH);
    uInt took = in - z->state.avail_in, gave = out - z->state.avail_out;
    z->in += took;
    z->in_left -= took;
    z->out += gave;
    z->out_left -= gave;
    if (code == Z_STREAM_END)
        return STEP_END;
    if (code != Z_OK && code != Z_BUF_ERROR)
        return STEP_BAD;
    return z->in_left == 0 && z->out_left > 0 ? STEP_BAD : STEP_MORE;
}

#endif

/* How many bytes may come out in all. */
static size_t output_cap(size_t in_len, size_t max_bytes)
{
    size_t by_ratio = in_len > SIZE_MAX / HTTP_INFLATE_RATIO ? SIZE_MAX : in_len * HTTP_INFLATE_RATIO;
    size_t cap = by_ratio > HTTP_INFLATE_FREE_BYTES ? by_ratio : HTTP_INFLATE_FREE_BYTES;
    return cap < max_bytes ? cap : max_bytes;
}

/* Room for one more byte than the cap: filling that one proves that the cap is passed. */
static bool grow_output(inflater *z, char **out, size_t *size, size_t cap)
{
    size_t used = *size - z->out_left;
    size_t wanted = *size * 2 < cap + 1 ? *size * 2 : cap + 1;
    char *grown = realloc(*out, wanted);
    if (!grown)
        return false;
    *out = grown;
    z->out = grown + used;
    z->out_left = wanted - used;
    *size = wanted;
    return true;
}

static enum inflate_result inflate_stream(inflater *z, char **out, size_t *size, size_t cap)
{
    for (;;) {
        inflate_step step = stream_run(z);
        if (*size - z->out_left > cap)
            return INFLATE_TOO_BIG;
        if (step == STEP_BAD)
            return INFLATE_DAMAGED;
        if (step == STEP_END)
            return INFLATE_OK;
        if (z->out_left == 0 && !grow_output(z, out, size, cap))
            return INFLATE_MEMORY;
    }
}

static bool looks_like_zlib(ss_str in)
{
    if (in.len < 2)
        return false;
    unsigned a = (unsigned char)in.ptr[0], b = (unsigned char)in.ptr[1];
    return (a & 0x0Fu) == 8 && (a * 256 + b) % 31 == 0;
}

enum inflate_result inflate_body(inflater *z, ss_str in, bool gzip, size_t max_bytes, char **out,
                                 size_t *out_len)
{
    size_t cap = output_cap(in.len, max_bytes);
    size_t size = FIRST_OUT_BYTES < cap + 1 ? FIRST_OUT_BYTES : cap + 1;
    char *bytes = malloc(size);
    if (!bytes)
        return INFLATE_MEMORY;
    z->in = in.ptr;
    z->in_left = in.len;
    z->out = bytes;
    z->out_left = size;
    inflate_format format = gzip ? FORMAT_GZIP : looks_like_zlib(in) ? FORMAT_ZLIB : FORMAT_RAW;
    enum inflate_result result = in.len ? INFLATE_OK : INFLATE_DAMAGED;
    while (z->in_left > 0 && result == INFLATE_OK) {
        result = stream_begin(z, format) ? inflate_stream(z, &bytes, &size, cap) : INFLATE_MEMORY;
        if (!gzip && z->in_left > 0 && result == INFLATE_OK)
            result = INFLATE_DAMAGED; /* only gzip may have several members */
    }
    if (result != INFLATE_OK) {
        free(bytes);
        return result;
    }
    *out = bytes;
    *out_len = size - z->out_left;
    return INFLATE_OK;
}

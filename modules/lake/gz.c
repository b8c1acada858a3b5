#include "modules/lake/gz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#ifdef HAVE_ISAL
#include <isa-l.h>
#endif

#define GZ_COMMENT_FLAG 0x10
#define GZ_OS_UNIX      3
#define GZ_SPARE_BYTES  1024u /* block headers of a chunk that does not compress */

struct gz {
    int level;
    char *out;
    size_t out_size;
#ifdef HAVE_ISAL
    struct isal_zstream stream;
    uint8_t *workspace;
    uint32_t workspace_bytes;
#else
    z_stream stream;
#endif
};

static bool gz_room(gz *g, size_t len)
{
    size_t need = len + len / 1000 + GZ_SPARE_BYTES;
    if (g->out_size >= need)
        return true;
    char *out = realloc(g->out, need);
    if (!out)
        return false;
    g->out = out;
    g->out_size = need;
    return true;
}

#ifdef HAVE_ISAL
gz *gz_new(int level)
{
    static const uint32_t bytes[] = {ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                     ISAL_DEF_LVL3_DEFAULT};
    gz *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->level = level < 1 ? 1 : level > 3 ? 3 : level;
    g->workspace_bytes = bytes[g->level];
    g->workspace = malloc(g->workspace_bytes);
    if (!g->workspace) {
        free(g);
        return NULL;
    }
    return g;
}

void gz_free(gz *g)
{
    if (!g)
        return;
    free(g->workspace);
    free(g->out);
    free(g);
}

ssize_t gz_chunk(gz *g, const char *bytes, size_t len, const char **out)
{
    if (len > UINT32_MAX / 2 || !gz_room(g, len))
        return -1;
    struct isal_zstream *s = &g->stream;
    isal_deflate_stateless_init(s);
    s->level = (uint32_t)g->level;
    s->level_buf = g->workspace;
    s->level_buf_size = g->workspace_bytes;
    s->flush = FULL_FLUSH;
    s->next_in = (uint8_t *)(uintptr_t)bytes;
    s->avail_in = (uint32_t)len;
    s->next_out = (uint8_t *)g->out;
    s->avail_out = (uint32_t)g->out_size;
    if (isal_deflate_stateless(s) != COMP_OK)
        return -1;
    *out = g->out;
    return (ssize_t)s->total_out;
}

uint32_t gz_crc(uint32_t crc, const void *bytes, size_t len)
{
    return crc32_gzip_refl(crc, bytes, len);
}
#else
gz *gz_new(int level)
{
    static const int levels[] = {1, 1, 3, 6};
    gz *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->level = level < 1 ? 1 : level > 3 ? 3 : level;
    if (deflateInit2(&g->stream, levels[g->level], Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(g);
        return NULL;
    }
    return g;
}

void gz_free(gz *g)
{
    if (!g)
        return;
    (void)deflateEnd(&g->stream);
    free(g->out);
    free(g);
}

ssize_t gz_chunk(gz *g, const char *bytes, size_t len, const char **out)
{
    if (len > UINT32_MAX / 2 || !gz_room(g, len))
        return -1;
    z_stream *s = &g->stream;
    (void)deflateReset(s);
    s->next_in = (Bytef *)(uintptr_t)bytes;
    s->avail_in = (uInt)len;
    s->next_out = (Bytef *)g->out;
    s->avail_out = (uInt)g->out_size;
    if (deflate(s, Z_FULL_FLUSH) != Z_OK || s->avail_in > 0 || s->avail_out == 0)
        return -1;
    *out = g->out;
    return (ssize_t)(g->out_size - s->avail_out);
}

uint32_t gz_crc(uint32_t crc, const void *bytes, size_t len)
{
    return (uint32_t)crc32_z(crc, bytes, len);
}
#endif

size_t gz_put_header(char *out, const char *comment)
{
    static const char fixed[10] = {0x1f, (char)0x8b, 8, GZ_COMMENT_FLAG, 0, 0, 0, 0, 0, GZ_OS_UNIX};
    size_t len = strlen(comment) + 1;
    memcpy(out, fixed, sizeof fixed);
    memcpy(out + sizeof fixed, comment, len);
    return sizeof fixed + len;
}

static void put_u32(char *out, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(v >> (8 * i));
}

void gz_put_trailer(char out[GZ_TRAILER_BYTES], uint32_t crc, uint64_t raw_bytes)
{
    out[0] = 3; /* last block, fixed codes, end of block */
    out[1] = 0;
    put_u32(out + 2, crc);
    put_u32(out + 6, (uint32_t)raw_bytes);
}

#include "modules/compact/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#ifdef HAVE_ISAL
#include <isa-l.h>
#endif

#define OUT_BYTES (256u << 10)

struct unpack {
    unpacked now;
    grow *into;        /* or NULL */
    bool gzip, inside; /* inside: a member has begun and not ended */
#ifdef HAVE_ISAL
    struct inflate_state stream;
#else
    z_stream stream;
    bool made;
#endif
    unsigned char out[OUT_BYTES];
};

static int64_t count_lines(const unsigned char *at, size_t len)
{
    int64_t lines = 0;
    for (size_t i = 0; i < len; i++) /* the compiler makes vectors of it */
        lines += at[i] == '\n';
    return lines;
}

static void take(unpack *u, const unsigned char *at, size_t len)
{
    if (len == 0)
        return;
#ifdef HAVE_ISAL
    u->now.crc = crc32_gzip_refl(u->now.crc, at, len);
#else
    u->now.crc = (uint32_t)crc32_z(u->now.crc, at, len);
#endif
    u->now.lines += count_lines(at, len);
    u->now.raw_bytes += (int64_t)len;
    u->now.ends_in_newline = at[len - 1] == '\n';
    if (u->into)
        (void)grow_put(u->into, ss_s((const char *)at, len));
}

#ifdef HAVE_ISAL
static void member_begin(unpack *u)
{
    isal_inflate_init(&u->stream);
    u->stream.crc_flag = ISAL_GZIP;
}

/* Some of the input; *ended: the member's last byte was met. false: it is damaged. */
static bool member_step(unpack *u, const unsigned char **at, size_t *len, bool *ended, bool *more)
{
    struct inflate_state *s = &u->stream;
    s->next_in = (uint8_t *)(uintptr_t)*at;
    s->avail_in = (uint32_t)*len;
    s->next_out = u->out;
    s->avail_out = sizeof u->out;
    int rc = isal_inflate(s);
    *at = s->next_in;
    *len = s->avail_in;
    take(u, u->out, sizeof u->out - s->avail_out);
    *ended = s->block_state == ISAL_BLOCK_FINISH;
    *more = s->avail_out == 0;
    return rc == ISAL_DECOMP_OK || rc == ISAL_END_INPUT || rc == ISAL_OUT_OVERFLOW;
}

static void stream_free(unpack *u)
{
    (void)u;
}
#else
static void member_begin(unpack *u)
{
    if (u->made)
        (void)inflateReset(&u->stream);
    else
        u->made = inflateInit2(&u->stream, 15 + 16) == Z_OK;
}

static bool member_step(unpack *u, const unsigned char **at, size_t *len, bool *ended, bool *more)
{
    z_stream *s = &u->stream;
    if (!u->made)
        return false;
    s->next_in = (Bytef *)(uintptr_t)*at;
    s->avail_in = (uInt)*len;
    s->next_out = u->out;
    s->avail_out = sizeof u->out;
    int rc = inflate(s, Z_NO_FLUSH);
    *at = s->next_in;
    *len = s->avail_in;
    take(u, u->out, sizeof u->out - s->avail_out);
    *ended = rc == Z_STREAM_END;
    *more = s->avail_out == 0;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

static void stream_free(unpack *u)
{
    if (u->made)
        (void)inflateEnd(&u->stream);
}
#endif

unpack *unpack_new(void)
{
    return calloc(1, sizeof(unpack));
}

void unpack_free(unpack *u)
{
    if (u)
        stream_free(u);
    free(u);
}

void unpack_begin(unpack *u, bool gzip)
{
    u->now = (unpacked){.ends_in_newline = true};
    u->gzip = gzip;
    u->inside = false;
}

void unpack_into(unpack *u, grow *out)
{
    u->into = out;
}

bool unpack_add(unpack *u, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    bool ended = false, more = false;
    if (!u->gzip) {
        take(u, at, len);
        return true;
    }
    while (len > 0 || more) {
        if (!u->inside)
            member_begin(u);
        u->inside = true;
        if (!member_step(u, &at, &len, &ended, &more))
            return false;
        if (ended) {
            u->inside = false;
            more = false;
        }
    }
    return true;
}

bool unpack_end(unpack *u, unpacked *out)
{
    *out = u->now;
    return !u->inside;
}

uint32_t crc_join(uint32_t first, uint32_t second, int64_t second_bytes)
{
    return (uint32_t)crc32_combine(first, second, (z_off_t)second_bytes);
}

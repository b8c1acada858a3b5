/* A segment file's bytes, as docs/journal-format.md describes them: the structs, and the checks that say
   whether the bytes at a place are what they claim to be. Nothing here does I/O. */
#ifndef JOURNAL_FORMAT_H
#define JOURNAL_FORMAT_H

#include "core/journal/crc.h"
#include "core/journal/record.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the journal's format is little-endian; this machine needs byte swaps in core/journal/format.h"
#endif

#define JOURNAL_FORMAT_VERSION    1u
#define JOURNAL_HEAD_COPY_BYTES   4096u /* the segment head stands twice, in two disk blocks */
#define JOURNAL_HEAD_BYTES        (2u * JOURNAL_HEAD_COPY_BYTES)
#define JOURNAL_FRAME_BODY_MAX    (4u * 1024 * 1024) /* a larger single request has a frame of its own */
#define JOURNAL_BATCH_MAX         (256u * 1024 * 1024)
#define JOURNAL_META_BODY_MAX     (64u * 1024)          /* dictionary, positions: split into several frames */
#define JOURNAL_POSITIONS_MAX     1024u                 /* pull sources, with all their parts      */
#define JOURNAL_POSITION_MAX      4096u                 /* bytes of one source's position          */
#define JOURNAL_PLACES_MAX_BYTES  JOURNAL_META_BODY_MAX /* of one batch: they stand in one frame */
#define JOURNAL_SOURCES_MAX       65535u
#define JOURNAL_PAIRS_MAX         1024u /* (source, app) pairs counted by name in one segment */
#define JOURNAL_SEGMENT_BYTES_MIN (32u * 1024)
#define JOURNAL_SEGMENT_MAGIC     "SSJRNL1\n"
#define JOURNAL_FRAME_MAGIC       0x464a5353u /* "SSJF" */
#define JOURNAL_TRAILER_MAGIC     0x544a5353u /* "SSJT" */
#define JOURNAL_LOCATOR_MAGIC     0x4c4a5353u /* "SSJL" */

typedef struct journal_segment_head {
    char magic[8];
    uint32_t version;
    uint32_t head_bytes; /* where the first frame begins */
    uint64_t journal_id, segment_id;
    uint64_t segment_key; /* random: no frame of the file's former life can be taken for one of this */
    uint64_t first_seq;
    uint64_t prev_segment_id, prev_end_offset, prev_end_seq; /* what follows there does not count */
    uint64_t segment_bytes;
    int64_t created_us;
    uint64_t spare[4];
    uint32_t spare32;
    uint32_t crc; /* of all before it */
} journal_segment_head;
_Static_assert(sizeof(journal_segment_head) == 128, "the journal's format is fixed");

enum journal_frame_type {
    JOURNAL_FRAME_RECORDS = 1,
    JOURNAL_FRAME_DICTIONARY = 2,
    JOURNAL_FRAME_POSITIONS = 3,
    JOURNAL_FRAME_FOOTER = 4
};

typedef struct journal_frame_head {
    uint32_t magic;
    uint16_t type, flags;
    uint64_t segment_id, segment_key;
    uint64_t first_seq;      /* of the first record; other frames: the next record's            */
    uint32_t count;          /* records or entries                                              */
    uint32_t body_bytes;     /* multiple of 8                                                   */
    uint32_t position_bytes; /* between head and body, multiple of 8; records only              */
    uint32_t commit_delta;   /* first_seq minus the first seq that was synced together with it  */
    int64_t commit_us;
    uint32_t extra_crc; /* of the positions (records), of the body (others)                     */
    uint32_t crc;       /* of all before it                                                     */
} journal_frame_head;
_Static_assert(sizeof(journal_frame_head) == 64, "the journal's format is fixed");

typedef struct journal_frame_trailer {
    uint32_t magic;
    uint32_t count; /* records; 0 in other frames, whose loss costs no record */
    uint64_t segment_key, first_seq;
    uint32_t body_bytes;
    uint32_t crc; /* of all before it */
} journal_frame_trailer;
_Static_assert(sizeof(journal_frame_trailer) == 32, "the journal's format is fixed");

#define JOURNAL_FRAME_OVERHEAD (sizeof(journal_frame_head) + sizeof(journal_frame_trailer))

typedef struct journal_dictionary_entry { /* then name, version, padding to 8 */
    uint16_t source, name_len, version_len, spare;
    uint32_t schema_rev, spare32;
    uint64_t catalog_hash;
} journal_dictionary_entry;
_Static_assert(sizeof(journal_dictionary_entry) == 24, "the journal's format is fixed");

typedef struct journal_position_entry { /* then source, position, padding to 8 */
    uint16_t source_len, spare;
    uint32_t position_len;
} journal_position_entry;
_Static_assert(sizeof(journal_position_entry) == 8, "the journal's format is fixed");

typedef struct journal_footer {   /* then pairs, dictionary entries, position entries */
    uint64_t first_seq, last_seq; /* last < first: no records */
    int64_t event_min_us, event_max_us, receive_min_us, receive_max_us;
    uint64_t records, damaged;
    uint32_t pair_bytes, dictionary_bytes, position_bytes, pair_count;
} journal_footer;
_Static_assert(sizeof(journal_footer) == 80, "the journal's format is fixed");

typedef struct journal_pair { /* then app, padding to 8 */
    uint64_t records;
    uint16_t source, app_len;
    uint32_t spare;
} journal_pair;
_Static_assert(sizeof(journal_pair) == 16, "the journal's format is fixed");

typedef struct journal_locator {  /* the last bytes of a sealed segment's file */
    uint32_t magic, footer_bytes; /* whole frame */
    uint64_t segment_id, segment_key, footer_offset, last_seq, spare[2];
    uint32_t spare32, crc;
} journal_locator;
_Static_assert(sizeof(journal_locator) == 64, "the journal's format is fixed");

#define FORMAT_CRC_OF(p) journal_crc32c(0, (p), sizeof *(p) - sizeof(uint32_t)) /* crc is the last member */

static inline uint64_t format_frame_bytes(const journal_frame_head *h)
{
    return JOURNAL_FRAME_OVERHEAD + (uint64_t)h->position_bytes + h->body_bytes;
}

static inline bool format_head_ok(const journal_segment_head *h)
{
    return memcmp(h->magic, JOURNAL_SEGMENT_MAGIC, sizeof h->magic) == 0 && h->crc == FORMAT_CRC_OF(h);
}

/* Whole and of sane measures, whatever segment it belongs to. */
static inline bool format_frame_sane(const journal_frame_head *h)
{
    return h->magic == JOURNAL_FRAME_MAGIC && h->crc == FORMAT_CRC_OF(h) && h->body_bytes % 8 == 0 &&
           h->position_bytes % 8 == 0 && h->type >= JOURNAL_FRAME_RECORDS &&
           h->type <= JOURNAL_FRAME_FOOTER && h->first_seq <= UINT64_MAX / 2 &&
           h->commit_delta <= h->first_seq && h->position_bytes <= 2 * JOURNAL_META_BODY_MAX &&
           h->body_bytes <= JOURNAL_BATCH_MAX &&
           (h->type != JOURNAL_FRAME_RECORDS || (h->count > 0 && h->body_bytes / 48 >= h->count));
}

static inline bool format_frame_ok(const journal_frame_head *h, const journal_segment_head *s)
{
    return format_frame_sane(h) && h->segment_id == s->segment_id && h->segment_key == s->segment_key;
}

static inline bool format_trailer_ok(const journal_frame_trailer *t, const journal_segment_head *s)
{
    return t->magic == JOURNAL_TRAILER_MAGIC && t->segment_key == s->segment_key &&
           t->crc == FORMAT_CRC_OF(t);
}

static inline uint32_t format_trailer_count(const journal_frame_head *h)
{
    return h->type == JOURNAL_FRAME_RECORDS ? h->count : 0;
}

static inline bool format_trailer_matches(const journal_frame_trailer *t, const journal_frame_head *h,
                                          const journal_segment_head *s)
{
    return format_trailer_ok(t, s) && t->count == format_trailer_count(h) && t->first_seq == h->first_seq &&
           t->body_bytes == h->body_bytes;
}

/* The lengths agree with each other; the bytes behind the head are not looked at. */
static inline bool format_record_sane(const journal_record_head *h)
{
    return h->length <= JOURNAL_RECORD_MAX && h->json_len <= JOURNAL_RECORD_MAX &&
           h->length >= sizeof *h + h->app_len + h->type_len + h->id_len + h->key_len + h->json_len;
}

static inline uint32_t format_record_crc(const journal_record_head *h)
{
    return journal_crc32c(0, (const char *)h + 8, h->length - 8u);
}

void format_frame_seal(journal_frame_head *head,
                       journal_frame_trailer *trailer); /* fills crc and the trailer */

#endif

/* A record as it stands in a frame: little-endian, described in docs/journal-format.md.
   The pipeline writes everything but seq and crc into its stage; the committer adds those two. */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "streamsteam/plugin.h"

typedef struct journal_record_head {
    uint32_t length; /* of the whole record without padding; records start at multiples of 8   */
    uint32_t crc;    /* CRC32C over everything after this field, up to length                   */
    uint64_t seq;
    int64_t receive_us;
    int64_t event_us;
    uint16_t source; /* receiver number, see the segment's dictionary                           */
    uint16_t flags;  /* enum journal_record_flag                                                */
    uint16_t app_len, type_len, id_len, key_len; /* the bytes follow the head in this order ...    */
    uint32_t json_len; /* ... and then the line; what is left up to length is aside: not of the line */
    /* 48 bytes */
} journal_record_head;
_Static_assert(sizeof(journal_record_head) == 48, "the journal's format is fixed");

enum journal_record_flag {
    JOURNAL_REQUEST_END = 1u,   /* the last record of its request                          */
    JOURNAL_REQUEST_BEGIN = 2u, /* the first one; the committer sets it                    */
    JOURNAL_RECORD_FAILED = 4u  /* not an event: an input that could not become one        */
};

#define JOURNAL_NAME_MAX   256u               /* app, type, id, key: longer ones are cut by the pipeline */
#define JOURNAL_RECORD_MAX (2u * 1024 * 1024) /* bytes of one record                                    */
#define JOURNAL_ALIGN(n)   (((n) + 7u) & ~(size_t)7u)

#endif

#include "core/journal/format.h"

void format_frame_seal(journal_frame_head *head, journal_frame_trailer *trailer)
{
    head->magic = JOURNAL_FRAME_MAGIC;
    head->crc = FORMAT_CRC_OF(head);
    *trailer = (journal_frame_trailer){.magic = JOURNAL_TRAILER_MAGIC,
                                       .count = format_trailer_count(head),
                                       .segment_key = head->segment_key,
                                       .first_seq = head->first_seq,
                                       .body_bytes = head->body_bytes};
    trailer->crc = FORMAT_CRC_OF(trailer);
}

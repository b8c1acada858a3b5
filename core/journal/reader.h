/* Reading a journal, live or dead: module processes, `tail`, `journal dump`. Reads with pread into a buffer
   of its own: a segment may be recycled under a reader that is too late, and that must be seen, not crash. */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "core/base/error.h"
#include "core/journal/record.h"

typedef struct journal_reader journal_reader;

enum journal_read {
    JOURNAL_READ_RECORD = 1,  /* *out is filled; its slices stay valid until journal_reader_release()     */
    JOURNAL_READ_END = 2,     /* nothing more up to limit                                                 */
    JOURNAL_READ_GAP = 3,     /* records from..through are gone (expired): count them                     */
    JOURNAL_READ_DAMAGED = 4, /* records from..through cannot be read: count them                         */
    JOURNAL_READ_FULL = 5,    /* the buffer holds no more: deliver what you have, release, go on          */
    JOURNAL_READ_ERROR = 6    /* err says what; try again later                                           */
};

typedef struct journal_item {
    ss_record record;       /* seq, times, names, json; body, flags, attempt are the caller's               */
    uint64_t from, through; /* GAP, DAMAGED                                                               */
    uint32_t record_flags;  /* enum journal_record_flag                                                   */
} journal_item;

/* Starts after `after_seq`. buffer_bytes: how much unreleased data it may hold (at least one record). */
journal_reader *journal_reader_open(const char *dir, uint64_t after_seq, size_t buffer_bytes, ss_error *err);
enum journal_read journal_reader_next(journal_reader *r, uint64_t limit_seq, journal_item *out,
                                      ss_error *err);
/* All slices handed out so far become invalid; the buffer is free again. */
void journal_reader_release(journal_reader *r);
void journal_reader_close(journal_reader *r);
uint64_t journal_reader_id(const journal_reader *r); /* the journal's random id */

#endif

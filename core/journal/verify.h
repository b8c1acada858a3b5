/* Reads every byte of a journal, live or dead, and says what is not as it should be. Changes nothing. */
#ifndef JOURNAL_VERIFY_H
#define JOURNAL_VERIFY_H

#include "core/base/error.h"

typedef struct verify_result {
    uint64_t segments, records, frames;
    uint64_t damaged;    /* records that cannot be read                              */
    uint64_t missing;    /* records between two segments that follow each other      */
    uint64_t bad_heads;  /* segments whose head, or one copy of it, cannot be read   */
    uint64_t bad_pages;  /* the disk could not read them                             */
    uint64_t torn_bytes; /* of an unfinished write at the end: normal after a crash  */
} verify_result;

/* tell: one sentence for each finding. Returns 0, or -1 with err where there is no journal. */
int journal_verify(const char *dir, void (*tell)(void *arg, const char *text), void *arg, verify_result *out,
                   ss_error *err);
bool verify_clean(const verify_result *r);

#endif

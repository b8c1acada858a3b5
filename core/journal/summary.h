/* What the segments of a journal hold, for retirement, `journal stat`, `ledger --verify`. */
#ifndef JOURNAL_SUMMARY_H
#define JOURNAL_SUMMARY_H

#include "core/base/error.h"
#include "core/journal/scan.h"
#include "core/journal/writer.h"

/* Where a segment ends, as the next one's head says. */
scan_bound summary_bound(int dirfd, uint64_t id);
/* Facts of one segment: its footer, or a scan up to the bound. NULL: unreadable. */
segment_facts *summary_facts(int fd, const journal_segment_head *head, scan_bound bound);
/* Calls fn with the summary of these facts. Returns what fn returns; -1 out of memory. */
int summary_call(const segment_facts *facts, const journal_segment_head *head, uint64_t file_bytes,
                 int (*fn)(void *arg, const journal_segment_summary *), void *arg);

/* Visits every segment of a live or dead journal, oldest first, until fn returns non-zero (which is then
   returned). Segments without a footer are scanned: in a live journal the newest records may not be durable
   yet. A segment whose head is unreadable is visited with records == 0 and damaged == 0, counts empty,
   journal_id 0. -1 with err: no such journal. */
int journal_summaries(const char *dir, int (*fn)(void *arg, const journal_segment_summary *), void *arg,
                      ss_error *err);
/* The number of the last record that is complete on disk. For dead journals: the limit to read up to. */
int journal_last_seq(const char *dir, uint64_t *first_seq, uint64_t *last_seq, ss_error *err);
/* The id of a journal's directory; 0: none. *from_file (may be NULL): false where its file is lost or damaged
   and the newest segment told it. */
uint64_t journal_directory_id(int dirfd, bool *from_file);
int journal_directory_set_id(const char *dir, uint64_t id); /* the LOCK must be held */
/* A new random id (never 0); 0 on failure. */
uint64_t journal_new_id(void);
/* Takes DIR/LOCK; waits when `wait`, else -1 with EWOULDBLOCK. Returns the descriptor that holds it. */
int journal_lock(int dirfd, bool wait);

#endif

/* Segment files in a journal's directory: their names, heads, footers. No thread of its own; the functions
   take the directory's or the file's descriptor and keep nothing. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/journal/counts.h"
#include "core/journal/names.h"

#define SEGMENT_NAME_BYTES   32u
#define SEGMENT_LEFT_OUT_MAX ((size_t)64 * 1024 * 1024) /* the smallest records of the largest frame */
#define SEGMENT_FOOTER_MAX   ((size_t)96 * 1024 * 1024) /* 65,535 receivers with the longest names */

typedef struct segment_list {
    uint64_t *ids; /* owned, ascending */
    size_t count;
} segment_list;

void segment_name(char out[SEGMENT_NAME_BYTES], uint64_t id);
bool segment_name_id(const char *name, uint64_t *id); /* false: not a segment's name */
int segment_list_read(int dirfd, segment_list *out);
void segment_list_free(segment_list *list);
int segment_open(int dirfd, uint64_t id, int flags);

enum segment_head_state { SEGMENT_HEAD_OK = 0, SEGMENT_HEAD_REBUILT = 1, SEGMENT_HEAD_BAD = -1 };

/* Reads either copy of the head; where both are damaged, takes what the first good frame says (that frame's
   segment has an unknown predecessor: prev_segment_id 0). */
int segment_head_read(int fd, uint64_t id, journal_segment_head *out);
void segment_head_write(const journal_segment_head *head, buf *out); /* appends both copies; fills the CRC */
/* Appends one frame that is not of records. */
void segment_meta_write(const journal_segment_head *head, uint16_t type, uint64_t next_seq, uint32_t count,
                        const char *body, size_t len, buf *out);

/* What a segment's footer says, or what a scan of it found. */
typedef struct segment_facts {
    journal_footer footer;
    buf pairs; /* journal_pair entries */
    /* For the scan of recovery: a request in a damaged frame that may never have been synced counts whole
       or not at all. The scan leaves here the offsets (uint64_t) of whole records that do not count. */
    bool whole_requests;
    buf left_out;
    names_dictionary dictionary;
    names_positions positions;
    uint64_t end_offset; /* behind the last frame of records */
    bool sealed;         /* from a footer */
} segment_facts;

segment_facts *segment_facts_new(void); /* NULL: out of memory */
void segment_facts_free(segment_facts *f);
/* 0; -1: not sealed, or the footer is damaged (then scan). names: also fill dictionary and positions. */
int segment_footer_read(int fd, const journal_segment_head *head, bool names, segment_facts *out);
/* May a footer at offset be the segment's end? Not where locator and footer, both sound, say otherwise. */
bool segment_may_end_at(int fd, const journal_segment_head *head, uint64_t offset);
/* Writes footer and locator; does not sync. -1 with errno. */
int segment_footer_write(int fd, const journal_segment_head *head, const segment_facts *facts,
                         uint64_t file_bytes);
size_t segment_footer_bytes(const segment_facts *facts);

#endif

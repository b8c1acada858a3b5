/* What a segment's numbers stand for: the dictionary of receivers and the positions of pull sources, in
   memory and as entries in frames and footers. Not thread-safe. */
#ifndef JOURNAL_NAMES_H
#define JOURNAL_NAMES_H

#include "core/base/buf.h"
#include "core/journal/format.h"
#include "core/journal/writer.h"

typedef struct names_source {
    char *name, *version; /* owned; name == NULL: unknown number */
    uint16_t name_len, version_len;
    uint32_t schema_rev;
    uint64_t catalog_hash;
} names_source;

typedef struct names_dictionary {
    names_source *sources; /* by number; [0] stays unknown */
    uint32_t count;
} names_dictionary;

void names_dictionary_fini(names_dictionary *d);
int names_dictionary_set(names_dictionary *d, uint32_t number, const journal_source *source); /* -1: memory */
int names_dictionary_find(const names_dictionary *d, ss_str name);                            /* -1: none  */
void names_dictionary_put(const names_dictionary *d, uint32_t number, buf *out);
size_t names_dictionary_entry_bytes(const names_dictionary *d, uint32_t number);
/* Entries of a frame or footer; false where they do not add up (what was good is kept). */
bool names_dictionary_read(names_dictionary *d, const char *bytes, size_t len);
/* Walks entries without storing them. *at moves on; false at the end or where it does not add up. */
bool names_dictionary_next(const char *bytes, size_t len, size_t *at, uint32_t *number, journal_source *out);

typedef struct names_position {
    char *source, *position; /* owned */
    uint32_t source_len, position_len;
} names_position;

typedef struct names_positions {
    names_position items[JOURNAL_POSITIONS_MAX];
    uint32_t count;
} names_positions;

void names_positions_fini(names_positions *p);
const names_position *names_positions_find(const names_positions *p, ss_str source);
int names_positions_set(names_positions *p, ss_str source,
                        ss_str position); /* -1: too many, too long, memory */
void names_position_put(ss_str source, ss_str position, buf *out);
size_t names_position_bytes(ss_str source, ss_str position);
bool names_positions_read(names_positions *p, const char *bytes, size_t len);

#endif

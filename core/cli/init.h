/* streamsteam init: configurations of the systems that StreamSteam takes the place of, translated. Each key
   of theirs gets one line that says what became of it; nothing is dropped in silence, and no secret is
   printed. */
#ifndef CLI_INIT_H
#define CLI_INIT_H

#include "core/config/problems.h"

#define INIT_SOURCE_BYTES_MAX (1u << 20)
#define INIT_YAML_BYTES_MAX   (1u << 20)
#define INIT_NOTES_BYTES_MAX  (1u << 20)

enum init_fate { INIT_MAPPED, INIT_WARNED, INIT_REFUSED, INIT_FATES };

typedef struct init_notes {
    buf text; /* "FILE:LINE: mapped KEY: what became of it", one a line */
    size_t counts[INIT_FATES];
} init_notes;

void init_notes_init(init_notes *n);
void init_notes_fini(init_notes *n);
/* line 0: of the file as a whole. key: of the source, or NULL. */
void init_note(init_notes *n, place at, enum init_fate fate, const char *key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* From text, which stood in file, to YAML in out. What was refused is counted in the notes: then out is of no
   use. */
void init_from_guidance(const char *file, ss_str text, init_notes *n, buf *out);
void init_from_streamsteam(const char *file, ss_str text, init_notes *n, buf *out);

/* The lines that every configuration begins with. */
void init_put_head(buf *out, const char *title, const char *data_dir);

#endif

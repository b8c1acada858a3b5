/* A unit: files that become one. Each step is whole or not there, each can be done again:
     made      the new file under its hidden name, then the unit's manifest: readers of manifests change over
     published the file under its final name, then the old ones go: readers of folders change over
     finished  the hidden name goes
   A life that ends in between leaves what unit_clean() takes away, or what the next one goes on with. */
#ifndef COMPACT_UNIT_H
#define COMPACT_UNIT_H

#include "modules/compact/convert.h"
#include "modules/compact/plan.h"

typedef struct unit_work {
    lake_index *x;
    copier copier;
    converter converter;
    bool parquet; /* what becomes of lines */
    const ss_host *host;
    size_t bad; /* with COPY_DAMAGED: the file's place in the index */
} unit_work;

enum copy_result unit_make(unit_work *w, const plan_unit *u, ss_error *err);
/* at: its place in the index's units. */
bool unit_publish(unit_work *w, size_t at, ss_error *err);
bool unit_finish(unit_work *w, size_t at, ss_error *err);
/* Temporary files, and hidden ones that no unit names. Only while the lake is locked and the index fresh. */
void unit_clean(unit_work *w);

#endif

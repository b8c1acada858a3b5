/* Files of the lake that a compaction replaced and removed (docs/compaction.md): what stands in their place,
   where it holds the same lines and no others. One thread. */
#ifndef SPARK_COMPACTED_H
#define SPARK_COMPACTED_H

#include "modules/spark/lake.h"

typedef struct compacted compacted;

/* Reads _compact/ of the lake, which need not be there. NULL: err says why. */
compacted *compacted_read(const char *lake, ss_error *err);
void compacted_free(compacted *c);
/* One file that is gone. false: no compaction has it. */
bool compacted_want(compacted *c, ss_str path);
/* What stands for all that were wanted. false: visit said so, or one of them holds what was not wanted, and
   err says which. */
bool compacted_each(compacted *c, bool (*visit)(void *arg, ss_str path), void *arg, ss_error *err);

#endif

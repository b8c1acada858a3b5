/* A backfill from the files of a lake, for times that the journal does not have any more. A line becomes a
   record again, as far as it says what its record said (line.h). It has no number: every document has that of
   the newest cut's last record. What the module said with fewer events has a lower one; what it says with
   later events, which no file has yet, has a higher one. */
#ifndef WINDOWS_LAKE_H
#define WINDOWS_LAKE_H

#include "modules/windows/windows.h"

/* In the verb's process, with an instance of its own. SS_OK with result; SS_REJECT with err. */
int32_t windows_from_lake(windows *w, const windows_lake *ask, windows_lake_result *result, ss_error *err);

#endif

/* A backfill from the files of a lake, for times that the journal does not have any more. A line becomes a
   record again, as far as it says what its record said (line.h). It has no number: every document has that of
   the newest cut's last record. What the module said with fewer events has a lower one; what it says with
   later events, which no file has yet, has a higher one. */
#ifndef WINDOWS_LAKE_H
#define WINDOWS_LAKE_H

#include "modules/windows/windows.h"

/* NULL: it is not asked for. */
windows_lake_sink *lake_sink_of(const ss_sink *sink);
/* In the verb's process, with an instance of its own. SS_OK with result, through and lines; SS_REJECT with
 * err. */
int32_t windows_from_lake(windows *w, windows_lake_sink *asked, ss_error *err);

#endif

/* Parts that become Parquet files: DuckDB makes one of the lines of each when the cut is sealed. Results as
   in cut.h. */
#ifndef LAKE_COLUMNAR_H
#define LAKE_COLUMNAR_H

#include "modules/lake/cut.h"

/* Its columns will be those of this receiver, too. false: no memory. */
bool columnar_note(cut_part *p, ss_str receiver);
/* Its written lines as the file that part_tmp() names, on disk synced, for S3 hashed. SS_RETRY without a
   text: it goes on with the next call. */
int32_t columnar_convert(cut *c, cut_part *p, int64_t deadline_us, ss_error *err);
void columnar_forget(const cut *c, cut_part *p); /* the file of its lines goes */
void columnar_stop(cut *c);                      /* what is under way is given up */
void columnar_close(cut *c);                     /* DuckDB's memory goes back */

#endif

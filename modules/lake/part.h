/* One partition of a cut: lines in a buffer, compressed piece by piece into a temporary file. Results as in
   cut.h. */
#ifndef LAKE_PART_H
#define LAKE_PART_H

#include "modules/lake/cut.h"

void part_free(cut_part *p);
void part_tmp(const cut *c, const cut_part *p, char out[PATH_MAX]); /* its temporary file */
/* Room for so many bytes behind lines_len. */
int32_t part_room(cut *c, cut_part *p, size_t need, ss_error *err);
/* Of a part that becomes Parquet: the file of its lines. */
void part_lines_tmp(const cut *c, const cut_part *p, char out[PATH_MAX]);
/* The file is whole: on disk synced, for S3 hashed. SS_RETRY without a text: the time until the deadline was
   not enough, it goes on with the next call. */
int32_t part_close(cut *c, cut_part *p, int64_t deadline_us, ss_error *err);

#endif

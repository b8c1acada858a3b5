/* Hive's types: may a column become wider, and what does it become? */
#ifndef GLUE_TYPES_H
#define GLUE_TYPES_H

#include "plugins/common/buf.h"

enum types_change { TYPES_SAME = 0, TYPES_WIDER = 1, TYPES_CONFLICT = 2 };

/* have: what the table says; want: what the catalog says. out gets the type that serves both: have's own
   unless it has to be wider (int to bigint, float to double, varchar to string, a struct with more fields).
 */
enum types_change types_widen(ss_str have, ss_str want, buf *out);

#endif

/* Which partition of the cut a record belongs to: a small cache by what decides, then a table by directory.
 */
#ifndef LAKE_ROUTE_H
#define LAKE_ROUTE_H

#include "modules/lake/cut.h"

cut_part *route_part(cut *c, const ss_record *r); /* made where it is new; NULL: out of memory */
void route_clear(cut *c);                         /* forgets all: the partitions are gone */

#endif

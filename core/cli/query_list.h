/* What can be asked: the saved queries, and the tables and views of a warehouse. To standard output. */
#ifndef CLI_QUERY_LIST_H
#define CLI_QUERY_LIST_H

#include "plugins/common/warehouse_read.h"

void query_list_saved(void);
warehouse_rows query_list_rows(void); /* prints what warehouse_relations() finds */

#endif

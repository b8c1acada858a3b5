#include "modules/warehouse/views.h"

const warehouse_view warehouse_views[] = {
    {.name = "total_events",
     .sqlite = "SELECT application_id, count(DISTINCT event_id) AS event_count FROM {table} GROUP BY "
               "application_id",
     .postgres = "SELECT application_id, count(DISTINCT event_id) AS event_count FROM {table} GROUP BY "
                 "application_id",
     .columns = "application_id event_id"},
    {.name = NULL},
};

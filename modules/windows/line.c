#include "modules/windows/line.h"

#include <stddef.h>

const char *const line_fields[LINE_PARTS][LINE_FIELDS_MAX] = {
    [LINE_APP] = {"application_id", "site_id", "app_id", NULL},
    [LINE_TYPE] = {"event_type", NULL},
    [LINE_ID] = {"event_id", NULL},
    [LINE_KEY] = {NULL},
    [LINE_RECEIVER] = {NULL},
    [LINE_TIME] = {"event_timestamp", "event_datetime", "event_time", NULL},
    [LINE_ARRIVAL] = {"received_at", "metadata.processing_timestamp", NULL}};

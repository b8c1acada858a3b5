/* Options of the admin API: server.applications.api. */
#include "core/config/tables.h"

#define SECOND_MS 1000LL
#define HOUR_MS   (3600LL * SECOND_MS)

const ss_option tables_api[] = {
    {.name = "stage",
     .type = SS_T_STRING,
     .dflt = "live",
     .doc = "The admin API answers below /STAGE of the public listeners; letters, digits, _ and -."},
    {.name = "bearer_token",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "Whoever sends Authorization: Bearer with this (16 characters at least) may do everything; "
            "without it, only access keys of "
            "`streamsteam iam` are let in."},
    {.name = "region",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "The region that signatures must be made for; empty = any."},
    {.name = "clock_skew",
     .type = SS_T_DURATION,
     .dflt = "5m",
     .min = SECOND_MS,
     .max = HOUR_MS,
     .doc = "How far the clocks of who signs and of this server may be apart."},
    {.name = "refuse_replays",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc =
         "A signed POST or PUT is accepted once; false: as often as it comes within its time, as AWS does."},
    {.name = NULL},
};

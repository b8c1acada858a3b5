/* Options of the application store and the authorizer: server.applications. */
#include "core/config/tables.h"

#define SECOND_MS 1000LL
#define DAY_MS    (24LL * 3600LL * SECOND_MS)
#define LIMIT_MAX 1000000000000LL

static const ss_option postgres_options[] = {
    {.name = "connection",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "How libpq connects: postgresql://USER:PASSWORD@HOST/DATABASE, or host=... dbname=...; the "
            "tables are "
            "made there."},
    {.name = "poll",
     .type = SS_T_DURATION,
     .dflt = "1s",
     .min = 50,
     .max = 600 * SECOND_MS,
     .doc = "How often this node asks for changes that other nodes made."},
    {.name = NULL},
};

static const ss_option dynamodb_options[] = {
    {.name = "applications_table",
     .type = SS_T_STRING,
     .dflt = "Applications",
     .doc = "The table of applications; the guidance's stack names it in its output ApplicationsTableName."},
    {.name = "authorizations_table",
     .type = SS_T_STRING,
     .dflt = "Authorizations",
     .doc = "The table of keys, with its index ApplicationAuthorizations."},
    {.name = "region",
     .type = SS_T_STRING,
     .doc = "The AWS region, as eu-central-1; without it AWS_REGION, AWS_DEFAULT_REGION or the profile's."},
    {.name = "endpoint",
     .type = SS_T_URL,
     .doc = "Another address of the service, as http://localhost:8000; without it AWS_ENDPOINT_URL_DYNAMODB, "
            "AWS_ENDPOINT_URL, the profile's, or AWS's own."},
    {.name = "profile",
     .type = SS_T_STRING,
     .doc = "The profile of ~/.aws/config and ~/.aws/credentials; without it the usual AWS chain."},
    {.name = "poll",
     .type = SS_T_DURATION,
     .dflt = "10s",
     .min = 200,
     .max = 600 * SECOND_MS,
     .doc = "How often this node reads both tables for changes that others made; AWS bills each reading by "
            "the tables' size."},
    {.name = NULL},
};

/* The same three for applications and for keys. */
static const ss_option limit_options[] = {
    {.name = "rate",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = LIMIT_MAX,
     .doc = "Events a second on average; more are throttled. 0 = no limit."},
    {.name = "burst",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = LIMIT_MAX,
     .doc = "Events that may come at once on top of the average; 0 = as many as a second's worth."},
    {.name = "quota",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = LIMIT_MAX,
     .doc = "Events a day, which begins at 00:00 UTC; 0 = no limit."},
    {.name = NULL},
};

const ss_option tables_applications[] = {
    {.name = "store",
     .type = SS_T_ENUM,
     .dflt = "sqlite",
     .choices = "sqlite|postgres|dynamodb|none",
     .doc = "Where applications and keys are kept: sqlite = a file of this node, postgres = a database that "
            "several "
            "nodes share, dynamodb = the guidance's own two tables, none = nowhere, receivers that ask for "
            "keys refuse everything."},
    {.name = "path",
     .type = SS_T_PATH,
     .dflt = "applications.db",
     .doc = "The SQLite file; a relative one is in data_dir. It holds keys: only the server's user may read "
            "it."},
    {.name = "postgres",
     .type = SS_T_OBJECT,
     .children = postgres_options,
     .doc = "The database behind store: postgres."},
    {.name = "dynamodb",
     .type = SS_T_OBJECT,
     .children = dynamodb_options,
     .doc = "The tables behind store: dynamodb; path is then this node's copy of them, with its own access "
            "keys and counts."},
    {.name = "keys",
     .type = SS_T_ENUM,
     .dflt = "clear",
     .choices = "clear|hashed",
     .doc =
         "How new keys are kept: clear = lists show them as the guidance does, hashed = a key is shown once, "
         "when it is made, and only its first characters afterwards."},
    {.name = "authorizer_ttl",
     .type = SS_T_DURATION,
     .dflt = "300s",
     .min = 0,
     .max = DAY_MS,
     .doc = "How long the answer to a key is remembered, allowed or not; 0s = not at all."},
    {.name = "authorizer_cache",
     .type = SS_T_ENUM,
     .dflt = "exact",
     .choices = "exact|seed",
     .doc = "exact = a change by an administrator holds at once, seed = remembered answers hold for the "
            "whole of "
            "authorizer_ttl, as API Gateway's do."},
    {.name = "per_application",
     .type = SS_T_OBJECT,
     .children = limit_options,
     .doc = "What each application may send that has no limits of its own (`streamsteam app set`)."},
    {.name = "per_key",
     .type = SS_T_OBJECT,
     .children = limit_options,
     .doc = "What may be sent with each key that has no limits of its own (`streamsteam key set`)."},
    {.name = "api",
     .type = SS_T_OBJECT,
     .children = tables_api,
     .doc = "The HTTP API that manages applications and keys."},
    {.name = NULL},
};

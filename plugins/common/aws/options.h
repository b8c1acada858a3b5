/* The options that every AWS plugin has, so that they are the same everywhere: put AWS_OPTIONS among the rows
   of the plugin's table, an aws_origin into the instance, and make the client from it.

       static const ss_option options[] = {AWS_OPTIONS, {.name = "stream", ...}, {0}};
       aws_settings s = aws_settings_of(&inst->aws_origin, host, cfg);
       inst->aws = aws_client_new(&s, err); */
#ifndef COMMON_AWS_OPTIONS_H
#define COMMON_AWS_OPTIONS_H

#include "plugins/common/aws/aws.h"

/* clang-format off */
#define AWS_OPTIONS \
    {.name = "region", .type = SS_T_STRING, .doc = "The AWS region, as eu-central-1; without it AWS_REGION, AWS_DEFAULT_REGION or the profile's."}, \
    {.name = "endpoint", .type = SS_T_URL, .doc = "Another address of the service, as http://localhost:4566; without it AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's, or AWS's own."}, \
    {.name = "profile", .type = SS_T_STRING, .doc = "The profile of ~/.aws/config and ~/.aws/credentials; named here it comes before the environment's keys."}, \
    {.name = "access_key", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "An access key id; with secret_key it comes before all other sources of credentials."}, \
    {.name = "secret_key", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "The secret of access_key; as ${file:PATH} it is read again at each renewal."}, \
    {.name = "session_token", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "The token of temporary keys in access_key and secret_key."}, \
    {.name = "role_arn", .type = SS_T_STRING, .doc = "A role to assume with the credentials that were found."}, \
    {.name = "role_session_name", .type = SS_T_STRING, .doc = "The session's name with role_arn, as it stands in CloudTrail; without it streamsteam and the process id."}, \
    {.name = "external_id", .type = SS_T_STRING, .doc = "The external id that the owner of role_arn asks for."}, \
    {.name = "ca_file", .type = SS_T_PATH, .doc = "Certificates of the authorities to trust, PEM; without it AWS_CA_BUNDLE, the profile's ca_bundle or the system's."}, \
    {.name = "fips", .type = SS_T_BOOL, .dflt = "false", .doc = "Use the service's FIPS endpoint."}, \
    {.name = "dual_stack", .type = SS_T_BOOL, .dflt = "false", .doc = "Use the service's endpoint with IPv4 and IPv6."}, \
    {.name = "max_attempts", .type = SS_T_INT, .min = 0, .max = AWS_ATTEMPTS_MAX, .dflt = "0", .doc = "How often one call is sent at the most before the server's own retries take over; 0 = AWS_MAX_ATTEMPTS, the profile's or 3."}, \
    {.name = "connect_timeout", .type = SS_T_DURATION, .min = 100, .max = 60000, .dflt = "5s", .doc = "How long making a connection may take."}, \
    {.name = "timeout", .type = SS_T_DURATION, .min = 100, .max = 600000, .dflt = "30s", .doc = "How long one attempt of a call may take as a whole."}
/* clang-format on */

typedef struct aws_origin { /* lives as long as the client */
    const ss_host *host;
    const ss_config *cfg;
} aws_origin;

aws_settings aws_settings_of(aws_origin *origin, const ss_host *host, const ss_config *cfg);

#endif

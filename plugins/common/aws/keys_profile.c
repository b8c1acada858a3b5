/* Credentials of a profile: a role that it assumes, keys that stand in it, or a program that it names. */
#include "plugins/common/aws/inside.h"

#define DEPTH_MAX 5u /* source_profile of source_profile of ... */

static int32_t of_source(const aws_keys_from *from, const char *profile, const char *source, uint32_t depth,
                         aws_keys_found *out, ss_error *err)
{
    if (depth == DEPTH_MAX)
        return ss_fail(err, SS_PAUSE,
                       "profile %s: source_profile leads to more than %u profiles, or in a circle", profile,
                       DEPTH_MAX);
    int32_t rc = SS_DECLINE;
    /* A role may name its own profile as the source: the keys that stand beside it. */
    if (strcmp(profile, source) != 0)
        rc = aws_keys_profile(from, source, depth + 1, out, err);
    else if (depth > 0)
        return ss_fail(err, SS_PAUSE, "profile %s: source_profile leads in a circle", profile);
    return rc;
}

static int32_t of_credential_source(const aws_keys_from *from, const char *profile, const char *source,
                                    aws_keys_found *out, ss_error *err)
{
    if (strcmp(source, "Environment") == 0)
        return aws_keys_environment(from, out, err);
    if (strcmp(source, "EcsContainer") == 0)
        return aws_keys_container(from, out, err);
    if (strcmp(source, "Ec2InstanceMetadata") == 0)
        return aws_keys_instance(from, out, err);
    return ss_fail(
        err, SS_PAUSE,
        "profile %s: credential_source is \"%.60s\", not Environment, EcsContainer or Ec2InstanceMetadata",
        profile, source);
}

static int32_t static_keys(const aws_keys_from *from, const char *profile, aws_keys_found *out, ss_error *err)
{
    const char *access = aws_profile_get(from->profiles, profile, "aws_access_key_id"),
               *secret = aws_profile_get(from->profiles, profile, "aws_secret_access_key"),
               *token = aws_profile_get(from->profiles, profile, "aws_session_token");
    if (!access && !secret)
        return SS_DECLINE;
    if (!access || !secret ||
        !aws_keys_set(out->text.access_key, sizeof out->text.access_key, ss_cstr(access)) ||
        !aws_keys_set(out->text.secret, sizeof out->text.secret, ss_cstr(secret)) ||
        (token && !aws_keys_set(out->text.token, sizeof out->text.token, ss_cstr(token))))
        return ss_fail(
            err, SS_PAUSE,
            "profile %s: aws_access_key_id and aws_secret_access_key must both be set, without blanks",
            profile);
    (void)snprintf(out->source, sizeof out->source, "profile %.200s", profile);
    return SS_OK;
}

static int32_t assume(const aws_keys_from *from, const char *profile, const char *arn, uint32_t depth,
                      aws_keys_found *out, ss_error *err)
{
    const aws_profiles *p = from->profiles;
    const char *source = aws_profile_get(p, profile, "source_profile"),
               *credential_source = aws_profile_get(p, profile, "credential_source"),
               *session = aws_profile_get(p, profile, "role_session_name"),
               *token_file = aws_profile_get(p, profile, "web_identity_token_file");
    if (token_file)
        return aws_keys_web(from, arn, token_file, session, out, err);
    if (aws_profile_get(p, profile, "mfa_serial"))
        return ss_fail(
            err, SS_PAUSE,
            "profile %s: mfa_serial asks for a code from a person; a server has none: use a role without it",
            profile);
    if (!source && !credential_source)
        return ss_fail(
            err, SS_PAUSE,
            "profile %s: role_arn needs source_profile, credential_source or web_identity_token_file",
            profile);
    int32_t rc = source ? of_source(from, profile, source, depth, out, err)
                        : of_credential_source(from, profile, credential_source, out, err);
    if (rc == SS_DECLINE && source && strcmp(source, profile) == 0)
        rc = static_keys(from, profile, out, err);
    if (rc == SS_DECLINE)
        return ss_fail(err, SS_PAUSE, "profile %s: its source %s has no credentials", profile,
                       source ? source : credential_source);
    if (rc != SS_OK)
        return rc;
    aws_keys_text with = out->text;
    const aws_role role = {arn, session, aws_profile_get(p, profile, "external_id"),
                           aws_profile_get(p, profile, "duration_seconds")};
    rc = aws_keys_assume(from, &with, &role, out, err);
    aws_wipe(&with, sizeof with);
    return rc;
}

int32_t aws_keys_profile(const aws_keys_from *from, const char *profile, uint32_t depth, aws_keys_found *out,
                         ss_error *err)
{
    const aws_profiles *p = from->profiles;
    const char *arn = aws_profile_get(p, profile, "role_arn"),
               *command = aws_profile_get(p, profile, "credential_process");
    if (!aws_profile_known(p, profile))
        return depth || from->explicit_profile
                   ? ss_fail(err, SS_PAUSE, "there is no profile %s in the AWS config and credentials files",
                             profile)
                   : SS_DECLINE;
    memset(out, 0, sizeof *out);
    if (arn)
        return assume(from, profile, arn, depth, out, err);
    int32_t rc = static_keys(from, profile, out, err);
    if (rc != SS_DECLINE)
        return rc;
    if (command)
        return aws_keys_process(command, out, err);
    if (aws_profile_get(p, profile, "sso_session") || aws_profile_get(p, profile, "sso_start_url"))
        return ss_fail(err, SS_PAUSE,
                       "profile %s signs in through a browser (SSO); give the server a profile with "
                       "credential_process = aws configure export-credentials --profile %s --format process",
                       profile, profile);
    return SS_DECLINE;
}

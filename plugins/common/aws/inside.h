/* What the files of the AWS client share. */
#ifndef COMMON_AWS_INSIDE_H
#define COMMON_AWS_INSIDE_H

#include "plugins/common/aws/aws.h"
#include "plugins/common/grow.h"
#include "plugins/common/http_client.h"
#include "plugins/common/sigv4.h"

#define AWS_NAME_MAX 256u /* profile, region, role */
#define AWS_URL_MAX  2048u

/* ---- profile.c: ~/.aws/config and ~/.aws/credentials ---- */

typedef struct aws_profiles aws_profiles;

/* Missing files are empty. NULL: err says which file is wrong. */
aws_profiles *aws_profiles_read(ss_error *err);
void aws_profiles_free(aws_profiles *p);
bool aws_profile_known(const aws_profiles *p, const char *profile);
/* NULL = not set. The credentials file comes first. */
const char *aws_profile_get(const aws_profiles *p, const char *profile, const char *key);
/* A member of a section "[services NAME]": kinesis = / endpoint_url = ... */
const char *aws_services_get(const aws_profiles *p, const char *name, const char *service, const char *key);
const char *aws_env(const char *name); /* NULL where it is absent or empty */

/* ---- endpoint.c ---- */

typedef struct aws_place { /* what decides about addresses; texts of its own */
    char region[AWS_NAME_MAX], profile[AWS_NAME_MAX], endpoint[AWS_URL_MAX];
    bool fips, dual_stack;
} aws_place;

const char *aws_partition_of(const char *region);
/* SS_OK, or SS_PAUSE with what to set. */
int32_t aws_place_url(const aws_place *place, const aws_profiles *profiles, const aws_service *service,
                      char *out, size_t size, ss_error *err);

/* ---- sign.c ---- */

typedef struct aws_message { /* an HTTP request in the making */
    const aws_service *service;
    ss_str method, path, query, body, payload_hash, host_prefix;
    const ss_pair *headers;
    size_t header_count;
} aws_message;

typedef struct aws_send { /* how it goes out */
    http_client *http;
    const char *endpoint, *region;
    const aws_keys_text *keys; /* NULL: unsigned */
    int64_t now_us;            /* corrected      */
    int64_t connect_timeout_ms, timeout_ms;
    size_t max_body;
    void *user;
} aws_send;

/* Signs and starts. NULL: no memory, or a limit of signing was passed. */
http_call *aws_send_message(const aws_message *m, const aws_send *how);

/* ---- error.c ---- */

typedef struct aws_error {
    char code[96], message[320], request_id[96];
} aws_error;

/* What an answer of 300 and above, or a 200 that holds an error, says of itself. */
void aws_error_read(aws_error *e, const aws_service *service, const http_reply *reply);
bool aws_error_inside(const aws_service *service, const http_reply *reply); /* a 200 that is none */
bool aws_code_is_about_keys(const char *code);
bool aws_code_is_about_clock(const char *code, const char *message);
bool aws_xml_text(ss_str xml, const char *element, char *out,
                  size_t size);     /* of the first one of that name */
int64_t aws_http_date(ss_str text); /* microseconds; 0 = not a date */

/* ---- retry.c: the quota of "standard" mode, and waits ---- */

typedef struct aws_quota {
    uint32_t tokens;
} aws_quota;

#define AWS_QUOTA_FULL 500u

void aws_quota_start(aws_quota *q);
/* What a retry costs; 0 = there is no quota left. */
uint32_t aws_quota_take(aws_quota *q, bool timeout);
void aws_quota_give(aws_quota *q, uint32_t taken);        /* a success: what its last retry took, or 1 */
int64_t aws_backoff_ms(uint32_t attempt, bool throttled); /* after this attempt (1 = first): full jitter */
uint32_t aws_random(void);

/* ---- keys*.c ---- */

typedef struct aws_keys_found {
    aws_keys_text text;
    int64_t expires_us; /* 0 = never */
    char source[AWS_NAME_MAX + 32];
} aws_keys_found;

typedef struct aws_keys_from { /* what sources of keys need */
    http_client *http;
    const aws_settings *settings; /* its texts are the client's copies */
    const aws_place *place;
    const aws_profiles *profiles;
    bool explicit_profile; /* named in the options: comes before the environment's keys */
    int64_t now_us;
} aws_keys_from;

/* SS_OK, SS_PAUSE (none there, or refused), SS_RETRY (the source did not answer). SS_DECLINE: not this
 * source. */
int32_t aws_keys_chain(const aws_keys_from *from, aws_keys_found *out, ss_error *err);
int32_t aws_keys_environment(const aws_keys_from *from, aws_keys_found *out, ss_error *err);
int32_t aws_keys_profile(const aws_keys_from *from, const char *profile, uint32_t depth, aws_keys_found *out,
                         ss_error *err);
int32_t aws_keys_process(const char *command, aws_keys_found *out, ss_error *err);
int32_t aws_keys_container(const aws_keys_from *from, aws_keys_found *out, ss_error *err);
int32_t aws_keys_instance(const aws_keys_from *from, aws_keys_found *out, ss_error *err);
int32_t aws_keys_web(const aws_keys_from *from, const char *role, const char *token_file, const char *session,
                     aws_keys_found *out, ss_error *err);

typedef struct aws_role {
    const char *arn, *session, *external_id, *duration_s;
} aws_role;
int32_t aws_keys_assume(const aws_keys_from *from, const aws_keys_text *with, const aws_role *role,
                        aws_keys_found *out, ss_error *err);
/* {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"} */
bool aws_keys_json(ss_str json, aws_keys_found *out);
bool aws_keys_set(char *out, size_t size, ss_str value); /* false: empty, or too long */
int64_t aws_time_us(ss_str rfc3339);                     /* 0 = not a time */
/* A file's text without white space at its ends; -1 where it cannot be read or is longer. */
int64_t aws_file_text(const char *path, char *out, size_t size);
void aws_wipe(void *memory, size_t len);

#endif

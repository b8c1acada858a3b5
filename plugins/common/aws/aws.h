/* An AWS client for plugins: signed requests, several in flight, over plugins/common/http_client. It finds
   its credentials where the AWS command line finds them and renews them ahead of their end, knows each
   service's address, tries again what may be tried again, corrects a wrong clock, and says of what failed in
   which of five ways it did. docs/aws-client.md is the manual.

       aws_client *aws = aws_client_new(&settings, err);
       aws_call *call = aws_json(aws, AWS_KINESIS, "PutRecords", body, deadline_us, NULL);
       while (aws_poll(aws, 1000) == 0)
           ;
       call = aws_done(aws);
       const aws_reply *reply = aws_reply_of(call);
       if (reply->result == AWS_OK) ... reply->body
       else ... aws_status(reply->result), reply->text
       aws_call_free(call);

   One client is used by one thread. Several threads: a client each. Link with -lcurl -lcrypto. */
#ifndef COMMON_AWS_H
#define COMMON_AWS_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AWS_TEXT_MAX     480u        /* bytes of a reply's sentence                        */
#define AWS_BODY_MAX     (32u << 20) /* of an answer, where the request says nothing       */
#define AWS_HEADERS_MAX  32u         /* that a request may bring                           */
#define AWS_ATTEMPTS_MAX 10

/* ---- services: a row each; a module may have one of its own ---- */

enum aws_protocol { AWS_JSON_1_0 = 1, AWS_JSON_1_1 = 2, AWS_QUERY = 3, AWS_REST_XML = 4, AWS_REST_JSON = 5 };

typedef struct aws_service {
    const char *name;    /* the first word of its host name: "kinesis"                      */
    const char *signing; /* in signatures; NULL = name                                      */
    const char *id;      /* in AWS_ENDPOINT_URL_<id>, and in lower case in the profile's services */
    const char *target;  /* X-Amz-Target before the dot, JSON protocols                     */
    enum aws_protocol protocol;
    bool content_hash; /* x-amz-content-sha256 is sent; S3: the path is signed as it is   */
    const char *fips;  /* its FIPS host's first word where it is not "<name>-fips"        */
} aws_service;

extern const aws_service AWS_KINESIS[1], AWS_FIREHOSE[1], AWS_S3[1], AWS_STS[1], AWS_GLUE[1], AWS_ATHENA[1],
    AWS_REDSHIFT_DATA[1], AWS_REDSHIFT[1], AWS_REDSHIFT_SERVERLESS[1], AWS_EMR[1], AWS_EMR_SERVERLESS[1],
    AWS_DYNAMODB[1], AWS_KAFKA[1], AWS_ES[1], AWS_AOSS[1];

/* ---- the client ---- */

typedef struct aws_client aws_client;
typedef struct aws_call aws_call;

typedef struct aws_keys_text { /* what a source of keys gave; texts of its own */
    char access_key[132], secret[132], token[4096];
} aws_keys_text;

typedef struct aws_settings { /* zeroed is a client as the AWS command line has it; texts are copied */
    ss_str region, profile, endpoint;                /* endpoint: for requests, not for STS                 */
    ss_str role_arn, role_session_name, external_id; /* assumed with whatever keys are found */
    ss_str ca_file;
    bool fips, dual_stack;
    uint32_t max_attempts;  /* of one call; 0 = 3 or what AWS_MAX_ATTEMPTS says              */
    uint32_t max_in_flight; /* 0 = 16                                                        */
    int64_t connect_timeout_ms, timeout_ms; /* of one attempt; 0 = 5 s, 30 s                 */
    /* Keys of the configuration, asked for again at each renewal: 1 = filled, 0 = there are none, -1 =
     * failed. */
    int (*keys)(void *arg, aws_keys_text *out, ss_error *err);
    void *arg;
    /* The clock and the log; NULL: the system's, and none.                                   */
    int64_t (*now_us)(void *arg);
    void (*log)(void *arg, int32_t level, const char *text);
    void *host_arg; /* the argument of these two                                               */
} aws_settings;

/* No network. NULL: err says what is wrong in the settings or in ~/.aws. */
aws_client *aws_client_new(const aws_settings *settings, ss_error *err);
void aws_client_free(aws_client *client);            /* ends all calls */
const char *aws_region(const aws_client *client);    /* "" where none is known */
const char *aws_partition(const aws_client *client); /* "aws", "aws-cn", "aws-us-gov" */
/* The URL that a service's requests go to, without a slash at the end. SS_OK, or SS_PAUSE with the remedy. */
int32_t aws_endpoint(aws_client *client, const aws_service *service, char *out, size_t size, ss_error *err);
/* Finds credentials now: SS_OK; SS_PAUSE: there are none, or they are refused; SS_RETRY: their source did not
 * answer. */
int32_t aws_connect(aws_client *client, ss_error *err);
const char *aws_keys_source(const aws_client *client); /* "environment", "profile x", ...; "" = none yet */

/* Copies of the present keys, for who signs by himself (MSK's token, a COPY's credentials); expires_us 0 =
 * never. */
int32_t aws_keys_copy(aws_client *client, aws_keys_text *out, int64_t *expires_us, ss_error *err);

/* ---- calls ---- */

enum aws_flag {
    AWS_ONCE = 1u,    /* not tried again by the client                                       */
    AWS_UNSIGNED = 2u /* no credentials                                                      */
};

typedef struct aws_request {
    const aws_service *service;
    ss_str method, path, query; /* as on the wire, percent-encoded; path begins with a slash  */
    ss_str host_prefix;         /* "bucket." before the endpoint's host                       */
    const ss_pair *headers;     /* copied                                                     */
    size_t header_count;
    ss_str body;         /* borrowed until the call is freed                                  */
    ss_str payload_hash; /* its SHA-256 in hex where it is known; else it is computed         */
    int64_t deadline_us; /* the host's clock; 0 = none: attempts and waits end before it       */
    int64_t timeout_ms;  /* of one attempt; 0 = the client's                                   */
    size_t max_body;     /* of the answer; 0 = AWS_BODY_MAX                                    */
    uint32_t flags;
    void *user;
} aws_request;

enum aws_result {
    AWS_OK = 0,
    AWS_RETRY = 1,    /* transient: connection, 5xx; tried as often as allowed                */
    AWS_THROTTLE = 2, /* the other end asks for less                                          */
    AWS_AUTH = 3,     /* credentials, rights, or a target that is not there: pause, alarm, keep */
    AWS_POISON = 4,   /* this request will never be taken                                     */
    AWS_CONFLICT = 5  /* 409, 412 and their like: it is there already, or somebody else was first */
};

typedef struct aws_reply { /* borrowed until the call is freed */
    enum aws_result result;
    /* An attempt left this machine and its outcome is not known (timeout, cut, 5xx): a repeat may double it.
     */
    bool unknown;
    uint32_t status; /* of the last attempt; 0 = no answer                                   */
    uint32_t attempts;
    int64_t retry_after_ms; /* where the service said so                                       */
    ss_str body;
    const char *code;       /* the service's error code, "" = none                             */
    const char *message;    /* its message                                                     */
    const char *request_id; /* "" = none                                                       */
    const char *text;       /* one sentence: service, operation, code, message, request id     */
    void *user;
} aws_reply;

/* NULL: no memory, or more headers than allowed. A call that cannot be made (no region) is done at once. */
aws_call *aws_start(aws_client *client, const aws_request *request);
/* POST / with X-Amz-Target: the JSON protocols. operation: a constant. */
aws_call *aws_json(aws_client *client, const aws_service *service, const char *operation, ss_str body,
                   int64_t deadline_us, void *user);
/* Moves all calls on for at most so long; returns as soon as one is done: how many are. */
size_t aws_poll(aws_client *client, int64_t timeout_ms);
aws_call *aws_done(aws_client *client); /* the next one that is done, once; or NULL */
/* Moves all on until this one is done; it then does not come from aws_done(). */
const aws_reply *aws_wait(aws_call *call);
const aws_reply *aws_reply_of(const aws_call *call);       /* when it is done */
ss_str aws_header(const aws_call *call, const char *name); /* of the answer; empty = none */
int64_t
aws_answered_us(const aws_call *call); /* the service's clock in the answer (whole seconds); 0 = none */
void aws_call_free(aws_call *call);    /* one in flight is ended */
size_t aws_in_flight(const aws_client *client); /* started and not yet done */

/* What deliver() and check() return for it: SS_OK, SS_RETRY, SS_THROTTLE, SS_PAUSE; AWS_POISON is SS_REJECT.
 */
int32_t aws_status(enum aws_result result);
/* The class of an error code that stands inside a good answer (per record, per statement). */
enum aws_result aws_classify(uint32_t status, ss_str code);

typedef struct aws_counts { /* since the client was made; for metrics */
    uint64_t attempts, retries, throttled, timeouts, unknown, renewals, renewals_failed;
} aws_counts;
aws_counts aws_counted(const aws_client *client);

#ifdef __cplusplus
}
#endif
#endif

/* The inside of a client: what its files share. */
#ifndef COMMON_AWS_CLIENT_H
#define COMMON_AWS_CLIENT_H

#include "plugins/common/aws/inside.h"

typedef struct aws_keys_cache {
    aws_keys_found now;
    bool have;
    int64_t renew_us;    /* ask for new ones from then on          */
    int64_t next_try_ms; /* after a failure: not before (monotonic) */
    uint32_t failures;
    int32_t status;      /* of the last failure                    */
    uint64_t generation; /* rises with each change                 */
    char problem[sizeof(((ss_error *)0)->text)];
} aws_keys_cache;

enum call_state { CALL_WAITING = 0, CALL_FLYING = 1, CALL_DONE = 2 };

struct aws_call {
    aws_client *client;
    aws_call *next, *prev; /* all of the client                      */
    aws_call *next_done;
    enum call_state state;
    aws_request request;   /* its small texts are in `texts`         */
    const char *operation; /* for sentences; "" = the path           */
    char endpoint[AWS_URL_MAX];
    char *texts;
    ss_pair *headers;
    http_call *http;             /* flying, or the last answer             */
    int64_t due_ms, deadline_ms; /* monotonic; deadline 0 = none     */
    uint32_t quota;              /* what the last retry took               */
    uint64_t keys_generation;
    bool keys_renewed, clock_set;
    aws_reply reply;
    aws_error error;
    char text[AWS_TEXT_MAX], method[16];
};

struct aws_client {
    aws_settings settings;
    char *texts; /* of the settings */
    aws_place place;
    aws_profiles *profiles;
    bool explicit_profile;
    http_client *http;
    aws_keys_cache keys;
    aws_quota quota;
    int64_t skew_us; /* the service's clock minus ours */
    uint32_t max_attempts, max_in_flight, flying;
    aws_call *calls, *last; /* in the order in which they came */
    aws_call *first_done, *last_done;
    size_t done, open; /* calls that are done and not handed out; not yet done */
    aws_counts counts;
};

int64_t aws_now_us(const aws_client *c);
void aws_log(const aws_client *c, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Keys that can be used now: the cached ones, renewed where their end is near. */
int32_t aws_keys_ready(aws_client *c, ss_error *err);
/* After the service refused them: reads the sources again. True: there are other keys now. */
bool aws_keys_again(aws_client *c, uint64_t generation);

void aws_call_end(aws_call *call, enum aws_result result); /* with what call->error holds */
void aws_judge(aws_call *call);                            /* after its attempt ended */

#endif

/* Requests to OpenSearch: plain HTTP with or without a password over several hosts, or signed for Amazon's
   managed domains (es) and Serverless collections (aoss). Each is tried once; what to try again is the
   caller's affair. One thread. */
#ifndef OPENSEARCH_WIRE_H
#define OPENSEARCH_WIRE_H

#include "plugins/common/aws/aws.h"
#include "plugins/common/aws/options.h"
#include "plugins/common/grow.h"
#include "plugins/common/http_client.h"

#define WIRE_HOSTS_MAX    16u
#define WIRE_URL_MAX      1024u
#define WIRE_PROBLEM_MAX  400u
#define WIRE_PASSWORD_MAX 1024u
#define WIRE_HOST_WAIT_MS 5000 /* a host that failed is left alone for so long, where there is another */

enum wire_kind { WIRE_PLAIN = 0, WIRE_ES = 1, WIRE_AOSS = 2 };

typedef struct wire_host {
    char url[WIRE_URL_MAX]; /* without a slash at its end */
    int64_t due_ms;         /* monotonic                  */
} wire_host;

typedef struct wire {
    const ss_host *host;
    const ss_config *cfg;
    enum wire_kind kind;
    aws_origin origin;
    aws_client *aws;
    http_client *http;
    wire_host hosts[WIRE_HOSTS_MAX];
    uint32_t host_count, next;
    char basic[WIRE_PASSWORD_MAX * 2]; /* "Basic ...", or empty */
    bool gzip, stale;                  /* stale: read the password again */
    int64_t timeout_ms, connect_timeout_ms;
    uint32_t in_flight;
} wire;

typedef struct wire_request {
    const char *method;
    const char *path, *query; /* as on the wire; query may be NULL */
    const char *type;         /* Content-Type, NULL = JSON         */
    const char *host;         /* another URL than the cluster's (Dashboards), or NULL */
    ss_str body;              /* borrowed until the call is freed  */
    int64_t timeout_ms;       /* 0 = the option's                  */
    bool pack;                /* gzip, where that is on            */
} wire_request;

enum wire_result {
    WIRE_ANSWER = 0, /* there is an answer: status and body                         */
    WIRE_AGAIN = 1,  /* none came; it may have been done where `sent`                */
    WIRE_WRONG = 2   /* no trust, no credentials, not a URL: somebody must mend that */
};

typedef struct wire_answer {
    enum wire_result result;
    bool sent;
    uint32_t status;
    ss_str body;
    int64_t retry_after_ms;
    char problem[WIRE_PROBLEM_MAX]; /* "" with WIRE_ANSWER */
} wire_answer;

typedef struct wire_call {
    void *user;
    uint32_t host;
    aws_call *aws;
    http_call *http;
    grow packed;
} wire_call;

int32_t wire_open(wire *w, const ss_host *host, const ss_config *cfg, ss_error *err);
void wire_close(wire *w);
/* NULL: no memory. Never fails for other reasons: the answer tells. */
bool wire_start(wire *w, wire_call *call, const wire_request *r, void *user);
/* Moves on for at most so long; returns a call that is done, or NULL. */
wire_call *wire_poll(wire *w, int64_t timeout_ms);
void wire_read(wire *w, const wire_call *call, wire_answer *answer); /* when it is done */
void wire_end(wire *w, wire_call *call);
/* One request, waited for: the status, 0 = none (then answer->problem tells). Ended with wire_end(). */
uint32_t wire_ask(wire *w, wire_call *call, const wire_request *r, wire_answer *answer);
/* Reads the password again where the last one was refused. */
int32_t wire_renew(wire *w, ss_error *err);
/* One sentence of what an answer says is wrong: error.type and error.reason, or its first bytes. */
void wire_reason(const wire_answer *answer, char *out, size_t size);

#endif

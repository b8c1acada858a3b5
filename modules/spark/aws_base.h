/* What the targets on AWS share: the client, one call, what its failure means for a run, and by the target's
   table how a run is looked up and how it fares. */
#ifndef SPARK_AWS_BASE_H
#define SPARK_AWS_BASE_H

#include "modules/spark/target.h"

#define AWS_ID_MAX  256u
#define AWS_POLL_MS 15000
#define AWS_SETTLE  60000 /* a request that was cut off may still be carried out */
#define PAGES_MAX   200u  /* of a look-up */
#define BODY_MAX    (256u << 10)

#define BAD_STATES 6u

typedef struct aws_base aws_base;

typedef struct aws_kind { /* paths are those of json_member_text() */
    const aws_service *service;
    const char *what; /* of a run, in sentences */
    /* The body's beginning: "{" and where runs of this job are; REST has it in the path. */
    void (*open)(aws_base *b, const spark_run *r);
    aws_call *(*ask)(spark_target *t, const spark_run *r); /* how a run fares; NULL: no memory */
    bool by_job;                                           /* open() needs the job of the configuration */
    const char *asked, *state, *done, *bad[BAD_STATES], *why[2];
    /* The listing in which a run is looked up by its name; NULL where there is a token instead. */
    const char *list, *items, *name, *id, *token, *page; /* page: members that ask for long pages */
} aws_kind;

struct aws_base {
    const aws_kind *kind;
    aws_origin origin;
    aws_client *client;
    char id[AWS_ID_MAX], role[AWS_ID_MAX]; /* cluster or application; execution role */
    grow body, path;
};

/* Makes the client and fills the vtable with what is the same for all; submit and end are the target's. */
bool aws_base_make(spark_target *t, const aws_kind *kind, const ss_config *cfg, const char *id_option,
                   const char *role_option, ss_error *err);
void aws_base_free(spark_target *t);
/* A JSON operation with the base's body. The reply lives until aws_call_free(). NULL: no memory. */
aws_call *aws_base_json(spark_target *t, const aws_service *service, const char *operation);
/* Of a submit that failed. */
enum answer aws_base_refused(spark_run *r, const aws_reply *reply);

#endif

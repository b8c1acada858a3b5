/* What the targets on AWS share: the client, one call, and what its failure means for a run. */
#ifndef SPARK_AWS_BASE_H
#define SPARK_AWS_BASE_H

#include "modules/spark/target.h"

#define AWS_ID_MAX  256u
#define AWS_POLL_MS 15000
#define AWS_SETTLE  60000 /* a request that was cut off may still be carried out */
#define PAGES_MAX   200u  /* of a look-up */
#define BODY_MAX    (256u << 10)

typedef struct aws_base {
    aws_origin origin;
    aws_client *client;
    char id[AWS_ID_MAX], role[AWS_ID_MAX]; /* cluster or application; execution role */
    grow body, path;
} aws_base;

aws_base *aws_base_new(const spark_target *t, const ss_config *cfg, const char *id_option,
                       const char *role_option, ss_error *err);
void aws_base_free(spark_target *t);
int32_t aws_base_check(spark_target *t, ss_error *err);
/* A JSON operation with the base's body. The reply lives until aws_call_free(). NULL: no memory. */
aws_call *aws_base_json(spark_target *t, const aws_service *service, const char *operation);
/* Of a submit that failed. */
enum answer aws_base_refused(spark_run *r, const aws_reply *reply);
/* Of a find or poll that failed. */
enum answer aws_base_silent(spark_run *r, const aws_reply *reply);

#endif

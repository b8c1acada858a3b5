/* Objects on S3 that a COPY reads: written whole, named after their content, deleted afterwards. One thread.
 */
#ifndef REDSHIFT_STAGE_H
#define REDSHIFT_STAGE_H

#include "plugins/common/aws/aws.h"
#include "plugins/common/buf.h"

#define STAGE_KEY_SIZE 1025u

typedef struct stage {
    const ss_host *host;
    aws_client *aws;
    char bucket[256], prefix[512]; /* prefix: ends in '/', or empty */
    char host_prefix[257];         /* "bucket.", or empty: the bucket stands in the path */
    int64_t retry_after_ms;
} stage;

/* "s3://bucket/prefix". No network. */
bool stage_target(stage *s, ss_str path, ss_error *err);
/* Is the bucket there, and ours to look at? */
int32_t stage_check(stage *s, ss_error *err);
/* Never over what is there: an object of that name has that content. */
int32_t stage_put(stage *s, const char *key, ss_str body, const char *type, int64_t deadline_us,
                  ss_error *err);
/* SS_OK also where it is not there. */
int32_t stage_delete(stage *s, const char *key, int64_t deadline_us, ss_error *err);
/* One gzip member. false: no memory. */
bool stage_gzip(ss_str in, buf *out);
uint32_t stage_crc(uint32_t crc, ss_str bytes);

#endif

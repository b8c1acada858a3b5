/* Where objects are: "s3://bucket/prefix", and how that goes over the wire to AWS and to stores like it. */
#ifndef COMMON_AWS_BUCKET_H
#define COMMON_AWS_BUCKET_H

#include "plugins/common/aws/aws.h"

#ifdef __cplusplus
extern "C" {
#endif

#define S3_SCHEME           "s3://"
#define S3_KEY_MAX          1024u /* bytes, AWS's limit */
#define AWS_BUCKET_MAX      255u
#define AWS_BUCKET_PATH_MAX (3u * (S3_KEY_MAX + AWS_BUCKET_MAX) + 4u)

/* clang-format off */
#define AWS_BUCKET_OPTIONS \
    {.name = "expected_bucket_owner", .type = SS_T_STRING, .doc = "The account id that the bucket has to belong to; requests to another's are refused."}, \
    {.name = "path_style", .type = SS_T_ENUM, .dflt = "auto", .choices = "auto|true|false", .doc = "Put the bucket into the path instead of the host name; auto does it for endpoints that are not AWS's and for buckets with a dot."}
/* clang-format on */

typedef struct aws_bucket {
    char name[AWS_BUCKET_MAX + 1], prefix[S3_KEY_MAX + 1]; /* prefix: ends in '/', or empty */
    char host_prefix[AWS_BUCKET_MAX + 2];                  /* "bucket.", or empty: path style */
} aws_bucket;

bool aws_bucket_is(ss_str path); /* it begins with s3:// */
/* style: auto, true, false, as in path_style. what: the option, for sentences. */
bool aws_bucket_at(aws_bucket *b, aws_client *aws, ss_str style, const char *what, const char *path,
                   ss_error *err);
/* The key as it goes over the wire and into the signature: everything encoded but the slashes. */
ss_str aws_bucket_path(const aws_bucket *b, const char *key, char out[AWS_BUCKET_PATH_MAX]);

#ifdef __cplusplus
}
#endif
#endif

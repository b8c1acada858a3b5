/* The stream: its name in calls, and what DescribeStreamSummary says of its limits. */
#ifndef KINESIS_STREAM_H
#define KINESIS_STREAM_H

#include "plugins/common/aws/aws.h"

#define STREAM_NAME_MAX     512u
#define STREAM_HEAD_MAX     (STREAM_NAME_MAX * 6u + 64u)
#define STREAM_RECORD_BYTES (1u << 20) /* where the stream does not say */

typedef struct stream {
    char name[STREAM_NAME_MAX]; /* or ARN */
    bool is_arn;
    bool looked; /* the rest is filled */
    bool seen;   /* from the stream itself; false: it may not be described */
    size_t max_record_bytes;
} stream;

bool stream_init(stream *s, ss_str name, ss_error *err);
/* SS_OK also where the rights to describe it are missing: then the defaults hold. SS_PAUSE: it is not there.
 */
int32_t stream_look(stream *s, const ss_host *host, aws_client *aws, int64_t deadline_us, ss_error *err);
/* {"StreamName":"x" */
ss_str stream_head(const stream *s, char out[STREAM_HEAD_MAX]);

#endif

/* A bucket as the lake needs it: requests for one object, and what their answers mean. Nothing is ever
   overwritten that is not this lake's own. One thread. */
#ifndef LAKE_S3_H
#define LAKE_S3_H

#include <limits.h>

#include "modules/lake/gz.h"
#include "plugins/common/aws/bucket.h"
#include "plugins/common/aws/options.h"

#define S3_UPLOADS_MAX 32u
#define S3_OBJECT_BYTES_MAX                                                                                  \
    5000000000ll /* of one PutObject AWS takes 5 GiB; gzip may grow what does not shrink */

typedef struct s3 s3;

typedef struct s3_object { /* what is to be there; borrowed for the call, its body until the call is freed */
    char key[S3_KEY_MAX + 1];
    ss_str body;
    const char *sha_hex, *type;
    uint64_t journal, from, through, count;
    const char *module;
    uint32_t crc;
    bool overwrite; /* the object there is known to be ours */
} s3_object;

enum s3_verdict {
    S3_THERE = 1,   /* it is there, and ours                                   */
    S3_LOOK = 2,    /* something is there: look at it with s3_head()           */
    S3_AGAIN = 3,   /* once more, at once                                      */
    S3_DAMAGED = 4, /* the store says that the bytes are not those of their hash; *rc says what then    */
    S3_FAILED = 5   /* *rc and err say why                                   */
};

extern const ss_option s3_options[];

/* cfg: the object `s3`. No network. */
s3 *s3_new(const ss_host *host, const ss_config *cfg, ss_error *err);
void s3_free(s3 *s);
/* "s3://bucket/prefix": what the requests are for. */
bool s3_target(s3 *s, const char *path, ss_error *err);
aws_client *s3_client(s3 *s);
uint32_t s3_uploads(const s3 *s);       /* in flight at the most */
int64_t s3_retry_after_ms(const s3 *s); /* what the store asked for with the last failure; 0 = nothing */
/* The bucket is there and may be looked at. */
int32_t s3_check(s3 *s, ss_error *err);
/* The key below the prefix: false where it is longer than S3 takes. */
bool s3_key(const s3 *s, const char *dir, const char *name, const char *extension, char out[S3_KEY_MAX + 1]);

aws_call *s3_put(s3 *s, const s3_object *o, void *user); /* NULL: no memory */
aws_call *s3_head(s3 *s, const s3_object *o, void *user);
enum s3_verdict s3_put_verdict(s3 *s, const s3_object *o, const aws_call *call, int32_t *rc, ss_error *err);
/* bytes: of the object that is there. */
enum s3_verdict s3_head_verdict(s3 *s, const s3_object *o, const aws_call *call, uint64_t *bytes, int32_t *rc,
                                ss_error *err);

#endif

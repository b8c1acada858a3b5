/* What puts.c and puts_judge.c share; nobody else. */
#ifndef COMMON_AWS_PUTS_INSIDE_H
#define COMMON_AWS_PUTS_INSIDE_H

#include "plugins/common/aws/puts.h"
#include "plugins/common/grow.h"
#include "plugins/common/http_client.h"

#define PUTS_HEAD_MAX   (8u << 10)
#define PUTS_KEYS_MAX   (64u << 20)
#define PUTS_BODY_MAX   (64u << 20)
#define PUTS_LANES      4096u   /* hashes of keys                                     */
#define PUTS_SHARDS_MAX 1024u   /* that asked for less during one batch               */
#define PUTS_NAME_MAX   64u     /* of a shard: shardId-000000000000                   */
#define PUTS_LOST_MAX   6u      /* calls in a row that brought nothing: then the host pauses, and says why */
#define PUTS_WAIT_MS    1000    /* a look at stopping() at least so often             */
#define PUTS_MARGIN_US  1000000 /* calls end so long before the batch's deadline      */
#define PUTS_PAUSE_MS   100     /* the first pause of an item or a shard; it doubles  */
#define PUTS_PAUSE_MAX  10000

enum puts_state { PUTS_WAITING = 0, PUTS_FLYING = 1, PUTS_DONE = 2 };
enum puts_metric { PUTS_CALLS, PUTS_FULL, PUTS_ITEMS, PUTS_AGAIN, PUTS_UNKNOWN, PUTS_METRICS };

typedef struct puts_item {
    uint32_t first, count; /* records of the batch */
    uint32_t key_at, key_len;
    size_t bytes;
    uint32_t most; /* items of a call that it may be in: halved when a call is refused as a whole */
    uint32_t lane;
    uint32_t shard; /* + 1; 0 = none is known to be slow */
    uint32_t failures;
    int64_t due_ms; /* monotonic */
    enum puts_state state;
} puts_item;

typedef struct puts_shard {
    char name[PUTS_NAME_MAX];
    int64_t due_ms;
    uint32_t failures;
} puts_shard;

typedef struct puts_call {
    aws_call *call; /* NULL: free */
    grow body;
    uint32_t *items;
    uint32_t count;
    bool full;
} puts_call;

struct aws_puts {
    puts_rules rules;
    const ss_host *host;
    aws_client *client;
    grow head, keys, scratch;
    const ss_batch *batch;
    puts_item *items;
    uint32_t count, size, open_from, left; /* open_from: those before it are done; left: not done */
    puts_call calls[PUTS_CALLS_MAX];
    uint32_t in_flight;
    uint64_t flying[PUTS_LANES / 64], held[PUTS_LANES / 64];
    puts_shard shards[PUTS_SHARDS_MAX];
    uint32_t shard_count;
    uint32_t dice;
    int64_t all_due_ms; /* the service as a whole asked for a pause */
    bool works;         /* something was taken, or the target was looked at */
    uint32_t slow;      /* calls in a row that were told to slow down */
    uint32_t failures;  /* calls that failed, and items            */
    uint32_t lost;      /* calls in a row that brought nothing     */
    int32_t broken;     /* what puts_run() will say                */
    char last_text[AWS_TEXT_MAX];
    ss_metric *metrics[PUTS_METRICS];
};

/* Reads the answer: marks the records of what was taken or refused, sets the rest to wait. */
void puts_judge(aws_puts *p, puts_call *call, ss_result *result, ss_error *err);

#endif

/* The inside of the receiver: one thread (run()) owns all of it.

   Each shard that is being read has a place: how far its records are taken over. The places are the
   receiver's position, a part a shard, and are stored with the events in one frame. In memory a place runs
   ahead while a group is put together; when the group is not stored, everything goes back to the last durable
   places. */
#ifndef KINESIS_KINESIS_H
#define KINESIS_KINESIS_H

#include "plugins/common/aws/aws.h"
#include "plugins/common/aws/options.h"
#include "plugins/common/grow.h"
#include "plugins/common/kpl.h"

#define SHARDS_MAX       512u   /* being read at a time: the journal keeps a position for each             */
#define LISTED_MAX       16384u /* that a stream tells of, closed ones included                            */
#define SHARD_ID_MAX     128u
#define STREAM_MAX       128u
#define ARN_MAX          2048u
#define SEQUENCE_MAX     128u
#define ITERATOR_MAX     1024u
#define KEY_BYTES_MAX    4096u       /* of a partition key as JSON: 256 characters, escaped             */
#define ANSWER_MAX       (24u << 20) /* 10 MiB in base64, keys, JSON                                    */
#define DATA_MAX         (11u << 20) /* of one record                                                   */
#define READ_GAP_MS      220         /* Kinesis takes five reads a second and shard                     */
#define CHANGED_MAX      64u         /* shards whose places one group moves: they fit into one commit    */
#define TURN_MS          100         /* a stop is seen so soon                                          */
#define BACKOFF_FIRST_MS 250
#define BACKOFF_MOST_MS  10000
#define FAILURES_MAX     5u   /* in a row at one shard: then it is an alarm                      */
#define RELIST_MS        2000 /* while a closed shard's children are not listed yet              */

enum place_kind {
    PLACE_HORIZON = 0, /* its first record                              */
    PLACE_LATEST = 1,  /* what comes from now on; becomes PLACE_TIME    */
    PLACE_TIME = 2,    /* its first record that came at that time or later */
    PLACE_AFTER = 3,   /* behind that record                            */
    PLACE_WITHIN = 4   /* behind so many messages of that packed record */
};

typedef struct place {
    enum place_kind kind;
    bool drained; /* it is closed and was read to its end: its children may begin */
    uint32_t within;
    int64_t time_ms;
    char sequence[SEQUENCE_MAX + 1];
} place;

/* LOST: no iterator. ENDED: a read said that no more comes. IDLE: the list said so, too: drained. */
enum shard_state {
    SHARD_LOST = 0,
    SHARD_ASKING = 1,
    SHARD_READY = 2,
    SHARD_READING = 3,
    SHARD_ENDED = 4,
    SHARD_IDLE = 5
};

typedef struct shard {
    char id[SHARD_ID_MAX + 1];
    enum shard_state state;
    place now, durable;
    bool is_durable; /* `durable` was stored                          */
    bool changed;    /* `now` has to be stored                        */
    bool gone;       /* its part is taken out with the next commit    */
    bool missing;    /* Kinesis says that it does not exist           */
    char iterator[ITERATOR_MAX + 1];
    aws_call *call; /* in flight, or NULL */
    grow body;      /* its request         */
    int64_t due_ms, started_ms, behind_ms;
    uint32_t failures;
} shard;

typedef struct listed {
    char id[SHARD_ID_MAX + 1], parents[2][SHARD_ID_MAX + 1];
    bool open, past; /* past: an ancestor of one that is being read, or was */
} listed;

typedef struct listing {
    listed *shards;
    size_t count, size;
} listing;

typedef struct kinesis_metrics {
    ss_metric *records, *messages, *bytes, *packed, *throttled, *expired_iterators, *expired_shards, *behind,
        *shards;
} kinesis_metrics;

typedef struct kinesis {
    const ss_host *host;
    aws_origin origin;
    aws_client *aws;
    char stream[ARN_MAX + 1]; /* name or ARN as configured */
    char name[STREAM_MAX + 1];
    place first;    /* where a stream begins that was never read */
    uint32_t limit; /* records of one read                       */
    int64_t poll_ms;
    kinesis_metrics metrics;
    shard *shards[SHARDS_MAX];
    size_t count;
    bool fresh;         /* nothing was ever stored of this stream    */
    listing list, next; /* the last whole one; the one in the making */
    grow list_body;
    char list_token[2048];
    bool list_wanted;
    aws_call *list_call; /* in flight, or NULL */
    int64_t list_due_ms;
    uint32_t list_failures;
    ss_call *group; /* messages handed over and not yet stored   */
    uint32_t group_count;
    bool failed; /* the last commit: what is in memory runs ahead of what is stored */
    char *data;  /* one record's bytes                        */
    char *text;  /* and its base64 without JSON's escapes     */
    kpl_scan *kpl;
} kinesis;

/* place.c */
bool place_read(place *p, ss_str text);
size_t place_put(const place *p, char *out, size_t size);
bool place_same(const place *a, const place *b);

/* family.c: which shards are read, and when their children begin */
shard *shard_find(const kinesis *k, const char *id);
shard *shard_add(kinesis *k, const char *id, const place *at); /* NULL: too many, or no memory */
void shard_lose(shard *s);                                     /* its iterator: it asks for another */
void kinesis_forget(kinesis *k, size_t i);                     /* frees it */
int32_t kinesis_resume(kinesis *k, ss_str position, ss_error *err);
int32_t kinesis_reconcile(kinesis *k, ss_error *err); /* after a whole list */

/* list.c */
int32_t list_ask(kinesis *k, ss_error *err);
int32_t list_take(kinesis *k, const aws_reply *reply, ss_error *err);

/* read.c: iterators and records */
int32_t shard_ask(kinesis *k, shard *s, ss_error *err);  /* for an iterator */
int32_t shard_read(kinesis *k, shard *s, ss_error *err); /* for records     */
int32_t shard_take(kinesis *k, shard *s, aws_call *call, ss_error *err);
void put_stream(const kinesis *k, grow *body); /* {"StreamName":"..." */
/* The server of Kinesis failed: waits longer and longer; SS_OK, or what run() returns. */
int32_t kinesis_failed(kinesis *k, const aws_reply *reply, uint32_t *failures, int64_t *due_ms,
                       ss_error *err);

/* records.c: an answer with records */
int32_t records_take(kinesis *k, shard *s, ss_str body, ss_error *err);

/* group.c: what is handed over and stored together */
int32_t group_pass(kinesis *k, const ss_message *message, ss_error *err);
int32_t group_commit(kinesis *k,
                     ss_error *err);    /* nothing to store: SS_OK. Where it fails: kinesis_rewind() */
size_t group_changed(const kinesis *k); /* shards whose places are to be stored */
void kinesis_rewind(kinesis *k);        /* to the durable places; ends the calls in flight */
void kinesis_cancel(kinesis *k);        /* ends the calls in flight */

/* run.c */
int32_t kinesis_run(void *inst, ss_error *err);

#endif

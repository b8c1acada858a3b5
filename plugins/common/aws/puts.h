/* Many records into calls that take many and answer for each: PutRecords of Kinesis, PutRecordBatch of
   Firehose. Full calls, several in flight, only what failed is sent again: with a pause of its own for each
   shard that asks for one. What a call could not be told apart by (it is refused as a whole) is halved until
   the one guilty item is found.

   One batch: puts_begin(), puts_add() for each item, puts_run(). The module's thread. */
#ifndef COMMON_AWS_PUTS_H
#define COMMON_AWS_PUTS_H

#include "plugins/common/aws/aws.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PUTS_CALLS_MAX 32u /* in flight */

/* The option of modules that use this: puts_rules.calls. */
#define PUTS_CALLS_OPTION                                                                                    \
    {                                                                                                        \
        .name = "calls_in_flight", .type = SS_T_INT, .dflt = "4", .min = 1, .max = PUTS_CALLS_MAX,           \
        .doc = "How many calls are under way at the same time.",                                             \
    }

typedef struct puts_rules { /* of the service; borrowed for the engine's life */
    const aws_service *service;
    const char *operation; /* "PutRecords"                                                */
    const char *results;   /* the list in its answer, one entry an item                   */
    uint32_t max_items;    /* of one call                                                 */
    size_t max_call_bytes; /* data and keys of one call                                   */
    bool keys;             /* items carry a PartitionKey                                  */
    bool ordered;          /* items of one key: never two of them in flight               */
    char newline;          /* put behind each record's bytes; 0 = nothing                 */
    uint32_t calls;        /* in flight at the most                                       */
} puts_rules;

typedef struct aws_puts aws_puts;

aws_puts *puts_new(const puts_rules *rules, const ss_host *host, aws_client *client, ss_error *err);
void puts_free(aws_puts *p);
/* The text before the list: "{\"StreamName\":\"x\"" ; copied. false: no memory. */
bool puts_target(aws_puts *p, ss_str head);

/* The target is known to be there: a single item that is refused is then the item's fault. Until then, and
   until the first item was taken, it is the target's or the configuration's: SS_PAUSE, nothing goes into
   quarantine. */
void puts_works(aws_puts *p);

/* Forgets the last batch. false: no memory for so many items. */
bool puts_begin(aws_puts *p, const ss_batch *batch);
/* An item of `count` records from `first` on, in the batch's order; key is copied. bytes: what it has in all.
 */
bool puts_add(aws_puts *p, uint32_t first, uint32_t count, ss_str key, size_t bytes);
/* Marks each record of each item; what deliver() returns. */
int32_t puts_run(aws_puts *p, ss_result *result, ss_error *err);

#ifdef __cplusplus
}
#endif
#endif

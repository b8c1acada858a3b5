#include "receivers/kafka/assign.h"

#include <inttypes.h>

#include "receivers/kafka/hand.h"
#include "receivers/kafka/places.h"
#include "receivers/kafka/trouble.h"

#define ASK_MS 10000 /* a broker may take so long to answer */

static rd_kafka_topic_partition_t *at(const rd_kafka_topic_partition_list_t *list, int i)
{
    return &list->elems[i];
}

/* ---- what the group knows ---------------------------------------------------------------------- */

void assign_commit(kafka *k, const rd_kafka_topic_partition_list_t *partitions, bool wait)
{
    rd_kafka_topic_partition_list_t *known = rd_kafka_topic_partition_list_new(partitions->cnt);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *p = at(partitions, i);
        const kafka_place *place = places_find(&k->places, p->topic, p->partition);
        if (place)
            rd_kafka_topic_partition_list_add(known, p->topic, p->partition)->offset = place->next;
    }
    rd_kafka_resp_err_t err =
        known->cnt ? rd_kafka_commit(k->consumer, known, wait ? 0 : 1) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (err &&
        err != RD_KAFKA_RESP_ERR__NO_OFFSET) /* our own position counts; this one is for others to see */
        ss_logf(k->host, SS_DEBUG, "the group's offsets are not committed: %s", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(known);
}

/* ---- rebalance --------------------------------------------------------------------------------- */

/* `latest` is a promise from now on: it is written down before anything else, so that no end of this process
   makes it a later one. */
static int64_t begin_at_end(kafka *k, const char *topic, int32_t partition)
{
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(k->consumer, topic, partition, &low, &high, ASK_MS);
    kafka_place *place = err ? NULL : places_add(&k->places, topic, partition);
    if (!place) {
        trouble_stop(k, SS_RETRY, "%.160s/%" PRId32 ": its end cannot be read (%s): trying again", topic,
                     partition, err ? rd_kafka_err2str(err) : "too many partitions");
        return RD_KAFKA_OFFSET_STORED;
    }
    place->next = high;
    (void)hand_position(k, place);
    return high;
}

/* The journal's position; else the group's; else `start`. */
static int64_t first_offset(kafka *k, const rd_kafka_topic_partition_t *committed)
{
    kafka_place *place = places_find(&k->places, committed->topic, committed->partition);
    if (place && k->shared_group && committed->offset > place->next) {
        ss_logf(k->host, SS_INFO, "%.200s/%" PRId32 ": another server went on to offset %" PRId64,
                committed->topic, committed->partition, committed->offset);
        place->next = committed->offset;
    }
    if (place)
        return place->next;
    if (committed->offset >= 0)
        return committed->offset;
    return k->start == KAFKA_LATEST ? begin_at_end(k, committed->topic, committed->partition)
                                    : RD_KAFKA_OFFSET_BEGINNING;
}

static bool all_known(kafka *k, const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++)
        if (!places_find(&k->places, at(partitions, i)->topic, at(partitions, i)->partition))
            return false;
    return true;
}

static void begin_where_we_are(kafka *k, rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_topic_partition_list_t *committed = rd_kafka_topic_partition_list_copy(partitions);
    for (int i = 0; i < committed->cnt; i++)
        at(committed, i)->offset = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (k->shared_group || !all_known(k, partitions))
        err = rd_kafka_committed(k->consumer, committed, ASK_MS);
    if (err)
        trouble_stop(k, SS_RETRY, "the group's offsets cannot be read (%s): trying again",
                     rd_kafka_err2str(err));
    for (int i = 0; i < partitions->cnt && k->status == SS_OK; i++)
        at(partitions, i)->offset = first_offset(k, at(committed, i));
    rd_kafka_topic_partition_list_destroy(committed);
}

static void forget_fetched(kafka *k, const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++)
        batch_drop(k, at(partitions, i)->topic, at(partitions, i)->partition);
}

void assign_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque)
{
    kafka *k = opaque;
    bool cooperative = strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
    k->host->metric_add(k->rebalances, 1);
    forget_fetched(k, partitions);
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        trouble_over(k);
        if (k->topic_missing && partitions->cnt)
            k->host->alarm(k->host->self, "topics", NULL);
        k->topic_missing &= partitions->cnt == 0;
        begin_where_we_are(k, partitions);
        if (cooperative)
            rd_kafka_error_destroy(rd_kafka_incremental_assign(rk, partitions));
        else
            (void)rd_kafka_assign(rk, partitions);
    } else {
        if (!rd_kafka_assignment_lost(rk))
            assign_commit(k, partitions, true); /* who gets them goes on where we are */
        if (cooperative)
            rd_kafka_error_destroy(rd_kafka_incremental_unassign(rk, partitions));
        else
            (void)rd_kafka_assign(rk, NULL);
    }
    ss_logf(k->host, SS_INFO, "%d partitions %s", partitions->cnt,
            err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "are ours" : "were given back");
}

/* ---- positions that are not there --------------------------------------------------------------- */

static int64_t committed_offset(kafka *k, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(one, topic, partition);
    rd_kafka_resp_err_t err = rd_kafka_committed(k->consumer, one, ASK_MS);
    int64_t offset = at(one, 0)->offset;
    rd_kafka_topic_partition_list_destroy(one);
    if (err)
        trouble_stop(k, SS_RETRY, "%.120s/%" PRId32 ": the group's offset cannot be read (%s): trying again",
                     topic, partition, rd_kafka_err2str(err));
    return offset;
}

static int64_t behind_the_end(kafka *k, const char *topic, int32_t partition, int64_t offset, int64_t low,
                              int64_t high)
{
    if (k->out_of_range == KAFKA_PAUSE)
        trouble_stop(k, SS_PAUSE,
                     "%.160s/%" PRId32 ": the position %" PRId64 " lies behind the end, %" PRId64
                     ": the topic was made anew, or brokers lost messages; set out_of_range: earliest (read "
                     "all that is "
                     "there) or latest, and reload",
                     topic, partition, offset, high);
    else
        ss_logf(k->host, SS_WARNING,
                "%.160s/%" PRId32 ": the position %" PRId64 " lies behind the end, %" PRId64
                ": it goes on as out_of_range "
                "says, at %" PRId64,
                topic, partition, offset, high, k->out_of_range == KAFKA_EARLIEST ? low : high);
    return k->out_of_range == KAFKA_EARLIEST ? low : high;
}

static void messages_lost(kafka *k, const char *topic, int32_t partition, int64_t offset, int64_t low)
{
    char text[400];
    (void)snprintf(text, sizeof text,
                   "%.160s/%" PRId32 ": offsets %" PRId64 " to %" PRId64
                   " were deleted at the brokers before they were read: raise the topic's retention, or keep "
                   "this server "
                   "running",
                   topic, partition, offset, low - 1);
    k->host->metric_add(k->lost, (double)(low - offset));
    k->host->alarm(k->host->self, "lost", text);
}

/* All partitions begin again where they stand: a partition whose position was refused cannot be moved alone.
 */
static void begin_again(kafka *k)
{
    rd_kafka_topic_partition_list_t *ours = NULL;
    bool cooperative = strcmp(rd_kafka_rebalance_protocol(k->consumer), "COOPERATIVE") == 0;
    if (rd_kafka_assignment(k->consumer, &ours) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    forget_fetched(k, ours);
    begin_where_we_are(k, ours);
    if (cooperative) {
        rd_kafka_error_destroy(rd_kafka_incremental_unassign(k->consumer, ours));
        rd_kafka_error_destroy(rd_kafka_incremental_assign(k->consumer, ours));
    } else {
        (void)rd_kafka_assign(k->consumer, ours);
    }
    rd_kafka_topic_partition_list_destroy(ours);
}

void assign_resolve(kafka *k, const char *topic, int32_t partition, const char *text)
{
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(k->consumer, topic, partition, &low, &high, ASK_MS);
    if (err) {
        trouble_stop(k, SS_RETRY, "%.160s/%" PRId32 ": its offsets cannot be read (%s): trying again", topic,
                     partition, rd_kafka_err2str(err));
        return;
    }
    kafka_place *place = places_find(&k->places, topic, partition);
    int64_t offset = place ? place->next : committed_offset(k, topic, partition), next = offset;
    if (k->status != SS_OK)
        return;
    if (offset < 0)
        next = k->start == KAFKA_LATEST ? high : low;
    else if (offset > high)
        next = behind_the_end(k, topic, partition, offset, low, high);
    else if (offset < low)
        messages_lost(k, topic, partition, offset, next = low);
    if (k->status != SS_OK)
        return;
    ss_logf(k->host, SS_INFO, "%.160s/%" PRId32 " begins at %" PRId64 " (%.160s)", topic, partition, next,
            text);
    place = places_add(&k->places, topic, partition);
    if (!place) {
        trouble_stop(k, SS_PAUSE, "more than %u partitions: the journal keeps no more positions",
                     KAFKA_PLACES_MAX);
        return;
    }
    place->next = next;
    if (hand_position(k, place))
        begin_again(k);
}

/* ---- once a second ------------------------------------------------------------------------------ */

static void lag_metric(kafka *k, kafka_place *place)
{
    char labels[KAFKA_NAME_BYTES + 48];
    if (place->lag_tried)
        return;
    place->lag_tried = true;
    (void)snprintf(labels, sizeof labels, "topic=\"%s\",partition=\"%" PRId32 "\"", place->topic,
                   place->partition);
    place->lag = k->host->gauge(k->host->self, "kafka_partition_lag",
                                "Messages of the partition that are not here yet.", labels);
}

void assign_tick(kafka *k)
{
    rd_kafka_topic_partition_list_t *ours = NULL;
    if (rd_kafka_assignment(k->consumer, &ours) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    double sum = 0;
    for (int i = 0; i < ours->cnt; i++) {
        const rd_kafka_topic_partition_t *p = at(ours, i);
        kafka_place *place = places_find(&k->places, p->topic, p->partition);
        int64_t low, high;
        if (!place || rd_kafka_get_watermark_offsets(k->consumer, p->topic, p->partition, &low, &high) ||
            high < 0)
            continue;
        double lag = high > place->next ? (double)(high - place->next) : 0;
        lag_metric(k, place);
        k->host->metric_set(place->lag, lag);
        sum += lag;
    }
    k->host->metric_set(k->lag, sum);
    k->host->metric_set(k->partitions, ours->cnt);
    assign_commit(k, ours, false);
    rd_kafka_topic_partition_list_destroy(ours);
}

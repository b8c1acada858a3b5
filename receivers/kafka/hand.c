#include "receivers/kafka/hand.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "receivers/kafka/places.h"
#include "receivers/kafka/trouble.h"

#define WAIT_FIRST_MS  5
#define WAIT_MOST_MS   200
#define HEADERS_MAX    256u
#define ID_BYTES       (KAFKA_NAME_BYTES + 40u)
#define POSITION_BYTES (30u * 1024) /* of one group: below what the host takes */

typedef struct touched { /* a partition in the group, and where it stands behind it */
    size_t place;        /* index */
    int64_t next;
} touched;

typedef struct group {
    kafka *k;
    ss_call *call;
    size_t end; /* of the batch: the first message that is not in the group */
    touched parts[KAFKA_GROUP_PARTS];
    size_t part_count, last; /* last: where the message before was found */
    uint64_t messages, bytes, tombstones, known;
    size_t position_bound; /* bytes that the lines of all parts take at the most */
    char position[POSITION_BYTES];
    size_t position_len;
} group;

void batch_empty(kafka *k)
{
    for (size_t i = 0; i < k->batch.count; i++)
        rd_kafka_message_destroy(k->batch.list[i]);
    k->batch.count = k->batch.bytes = 0;
}

static bool is_of(const rd_kafka_message_t *m, const char *topic, int32_t partition)
{
    return m->partition == partition && strcmp(rd_kafka_topic_name(m->rkt), topic) == 0;
}

void batch_drop(kafka *k, const char *topic, int32_t partition)
{
    kafka_batch *b = &k->batch;
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (is_of(b->list[i], topic, partition)) {
            b->bytes -= b->list[i]->len;
            rd_kafka_message_destroy(b->list[i]);
        } else {
            b->list[kept++] = b->list[i];
        }
    }
    b->count = kept;
}

/* ---- one message ------------------------------------------------------------------------------ */

/* The partition's entry in the group; NULL: the group is full, or (k->status is set) its position cannot be
 * kept. */
static touched *part_of(group *g, const rd_kafka_message_t *m)
{
    kafka *k = g->k;
    const char *topic = rd_kafka_topic_name(m->rkt);
    for (size_t n = 0; n < g->part_count; n++) {
        size_t i = (g->last + n) % g->part_count;
        const kafka_place *p = &k->places.list[g->parts[i].place];
        if (p->partition == m->partition && strcmp(p->topic, topic) == 0) {
            g->last = i;
            return &g->parts[i];
        }
    }
    char line[KAFKA_NAME_BYTES + 64];
    size_t line_len = places_put(line, sizeof line, topic, m->partition, INT64_MAX);
    if (g->part_count == KAFKA_GROUP_PARTS || g->position_bound + line_len > POSITION_BYTES)
        return NULL;
    if (k->host->instance.len + strlen(topic) + 12 > KAFKA_PART_BYTES_MAX || line_len == 0) {
        trouble_stop(k, SS_PAUSE,
                     "topic %.64s...: the journal cannot keep positions of topics with such long names; "
                     "give the instance a shorter name, or leave the topic out",
                     topic);
        return NULL;
    }
    kafka_place *place = places_add(&k->places, topic, m->partition);
    if (!place) {
        trouble_stop(
            k, SS_PAUSE,
            "more than %u partitions: the journal keeps no more positions; share the topics among several "
            "servers",
            KAFKA_PLACES_MAX);
        return NULL;
    }
    g->position_bound += line_len;
    g->last = g->part_count++;
    g->parts[g->last] = (touched){.place = (size_t)(place - k->places.list), .next = place->next};
    return &g->parts[g->last];
}

static uint32_t read_headers(const rd_kafka_message_t *m, ss_pair *out)
{
    rd_kafka_headers_t *headers;
    uint32_t count = 0;
    const char *name;
    const void *value;
    size_t len;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    while (count < HEADERS_MAX &&
           rd_kafka_header_get_all(headers, count, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR)
        out[count++] = (ss_pair){ss_cstr(name), ss_s(value ? value : "", value ? len : 0)};
    return count;
}

static int32_t pass_one(group *g, const rd_kafka_message_t *m)
{
    ss_pair headers[HEADERS_MAX];
    char id[ID_BYTES];
    rd_kafka_timestamp_type_t kind;
    int64_t ms = rd_kafka_message_timestamp(m, &kind);
    int id_len = snprintf(id, sizeof id, "%s/%" PRId32 "/%" PRId64, rd_kafka_topic_name(m->rkt), m->partition,
                          m->offset);
    ss_message message = {.struct_size = sizeof message,
                          .pair_size = sizeof headers[0],
                          .body = ss_s(m->payload, m->len),
                          .key = ss_s(m->key ? m->key : "", m->key ? m->key_len : 0),
                          .id = ss_s(id, (size_t)id_len),
                          .time_us = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? 0 : ms * 1000,
                          .headers = headers};
    message.header_count = read_headers(m, headers);
    return g->k->host->pass(g->call, &message);
}

/* False: the group is full before this message. */
static bool add(group *g, const rd_kafka_message_t *m)
{
    touched *part = part_of(g, m);
    if (!part)
        return false;
    if (m->offset < part->next) { /* it is in the journal: a fetch that began before a seek */
        g->known++;
    } else if (!m->payload) { /* a tombstone: a key was deleted, there is nothing to read */
        g->tombstones++;
    } else {
        if (pass_one(g, m) != SS_OK)
            return false;
        g->messages++;
        g->bytes += m->len;
    }
    if (m->offset >= part->next)
        part->next = m->offset + 1;
    return true;
}

/* ---- one group -------------------------------------------------------------------------------- */

static void put_position(group *g)
{
    for (size_t i = 0; i < g->part_count; i++) { /* fits: position_bound */
        const kafka_place *p = &g->k->places.list[g->parts[i].place];
        if (g->parts[i].next == p->next)
            continue; /* its first message did not fit any more */
        g->position_len += places_put(g->position + g->position_len, sizeof g->position - g->position_len,
                                      p->topic, p->partition, g->parts[i].next);
    }
}

static void wait_a_little(kafka *k, int *ms)
{
    (void)poll(NULL, 0, *ms);
    *ms = *ms * 2 < WAIT_MOST_MS ? *ms * 2 : WAIT_MOST_MS;
    if (k->host->stopping(k->host->self))
        k->status = SS_RETRY; /* the stop: what is not handed over comes again */
}

/* As many messages as one group takes, from the batch's `from` on. SS_OK: durable. */
static int32_t try_group(group *g, size_t from, ss_error *err)
{
    kafka *k = g->k;
    g->call = k->host->call_begin(k->host->self);
    if (!g->call)
        return SS_RETRY;
    for (g->end = from; g->end < k->batch.count && add(g, k->batch.list[g->end]);)
        g->end++;
    /* A call must be ended in any case; one without messages and without a position changes nothing. */
    if (g->end > from)
        put_position(g);
    int32_t status = k->host->call_commit(k->host->self, g->call, ss_s(g->position, g->position_len), err);
    return status == SS_OK && g->end == from ? SS_LIMIT : status;
}

static void take_stock(group *g)
{
    kafka *k = g->k;
    for (size_t i = 0; i < g->part_count; i++)
        k->places.list[g->parts[i].place].next = g->parts[i].next;
    k->host->metric_add(k->messages, (double)g->messages);
    k->host->metric_add(k->bytes, (double)g->bytes);
    k->host->metric_add(k->tombstones, (double)g->tombstones);
    k->host->metric_add(k->known, (double)g->known);
}

/* The first message of the batch behind the group; k->status is set where it cannot go on. */
static size_t one_group(kafka *k, group *g, size_t from)
{
    int wait_ms = WAIT_FIRST_MS;
    while (k->status == SS_OK) {
        ss_error err = {.struct_size = sizeof err};
        *g = (group){.k = k, .end = from};
        int32_t status = try_group(g, from, &err);
        if (status == SS_OK) {
            take_stock(g);
            return g->end;
        }
        if (k->status != SS_OK)
            break;
        if (status == SS_FATAL || status == SS_LIMIT)
            trouble_stop(k, status == SS_FATAL ? SS_FATAL : SS_PAUSE, "%.400s",
                         err.text[0] ? err.text : "a group of messages does not fit into the journal");
        else
            wait_a_little(k, &wait_ms);
    }
    return from;
}

void hand_over(kafka *k)
{
    static group g; /* one thread runs this */
    size_t done = 0;
    while (done < k->batch.count && k->status == SS_OK)
        done = one_group(k, &g, done);
    batch_empty(k);
}

bool hand_position(kafka *k, const kafka_place *place)
{
    char line[KAFKA_NAME_BYTES + 64];
    size_t len = places_put(line, sizeof line, place->topic, place->partition, place->next);
    int wait_ms = WAIT_FIRST_MS;
    while (k->status == SS_OK) {
        ss_error err = {.struct_size = sizeof err};
        ss_call *call = k->host->call_begin(k->host->self);
        int32_t status = call ? k->host->call_commit(k->host->self, call, ss_s(line, len), &err) : SS_RETRY;
        if (status == SS_OK)
            return true;
        if (status == SS_RETRY)
            wait_a_little(k, &wait_ms);
        else
            trouble_stop(k, status == SS_FATAL ? SS_FATAL : SS_PAUSE, "%.400s", err.text);
    }
    return false;
}

#include "receivers/kafka/places.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static kafka_place *find(kafka_places *p, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].partition == partition && strcmp(p->list[i].topic, topic) == 0)
            return &p->list[i];
    return NULL;
}

kafka_place *places_find(kafka_places *p, const char *topic, int32_t partition)
{
    kafka_place *found = find(p, topic, partition);
    return found && found->next >= 0 ? found : NULL;
}

kafka_place *places_add(kafka_places *p, const char *topic, int32_t partition)
{
    kafka_place *found = find(p, topic, partition);
    if (found || p->count == KAFKA_PLACES_MAX)
        return found;
    if (p->count == p->size) {
        size_t size = p->size ? p->size * 2 : 16;
        kafka_place *grown = realloc(p->list, size * sizeof *grown);
        if (!grown)
            return NULL;
        p->list = grown;
        p->size = size;
    }
    char *copy = strdup(topic);
    if (!copy)
        return NULL;
    p->list[p->count] = (kafka_place){.topic = copy, .partition = partition, .next = -1};
    return &p->list[p->count++];
}

static bool read_number(const char **at, const char *end, int64_t most, int64_t *out)
{
    int64_t value = 0;
    const char *p = *at;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (value > (most - (*p - '0')) / 10)
            return false;
        value = value * 10 + (*p - '0');
    }
    bool any = p > *at;
    *at = p;
    *out = value;
    return any;
}

/* "/TOPIC/PARTITION=OFFSET" */
static bool read_line(kafka_places *p, ss_str line)
{
    char topic[KAFKA_NAME_BYTES];
    const char *end = line.ptr + line.len;
    const char *slash = line.len > 1 && line.ptr[0] == '/' ? memrchr(line.ptr + 1, '/', line.len - 1) : NULL;
    size_t len = slash ? (size_t)(slash - line.ptr) - 1 : 0;
    int64_t partition, next;
    if (len == 0 || len >= sizeof topic)
        return false;
    memcpy(topic, line.ptr + 1, len);
    topic[len] = '\0';
    const char *at = slash + 1;
    if (!read_number(&at, end, INT32_MAX, &partition) || at == end || *at++ != '=' ||
        !read_number(&at, end, INT64_MAX, &next) || at != end)
        return false;
    kafka_place *place = places_add(p, topic, (int32_t)partition);
    if (place)
        place->next = next;
    return place != NULL;
}

bool places_read(kafka_places *p, ss_str text, ss_error *err)
{
    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        size_t len = newline ? (size_t)(newline - text.ptr) : text.len;
        if (!newline || !read_line(p, ss_s(text.ptr, len))) {
            (void)ss_fail(
                err, SS_REJECT,
                "the journal's position of this instance is not one of Kafka: '%.*s'; give the instance "
                "another name",
                (int)(len < 80 ? len : 80), text.ptr);
            return false;
        }
        text = ss_s(newline + 1, text.len - len - 1);
    }
    return true;
}

size_t places_put(char *out, size_t size, const char *topic, int32_t partition, int64_t next)
{
    int n = snprintf(out, size, "/%s/%" PRId32 "=%" PRId64 "\n", topic, partition, next);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

void places_free(kafka_places *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->list[i].topic);
    free(p->list);
    *p = (kafka_places){0};
}

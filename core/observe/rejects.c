#include "core/observe/rejects.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "core/observe/health.h"
#include "core/observe/metrics.h"

#define REJECTS_COUNTERS_MAX 64u
#define REJECTS_TEXT_MAX     400u /* bytes of text, before escaping */
#define REJECTS_NAME_MAX     64u

typedef struct reject_counter {
    char receiver[REJECTS_NAME_MAX], code[REJECTS_NAME_MAX];
    ss_metric *metric;
} reject_counter;

/* All writers are threads of ingest: a lock of this process is enough, and none is left behind in the page
   when the process is killed. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static reject_counter counters[REJECTS_COUNTERS_MAX];
static size_t counter_count;
static int64_t second_started_us;
static uint32_t lines_this_second;

/* Codes come from plugins: nothing in them may break the exposition format. */
static void put_label(char *out, size_t size, const char *text)
{
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++)
        out[i] = strchr("\"\\\n\r", text[i]) ? '_' : text[i];
    out[i] = '\0';
}

static ss_metric *counter_for(const char *receiver, const char *code)
{
    for (size_t i = 0; i < counter_count; i++) {
        if (strncmp(counters[i].code, code, REJECTS_NAME_MAX - 1) == 0 &&
            strncmp(counters[i].receiver, receiver, REJECTS_NAME_MAX - 1) == 0)
            return counters[i].metric;
    }
    bool full = counter_count == REJECTS_COUNTERS_MAX;
    char who[51], what[41], labels[REJECTS_NAME_MAX * 2];
    put_label(who, sizeof who, full ? "" : receiver);
    put_label(what, sizeof what, full ? "other" : code);
    (void)snprintf(labels, sizeof labels, "receiver=\"%s\",code=\"%s\"", who, what);
    ss_metric *metric =
        metrics_counter("inputs_rejected_total", "Inputs that were not stored, by reason", labels);
    if (!full && metric) {
        reject_counter *c = &counters[counter_count++];
        (void)snprintf(c->receiver, sizeof c->receiver, "%s", receiver);
        (void)snprintf(c->code, sizeof c->code, "%s", code);
        c->metric = metric;
    }
    return metric;
}

static bool within_rate(void)
{
    int64_t now = clock_mono_us();
    if (now - second_started_us >= 1000000) {
        second_started_us = now;
        lines_this_second = 0;
    }
    return lines_this_second++ < REJECTS_LINES_PER_SECOND;
}

static void put_member(buf *line, const char *name, ss_str value, size_t max)
{
    buf_addf(line, ",\"%s\":\"", name);
    health_put_json(line, ss_s(value.ptr, value.len < max ? value.len : max));
    buf_adds(line, "\"");
}

/* Bytes first, head last: a reader believes only what lies before head. */
static void append(board_rejects *ring, const char *bytes, size_t len)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    for (size_t i = 0; i < len; i++)
        __atomic_store_n(&ring->bytes[(head + i) % BOARD_REJECTS_BYTES], bytes[i], __ATOMIC_RELAXED);
    atomic_store_explicit(&ring->head, head + len, memory_order_release);
}

void rejects_add(board *b, const char *receiver, const char *code, ss_str text, ss_str client_ip,
                 int64_t when_us)
{
    if (!b)
        return;
    pthread_mutex_lock(&writing);
    metrics_add(counter_for(receiver, code), 1);
    if (within_rate()) {
        char space[REJECTS_LINE_MAX];
        buf line = {.ptr = space, .size = sizeof space, .max = sizeof space};
        time_t seconds = (time_t)(when_us / 1000000);
        struct tm tm;
        char when[32];
        (void)gmtime_r(&seconds, &tm);
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
        buf_addf(&line, "{\"time\":\"%s.%03dZ\"", when, (int)(when_us / 1000 % 1000));
        put_member(&line, "receiver", ss_s(receiver, strlen(receiver)), REJECTS_NAME_MAX);
        put_member(&line, "code", ss_s(code, strlen(code)), REJECTS_NAME_MAX);
        put_member(&line, "client_ip", client_ip, REJECTS_NAME_MAX);
        put_member(&line, "text", text, REJECTS_TEXT_MAX);
        buf_adds(&line, "}\n");
        if (!line.failed)
            append(&b->rejects, line.ptr, line.len);
    }
    pthread_mutex_unlock(&writing);
}

size_t rejects_read(board *b, uint64_t *from, buf *out)
{
    const uint64_t kept = BOARD_REJECTS_BYTES - REJECTS_LINE_MAX; /* the writer may be busy in the rest */
    board_rejects *ring = &b->rejects;
    size_t before = out->len;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t at = *from <= head ? *from : 0;
    bool cut = false; /* starting in the middle of a line */
    if (head - at > kept) {
        at = head - kept;
        cut = true;
    }
    if (!buf_reserve(out, (size_t)(head - at)))
        return 0;
    for (uint64_t i = at; i < head; i++)
        out->ptr[out->len++] = __atomic_load_n(&ring->bytes[i % BOARD_REJECTS_BYTES], __ATOMIC_RELAXED);
    atomic_thread_fence(memory_order_acquire);
    uint64_t now = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t lost = now - at > kept ? now - at - kept : 0; /* overwritten while we copied */
    *from = head;
    if (lost > 0)
        cut = true;
    if (!cut)
        return out->len - before;
    size_t skip = lost < head - at ? (size_t)lost : (size_t)(head - at);
    char *start = out->ptr + before + skip;
    char *newline = memchr(start, '\n', out->len - before - skip);
    size_t gone = newline ? (size_t)(newline + 1 - (out->ptr + before)) : out->len - before;
    memmove(out->ptr + before, out->ptr + before + gone, out->len - before - gone);
    out->len -= gone;
    return out->len - before;
}

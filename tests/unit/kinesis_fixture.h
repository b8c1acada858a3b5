/* The receiver's inside without a network: a host in plain memory that takes messages and positions. */
#ifndef TESTS_UNIT_KINESIS_FIXTURE_H
#define TESTS_UNIT_KINESIS_FIXTURE_H

#include <stdio.h>

#include "receivers/kinesis/kinesis.h"

typedef struct kinesis_fixture {
    ss_host host;
    kinesis k;
    ss_error err;
    grow said;     /* id=key:body of each message stored, a line each     */
    grow open;     /* of the group that is open                           */
    grow position; /* of all commits                                      */
    uint32_t limit, in_group, commits;
    int32_t commit_status;
} kinesis_fixture;

static inline kinesis_fixture *fixture_of(const void *call)
{
    return (kinesis_fixture *)(uintptr_t)call;
}

static void fixture_log(void *self, int32_t level, const char *text)
{
    (void)self, (void)level, (void)text;
}

static int64_t fixture_now(void *self)
{
    (void)self;
    return 1764559445000000;
}

static bool fixture_stopping(void *self)
{
    (void)self;
    return false;
}

static void fixture_random(void *self, void *out, size_t len)
{
    (void)self;
    memset(out, 7, len);
}

static void fixture_metric(ss_metric *metric, double value)
{
    (void)metric, (void)value;
}

static ss_call *fixture_begin(void *self)
{
    return self; /* one at a time */
}

static int32_t fixture_pass(ss_call *call, const ss_message *m)
{
    kinesis_fixture *f = fixture_of(call);
    if (f->limit && f->in_group == f->limit)
        return SS_LIMIT;
    f->in_group++;
    (void)grow_put(&f->open, m->id);
    (void)grow_puts(&f->open, "=");
    (void)grow_put(&f->open, m->key);
    (void)grow_puts(&f->open, ":");
    (void)grow_put(&f->open, m->body);
    (void)grow_puts(&f->open, "\n");
    return SS_OK;
}

static int32_t fixture_commit(void *self, ss_call *call, ss_str position, ss_error *err)
{
    kinesis_fixture *f = fixture_of(call);
    (void)self;
    f->in_group = 0;
    if (f->commit_status == SS_OK) {
        f->commits++;
        (void)grow_put(&f->said, grow_str(&f->open));
        (void)grow_put(&f->position, position);
    } else {
        (void)ss_fail(err, f->commit_status, "not now");
    }
    grow_clear(&f->open);
    return f->commit_status;
}

static inline void kinesis_fixture_init(kinesis_fixture *f)
{
    memset(f, 0, sizeof *f);
    f->host = (ss_host){.struct_size = sizeof f->host,
                        .self = f,
                        .log = fixture_log,
                        .now_us = fixture_now,
                        .stopping = fixture_stopping,
                        .random = fixture_random,
                        .metric_add = fixture_metric,
                        .metric_set = fixture_metric,
                        .call_begin = fixture_begin,
                        .pass = fixture_pass,
                        .call_commit = fixture_commit};
    f->said.limit = f->open.limit = f->position.limit = 1u << 26;
    f->k.host = &f->host;
    f->k.poll_ms = 1000;
    f->k.limit = 10000;
    f->k.fresh = true;
    (void)snprintf(f->k.name, sizeof f->k.name, "s");
    (void)snprintf(f->k.stream, sizeof f->k.stream, "s");
    f->k.data = malloc(DATA_MAX + 4);
    f->k.text = malloc(DATA_MAX * 2);
    f->k.kpl = malloc(sizeof *f->k.kpl);
}

static inline void kinesis_fixture_fini(kinesis_fixture *f)
{
    while (f->k.count)
        kinesis_forget(&f->k, 0);
    free(f->k.list.shards);
    free(f->k.next.shards);
    free(f->k.data);
    free(f->k.text);
    free(f->k.kpl);
    grow_free(&f->said);
    grow_free(&f->open);
    grow_free(&f->position);
}

#endif

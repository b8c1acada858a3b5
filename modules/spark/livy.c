/* Apache Livy: a batch. Names are unique among the batches that live, and are looked up before anything is
   sent again. */
#include <ctype.h>

#include "modules/spark/http.h"
#include "plugins/common/fault.h"

#define LIVY_POLL   5000
#define LIVY_SETTLE 60000
#define PAGE_SIZE   100
#define PAGES_MAX   200

static bool take_id(spark_run *r, ss_str json)
{
    if (!json_member_text(json, "id", r->ext, sizeof r->ext))
        return false;
    for (const char *c = r->ext; *c; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    return r->ext[0] != '\0';
}

static enum answer livy_submit(spark_target *t, spark_run *r)
{
    http_base *b = t->self;
    grow *out = &b->body;
    grow_clear(out);
    (void)grow_puts(out, "{");
    json_pair(out, "file", r->job->file);
    if (r->job->class_name.len) {
        (void)grow_puts(out, ",");
        json_pair(out, "className", r->job->class_name);
    }
    (void)grow_puts(out, ",");
    json_pair(out, "name", ss_cstr(r->name));
    (void)grow_puts(out, ",\"args\":[");
    bool good = run_arguments(t, r, r->job->args, out);
    (void)grow_puts(out, "],\"conf\":");
    good = good && run_properties(t, r, out) && grow_puts(out, "}");
    if (!good)
        return run_says(r, RUN_FAILED, "its arguments are too many or too long");
    http_call *call = http_ask(t, "POST", b->url, "/batches", out);
    if (!call)
        return run_says(r, RUN_BUSY, "no memory");
    FAULT_POINT("spark.answered_livy");
    const http_reply *reply = http_reply_of(call);
    enum answer a = RUN_STARTED;
    if (!http_good(reply))
        a = http_refused(r, "Livy", reply);
    else if (!take_id(r, reply->body))
        a = run_says(r, RUN_UNKNOWN, "Livy's answer has no id");
    http_call_free(call);
    return a;
}

typedef struct look {
    spark_run *run;
    size_t items;
    bool found;
} look;

static bool is_batch(void *arg, ss_str item)
{
    look *l = arg;
    char name[128];
    l->items++;
    if (json_member_text(item, "name", name, sizeof name) && strcmp(name, l->run->name) == 0)
        l->found = take_id(l->run, item);
    return !l->found;
}

static enum answer livy_find(spark_target *t, spark_run *r)
{
    http_base *b = t->self;
    for (int page = 0; page < PAGES_MAX; page++) {
        char path[64];
        look l = {.run = r};
        (void)snprintf(path, sizeof path, "/batches?from=%d&size=%d", page * PAGE_SIZE, PAGE_SIZE);
        http_call *call = http_ask(t, "GET", b->url, path, NULL);
        if (!call)
            return run_says(r, RUN_UNKNOWN, "no memory");
        const http_reply *reply = http_reply_of(call);
        enum answer a = RUN_ABSENT;
        if (!http_good(reply))
            a = run_says(r, RUN_UNKNOWN, "Livy does not list its batches (%u)", reply->status);
        else if (!json_each(reply->body, "sessions", is_batch, &l))
            a = run_says(r, RUN_UNKNOWN, "Livy's list cannot be read");
        http_call_free(call);
        if (l.found)
            return RUN_STARTED;
        if (a != RUN_ABSENT || l.items < PAGE_SIZE)
            return a;
    }
    return run_says(r, RUN_UNKNOWN, "Livy has more than %d batches", PAGES_MAX * PAGE_SIZE);
}

static enum answer livy_poll(spark_target *t, spark_run *r)
{
    http_base *b = t->self;
    char path[SPARK_EXT_MAX + 16], state[32];
    (void)snprintf(path, sizeof path, "/batches/%s", r->ext);
    http_call *call = http_ask(t, "GET", b->url, path, NULL);
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const http_reply *reply = http_reply_of(call);
    enum answer a = RUN_GOING;
    if (!http_good(reply))
        a = http_silent(r, "Livy", reply);
    else if (!json_member_text(reply->body, "state", state, sizeof state))
        a = run_says(r, RUN_UNKNOWN, "Livy gave no state");
    else if (strcmp(state, "success") == 0)
        a = RUN_DONE;
    else if (strcmp(state, "dead") == 0 || strcmp(state, "error") == 0 || strcmp(state, "killed") == 0)
        a = run_says(r, RUN_FAILED, "batch %.40s is %s; its log: %.200s%s/log", r->ext, state, b->url, path);
    http_call_free(call);
    return a;
}

static void livy_end(spark_target *t, spark_run *r)
{
    char path[SPARK_EXT_MAX + 16];
    (void)snprintf(path, sizeof path, "/batches/%s", r->ext);
    http_call *call = http_ask(t, "DELETE", ((http_base *)t->self)->url, path, NULL);
    if (call)
        http_call_free(call);
}

static int32_t livy_check(spark_target *t, ss_error *err)
{
    http_call *call = http_ask(t, "GET", ((http_base *)t->self)->url, "/batches?from=0&size=1", NULL);
    bool good = call && http_good(http_reply_of(call));
    uint32_t status = call ? http_reply_of(call)->status : 0;
    if (call)
        http_call_free(call);
    return good ? SS_OK
                : ss_fail(err, SS_PAUSE, "Livy at %.200s does not list its batches (%u)",
                          ((http_base *)t->self)->url, status);
}

bool target_livy(spark_target *t, const ss_config *cfg, ss_error *err)
{
    http_base *b = http_base_new(t, cfg, "livy.url", err);
    t->self = b;
    if (b) {
        (void)http_copy(t->host, cfg, "livy.user", b->user, sizeof b->user);
        b->secret = "livy.password";
    }
    t->poll_ms = LIVY_POLL;
    t->settle_ms = LIVY_SETTLE;
    t->submit = livy_submit;
    t->find = livy_find;
    t->poll = livy_poll;
    t->end = livy_end;
    t->check = livy_check;
    t->free = http_base_free;
    return b != NULL;
}

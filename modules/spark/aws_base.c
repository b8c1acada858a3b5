#include "modules/spark/aws_base.h"

static bool take(const ss_host *h, const ss_config *cfg, const char *option, char out[AWS_ID_MAX],
                 ss_error *err)
{
    if (!option)
        return true;
    ss_str text = h->cfg_str(cfg, option);
    if (!text.len || text.len >= AWS_ID_MAX)
        return ss_fail(err, SS_REJECT, "%s is missing: this target needs it", option), false;
    memcpy(out, text.ptr, text.len);
    return true;
}

static aws_base *aws_base_new(const spark_target *t, const ss_config *cfg, const char *id_option,
                              const char *role_option, ss_error *err)
{
    aws_base *b = calloc(1, sizeof *b);
    if (!b)
        return ss_fail(err, SS_RETRY, "no memory"), NULL;
    b->body.limit = b->path.limit = BODY_MAX;
    aws_settings settings = aws_settings_of(&b->origin, t->host, cfg);
    if (take(t->host, cfg, id_option, b->id, err) && take(t->host, cfg, role_option, b->role, err) &&
        (b->client = aws_client_new(&settings, err)) != NULL)
        return b;
    free(b);
    return NULL;
}

void aws_base_free(spark_target *t)
{
    aws_base *b = t->self;
    aws_client_free(b->client);
    grow_free(&b->body);
    grow_free(&b->path);
    free(b);
}

static int32_t aws_base_check(spark_target *t, ss_error *err)
{
    return aws_connect(((aws_base *)t->self)->client, err);
}

aws_call *aws_base_json(spark_target *t, const aws_service *service, const char *operation)
{
    aws_base *b = t->self;
    if (b->body.full)
        return NULL;
    char target[96];
    (void)snprintf(target, sizeof target, "%s.%s", service->target, operation);
    /* Once: a repeat by the client would be a second run where the first was carried out unseen. */
    const ss_pair headers[] = {{.key = SS_LIT("Content-Type"), .value = SS_LIT("application/x-amz-json-1.1")},
                               {.key = SS_LIT("X-Amz-Target"), .value = ss_cstr(target)}};
    aws_request request = {.service = service,
                           .method = SS_LIT("POST"),
                           .path = SS_LIT("/"),
                           .headers = headers,
                           .header_count = 2,
                           .body = grow_str(&b->body),
                           .timeout_ms = CALL_MS,
                           .flags = AWS_ONCE};
    aws_call *call = aws_start(b->client, &request);
    if (call)
        (void)aws_wait(call);
    return call;
}

enum answer aws_base_refused(spark_run *r, const aws_reply *reply)
{
    if (reply->unknown)
        return run_says(r, RUN_UNKNOWN, "%.300s", reply->text);
    switch (reply->result) {
    case AWS_RETRY:
    case AWS_THROTTLE:
        return run_says(r, RUN_BUSY, "%.300s", reply->text);
    case AWS_AUTH:
        return run_says(r, RUN_PAUSE, "%.300s", reply->text);
    default:
        return run_says(r, RUN_FAILED, "%.300s", reply->text);
    }
}

/* Of a find or poll that failed. */
static enum answer aws_base_silent(spark_run *r, const aws_reply *reply)
{
    return run_says(r, reply->result == AWS_POISON ? RUN_LOST : RUN_UNKNOWN, "%.300s", reply->text);
}

/* ---- by the target's table ---- */

static enum answer state_of(const aws_kind *k, spark_run *r, ss_str body)
{
    char state[64], why[200] = "";
    if (!json_member_text(body, k->state, state, sizeof state))
        return run_says(r, RUN_UNKNOWN, "%s gave no state", k->asked);
    if (strcmp(state, k->done) == 0)
        return RUN_DONE;
    for (size_t i = 0; i < BAD_STATES && k->bad[i]; i++) {
        if (strcmp(state, k->bad[i]) != 0)
            continue;
        if (!json_member_text(body, k->why[0], why, sizeof why) && k->why[1])
            (void)json_member_text(body, k->why[1], why, sizeof why);
        return run_says(r, RUN_FAILED, "%s %.100s: %s%s%s", k->what, r->ext, state, *why ? ": " : "", why);
    }
    return RUN_GOING;
}

static enum answer aws_base_poll(spark_target *t, spark_run *r)
{
    const aws_kind *k = ((aws_base *)t->self)->kind;
    if (k->by_job && !r->job)
        return run_says(r, RUN_UNKNOWN, "the configuration has no such job any more");
    aws_call *call = k->ask(t, r);
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = reply->result == AWS_OK ? state_of(k, r, reply->body) : aws_base_silent(r, reply);
    aws_call_free(call);
    return a;
}

typedef struct look {
    const aws_kind *kind;
    const char *name;
    char id[AWS_ID_MAX], token[4096];
} look;

static bool is_run(void *arg, ss_str item)
{
    look *l = arg;
    char name[AWS_ID_MAX];
    if (json_member_text(item, l->kind->name, name, sizeof name) && strcmp(name, l->name) == 0)
        return !json_member_text(item, l->kind->id, l->id, sizeof l->id);
    return true;
}

/* One page: RUN_ABSENT where the run is not in it. */
static enum answer look_at_page(spark_target *t, spark_run *r, look *l)
{
    aws_base *b = t->self;
    const aws_kind *k = b->kind;
    k->open(b, r);
    if (l->token[0]) {
        (void)grow_puts(&b->body, ",");
        json_pair(&b->body, k->token, ss_cstr(l->token));
    }
    (void)grow_puts(&b->body, k->page);
    (void)grow_puts(&b->body, "}");
    aws_call *call = aws_base_json(t, k->service, k->list);
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = RUN_ABSENT;
    if (reply->result != AWS_OK)
        a = aws_base_silent(r, reply);
    else if (!json_each(reply->body, k->items, is_run, l))
        a = run_says(r, RUN_UNKNOWN, "%s gave no %s", k->list, k->items);
    if (!json_member_text(reply->body, k->token, l->token, sizeof l->token))
        l->token[0] = '\0';
    aws_call_free(call);
    return a;
}

static enum answer aws_base_find(spark_target *t, spark_run *r)
{
    look l = {.kind = ((aws_base *)t->self)->kind, .name = r->name};
    for (size_t page = 0; page < PAGES_MAX; page++) {
        enum answer a = look_at_page(t, r, &l);
        if (a != RUN_ABSENT)
            return a;
        if (l.id[0]) {
            (void)snprintf(r->ext, sizeof r->ext, "%s", l.id);
            return RUN_STARTED;
        }
        if (!l.token[0])
            return RUN_ABSENT;
    }
    return run_says(r, RUN_UNKNOWN, "%s has more than %u pages", l.kind->list, PAGES_MAX);
}

bool aws_base_make(spark_target *t, const aws_kind *kind, const ss_config *cfg, const char *id_option,
                   const char *role_option, ss_error *err)
{
    aws_base *b = aws_base_new(t, cfg, id_option, role_option, err);
    t->self = b;
    if (!b)
        return false;
    b->kind = kind;
    t->poll_ms = AWS_POLL_MS;
    t->settle_ms = AWS_SETTLE;
    t->find = aws_base_find;
    t->poll = aws_base_poll;
    t->check = aws_base_check;
    t->free = aws_base_free;
    return true;
}

#include "modules/opensearch/answer.h"

typedef struct walk {
    uint32_t seen;
    void (*visit)(void *arg, uint32_t i, const answer_item *item);
    void *arg;
} walk;

/* ---- reading ---- */

static void keep(char *out, size_t size, const json_value *v)
{
    size_t len = v->kind == JSON_STRING ? v->text.len : 0;
    len = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = v->text.ptr[i];
    out[len] = '\0';
}

/* "reason: caused by": mapper_parsing_exception tells the field, its cause the value. */
static void add_cause(answer_item *item, const answer_item *cause)
{
    size_t len = strlen(item->reason), room = sizeof item->reason - len;
    if (*cause->reason && room > sizeof " ()")
        (void)snprintf(item->reason + len, room, " (%.*s)", (int)(room - sizeof " ()"), cause->reason);
}

/* {"type":"...","reason":"...","caused_by":{...}}, or a text */
static bool read_error(json_scan *s, answer_item *item, int depth)
{
    json_value v, key;
    answer_item cause = {.status = 0};
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_OBJECT) {
        keep(item->reason, sizeof item->reason, &v);
        return v.kind != JSON_ARRAY;
    }
    while (json_member(s, &key)) {
        bool type = json_is(&key, "type"), reason = json_is(&key, "reason");
        if (depth == 0 && json_is(&key, "caused_by")) {
            if (!read_error(s, &cause, 1))
                return false;
            continue;
        }
        if (!type && !reason) {
            (void)json_skip(s, NULL);
            continue;
        }
        if (!json_read(s, &v) || v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
            return false;
        keep(type ? item->type : item->reason, type ? sizeof item->type : sizeof item->reason, &v);
    }
    add_cause(item, &cause);
    return s->problem == NULL;
}

/* {"create":{"status":201,...}} */
static bool read_item(json_scan *s, answer_item *item)
{
    json_value v, key;
    item->status = 0;
    item->type[0] = item->reason[0] = '\0';
    if (!json_read(s, &v) || v.kind != JSON_OBJECT || !json_member(s, &key) || !json_read(s, &v) ||
        v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        if (json_is(&key, "status")) {
            if (!json_read(s, &v) || v.kind != JSON_NUMBER || !json_i64(v.text, &item->status))
                return false;
        } else if (json_is(&key, "error")) {
            if (!read_error(s, item, 0))
                return false;
        } else {
            (void)json_skip(s, NULL);
        }
    }
    return item->status > 0 && json_leave(s);
}

static bool read_body(ss_str body, walk *w)
{
    json_scan s;
    json_value v, key;
    answer_item item;
    bool found = false;
    json_start(&s, body);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (found || !json_is(&key, "items")) {
            (void)json_skip(&s, NULL);
            continue;
        }
        found = true;
        if (!json_read(&s, &v) || v.kind != JSON_ARRAY)
            return false;
        while (json_item(&s)) {
            if (!read_item(&s, &item))
                return false;
            if (w->visit)
                w->visit(w->arg, w->seen, &item);
            w->seen++;
        }
    }
    return found && json_finish(&s);
}

/* Twice: nothing is believed of an answer that is not whole. */
bool answer_walk(ss_str body, uint32_t count, void (*visit)(void *arg, uint32_t i, const answer_item *item),
                 void *arg)
{
    walk dry = {.visit = NULL}, wet = {.visit = visit, .arg = arg};
    return read_body(body, &dry) && dry.seen == count && read_body(body, &wet);
}

/* ---- judging ---- */

static const struct {
    const char *type, *reason; /* NULL: any; reason: a part of it */
    enum answer_verdict verdict;
    const char *remedy;
} rules[] = {
    {"es_rejected_execution_exception", NULL, ANSWER_BUSY, ""},
    {"rejected_execution_exception", NULL, ANSWER_BUSY, ""},
    {"circuit_breaking_exception", NULL, ANSWER_BUSY, ""},
    {"cluster_block_exception", NULL, ANSWER_AGAIN, ""},
    {"process_cluster_event_timeout_exception", NULL, ANSWER_AGAIN, ""},
    {"index_not_found_exception", NULL, ANSWER_PAUSE,
     "make the index, or allow action.auto_create_index for it"},
    {"security_exception", NULL, ANSWER_PAUSE, "give the user or role the right to write to this index"},
    {NULL, "maximum normal shards open", ANSWER_PAUSE,
     "shorten retain, use %Y.%m, or raise cluster.max_shards_per_node"},
    {NULL, "maximum shards open", ANSWER_PAUSE,
     "shorten retain, use %Y.%m, or raise cluster.max_shards_per_node"},
    {NULL, "op_type of create are allowed in data streams", ANSWER_PAUSE, "set data_stream: true"},
    {NULL, "no write index is defined for alias", ANSWER_PAUSE,
     "name an index, not an alias, or give it a write index"},
    {NULL, "Document ID is not supported", ANSWER_PAUSE, "set serverless: timeseries"},
};

static size_t rule_of(const answer_item *item)
{
    size_t i = 0, count = sizeof rules / sizeof *rules;
    while (i < count && !((rules[i].type && strcmp(rules[i].type, item->type) == 0) ||
                          (rules[i].reason && strstr(item->reason, rules[i].reason))))
        i++;
    return i;
}

enum answer_verdict answer_judge(const answer_item *item, bool conflict_is_there)
{
    size_t rule = rule_of(item), count = sizeof rules / sizeof *rules;
    if (item->status >= 200 && item->status < 300)
        return ANSWER_OK;
    if (item->status == 409)
        return conflict_is_there ? ANSWER_THERE : ANSWER_AGAIN;
    if (rule < count)
        return rules[rule].verdict;
    if (item->status == 429 || item->status == 503)
        return ANSWER_BUSY;
    if (item->status == 401 || item->status == 403)
        return ANSWER_PAUSE;
    return item->status >= 400 && item->status < 500 ? ANSWER_REFUSE : ANSWER_AGAIN;
}

const char *answer_remedy(const answer_item *item)
{
    size_t rule = rule_of(item);
    return rule < sizeof rules / sizeof *rules ? rules[rule].remedy : "";
}

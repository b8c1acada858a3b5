/* From the options to steps; every mistake names its place. */
#include <stdlib.h>

#include "enrichers/shape/step.h"
#include "plugins/common/json.h"

const char *const step_names[STEP_ACTIONS] = {[STEP_DROP_EVENT] = "drop_event",
                                              [STEP_KEEP] = "keep",
                                              [STEP_REMOVE] = "remove",
                                              [STEP_RENAME] = "rename",
                                              [STEP_SET] = "set",
                                              [STEP_DEFAULT] = "default",
                                              [STEP_HASH] = "hash",
                                              [STEP_LOWER] = "lower",
                                              [STEP_TRIM] = "trim",
                                              [STEP_CUT] = "cut"};

static const char *const test_names[] = {[TEST_EQUALS] = "equals",
                                         [TEST_PREFIX] = "prefix",
                                         [TEST_SUFFIX] = "suffix",
                                         [TEST_CONTAINS] = "contains",
                                         [TEST_EXISTS] = "exists"};
#define TESTS (sizeof test_names / sizeof test_names[0])

typedef struct compiler {
    steps *out;
    const ss_host *host;
    size_t at; /* number of the step, for errors */
    ss_error *err;
} compiler;

static int32_t no_memory(const compiler *c)
{
    return ss_fail(c->err, SS_LIMIT, "steps: out of memory");
}

static int32_t refer(compiler *c, ss_str name, uint32_t *ref)
{
    if (name.len == 0 || name.len > FIELD_NAME_MAX)
        return ss_fail(c->err, SS_REJECT, "steps.%zu: the name of a field has 1 to %u bytes", c->at,
                       FIELD_NAME_MAX);
    if (c->out->names++ == STEP_NAMES_MAX)
        return ss_fail(c->err, SS_LIMIT,
                       "steps.%zu: more than %u names of fields in all; spread them over two enrichers",
                       c->at, STEP_NAMES_MAX);
    *ref = field_ref(c->host, name);
    return SS_OK;
}

/* ---- conditions ---- */

static int32_t take_texts(compiler *c, step_condition *when, const ss_config *node, const char *test)
{
    const ss_config *list = c->host->cfg_get(node, "any_of");
    size_t count = list ? c->host->cfg_len(list) : 1;
    when->texts = calloc(count + 1, sizeof *when->texts);
    if (!when->texts)
        return no_memory(c);
    if (!list)
        when->texts[when->count++] = c->host->cfg_str(node, test);
    for (size_t i = 0; list && i < count; i++)
        when->texts[when->count++] = c->host->cfg_str(c->host->cfg_at(list, i), "");
    return SS_OK;
}

static int32_t compile_condition(compiler *c, step_condition *when, const ss_config *node)
{
    size_t found = 0;
    const char *test = "";
    for (size_t i = 0; i < TESTS; i++)
        if (c->host->cfg_get(node, test_names[i])) {
            found++;
            test = test_names[i];
            when->test = (enum step_test)i;
        }
    if (c->host->cfg_get(node, "any_of"))
        found++;
    if (found != 1)
        return ss_fail(
            c->err, SS_REJECT,
            "steps.%zu.if: exactly one of equals, any_of, prefix, suffix, contains, exists is wanted", c->at);
    when->given = true;
    when->negated = c->host->cfg_int(node, "not") != 0;
    if (when->test == TEST_EXISTS)
        when->negated ^= c->host->cfg_int(node, "exists") == 0;
    int32_t status = refer(c, c->host->cfg_str(node, "field"), &when->ref);
    return status == SS_OK && when->test != TEST_EXISTS ? take_texts(c, when, node, test) : status;
}

/* ---- actions ---- */

/* JSON text as a value of an event; texts become owned. */
static bool read_value(ss_str json, ss_value *out)
{
    json_scan scan;
    json_value v;
    json_start(&scan, json);
    *out = (ss_value){.kind = SS_V_NULL};
    if (!json_read(&scan, &v))
        return false;
    if (v.kind == JSON_NUMBER && json_i64(v.text, &out->as.i64)) {
        out->kind = SS_V_INT;
    } else if (v.kind == JSON_NUMBER) {
        out->kind = SS_V_DOUBLE;
        return json_double(v.text, &out->as.f64);
    } else if (v.kind == JSON_TRUE || v.kind == JSON_FALSE) {
        out->kind = SS_V_BOOL;
        out->as.i64 = v.kind == JSON_TRUE;
    } else if (v.kind != JSON_NULL) {
        ss_str text = v.kind == JSON_STRING ? v.text : json;
        char *copy = malloc(text.len + 1);
        if (!copy)
            return false;
        out->kind = v.kind == JSON_STRING ? SS_V_STR : SS_V_JSON;
        out->as.ptr = copy;
        if (v.kind == JSON_STRING)
            text.len = json_unescape(copy, text);
        else
            memcpy(copy, text.ptr, text.len);
        out->len = (uint32_t)text.len;
    }
    return true;
}

/* What a mapping says beside the name of a field. */
static int32_t take_value(compiler *c, const step *s, step_item *item, const ss_config *value)
{
    if (s->action == STEP_RENAME) {
        int32_t status = refer(c, c->host->cfg_str(value, ""), &item->target);
        if (status == SS_OK && item->target == item->ref && item->ref != SS_NO_FIELD)
            return ss_fail(c->err, SS_REJECT, "steps.%zu.rename: from and to are one name", c->at);
        return status;
    }
    if (s->action == STEP_CUT)
        item->limit = (size_t)c->host->cfg_int(value, "");
    else if (!read_value(c->host->cfg_str(value, ""), &item->value))
        return no_memory(c);
    return SS_OK;
}

static int32_t compile_items(compiler *c, step *s, const ss_config *node)
{
    bool mapping = s->action == STEP_RENAME || s->action == STEP_SET || s->action == STEP_DEFAULT ||
                   s->action == STEP_CUT;
    size_t count = c->host->cfg_len(node);
    if (count == 0)
        return ss_fail(c->err, SS_REJECT, "steps.%zu.%s: no field is named", c->at, step_names[s->action]);
    s->items = calloc(count, sizeof *s->items);
    if (!s->items)
        return no_memory(c);
    int32_t status = SS_OK;
    for (size_t i = 0; i < count && status == SS_OK; i++) {
        const ss_config *value = c->host->cfg_at(node, i);
        step_item *item = &s->items[s->count++];
        status = refer(c, mapping ? c->host->cfg_key(node, i) : c->host->cfg_str(value, ""), &item->ref);
        if (status == SS_OK && mapping)
            status = take_value(c, s, item, value);
    }
    return status;
}

static int32_t compile_drop(compiler *c, step *s, const ss_config *node)
{
    s->reason = c->host->cfg_str(node, "");
    if (s->reason.len == 0 || s->reason.len > STEP_REASON_MAX)
        return ss_fail(c->err, SS_REJECT,
                       "steps.%zu.drop_event: a reason of 1 to %u bytes is wanted: it is counted by it",
                       c->at, STEP_REASON_MAX);
    if (!s->when.given)
        return ss_fail(c->err, SS_REJECT, "steps.%zu.drop_event: without 'if' it would drop every event",
                       c->at);
    return SS_OK;
}

static const ss_config *find_action(compiler *c, const ss_config *node, step *s, size_t *found)
{
    const ss_config *action = NULL;
    *found = 0;
    for (size_t i = 0; i < STEP_ACTIONS; i++) {
        const ss_config *given = c->host->cfg_get(node, step_names[i]);
        if (!given)
            continue;
        action = given;
        s->action = (enum step_action)i;
        ++*found;
    }
    return action;
}

static int32_t compile_step(compiler *c, step *s, const ss_config *node)
{
    size_t found;
    const ss_config *action = find_action(c, node, s, &found), *when = c->host->cfg_get(node, "if");
    if (found != 1)
        return ss_fail(c->err, SS_REJECT,
                       "steps.%zu: exactly one of drop_event, keep, remove, rename, set, default, hash, "
                       "lower, trim, cut is "
                       "wanted, not %zu; write a step for each",
                       c->at, found);
    int64_t digits = c->host->cfg_int(node, "length");
    if (digits && s->action != STEP_HASH)
        return ss_fail(c->err, SS_REJECT,
                       "steps.%zu.length: it belongs to hash; cut: {field: bytes} cuts a text", c->at);
    s->digits = digits ? (size_t)digits : STEP_DIGITS;
    c->out->hashes |= s->action == STEP_HASH;
    int32_t status = when ? compile_condition(c, &s->when, when) : SS_OK;
    if (status != SS_OK)
        return status;
    return s->action == STEP_DROP_EVENT ? compile_drop(c, s, action) : compile_items(c, s, action);
}

int32_t steps_compile(steps *s, const ss_host *host, const ss_config *list, ss_error *err)
{
    compiler c = {s, host, 0, err};
    size_t count = list ? host->cfg_len(list) : 0;
    s->list = calloc(count + 1, sizeof *s->list);
    int32_t status = s->list ? SS_OK : no_memory(&c);
    for (; c.at < count && status == SS_OK; c.at++)
        status = compile_step(&c, &s->list[s->count++], host->cfg_at(list, c.at));
    return status;
}

void steps_free(steps *s)
{
    for (size_t i = 0; i < s->count; i++) {
        step *one = &s->list[i];
        for (size_t k = 0; k < one->count; k++)
            if (one->items[k].value.kind == SS_V_STR || one->items[k].value.kind == SS_V_JSON)
                free((void *)(uintptr_t)one->items[k].value.as.ptr);
        free(one->items);
        free(one->when.texts);
    }
    free(s->list);
    *s = (steps){0};
}

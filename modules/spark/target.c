#include "modules/spark/target.h"

#include "plugins/common/json.h"

enum answer run_says(spark_run *r, enum answer answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
    return answer;
}

/* ---- writing ---- */

void json_text(grow *out, ss_str text)
{
    if (!grow_room(out, json_escape_bound(text.len)))
        return;
    out->len += json_put_string(out->at + out->len, text);
    out->at[out->len] = '\0';
}

void json_pair(grow *out, const char *name, ss_str text)
{
    json_text(out, ss_cstr(name));
    (void)grow_puts(out, ":");
    json_text(out, text);
}

typedef struct word_list {
    grow *out;
    bool json;
    size_t count;
} word_list;

static void put_word(word_list *w, ss_str text)
{
    if (!w->json) {
        (void)grow_put(w->out, text);
        (void)grow_put(w->out, ss_s("", 1));
    } else {
        if (w->count)
            (void)grow_puts(w->out, ",");
        json_text(w->out, text);
    }
    w->count++;
}

static bool expand(const spark_run *r, ss_str text, grow *out)
{
    ss_error err = {.struct_size = sizeof err};
    run_facts facts = {.batch = r->batch, .batch_name = r->batch_name, .run = r->name, .list = r->list};
    grow_clear(out);
    return job_expand(text, &facts, out, &err) && !memchr(grow_str(out).ptr, '\0', out->len);
}

static bool put_list(const spark_target *t, const spark_run *r, const ss_config *list, word_list *w)
{
    grow text = {.limit = JOB_ARGS_BYTES};
    bool good = true;
    for (size_t i = 0; good && list && i < t->host->cfg_len(list); i++) {
        good = expand(r, t->host->cfg_str(t->host->cfg_at(list, i), ""), &text);
        if (good)
            put_word(w, grow_str(&text));
    }
    grow_free(&text);
    return good && !w->out->full;
}

bool run_arguments(const spark_target *t, const spark_run *r, const ss_config *list, grow *json)
{
    word_list w = {.out = json, .json = true};
    return put_list(t, r, list, &w);
}

static bool put_conf(const spark_target *t, const spark_run *r, word_list *w)
{
    const ss_config *conf = r->job->conf;
    grow text = {.limit = JOB_ARGS_BYTES}, pair = {.limit = JOB_ARGS_BYTES};
    bool good = true;
    for (size_t i = 0; good && conf && i < t->host->cfg_len(conf); i++) {
        good = expand(r, t->host->cfg_str(t->host->cfg_at(conf, i), ""), &text);
        grow_clear(&pair);
        (void)grow_put(&pair, t->host->cfg_key(conf, i));
        (void)grow_puts(&pair, "=");
        (void)grow_put(&pair, grow_str(&text));
        put_word(w, SS_LIT("--conf"));
        put_word(w, grow_str(&pair));
    }
    grow_free(&text);
    grow_free(&pair);
    return good;
}

bool run_command(const spark_target *t, const spark_run *r, bool json, grow *out, size_t *count)
{
    word_list w = {.out = out, .json = json};
    put_word(&w, SS_LIT("--name"));
    put_word(&w, ss_cstr(r->name));
    bool good = put_conf(t, r, &w);
    if (r->job->class_name.len) {
        put_word(&w, SS_LIT("--class"));
        put_word(&w, r->job->class_name);
    }
    good = good && put_list(t, r, r->job->submit_args, &w);
    put_word(&w, r->job->file);
    good = good && put_list(t, r, r->job->args, &w);
    *count = w.count;
    return good && !out->full;
}

bool run_properties(const spark_target *t, const spark_run *r, grow *out)
{
    const ss_config *conf = r->job->conf;
    grow text = {.limit = JOB_ARGS_BYTES};
    bool good = true;
    (void)grow_puts(out, "{");
    json_pair(out, "spark.app.name", ss_cstr(r->name));
    for (size_t i = 0; good && conf && i < t->host->cfg_len(conf); i++) {
        good = expand(r, t->host->cfg_str(t->host->cfg_at(conf, i), ""), &text);
        (void)grow_puts(out, ",");
        json_text(out, t->host->cfg_key(conf, i));
        (void)grow_puts(out, ":");
        json_text(out, grow_str(&text));
    }
    (void)grow_puts(out, "}");
    grow_free(&text);
    return good && !out->full;
}

/* ---- reading ---- */

/* The raw value at the path. */
static bool json_at(ss_str json, const char *path, ss_str *raw)
{
    *raw = json;
    while (*path) {
        char name[64];
        const char *dot = strchrnul(path, '.');
        json_scan s;
        json_value v, key;
        bool found = false;
        (void)snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        json_start(&s, *raw);
        if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
            return false;
        while (!found && json_member(&s, &key)) {
            found = json_is(&key, name);
            if (!json_skip(&s, found ? raw : NULL))
                return false;
        }
        if (!found)
            return false;
        path = *dot ? dot + 1 : dot;
    }
    return true;
}

bool json_member_text(ss_str json, const char *path, char *out, size_t size)
{
    ss_str raw;
    json_scan s;
    json_value v;
    if (!json_at(json, path, &raw))
        return false;
    json_start(&s, raw);
    if (!json_read(&s, &v) || v.kind == JSON_OBJECT || v.kind == JSON_ARRAY || v.kind == JSON_NULL ||
        v.text.len >= size)
        return false;
    size_t len = v.text.len;
    if (v.kind == JSON_STRING)
        len = json_unescape(out, v.text);
    else
        memcpy(out, v.text.ptr, len);
    out[len] = '\0';
    return true;
}

bool json_each(ss_str json, const char *path, bool (*visit)(void *arg, ss_str item), void *arg)
{
    ss_str raw, item;
    json_scan s;
    json_value v;
    if (!json_at(json, path, &raw))
        return false;
    json_start(&s, raw);
    if (!json_read(&s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(&s)) {
        if (!json_skip(&s, &item))
            return false;
        if (!visit(arg, item))
            break;
    }
    return true;
}

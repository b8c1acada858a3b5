/* The lifecycle verbs: database and tables made or brought up to date, told about, taken away. */
#include "modules/glue/glue.h"

#include <stdarg.h>
#include <stdlib.h>

#include "plugins/common/athena.h"

#define TRIES 5 /* where others change the same table at the same time */

static void say(const ss_sink *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const ss_sink *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        (void)out->write(out->self, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* What is there against what should be. */
typedef struct comparison {
    bool found;
    buf answer, input; /* GetTable's; the TableInput that is wanted */
    ss_str table, version;
    table_report report;
} comparison;

static void comparison_fini(comparison *c)
{
    buf_fini(&c->answer);
    buf_fini(&c->input);
    buf_fini(&c->report.text);
}

static int32_t compare(const glue *g, const glue_table *t, comparison *c, ss_error *err)
{
    table_spec spec;
    *c = (comparison){.found = false};
    buf_init(&c->answer, TABLE_BYTES_MAX);
    buf_init(&c->input, TABLE_BYTES_MAX);
    buf_init(&c->report.text, TABLE_BYTES_MAX);
    int32_t rc = glue_spec(g, t, &spec, err);
    if (rc == SS_OK)
        rc = calls_get_table(&g->calls, t->name, &c->found, &c->answer, err);
    c->table = rc == SS_OK && c->found ? table_member(buf_str(&c->answer), "Table") : ss_s("", 0);
    c->version = table_member(c->table, "VersionId");
    if (rc == SS_OK && !c->found)
        table_input(&spec, &c->input);
    else if (rc == SS_OK && !table_merge(&spec, c->table, &c->input, &c->report))
        rc = ss_fail(err, SS_RETRY, "glue: table %s: what Glue says of it cannot be read", t->name);
    glue_spec_fini(&spec);
    return rc;
}

/* ---- check ---- */

int32_t glue_check(void *inst, ss_error *err)
{
    glue *g = inst;
    int32_t rc = aws_connect(g->aws, err);
    for (size_t i = 0; rc == SS_OK && i < g->count; i++) {
        comparison c;
        const glue_table *t = g->tables[i];
        rc = compare(g, t, &c, err);
        bool lacks = c.report.added || c.report.widened;
        if (rc == SS_OK && !c.found)
            rc = ss_fail(err, SS_PAUSE, "there is no table %s.%s: `streamsteam module setup %.*s` makes it",
                         g->database, t->name, (int)g->host->instance.len, g->host->instance.ptr);
        else if (rc == SS_OK && (lacks || c.report.differs))
            rc = ss_fail(err, SS_PAUSE, "table %s.%s: %.300s%s", g->database, t->name,
                         buf_text(&c.report.text), lacks ? " (`streamsteam module setup` adds columns)" : "");
        comparison_fini(&c);
    }
    return rc;
}

/* ---- setup ---- */

/* SS_DECLINE: somebody else changed it meanwhile. */
static int32_t set_up_once(const glue *g, const glue_table *t, const ss_sink *out, ss_error *err)
{
    comparison c;
    int32_t rc = compare(g, t, &c, err);
    bool changes = c.report.added || c.report.widened;
    if (rc == SS_OK && !c.found)
        rc = calls_create_table(&g->calls, &c.input, err);
    else if (rc == SS_OK && changes)
        rc = calls_update_table(&g->calls, &c.input, c.version, err);
    if (rc == SS_OK)
        say(out, "table %s.%s %s, in %s\n%s", g->database, t->name,
            !c.found  ? "was made"
            : changes ? "was brought up to date"
                      : "is there",
            t->shape.location, buf_text(&c.report.text));
    comparison_fini(&c);
    return rc;
}

static int32_t set_up(const glue *g, const glue_table *t, const ss_sink *out, ss_error *err)
{
    int32_t rc = SS_DECLINE;
    for (int i = 0; rc == SS_DECLINE && i < TRIES; i++)
        rc = set_up_once(g, t, out, err);
    return rc == SS_DECLINE
               ? ss_fail(err, SS_RETRY, "glue: table %s is being changed by others all the time", t->name)
               : rc;
}

int32_t glue_setup(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    bool found = true;
    glue *g = glue_new(host, cfg, err);
    if (!g)
        return SS_REJECT;
    int32_t rc = calls_get_database(&g->calls, &found, err);
    if (rc == SS_OK && !found)
        rc = calls_create_database(&g->calls, "Made by StreamSteam", err);
    if (rc == SS_OK)
        say(out, "database %s %s\n", g->database, found ? "is there" : "was made");
    for (size_t i = 0; rc == SS_OK && i < g->count; i++)
        rc = set_up(g, g->tables[i], out, err);
    glue_free(g);
    return rc;
}

/* ---- teardown: definitions that setup made; never data ---- */

static int32_t take_away(const glue *g, const glue_table *t, const ss_sink *out, ss_error *err)
{
    buf answer;
    bool found = false;
    buf_init(&answer, TABLE_BYTES_MAX);
    int32_t rc = calls_get_table(&g->calls, t->name, &found, &answer, err);
    bool ours = found && table_is_marked(table_member(buf_str(&answer), "Table"), g->host->instance);
    if (rc == SS_OK && ours)
        rc = calls_delete_table(&g->calls, t->name, err);
    if (rc == SS_OK)
        say(out, "table %s.%s %s; its objects below %s stay\n", g->database, t->name,
            ours    ? "was removed from the catalog"
            : found ? "stays, because this module did not make it"
                    : "is not there",
            t->shape.location);
    buf_fini(&answer);
    return rc;
}

int32_t glue_teardown(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    int32_t rc = SS_OK;
    glue *g = glue_new(host, cfg, err);
    if (!g)
        return SS_REJECT;
    for (size_t i = 0; rc == SS_OK && i < g->count; i++)
        rc = take_away(g, g->tables[i], out, err);
    if (rc == SS_OK)
        say(out, "database %s stays\n", g->database);
    glue_free(g);
    return rc;
}

/* ---- howto ---- */

/* `streamsteam query --athena` */
static int32_t answer(const glue *g, const athena_sink *asked)
{
    char workgroup[160], output[1200];
    ss_str group = g->host->cfg_str(g->cfg, "workgroup"), place = g->host->cfg_str(g->cfg, "output");
    if (group.len >= sizeof workgroup || place.len >= sizeof output)
        return ss_fail(&asked->fault->error, SS_REJECT, "glue: workgroup or output is too long");
    (void)snprintf(workgroup, sizeof workgroup, "%.*s", (int)group.len, group.ptr);
    (void)snprintf(output, sizeof output, "%.*s", (int)place.len, place.ptr);
    const athena_place where = {g->database, workgroup, output, g->host->random, g->host->self};
    return athena_read(g->aws, &where, asked->ask, asked->fault);
}

static void say_example(const glue_table *t, const ss_sink *out)
{
    say(out, "streamsteam query --athena \"SELECT * FROM %s", t->name);
    for (uint32_t k = 0; k < t->shape.key_count; k++)
        say(out, "%s%s = '...'", k ? " AND " : " WHERE ", t->shape.keys[k].name);
    say(out, " LIMIT 10\"\n");
}

int32_t glue_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    int32_t rc = SS_OK;
    const athena_sink *asked = athena_sink_of(out);
    glue *g = glue_new(host, cfg, err);
    if (!g)
        return SS_REJECT;
    for (size_t i = 0; !asked && i < g->count; i++)
        say_example(g->tables[i], out);
    if (asked && (rc = answer(g, asked)) != SS_OK)
        *err = asked->fault->error;
    glue_free(g);
    return rc;
}

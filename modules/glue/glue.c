/* The lake on S3 as tables of the Glue catalog, for Athena, Spark and Redshift Spectrum. */
#include "modules/glue/glue.h"

#include <stdlib.h>

#define GLUE_BATCH_RECORDS 50000u
#define GLUE_BATCH_BYTES   (16u << 20)

static const ss_option table_options[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "The table of this receiver's events."},
    {.name = NULL},
};

static const ss_option glue_options[] = {
    AWS_OPTIONS,
    {.name = "database",
     .type = SS_T_STRING,
     .dflt = "streamsteam",
     .doc = "The database in the catalog; setup makes it where it is missing."},
    {.name = "tables",
     .type = SS_T_MAP,
     .flags = SS_OPT_REQUIRED,
     .children = table_options,
     .min = 1,
     .max = GLUE_TABLES_MAX,
     .doc = "The receivers that get a table, each with its name: {game: raw_events}."},
    {.name = "location",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "Where the lake lies: its path, s3://bucket/prefix."},
    {.name = "partition",
     .type = SS_T_STRING,
     .dflt = "{receiver}/year=%Y/month=%m/day=%d/",
     .doc = "The lake's partition; folders with times, {app} or {type} become partition keys."},
    {.name = "partition_time",
     .type = SS_T_ENUM,
     .dflt = "event",
     .choices = "event|receive",
     .doc = "The lake's partition_time."},
    {.name = "partitions",
     .type = SS_T_ENUM,
     .dflt = "projection",
     .choices = "projection|register|both",
     .doc = "How partitions become known: projection lets Athena compute them, register makes each in the "
            "catalog when its first event is read, which other engines need."},
    {.name = "workgroup",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "streamsteam query --athena: the workgroup; without it primary."},
    {.name = "output",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "streamsteam query --athena: where Athena puts results, s3://bucket/prefix; without it what the "
            "workgroup says."},
    {.name = NULL},
};

/* ---- life ---- */

static bool take_name(const char *what, ss_str text, char *out, size_t size, ss_error *err)
{
    bool good = text.len > 0 && text.len < size;
    for (size_t i = 0; good && i < text.len; i++) {
        char b = text.ptr[i];
        good = (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '_' || (b >= 'A' && b <= 'Z');
        out[i] = b >= 'A' && b <= 'Z' ? (char)(b | 0x20) : b; /* as Glue does */
    }
    if (!good)
        return ss_fail(err, 0, "glue: %s \"%.*s\": letters, digits and _, up to %zu of them", what,
                       text.len < 60 ? (int)text.len : 60, text.ptr, size - 1);
    out[text.len] = '\0';
    return true;
}

static bool add_table(glue *g, ss_str receiver, ss_str name, ss_error *err)
{
    const ss_host *h = g->host;
    glue_table *t = g->tables[g->count] = calloc(1, sizeof *t);
    if (!t)
        return ss_fail(err, 0, "glue: no memory");
    g->count++;
    buf_init(&t->storage, TABLE_BYTES_MAX);
    buf_init(&t->inputs, TABLE_BYTES_MAX / 2);
    if (receiver.len >= sizeof t->receiver)
        return ss_fail(err, 0, "glue: tables: the receiver's name is too long");
    (void)snprintf(t->receiver, sizeof t->receiver, "%.*s", (int)receiver.len, receiver.ptr);
    bool by_receive = ss_eq(h->cfg_str(g->cfg, "partition_time"), SS_LIT("receive"));
    return take_name("table", name, t->name, sizeof t->name, err) &&
           shape_make(&t->shape, receiver, h->cfg_str(g->cfg, "location"), h->cfg_str(g->cfg, "partition"),
                      by_receive, err);
}

static bool read_options(glue *g, ss_error *err)
{
    const ss_host *h = g->host;
    const ss_config *tables = h->cfg_get(g->cfg, "tables");
    ss_str how = h->cfg_str(g->cfg, "partitions");
    g->projected = !ss_eq(how, SS_LIT("register"));
    g->registered = !ss_eq(how, SS_LIT("projection"));
    size_t count = tables ? h->cfg_len(tables) : 0;
    if (count == 0 || count > GLUE_TABLES_MAX)
        return ss_fail(err, 0, "glue: tables must name 1 to %u receivers, as {game: raw_events}",
                       GLUE_TABLES_MAX);
    g->tables = calloc(count, sizeof *g->tables);
    if (!g->tables)
        return ss_fail(err, 0, "glue: no memory");
    for (size_t i = 0; i < count; i++)
        if (!add_table(g, h->cfg_key(tables, i), h->cfg_str(h->cfg_at(tables, i), ""), err))
            return false;
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(g->tables[i]->name, g->tables[k]->name) == 0)
                return ss_fail(err, 0, "glue: tables: two receivers have the table %s", g->tables[i]->name);
    return take_name("database", h->cfg_str(g->cfg, "database"), g->database, sizeof g->database, err);
}

glue *glue_new(const ss_host *host, const ss_config *cfg, ss_error *err)
{
    glue *g = calloc(1, sizeof *g);
    if (!g) {
        (void)ss_fail(err, SS_RETRY, "glue: no memory");
        return NULL;
    }
    g->host = host;
    g->cfg = cfg;
    aws_settings settings = aws_settings_of(&g->origin, host, cfg);
    if (read_options(g, err))
        g->aws = aws_client_new(&settings, err);
    g->calls = (calls){.aws = g->aws, .database = g->database};
    if (g->aws)
        return g;
    glue_free(g);
    return NULL;
}

void glue_free(glue *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->count; i++) {
        buf_fini(&g->tables[i]->storage);
        buf_fini(&g->tables[i]->inputs);
        free(g->tables[i]->known.hashes);
        free(g->tables[i]);
    }
    aws_client_free(g->aws);
    free(g->tables);
    free(g);
}

glue_table *glue_find(const glue *g, ss_str receiver)
{
    for (size_t i = 0; i < g->count; i++)
        if (ss_eq(receiver, ss_cstr(g->tables[i]->receiver)))
            return g->tables[i];
    return NULL;
}

/* ---- the catalog's side ---- */

typedef struct gathering {
    catalog *catalog;
    char **texts; /* copies: what is handed in is borrowed for the call */
    size_t count;
    bool failed;
    ss_error *err;
} gathering;

static char *keep(gathering *f, const char *text)
{
    char *copy = text && f->count < 2 * CATALOG_FIELDS_MAX ? strdup(text) : NULL;
    if (copy)
        f->texts[f->count++] = copy;
    f->failed |= text && !copy;
    return copy;
}

static void add_field(void *arg, const ss_field *field)
{
    gathering *f = arg;
    ss_field copy = {keep(f, field->name), field->type, field->flags, keep(f, field->doc), NULL};
    if (!f->failed && !catalog_add(f->catalog, &copy, "its receiver", f->err))
        f->failed = true;
}

int32_t glue_spec(const glue *g, const glue_table *t, table_spec *spec, ss_error *err)
{
    gathering f = {
        .catalog = catalog_new(), .texts = calloc(2 * CATALOG_FIELDS_MAX, sizeof(char *)), .err = err};
    *spec = (table_spec){
        .shape = &t->shape, .name = t->name, .instance = g->host->instance, .projected = g->projected};
    buf_init(&spec->columns, TABLE_BYTES_MAX / 2);
    buf_init(&spec->parameters, TABLE_BYTES_MAX / 2);
    (void)ss_fail(err, 0, "glue: no memory for the catalog of %s", t->receiver);
    f.failed = !f.catalog || !f.texts;
    int32_t rc = f.failed ? SS_RETRY : g->host->catalog(g->host->self, ss_cstr(t->receiver), add_field, &f);
    if (rc == SS_OK &&
        (f.failed || !catalog_glue_parts(f.catalog, t->shape.names, &spec->columns, &spec->parameters)))
        rc = SS_REJECT;
    else if (rc != SS_OK && !f.failed)
        rc = ss_fail(err, SS_REJECT, "glue: tables: there is no receiver %s", t->receiver);
    for (size_t i = 0; i < f.count; i++)
        free(f.texts[i]);
    free(f.texts);
    catalog_free(f.catalog);
    if (rc == SS_OK)
        err->text[0] = '\0';
    return rc;
}

void glue_spec_fini(table_spec *spec)
{
    buf_fini(&spec->columns);
    buf_fini(&spec->parameters);
}

/* ---- the module's calls ---- */

static int32_t glue_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    glue *g = glue_new(host, cfg, err);
    if (!g)
        return SS_REJECT;
    g->partitions =
        host->counter(host->self, "glue_partitions_total", "Partitions that were registered.", "");
    *inst = g;
    return SS_OK;
}

static void glue_destroy(void *inst)
{
    glue_free(inst);
}

static const ss_module glue_ops = {
    .struct_size = sizeof glue_ops,
    .max_records = GLUE_BATCH_RECORDS,
    .max_bytes = GLUE_BATCH_BYTES,
    .deliver = glue_deliver,
};

static const ss_plugin glue_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "glue",
    .version = "1.0.0",
    .summary = "The lake on S3 as tables of the AWS Glue catalog, for Athena.",
    .license = "MIT",
    .options = glue_options,
    .module = &glue_ops,
    .create = glue_create,
    .check = glue_check,
    .destroy = glue_destroy,
    .setup = glue_setup,
    .teardown = glue_teardown,
    .howto = glue_howto,
    .warning = "AWS bills calls of the Glue catalog, and what Athena reads.",
};

SS_PLUGIN(glue_plugin);

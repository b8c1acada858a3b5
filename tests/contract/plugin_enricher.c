/* An enricher in one file: drops events whose text has a word, marks the others with a colour. */
#include <stdlib.h>

#include "streamsteam/plugin.h"

enum { FIELD_COLOUR };

static const ss_field fields[] = {
    {.name = "colour", .type = SS_FIELD_STRING, .doc = "The colour this enricher was given."},
    {.name = NULL},
};

static const ss_option options[] = {
    {.name = "colour",
     .type = SS_T_ENUM,
     .dflt = "red",
     .choices = "red|green|blue",
     .doc = "What to mark events with."},
    {.name = "drop", .type = SS_T_STRING, .doc = "Events with exactly this text are dropped."},
    {.name = "field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .dflt = "text",
     .doc = "Where that text stands."},
    {.name = NULL},
};

typedef struct paint {
    ss_str colour, drop;
    uint32_t colour_ref, text_ref;
} paint;

static int32_t paint_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    paint *p = malloc(sizeof *p);
    if (!p)
        return ss_fail(err, SS_FATAL, "out of memory");
    ss_str field = host->cfg_str(cfg, "field");
    char name[129];
    (void)snprintf(name, sizeof name, "%.*s", (int)field.len, field.ptr);
    *p = (paint){host->cfg_str(cfg, "colour"), host->cfg_str(cfg, "drop"),
                 host->field_ref(host->self, "colour"), host->field_ref(host->self, name)};
    *inst = p;
    return SS_OK;
}

static int32_t paint_enrich(void *inst, ss_event *event, ss_error *err)
{
    const paint *p = inst;
    if (p->drop.len > 0 && ss_eq(ss_get_str(event, ss_ref(event, p->text_ref)), p->drop))
        return ss_fail(err, SS_DROP, "unwanted");
    uint32_t colour = ss_ref(event, p->colour_ref);
    if (colour != SS_NO_FIELD)
        ss_set_str(event, colour, p->colour);
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = paint_enrich};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_ENRICHER,
                                 .name = "paint",
                                 .version = "1.0",
                                 .summary = "Marks events with a colour.",
                                 .license = "MIT",
                                 .options = options,
                                 .fields = fields,
                                 .schema_rev = 1,
                                 .enricher = &enricher,
                                 .create = paint_create,
                                 .destroy = free};
SS_PLUGIN(plugin);

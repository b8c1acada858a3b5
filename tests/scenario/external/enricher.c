/* An enricher outside the tree: adds the length of one field, and drops events whose field says "drop". */
#include <stdlib.h>
#include <streamsteam/plugin.h>

typedef struct measurer {
    uint32_t ref, length; /* what field_ref() gave for the measured field and for our own */
} measurer;

static const ss_field fields[] = {
    {.name = "text_length", .type = SS_FIELD_INT, .doc = "Length of the measured field."},
    {.name = NULL},
};
static const ss_option options[] = {
    {.name = "field", .type = SS_T_STRING, .flags = SS_OPT_REQUIRED, .doc = "The field that is measured."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    ss_str field = host->cfg_str(cfg, "field");
    char name[64];
    measurer *m = malloc(sizeof *m);
    if (!m || field.len >= sizeof name)
        return ss_fail(err, SS_FATAL, "measure: field: shorter than 64 bytes, please");
    (void)snprintf(name, sizeof name, "%.*s", (int)field.len, field.ptr);
    m->ref = host->field_ref(host->self, name);
    m->length = host->field_ref(host->self, "text_length");
    *inst = m;
    return SS_OK;
}

static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    const measurer *m = inst;
    ss_str text = ss_get_str(event, ss_ref(event, m->ref));
    uint32_t length = ss_ref(event, m->length);
    if (ss_eq(text, SS_LIT("drop")))
        return ss_fail(err, SS_DROP, "asked for it");
    if (length != SS_NO_FIELD)
        ss_set_int(event, length, (int64_t)text.len);
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = enrich};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,      .kind = SS_ENRICHER,      .name = "measure",
                                 .version = "1.0",      .summary = "An example.", .license = "MIT",
                                 .options = options,    .fields = fields,         .schema_rev = 1,
                                 .enricher = &enricher, .create = create,         .destroy = destroy};
SS_PLUGIN(plugin);

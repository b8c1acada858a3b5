/* An enricher of contract 0.2. Never changed: it stands for those that are out there. */
#include <stdlib.h>
#include <streamsteam/plugin.h>

typedef struct old_enricher {
    uint32_t text, note, added;
} old_enricher;

static const ss_field fields[] = {
    {.name = "old_length", .type = SS_FIELD_INT, .doc = "Length of the text."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    old_enricher *e = calloc(1, sizeof *e);
    (void)cfg;
    if (!e)
        return ss_fail(err, SS_RETRY, "old: out of memory");
    e->text = host->field_ref(host->self, "text");
    e->note = host->field_ref(host->self, "note");
    e->added = host->field_ref(host->self, "old_length");
    *inst = e;
    return SS_OK;
}

static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    const old_enricher *e = inst;
    ss_str text = ss_get_str(event, ss_ref(event, e->text));
    if (ss_eq(text, SS_LIT("drop")))
        return ss_fail(err, SS_DROP, "asked for it");
    if (ss_ref(event, e->note) != SS_NO_FIELD)
        ss_set_str(event, ss_ref(event, e->note), SS_LIT("seen"));
    ss_set_int(event, ss_ref(event, e->added), (int64_t)text.len);
    return SS_OK;
}

static void destroy(void *inst) { free(inst); }

static const ss_enricher enricher = {.struct_size = sizeof enricher, .enrich = enrich};
static const ss_plugin plugin = {SS_PLUGIN_HEADER, .kind = SS_ENRICHER, .name = "old", .version = "1.0", .summary = "Of contract 0.2.",
                                 .license = "MIT", .fields = fields, .schema_rev = 1, .enricher = &enricher, .create = create,
                                 .destroy = destroy};
SS_PLUGIN(plugin);

/* Enricher @NAME@: adds the length of one field, and drops events whose field says "drop me".
 *
 * An enricher sees each event of the receivers that name it (`enrich: [@NAME@]`), after the receiver made
 * it and before it is stored. enrich() is called from several threads at once: what create() made is only
 * read afterwards. streamsteam/plugin.h holds the whole contract; a plugin links nothing of the server. */
#include <stdlib.h>
#include <streamsteam/plugin.h>

#define FIELD_NAME_MAX 128u

/* What one instance knows. Fields are found by name once, here; in enrich() by number. */
typedef struct instance {
    uint32_t measured, length;
} instance;

/* The fields that this enricher adds to events. Each needs a sentence: it is the manual. */
static const ss_field fields[] = {
    {.name = "@NAME@_length", .type = SS_FIELD_INT, .doc = "Length of the measured field in bytes."},
    {.name = NULL},
};

/* What one may write under `enrichers: @NAME@:`. Types, ranges and defaults are checked by the server. */
static const ss_option options[] = {
    {.name = "field", .type = SS_T_STRING, .dflt = "action_name", .doc = "The field that is measured."},
    {.name = NULL},
};

/* Makes an instance. Rules that the option table cannot express are checked here, with a remedy. */
static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    char name[FIELD_NAME_MAX];
    ss_str field = host->cfg_str(cfg, "field");
    if (field.len == 0 || field.len >= sizeof name)
        return ss_fail(err, SS_REJECT, "@NAME@: field: write a name of 1 to %u bytes", FIELD_NAME_MAX - 1);
    (void)snprintf(name, sizeof name, "%.*s", (int)field.len,
                   field.ptr); /* an ss_str has no NUL at its end */
    instance *self = malloc(sizeof *self);
    if (!self)
        return ss_fail(err, SS_RETRY, "@NAME@: out of memory");
    self->measured = host->field_ref(host->self, name);
    self->length = host->field_ref(host->self, "@NAME@_length");
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

/* One event. SS_OK keeps it as it is now; SS_DROP does not store it, and counts the reason. A field that the
 * receiver does not declare, or that is absent or no string, reads as an empty string. */
static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    const instance *self = inst;
    ss_str text = ss_get_str(event, ss_ref(event, self->measured));
    uint32_t length = ss_ref(event, self->length);
    if (ss_eq(text, SS_LIT("drop me")))
        return ss_fail(err, SS_DROP, "asked for it");
    if (text.len > 0 && length != SS_NO_FIELD)
        ss_set_int(event, length, (int64_t)text.len);
    return SS_OK;
}

static const ss_enricher enricher = {
    .struct_size = sizeof enricher,
    .enrich = enrich,
};

/* The descriptor: all that the server learns about the plugin before it calls it. */
static const ss_plugin plugin = {
    SS_PLUGIN_BEGIN(SS_ENRICHER),
    .name = "@NAME@",
    .version = "0.1.0",
    .summary = "Adds the length of a field.",
    .license = "MIT",
    .options = options,
    .fields = fields,
    .schema_rev = 1, /* raise it when the fields change */
    .enricher = &enricher,
    .create = create,
    .destroy = destroy,
};

SS_PLUGIN(plugin);

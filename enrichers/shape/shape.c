/* The enricher for simple shaping without C: steps in YAML that rename, remove, set, hash and trim fields, or
   drop events. Compiled when the instance is made; new names are declared with the server's own `fields:`. */
#include <stdlib.h>

#include "enrichers/shape/step.h"

static const ss_option field_item[] = {
    {.name = "*", .type = SS_T_STRING, .flags = SS_OPT_FIELD, .doc = "A field."}, {.name = NULL}};
static const ss_option text_item[] = {{.name = "*", .type = SS_T_STRING, .doc = "A text to compare with."},
                                      {.name = NULL}};
static const ss_option value_item[] = {{.name = "*", .type = SS_T_ANY, .doc = "The value."}, {.name = NULL}};
static const ss_option bytes_item[] = {{.name = "*",
                                        .type = SS_T_INT,
                                        .min = 1,
                                        .max = 1 << 20,
                                        .doc = "Most bytes; no character is cut in two."},
                                       {.name = NULL}};

static const ss_option condition[] = {
    {.name = "field",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED | SS_OPT_FIELD,
     .doc = "The field to look at."},
    {.name = "equals", .type = SS_T_STRING, .doc = "It is this; numbers as they are written, true or false."},
    {.name = "any_of",
     .type = SS_T_LIST,
     .min = 1,
     .max = STEP_TEXTS_MAX,
     .children = text_item,
     .doc = "It is one of these."},
    {.name = "prefix", .type = SS_T_STRING, .doc = "It begins with this."},
    {.name = "suffix", .type = SS_T_STRING, .doc = "It ends with this."},
    {.name = "contains", .type = SS_T_STRING, .doc = "This is in it."},
    {.name = "exists", .type = SS_T_BOOL, .doc = "It is there and not null; false: it is not."},
    {.name = "not", .type = SS_T_BOOL, .dflt = "false", .doc = "Turns the condition round."},
    {.name = NULL}};

#define FIELDS_OPTION(option, text)                                                                          \
    {                                                                                                        \
        .name = option, .type = SS_T_LIST, .max = STEP_NAMES_MAX, .children = field_item, .doc = text        \
    }
#define MAP_OPTION(option, child, text)                                                                      \
    {                                                                                                        \
        .name = option, .type = SS_T_MAP, .flags = SS_OPT_FIELD, .max = STEP_NAMES_MAX, .children = child,   \
        .doc = text                                                                                          \
    }

static const ss_option step_keys[] = {
    {.name = "if",
     .type = SS_T_OBJECT,
     .children = condition,
     .doc = "The step is taken only where this holds."},
    {.name = "drop_event",
     .type = SS_T_STRING,
     .doc = "The event is not stored, and counted by this reason."},
    FIELDS_OPTION("keep", "Nothing but these fields is kept."),
    FIELDS_OPTION("remove", "These fields are removed."),
    MAP_OPTION("rename", field_item, "From the key to the value, which replaces what is there."),
    MAP_OPTION("set", value_item, "Fields and the values they get."),
    MAP_OPTION("default", value_item, "The same, only where they are absent or null."),
    FIELDS_OPTION("hash", "Values are replaced by HMAC-SHA256 under the key, in hexadecimal digits."),
    {.name = "length",
     .type = SS_T_INT,
     .min = 8,
     .max = KEYED_HASH_DIGITS,
     .doc = "Digits of hash; 32 if not given."},
    FIELDS_OPTION("lower", "ASCII letters become small ones."),
    FIELDS_OPTION("trim", "White space at both ends is removed."),
    MAP_OPTION("cut", bytes_item, "Texts are cut to so many bytes."),
    {.name = NULL}};

static const ss_option step_item_option[] = {{.name = "*",
                                              .type = SS_T_OBJECT,
                                              .children = step_keys,
                                              .doc = "One step: one action, and perhaps 'if'."},
                                             {.name = NULL}};

static const ss_option options[] = {
    {.name = "steps",
     .type = SS_T_LIST,
     .flags = SS_OPT_REQUIRED,
     .min = 1,
     .max = STEPS_MAX,
     .children = step_item_option,
     .doc = "What is done to each event, in this order."},
    {.name = "key",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "The key of the hashes, at least 16 bytes; needed where a step hashes."},
    {.name = NULL}};

typedef struct shape {
    const ss_host *host;
    steps steps;
    keyed_hash hash;
} shape;

static int32_t shape_enrich(void *inst, ss_event *event, ss_error *err)
{
    const shape *s = inst;
    int32_t status = steps_run(&s->steps, s->host, &s->hash, event, err);
    /* Half the steps may mean that what should be hidden is not. */
    return status == SS_OK || status == SS_DROP ? status : ss_fail(err, SS_DROP, "shape: out of memory");
}

static void shape_destroy(void *inst)
{
    shape *s = inst;
    steps_free(&s->steps);
    explicit_bzero(&s->hash, sizeof s->hash);
    free(s);
}

static int32_t shape_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    shape *s = calloc(1, sizeof *s);
    if (!s)
        return ss_fail(err, SS_LIMIT, "no memory for the enricher");
    s->host = host;
    int32_t status = steps_compile(&s->steps, host, host->cfg_get(cfg, "steps"), err);
    if (status == SS_OK && s->steps.hashes)
        status = keyed_hash_configure(&s->hash, host, cfg, "key", err);
    if (status != SS_OK) {
        shape_destroy(s);
        return status;
    }
    *inst = s;
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = shape_enrich};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_ENRICHER,
    .name = "shape",
    .version = "0.1.0",
    .build_id = SS_VERSION,
    .summary = "Renames, removes, sets, hashes and trims fields, or drops events, by YAML.",
    .license = "MIT",
    .options = options,
    .schema_rev = 1,
    .enricher = &enricher,
    .create = shape_create,
    .destroy = shape_destroy};
SS_PLUGIN(plugin);

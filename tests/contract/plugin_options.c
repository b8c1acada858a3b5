/* A module that does nothing and takes every type of option: for the tests of the configuration. */
#include "streamsteam/plugin.h"

static const ss_option host_options[] = {
    {.name = "hosts",
     .type = SS_T_LIST,
     .max = 3,
     .children = (const ss_option[]){{.name = "*", .type = SS_T_STRING, .doc = "A host."}, {.name = NULL}},
     .doc = "Hosts of the site."},
    {.name = "keep", .type = SS_T_DURATION, .dflt = "7d", .doc = "How long."},
    {.name = NULL},
};
static const ss_option site_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = host_options, .doc = "A site."}, {.name = NULL}};
static const ss_option login_options[] = {
    {.name = "user", .type = SS_T_STRING, .flags = SS_OPT_REQUIRED, .doc = "Who."},
    {.name = "password", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "The password."},
    {.name = NULL},
};
static const ss_option roll_options[] = {
    {.name = "bytes", .type = SS_T_SIZE, .dflt = "25MB", .min = 1024, .max = 1 << 30, .doc = "Size."},
    {.name = "age", .type = SS_T_DURATION, .dflt = "60s", .min = 1000, .max = 86400000, .doc = "Age."},
    {.name = NULL},
};
static const ss_option options[] = {
    {.name = "template", .type = SS_T_STRING, .dflt = "{receiver}/year=%Y/", .doc = "A template."},
    {.name = "level", .type = SS_T_INT, .dflt = "3", .min = 1, .max = 9, .doc = "A level."},
    {.name = "ratio", .type = SS_T_FLOAT, .dflt = "0.5", .doc = "A ratio."},
    {.name = "strict", .type = SS_T_BOOL, .dflt = "true", .doc = "A switch."},
    {.name = "compress", .type = SS_T_ENUM, .dflt = "gzip", .choices = "gzip|zstd|none", .doc = "How."},
    {.name = "endpoint", .type = SS_T_URL, .doc = "Where to."},
    {.name = "path", .type = SS_T_PATH, .dflt = "lake", .doc = "A directory."},
    {.name = "roll", .type = SS_T_OBJECT, .children = roll_options, .doc = "When."},
    {.name = "login", .type = SS_T_OBJECT, .children = login_options, .doc = "Who."},
    {.name = "sites", .type = SS_T_MAP, .children = site_item, .doc = "Sites by number."},
    {.name = "extra", .type = SS_T_ANY, .doc = "Anything."},
    {.name = "token", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "A token."},
    {.name = NULL},
};

/* The rule that no table can say: and it is careless enough to print the secret. */
static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    ss_str token = host->cfg_str(cfg, "token"), compress = host->cfg_str(cfg, "compress");
    *inst = NULL;
    if (token.len > 0 && ss_eq(compress, SS_LIT("none")))
        return ss_fail(err, SS_FATAL, "token %.*s needs compress", (int)token.len, token.ptr);
    return SS_OK;
}

static void destroy(void *inst)
{
    (void)inst;
}

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)inst, (void)batch, (void)err;
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static const ss_module module = {.struct_size = sizeof(ss_module), .max_records = 200, .deliver = deliver};
static const ss_plugin plugin = {SS_PLUGIN_HEADER, .kind = SS_MODULE,  .name = "options",
                                 .version = "1.0", .options = options, .module = &module,
                                 .create = create, .destroy = destroy};
SS_PLUGIN(plugin);

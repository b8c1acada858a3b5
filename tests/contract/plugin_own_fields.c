/* A receiver whose fields are what its configuration says: names to keep, `-` for one that breaks the
 * contract. */
#include <stdlib.h>

#include "streamsteam/plugin.h"

#define NAMES_MAX 8u

static const ss_option name_item[] = {{.name = "*", .type = SS_T_STRING, .doc = "A name."}, {.name = NULL}};
static const ss_option options[] = {
    {.name = "names",
     .type = SS_T_LIST,
     .min = 1,
     .max = NAMES_MAX,
     .children = name_item,
     .doc = "The fields."},
    {.name = NULL},
};
static const ss_route routes[] = {{.path = "/form", .methods = "POST", .doc = "A form."}, {.path = NULL}};

typedef struct form {
    ss_field fields[NAMES_MAX + 1];
    char texts[NAMES_MAX][32];
} form;

static int32_t form_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    form *f = calloc(1, sizeof *f);
    const ss_config *names = host->cfg_get(cfg, "names");
    if (!f)
        return ss_fail(err, SS_FATAL, "out of memory");
    for (size_t i = 0; names && i < host->cfg_len(names) && i < NAMES_MAX; i++) {
        ss_str name = host->cfg_str(host->cfg_at(names, i), "");
        (void)snprintf(f->texts[i], sizeof f->texts[i], "%.*s", (int)name.len, name.ptr);
        f->fields[i] =
            (ss_field){f->texts[i], SS_FIELD_STRING, 0, name.ptr[0] == '-' ? "" : "A field.", NULL};
    }
    *inst = f;
    return SS_OK;
}

static const ss_field *form_fields(void *inst)
{
    const form *f = inst;
    return f->fields;
}

static int32_t form_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst, (void)request, (void)response, (void)err;
    return SS_OK;
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .routes = routes,
                                     .receive = form_receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,      .kind = SS_RECEIVER, .name = "form",
                                 .version = "1.0",      .options = options,  .receiver = &receiver,
                                 .create = form_create, .destroy = free,     .instance_fields = form_fields};
SS_PLUGIN(plugin);

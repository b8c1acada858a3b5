/* A receiver with a view `upper`: the record's line in capitals; refuses what does not begin with '{'. */
#include <ctype.h>

#include "streamsteam/plugin.h"

static int32_t view_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)host, (void)cfg, (void)inst;
    return ss_fail(err, SS_REJECT, "this one is only loaded for its view");
}

static void view_destroy(void *inst)
{
    (void)inst;
}

static int32_t view_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst, (void)request, (void)response, (void)err;
    return SS_DECLINE;
}

static int32_t upper(const ss_record *record, const ss_sink *out, ss_error *err)
{
    if (record->json.len == 0 || record->json.ptr[0] != '{')
        return ss_fail(err, SS_REJECT, "not an object");
    for (size_t i = 0; i < record->json.len; i++) {
        char c = (char)toupper((unsigned char)record->json.ptr[i]);
        if (out->write(out->self, &c, 1) != 0)
            return ss_fail(err, SS_LIMIT, "full");
    }
    return SS_OK;
}

static const ss_view views[] = {
    {.name = "upper", .content_type = "application/json", .doc = "In capitals.", .render = upper},
    {.name = NULL},
};
static const ss_route routes[] = {
    {.path = "/view-test", .methods = "GET", .doc = "Answers nothing."},
    {.path = NULL},
};
static const ss_receiver ops = {.struct_size = sizeof ops,
                                .route_size = sizeof(ss_route),
                                .view_size = sizeof(ss_view),
                                .routes = routes,
                                .views = views,
                                .receive = view_receive};
static const ss_plugin view_plugin = {
    SS_PLUGIN_HEADER,   .kind = SS_RECEIVER,      .name = "view-test",
    .version = "1.0.0", .summary = "Has a view.", .license = "MIT",
    .receiver = &ops,   .create = view_create,    .destroy = view_destroy,
};

SS_PLUGIN(view_plugin);

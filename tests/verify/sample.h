/* What the samples have in common, so that each shows its bug and little else: descriptors, one field, an
   instance that holds the host. */
#ifndef VERIFY_SAMPLE_H
#define VERIFY_SAMPLE_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "streamsteam/plugin.h"

enum { FIELD_TEXT };

#define SAMPLE_FIELDS                                                                                        \
    static const ss_field fields[] = {                                                                       \
        {.name = "text", .type = SS_FIELD_STRING, .doc = "What was sent.", .source = "body"},                \
        {.name = NULL}}

#define SAMPLE_DESCRIPTOR(kind_of, title, options_table, fields_table)                                       \
    SS_PLUGIN_BEGIN(kind_of), .name = title, .version = "1.0", .summary = "A sample for the checker.",       \
                              .license = "MIT", .options = options_table, .fields = fields_table,            \
                              .schema_rev = 1

#define SAMPLE_RECEIVER(title, options_table)                                                                \
    SAMPLE_FIELDS;                                                                                           \
    static const ss_route routes[] = {{.path = "/" title, .methods = "GET|POST", .doc = "One text."},        \
                                      {.path = NULL}};                                                       \
    static const ss_receiver receiver = {.struct_size = sizeof receiver,                                     \
                                         .route_size = sizeof(ss_route),                                     \
                                         .routes = routes,                                                   \
                                         .receive = receive};                                                \
    static const ss_plugin plugin = {SAMPLE_DESCRIPTOR(SS_RECEIVER, title, options_table, fields),           \
                                     .receiver = &receiver, .create = create, .destroy = destroy};           \
    SS_PLUGIN(plugin)

#define SAMPLE_ENRICHER(title, options_table)                                                                \
    static const ss_enricher enricher = {.struct_size = sizeof enricher, .enrich = enrich};                  \
    static const ss_plugin plugin = {SAMPLE_DESCRIPTOR(SS_ENRICHER, title, options_table, NULL),             \
                                     .enricher = &enricher, .create = create, .destroy = destroy};           \
    SS_PLUGIN(plugin)

/* more: further members of the descriptor */
#define SAMPLE_MODULE(title, options_table, ...)                                                             \
    static const ss_module module = {.struct_size = sizeof module, .deliver = deliver};                      \
    static const ss_plugin plugin = {SAMPLE_DESCRIPTOR(SS_MODULE, title, options_table, NULL),               \
                                     .module = &module, .create = create, __VA_ARGS__.destroy = destroy};    \
    SS_PLUGIN(plugin)

/* The create() and destroy() of a sample whose `instance` begins with its host and needs nothing else. */
#define SAMPLE_LIFE                                                                                          \
    static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)             \
    {                                                                                                        \
        (void)cfg;                                                                                           \
        instance *self = (instance *)calloc(1, sizeof *self);                                                \
        if (!self)                                                                                           \
            return ss_fail(err, SS_FATAL, "out of memory: give the server more");                            \
        self->host = host;                                                                                   \
        *inst = self;                                                                                        \
        return SS_OK;                                                                                        \
    }                                                                                                        \
    static void destroy(void *inst)                                                                          \
    {                                                                                                        \
        free(inst);                                                                                          \
    }

/* What a receiver does with a text when it does it right. */
static inline int32_t sample_store(const ss_host *host, const ss_request *request, ss_str text)
{
    ss_event *event = host->event_new(request->call);
    if (!event)
        return SS_RETRY;
    ss_set_str(event, FIELD_TEXT, text);
    int32_t said = host->emit(request->call, event);
    return said == SS_DROP || said == SS_LIMIT ? SS_OK : said;
}

#endif

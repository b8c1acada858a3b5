/* For enrichers whose options name fields: from names to references, from references to values. */
#ifndef COMMON_FIELD_H
#define COMMON_FIELD_H

#include "streamsteam/plugin.h"

#define FIELD_NAME_MAX 128u /* as the server has it */
#define FIELD_LIST_MAX 64u

typedef struct field_list {
    uint32_t refs[FIELD_LIST_MAX];
    size_t count;
} field_list;

static inline uint32_t field_ref(const ss_host *host, ss_str name)
{
    char text[FIELD_NAME_MAX + 1];
    if (name.len >= sizeof text)
        return SS_NO_FIELD;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return host->field_ref(host->self, text);
}

/* A LIST option of names; what is past FIELD_LIST_MAX is the option table's affair. */
static inline void field_list_read(field_list *list, const ss_host *host, const ss_config *cfg,
                                   const char *option)
{
    const ss_config *names = host->cfg_get(cfg, option);
    size_t count = names ? host->cfg_len(names) : 0;
    list->count = 0;
    for (size_t i = 0; i < count && i < FIELD_LIST_MAX; i++)
        list->refs[list->count++] = field_ref(host, host->cfg_str(host->cfg_at(names, i), ""));
}

/* The value by its index in this event; NULL where it is absent. */
static inline ss_value *field_value(const ss_event *event, uint32_t index)
{
    if (index >= event->field_count || !ss_has(event, index))
        return NULL;
    return (ss_value *)(void *)((char *)event->values + (size_t)index * event->value_size);
}

#endif

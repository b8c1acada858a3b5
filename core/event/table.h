/* The fields that events of one receiver may carry: its own first, in their order, then what its enrichers
   add. An index here is the index in ss_event.values. Immutable after creation: any thread. */
#ifndef EVENT_TABLE_H
#define EVENT_TABLE_H

#include "streamsteam/plugin.h"

#define EVENT_FIELDS_MAX      1024u /* of one receiver with its enrichers           */
#define EVENT_FIELD_NAME_MAX  128u  /* bytes of a name, dots included               */
#define EVENT_FIELD_DEPTH_MAX 8u    /* objects within objects: a.b.c has two        */

typedef struct event_table event_table;

/* The same name twice with the same type is one field; with another type, or where one is `a` and the other
   `a.b`, it is an error that names both plugins. The plugins' tables stay borrowed (plugins are never
   unloaded). */
event_table *event_table_new(const ss_plugin *receiver, const ss_plugin *const *enrichers, size_t n,
                             ss_error *err);
void event_table_free(event_table *table);
size_t event_table_count(const event_table *table);
const ss_field *event_table_at(const event_table *table, size_t i);
/* Of names and types in order: says whether two tables store the same schema, in every build. */
uint64_t event_table_hash(const event_table *table);
/* Indexes by name for ss_event.refs; SS_NO_FIELD where the table has no such field. */
void event_table_refs(const event_table *table, const char *const *names, size_t n, uint16_t *refs);
/* Words of ss_event.present. */
static inline size_t event_table_words(const event_table *table)
{
    return (event_table_count(table) + 63u) / 64u;
}

#endif

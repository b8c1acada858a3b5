/* Search engines, social networks and AI assistants by host: the facts of referrer_data, made ready once. */
#ifndef MATOMO_SOURCES_H
#define MATOMO_SOURCES_H

#include "receivers/matomo/pattern.h"
#include "receivers/matomo/referrer_data.h"
#include "receivers/matomo/url_parts.h"

#define SOURCES_SLOTS 4096u /* of the hash table: over four for each place */

typedef struct source_word {
    ss_str text;    /* a name, or a path */
    pattern *regex; /* instead of it     */
} source_word;

typedef struct known_source {
    ss_str name, charset;
    const source_word *params, *hidden;
    uint32_t param_count, hidden_count;
} known_source;

typedef struct sources {
    known_source *list; /* owned */
    source_word *words; /* owned, with their expressions */
    size_t word_count;
    uint32_t countries[26];        /* by first letter: bits of the second */
    uint16_t slots[SOURCES_SLOTS]; /* index into referrer_places + 1 */
} sources;

sources *sources_new(ss_error *err);
void sources_free(sources *s);

/* host: lower case. NULL: none. */
const known_source *sources_engine(const sources *s, ss_str host, ss_str path, ss_str query);
/* Of the host or a name above it; the longest one. */
const known_source *sources_social(const sources *s, ss_str host);
const known_source *sources_assistant(const sources *s, ss_str host, ss_str path);

/* "www.google.co.uk" -> "google.{}", "de.search.yahoo.com" -> "{}.search.yahoo.com". */
ss_str sources_any_country(const sources *s, char out[URL_HOST_MAX], ss_str host);

#endif

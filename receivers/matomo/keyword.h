/* What was searched for, out of the URL of a search engine's page. */
#ifndef MATOMO_KEYWORD_H
#define MATOMO_KEYWORD_H

#include "receivers/matomo/sources.h"
#include "receivers/matomo/text.h"

typedef struct keyword {
    bool found;  /* the page is one of a search: with a keyword, or known to hide it */
    ss_str name; /* of the engine                                                    */
    ss_str text; /* lower case; empty: hidden                                        */
} keyword;

keyword keyword_read(const known_source *engine, ss_str url, const url_parts *u, texts *t);

#endif

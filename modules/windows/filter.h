/* Which events a metric counts. A mapping is a list of conditions that all hold:
       {event_type: login}                            equals
       {event_type: [a, b]}                           one of
       {event_data.spell_id: {exists: true}}          there, and not null
       {event_data.amount: {ge: 1, lt: 100}}          numbers
       {page_view_url: {prefix: "https://shop."}}
       {or: [{...}, {...}], not: {...}}               also and: [...] */
#ifndef WINDOWS_FILTER_H
#define WINDOWS_FILTER_H

#include "modules/windows/paths.h"

#define FILTER_NODES_MAX 256u
#define FILTER_TEXT_MAX  1024u /* of one value, unescaped */
#define FILTER_DEPTH_MAX 16u

enum filter_op {
    FILTER_AND = 1,
    FILTER_OR,
    FILTER_NOT,
    FILTER_EQUALS,
    FILTER_IN,
    FILTER_EXISTS,
    FILTER_PREFIX,
    FILTER_GT,
    FILTER_GE,
    FILTER_LT,
    FILTER_LE
};

typedef struct filter_node {
    uint8_t op, kind;           /* kind: json_kind of the constant */
    uint32_t slot, next, child; /* PATHS_NONE: none; IN: children are EQUALS of the same slot */
    char *text;                 /* owned */
    size_t len;
    double number;
} filter_node;

typedef struct filter {
    filter_node *nodes; /* [0] is the whole; NULL: everything passes */
    uint32_t count;
} filter;

/* json: the option as JSON text, empty: everything passes. false: err. */
bool filter_compile(filter *f, paths *p, ss_str json, ss_error *err);
void filter_free(filter *f);
bool filter_passes(const filter *f, const paths *p);

/* {gt: 1, le: 5} over one number. */
typedef struct filter_range {
    bool has_gt, has_ge, has_lt, has_le;
    double gt, ge, lt, le;
} filter_range;
bool filter_range_compile(filter_range *r, ss_str json, ss_error *err);
bool filter_range_holds(const filter_range *r, double value);

#endif

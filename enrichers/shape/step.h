/* The steps of one instance: compiled when it is made, read-only afterwards. Any thread. */
#ifndef SHAPE_STEP_H
#define SHAPE_STEP_H

#include "plugins/common/field.h"
#include "plugins/common/keyed_hash.h"

#define STEPS_MAX       256u
#define STEP_NAMES_MAX  256u /* of fields, in all steps together: what the server gives an enricher */
#define STEP_TEXTS_MAX  256u /* of one condition */
#define STEP_REASON_MAX 48u
#define STEP_DIGITS     32u /* of a hash, where the step says nothing */

enum step_action {
    STEP_DROP_EVENT,
    STEP_KEEP,
    STEP_REMOVE,
    STEP_RENAME,
    STEP_SET,
    STEP_DEFAULT,
    STEP_HASH,
    STEP_LOWER,
    STEP_TRIM,
    STEP_CUT,
    STEP_ACTIONS
};

extern const char *const step_names[STEP_ACTIONS]; /* as in the YAML */

enum step_test { TEST_EQUALS, TEST_PREFIX, TEST_SUFFIX, TEST_CONTAINS, TEST_EXISTS };

typedef struct step_condition {
    uint32_t ref;
    enum step_test test;
    bool given, negated;
    ss_str *texts; /* any of them fits; borrowed from the configuration */
    size_t count;
} step_condition;

typedef struct step_item {
    uint32_t ref, target; /* target: RENAME            */
    size_t limit;         /* CUT: bytes                */
    ss_value value;       /* SET, DEFAULT; its text is owned */
} step_item;

typedef struct step {
    enum step_action action;
    step_condition when;
    step_item *items;
    size_t count;
    size_t digits; /* HASH       */
    ss_str reason; /* DROP_EVENT */
} step;

typedef struct steps {
    step *list;
    size_t count;
    size_t names; /* of fields, so far */
    bool hashes;
} steps;

/* steps_free() in any case. */
int32_t steps_compile(steps *s, const ss_host *host, const ss_config *list, ss_error *err);
void steps_free(steps *s);

/* SS_OK; SS_DROP with the reason; SS_LIMIT where memory is short. */
int32_t steps_run(const steps *s, const ss_host *host, const keyed_hash *hash, ss_event *event,
                  ss_error *err);

#endif

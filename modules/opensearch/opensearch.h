/* What the files of the module share. */
#ifndef OPENSEARCH_H
#define OPENSEARCH_H

#include "modules/opensearch/bulk.h"

#define OPENSEARCH_METRICS                                                                                   \
    "metrics" /* the receiver of windows' documents, whose fields are the configuration's */

typedef struct opensearch {
    const ss_host *host;
    const ss_config *cfg;
    wire wire;
    names names;
    bulk bulk;
    bool looked;
} opensearch;

/* options.c: the option table, which is the manual as well. */
extern const ss_option opensearch_options[];

/* Reads the options; no network. Ended with opensearch_close() in any case. */
int32_t opensearch_open(opensearch *o, const ss_host *host, const ss_config *cfg, ss_error *err);
void opensearch_close(opensearch *o);

/* setup.c */
int32_t setup_run(opensearch *o, const ss_sink *out, ss_error *err);
int32_t setup_remove(opensearch *o, const ss_sink *out, ss_error *err);
/* What differs from what setup would make: SS_OK with an empty text, or with one sentence. */
int32_t setup_drift(opensearch *o, char *text, size_t size, ss_error *err);
void setup_say(const ss_sink *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

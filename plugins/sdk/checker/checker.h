/* The checker: what `streamsteam verify-plugin` runs. Each check runs in a process of its own, on the testkit's host,
   so that a plugin that crashes, hangs or leaks is one failed check and no more. Nothing listens but the scripted
   remote end, on the loopback. */
#ifndef SDK_CHECKER_H
#define SDK_CHECKER_H

#include "streamsteam/plugin.h"

#define CHECKER_TIMEOUT_S 60 /* of one check; sanitizer builds are slower than a server ever is */
#define CHECKER_TEXT_MAX  2000u

enum checker_outcome { CHECKER_OK, CHECKER_FAILED, CHECKER_SKIPPED };

typedef struct checker_subject {
    const ss_plugin *plugin;
    const char *path;    /* of the .so                                                    */
    const char *options; /* JSON as testkit_new() takes it                                */
    const char *secrets; /* values of SECRET options, one a line: they must not show up   */
} checker_subject;

/* One finished check: what was looked at, and what is wrong and how it is mended (or why it was skipped). */
typedef void checker_report(void *arg, const char *name, enum checker_outcome outcome, const char *text);

/* Runs every check that fits the plugin's kind. The number that failed. */
size_t checker_run(const checker_subject *subject, checker_report *report, void *arg);

#endif

/* The checker: what `streamsteam verify-plugin` runs. Each check runs in a process of its own, on the
   testkit's host, so that a plugin that crashes, hangs or leaks is one failed check and no more. Nothing
   listens but the scripted remote end, on the loopback. */
#ifndef SDK_VERIFY_H
#define SDK_VERIFY_H

#include "streamsteam/plugin.h"

#define VERIFY_TIMEOUT_S 60 /* of one check; sanitizer builds are slower than a server ever is */
#define VERIFY_TEXT_MAX  2000u
#define VERIFY_REMOTE    "http://remote.invalid:1" /* in the options: where the scripted remote end goes */

enum verify_outcome { VERIFY_OK, VERIFY_FAILED, VERIFY_SKIPPED };

typedef struct verify_subject {
    const ss_plugin *plugin;
    const char *path;    /* of the .so                                                    */
    const char *options; /* JSON as testkit_new() takes it                                */
    const char *secrets; /* values of SECRET options, one a line: they must not show up   */
} verify_subject;

/* One finished check: what was looked at, and what is wrong and how it is mended (or why it was skipped). */
typedef void verify_report(void *arg, const char *name, enum verify_outcome outcome, const char *text);

/* Runs every check that fits the plugin's kind. The number that failed. */
size_t verify_run(const verify_subject *subject, verify_report *report, void *arg);

#endif

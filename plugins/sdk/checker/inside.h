/* The checks, one function each: they run in a child and say what is wrong with fail(). */
#ifndef SDK_CHECKER_INSIDE_H
#define SDK_CHECKER_INSIDE_H

#include "plugins/sdk/checker/checker.h"
#include "plugins/sdk/testkit/testkit.h"

/* Notes a finding of the running check; several are kept, up to CHECKER_TEXT_MAX. */
void checker_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void checker_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Said before each step, so that a crash or a hang can name it. */
void checker_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A testkit whose create() went well, or NULL after checker_fail(). */
testkit *checker_open(const checker_subject *s);
/* Breaches of the contract become findings, then it is freed. */
void checker_close(testkit *k);

/* descriptor.c */
void check_identity(const checker_subject *s);
void check_options(const checker_subject *s);
void check_fields(const checker_subject *s);
/* elf.c */
void check_exports(const checker_subject *s);
void check_calls(const checker_subject *s);
/* life.c */
void check_life(const checker_subject *s);
void check_reload(const checker_subject *s);
void check_refusals(const checker_subject *s);
void check_host_faults(const checker_subject *s);
void check_lifecycle_verbs(const checker_subject *s);
/* receive.c */
void check_requests(const checker_subject *s);
void check_hostile_requests(const checker_subject *s);
void check_refused_events(const checker_subject *s);
void check_threads(const checker_subject *s);
/* enrich.c */
void check_events(const checker_subject *s);
void check_enrich_faults(const checker_subject *s);
/* deliver.c */
void check_verdicts(const checker_subject *s);
void check_remote(const checker_subject *s);
void check_drain(const checker_subject *s);
void check_pause(const checker_subject *s);
/* secrets.c */
void check_secrets(const checker_subject *s);

#endif

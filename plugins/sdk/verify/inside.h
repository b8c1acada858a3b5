/* The checks, one function each: they run in a child and say what is wrong with fail(). */
#ifndef SDK_VERIFY_INSIDE_H
#define SDK_VERIFY_INSIDE_H

#include "plugins/sdk/testkit/testkit.h"
#include "plugins/sdk/verify/verify.h"

/* Notes a finding of the running check; several are kept, up to VERIFY_TEXT_MAX. */
void verify_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void verify_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Said before each step, so that a crash or a hang can name it. */
void verify_step(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* That step has to be over by then; the next verify_step() ends it. */
void verify_step_limit(uint32_t ms);
int64_t verify_mono_ms(void);

/* A testkit whose create() went well, or NULL after verify_fail(). */
testkit *verify_open(const verify_subject *s);
/* start(); the check ends with a finding where it does not say SS_OK, as nothing is delivered then. */
void verify_start(testkit *k);
/* Breaches of the contract become findings, then it is freed. */
void verify_close(testkit *k);

/* descriptor.c */
void check_identity(const verify_subject *s);
void check_options(const verify_subject *s);
void check_fields(const verify_subject *s);
/* elf.c */
void check_exports(const verify_subject *s);
void check_calls(const verify_subject *s);
/* life.c */
void check_opens(const verify_subject *s);
void check_life(const verify_subject *s);
void check_reload(const verify_subject *s);
void check_refusals(const verify_subject *s);
void check_host_faults(const verify_subject *s);
void check_lifecycle_verbs(const verify_subject *s);
/* use.c */
/* `times` rounds, again and again: memory, descriptors and threads that each time leaves more of are a
   finding. end: after each window, or NULL. */
void verify_repeat(unsigned times, void (*round)(void *arg), void (*end)(void *arg), void *arg,
                   const char *of_what, const char *remedy);
void verify_use_once(testkit *k,
                     const verify_subject *s); /* a few requests, events or one batch of each shape */
void check_use(const verify_subject *s);
/* receive.c */
void verify_receive_once(testkit *k, const verify_subject *s);
void check_requests(const verify_subject *s);
void check_hostile_requests(const verify_subject *s);
void check_refused_events(const verify_subject *s);
void check_threads(const verify_subject *s);
/* enrich.c */
void check_events(const verify_subject *s);
void check_enrich_faults(const verify_subject *s);
void verify_enrich_once(testkit *k);
/* deliver.c */
void verify_add_record(testkit *k, unsigned number);
void verify_judge_batch(testkit *k, int32_t rc, uint32_t count, const char *what);
void verify_deliver_once(testkit *k);
void check_verdicts(const verify_subject *s);
void check_drain(const verify_subject *s);
/* remote.c */
bool verify_has_remote(const verify_subject *s);
/* verify_open() with that remote end in the options, which the caller frees after the testkit. */
testkit *verify_open_with(const verify_subject *s, const char *url, char **options);
/* The same with a remote end of good and bad answers in a process of its own, which ends with this one;
 * without one where the example names none. */
testkit *verify_open_apart(const verify_subject *s);
void check_remote(const verify_subject *s);
void check_pause(const verify_subject *s);
/* secrets.c */
void check_secrets(const verify_subject *s);

#endif

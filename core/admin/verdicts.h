/* Cached answers of the authorizer, allow and deny: a fixed table of 2 MiB that all threads share without a
   lock. What does not fit pushes out what is near: a miss costs a hash and a look into the directory, nothing
   else. */
#ifndef ADMIN_VERDICTS_H
#define ADMIN_VERDICTS_H

#include "core/admin/key_hash.h"

typedef struct verdicts verdicts;

verdicts *verdicts_new(void); /* with a random key; NULL: out of memory */
void verdicts_free(verdicts *v);
size_t verdicts_bytes(void);
/* Names the question "this value for that application": nobody without the key can find another one that is
   answered alike. */
key16 verdicts_question(const verdicts *v, key16 app, ss_str value);
/* generation: answers of another one do not count. 0: not known (any more), else what was put. */
uint32_t verdicts_find(verdicts *v, key16 question, uint64_t generation, int64_t now_ms);
/* answer: 1 to 255. */
void verdicts_put(verdicts *v, key16 question, uint64_t generation, uint32_t answer, int64_t until_ms);

#endif

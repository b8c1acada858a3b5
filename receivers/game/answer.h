/* The answers of the events API, as the guidance's gateway gives them. Each returns what receive() returns.
 */
#ifndef GAME_ANSWER_H
#define GAME_ANSWER_H

#include "receivers/game/batch.h"

#define CODE_THROUGHPUT "ProvisionedThroughputExceededException"
#define CODE_INVALID    "ValidationFailed" /* ours: tolerant mode */

void answer_denied(ss_response *response);
void answer_preflight(ss_response *response);
void answer_broken(ss_response *response); /* 500: the gateway's own failure */
/* 400 with that detail; false: no memory. */
bool answer_bad(const game *g, ss_call *call, ss_response *response, ss_str detail);
/* Every event of the batch failed with CODE_THROUGHPUT; or 429 and 503 with Retry-After, as configured. */
bool answer_busy(const game *g, ss_call *call, ss_response *response, uint32_t count, uint32_t http_status,
                 int64_t retry_after_ms);
/* 200 with a result for each event: those of the batch that do not fit failed. */
bool answer_results(const game *g, ss_call *call, ss_response *response, const game_batch *b);

#endif

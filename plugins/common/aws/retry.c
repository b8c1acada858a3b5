/* Waits with full jitter, and the quota of retries that keeps many failing calls from becoming a storm. */
#include <openssl/rand.h>

#include "plugins/common/aws/inside.h"

#define COST         5u
#define COST_TIMEOUT 10u
#define REFUND       1u
#define BASE_MS      1000
#define CEILING_MS   20000

void aws_quota_start(aws_quota *q)
{
    q->tokens = AWS_QUOTA_FULL;
}

uint32_t aws_quota_take(aws_quota *q, bool timeout)
{
    uint32_t cost = timeout ? COST_TIMEOUT : COST;
    if (q->tokens < cost)
        return 0;
    q->tokens -= cost;
    return cost;
}

void aws_quota_give(aws_quota *q, uint32_t taken)
{
    q->tokens += taken ? taken : REFUND;
    if (q->tokens > AWS_QUOTA_FULL)
        q->tokens = AWS_QUOTA_FULL;
}

uint32_t aws_random(void)
{
    uint32_t value = 0;
    (void)RAND_bytes((unsigned char *)&value, sizeof value);
    return value;
}

int64_t aws_backoff_ms(uint32_t attempt, bool throttled)
{
    /* The first retry of a failure that is nobody's overload comes soon: a cut connection, one bad host. */
    int64_t most = throttled ? BASE_MS : BASE_MS / 4;
    for (uint32_t i = 1; i < attempt && most < CEILING_MS; i++)
        most *= 2;
    return (int64_t)(aws_random() % (uint32_t)((most < CEILING_MS ? most : CEILING_MS) + 1));
}

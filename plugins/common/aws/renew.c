/* The client's credentials: kept, renewed ahead of their end, kept on where renewing fails. */
#include "plugins/common/aws/client.h"

#define SECOND_US        1000000LL
#define AHEAD_US         (15 * 60 * SECOND_US) /* AWS's own clients begin so long before the end */
#define JITTER_US        (5 * 60 * SECOND_US)  /* many servers must not ask in the same second   */
#define SHORT_PART       4                     /* keys that live less: in the last quarter        */
#define AGAIN_FIRST_MS   1000
#define AGAIN_MOST_MS    60000
#define AGAIN_REFUSED_MS 5000 /* keys that were refused: the sources are not read more often      */

static int64_t renewal(const aws_keys_found *found, int64_t now_us)
{
    int64_t lifetime = found->expires_us - now_us;
    if (!found->expires_us)
        return INT64_MAX;
    if (lifetime <= AHEAD_US + JITTER_US)
        return found->expires_us - (lifetime > 0 ? lifetime / SHORT_PART : 0);
    return found->expires_us - AHEAD_US + (int64_t)(aws_random() % (uint32_t)JITTER_US);
}

static bool same(const aws_keys_text *a, const aws_keys_text *b)
{
    return strcmp(a->access_key, b->access_key) == 0 && strcmp(a->secret, b->secret) == 0 &&
           strcmp(a->token, b->token) == 0;
}

/* The files are read again, too: that is how keys in them are changed while the server runs. */
static void reread_profiles(aws_client *c)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    aws_profiles *fresh = aws_profiles_read(&ignored);
    if (!fresh) {
        aws_log(c, SS_WARNING, "AWS profiles: %s; going on with what was read before", ignored.text);
        return;
    }
    aws_profiles_free(c->profiles);
    c->profiles = fresh;
}

static int32_t ask(aws_client *c, aws_keys_found *found, ss_error *err)
{
    reread_profiles(c);
    const aws_keys_from from = {c->http,     &c->settings,        &c->place,
                                c->profiles, c->explicit_profile, aws_now_us(c) + c->skew_us};
    memset(found, 0, sizeof *found);
    return aws_keys_chain(&from, found, err);
}

static void take(aws_client *c, const aws_keys_found *found)
{
    aws_keys_cache *k = &c->keys;
    int64_t now = aws_now_us(c) + c->skew_us;
    if (!k->have)
        aws_log(c, SS_INFO, "AWS credentials from: %s", found->source);
    if (!k->have || !same(&k->now.text, &found->text))
        k->generation++;
    k->now = *found;
    k->have = true;
    k->failures = 0;
    k->next_try_ms = 0;
    k->renew_us = renewal(found, now);
    c->counts.renewals++;
}

static void failed(aws_client *c, int32_t status, const ss_error *err)
{
    aws_keys_cache *k = &c->keys;
    int64_t wait = AGAIN_FIRST_MS;
    for (uint32_t i = 0; i < k->failures && wait < AGAIN_MOST_MS; i++)
        wait *= 2;
    wait = wait < AGAIN_MOST_MS ? wait : AGAIN_MOST_MS;
    k->failures++;
    k->status = status;
    k->next_try_ms = http_now_ms() + wait / 2 + (int64_t)(aws_random() % (uint32_t)(wait / 2 + 1));
    (void)snprintf(k->problem, sizeof k->problem, "%s", err->text);
    c->counts.renewals_failed++;
    if (k->have)
        aws_log(c, SS_WARNING, "AWS credentials (%s) were not renewed and are used on: %s", k->now.source,
                err->text);
}

static int32_t renew(aws_client *c, ss_error *err)
{
    aws_keys_found found;
    int32_t rc = ask(c, &found, err);
    if (rc == SS_OK)
        take(c, &found);
    else
        failed(c, rc, err);
    aws_wipe(&found, sizeof found);
    return rc;
}

int32_t aws_keys_ready(aws_client *c, ss_error *err)
{
    aws_keys_cache *k = &c->keys;
    int64_t now = aws_now_us(c) + c->skew_us;
    bool may_ask = http_now_ms() >= k->next_try_ms;
    if (k->have && now < k->renew_us)
        return SS_OK;
    if (may_ask && renew(c, err) == SS_OK)
        return SS_OK;
    /* Past their end, too: the service has the last word, and its clock may be another. */
    if (k->have)
        return SS_OK;
    (void)snprintf(err->text, sizeof err->text, "%s", k->problem);
    return k->status;
}

bool aws_keys_again(aws_client *c, uint64_t generation)
{
    aws_keys_cache *k = &c->keys;
    ss_error err = {.struct_size = sizeof err};
    if (k->generation != generation) /* another call has renewed them meanwhile */
        return true;
    if (http_now_ms() < k->next_try_ms)
        return false;
    bool good = renew(c, &err) == SS_OK;
    if (good && k->generation == generation)
        k->next_try_ms = http_now_ms() + AGAIN_REFUSED_MS;
    return good && k->generation != generation;
}

int32_t aws_connect(aws_client *c, ss_error *err)
{
    return aws_keys_ready(c, err);
}

const char *aws_keys_source(const aws_client *c)
{
    return c->keys.now.source;
}

int32_t aws_keys_copy(aws_client *c, aws_keys_text *out, int64_t *expires_us, ss_error *err)
{
    int32_t rc = aws_keys_ready(c, err);
    if (rc != SS_OK)
        return rc;
    *out = c->keys.now.text;
    if (expires_us)
        *expires_us = c->keys.now.expires_us;
    return SS_OK;
}

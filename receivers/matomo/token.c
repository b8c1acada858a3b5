#include "receivers/matomo/token.h"

#include <stdlib.h>

#include "plugins/common/secret.h"

static int32_t token_read(token *t, const ss_host *host, const ss_config *node, size_t place, ss_error *err)
{
    int64_t len = host->secret(host->self, node, "secret", t->secret, sizeof t->secret, err);
    if (len < 0)
        return SS_REJECT;
    if (len == 0)
        return ss_fail(err, SS_REJECT,
                       "tokens[%zu].secret is empty: an empty token would allow everything to everybody",
                       place);
    t->len = (size_t)len;
    ss_str role = host->cfg_str(node, "role");
    t->role = ss_eq(role, SS_LIT("superuser")) ? TOKEN_SUPERUSER
              : ss_eq(role, SS_LIT("admin"))   ? TOKEN_ADMIN
                                               : TOKEN_WRITE;
    const ss_config *sites = host->cfg_get(node, "sites");
    size_t count = sites ? host->cfg_len(sites) : 0;
    if (count > TOKEN_SITES_MAX)
        return ss_fail(err, SS_REJECT, "tokens[%zu].sites: at most %u", place, TOKEN_SITES_MAX);
    t->sites = calloc(count + 1, sizeof *t->sites);
    if (!t->sites)
        return ss_fail(err, SS_LIMIT, "no memory for the tokens");
    for (size_t i = 0; i < count; i++)
        t->sites[t->site_count++] = host->cfg_int(host->cfg_at(sites, i), "");
    return SS_OK;
}

int32_t tokens_make(tokens *t, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    const ss_config *list = host->cfg_get(cfg, "tokens");
    size_t count = list ? host->cfg_len(list) : 0;
    int32_t status = SS_OK;
    if (count > TOKENS_MAX)
        return ss_fail(err, SS_REJECT, "tokens: at most %u", TOKENS_MAX);
    t->list = calloc(count + 1, sizeof *t->list);
    if (!t->list)
        return ss_fail(err, SS_LIMIT, "no memory for the tokens");
    for (; status == SS_OK && t->count < count; t->count++)
        status = token_read(&t->list[t->count], host, host->cfg_at(list, t->count), t->count, err);
    return status;
}

void tokens_free(tokens *t)
{
    for (size_t i = 0; i < t->count; i++) {
        explicit_bzero(t->list[i].secret, sizeof t->list[i].secret);
        free(t->list[i].sites);
    }
    free(t->list);
    *t = (tokens){0};
}

static bool token_equal(const token *t, ss_str given)
{
    return secret_equal(t->secret, sizeof t->secret, t->len, given);
}

static bool token_covers(const token *t, int64_t site)
{
    if (t->role == TOKEN_SUPERUSER || t->site_count == 0 || site < 0)
        return true;
    for (size_t i = 0; i < t->site_count; i++)
        if (t->sites[i] == site)
            return true;
    return false;
}

bool tokens_allow(const tokens *t, ss_str given, int64_t site)
{
    bool allowed = false;
    for (size_t i = 0; given.len > 0 && i < t->count; i++)
        allowed |= token_equal(&t->list[i], given) && token_covers(&t->list[i], site);
    return allowed;
}

bool tokens_superuser(const tokens *t, ss_str given)
{
    bool super = false;
    for (size_t i = 0; given.len > 0 && i < t->count; i++)
        super |= token_equal(&t->list[i], given) && t->list[i].role == TOKEN_SUPERUSER;
    return super;
}

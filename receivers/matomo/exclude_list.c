#include "receivers/matomo/exclude_list.h"

#include <stdlib.h>

#include "receivers/matomo/lower.h"

static int32_t read_ranges(exclude_list *l, const ss_host *host, const ss_config *list, const char *place,
                           ss_error *err)
{
    size_t count = list ? host->cfg_len(list) : 0;
    l->ranges = calloc(count + 1, sizeof *l->ranges);
    if (!l->ranges)
        return ss_fail(err, SS_LIMIT, "no memory for the excluded addresses");
    for (; l->range_count < count; l->range_count++) {
        ss_str text = host->cfg_str(host->cfg_at(list, l->range_count), "");
        if (!address_range_read(&l->ranges[l->range_count], text))
            return ss_fail(err, SS_REJECT,
                           "%sexcluded_ips: \"%.*s\" is no address: write 1.2.3.4, 1.2.3.0/24, 1.2.*.* or "
                           "2001:db8::/32",
                           place, (int)text.len, text.ptr);
    }
    return SS_OK;
}

static int32_t read_agent(exclude_list *l, ss_str text, size_t *put, const char *place, ss_error *err)
{
    exclude_agent *a = &l->agents[l->agent_count];
    ss_error why = {.struct_size = sizeof why};
    if (text.len == 0)
        return ss_fail(err, SS_REJECT, "%sexcluded_user_agents: an empty entry would exclude everybody",
                       place);
    if (pattern_is(text)) {
        a->regex = pattern_new(text, &why);
        return a->regex ? SS_OK : ss_fail(err, SS_REJECT, "%sexcluded_user_agents: %s", place, why.text);
    }
    a->text = ss_s(l->texts + *put, text.len);
    memcpy(l->texts + *put, text.ptr, text.len);
    lower_ascii(l->texts + *put, text.len);
    *put += text.len;
    return SS_OK;
}

static int32_t read_agents(exclude_list *l, const ss_host *host, const ss_config *list, const char *place,
                           ss_error *err)
{
    size_t count = list ? host->cfg_len(list) : 0, bytes = 1, put = 0;
    for (size_t i = 0; i < count; i++)
        bytes += host->cfg_str(host->cfg_at(list, i), "").len;
    l->agents = calloc(count + 1, sizeof *l->agents);
    l->texts = malloc(bytes);
    if (!l->agents || !l->texts)
        return ss_fail(err, SS_LIMIT, "no memory for the excluded user agents");
    int32_t status = SS_OK;
    for (; status == SS_OK && l->agent_count < count; l->agent_count++)
        status = read_agent(l, host->cfg_str(host->cfg_at(list, l->agent_count), ""), &put, place, err);
    return status;
}

int32_t exclude_list_make(exclude_list *l, const ss_host *host, const ss_config *node, const char *place,
                          ss_error *err)
{
    int32_t status = read_ranges(l, host, host->cfg_get(node, "excluded_ips"), place, err);
    return status == SS_OK ? read_agents(l, host, host->cfg_get(node, "excluded_user_agents"), place, err)
                           : status;
}

void exclude_list_free(exclude_list *l)
{
    for (size_t i = 0; i < l->agent_count; i++)
        pattern_free(l->agents[i].regex);
    free(l->ranges);
    free(l->agents);
    free(l->texts);
    *l = (exclude_list){0};
}

bool exclude_list_address(const exclude_list *l, const address *a)
{
    return address_in(l->ranges, l->range_count, a);
}

bool exclude_list_agent(const exclude_list *l, ss_str agent, ss_str lower)
{
    for (size_t i = 0; i < l->agent_count; i++) {
        const exclude_agent *a = &l->agents[i];
        if (a->regex ? pattern_matches(a->regex, agent)
                     : memmem(lower.ptr, lower.len, a->text.ptr, a->text.len) != NULL)
            return true;
    }
    return false;
}

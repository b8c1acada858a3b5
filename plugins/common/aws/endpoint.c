/* Where a service's requests go: what was configured, else the name that AWS gives it in the region. */
#include <ctype.h>

#include "plugins/common/aws/inside.h"

typedef struct partition {
    const char *prefix, *name, *suffix, *dual_suffix;
} partition;

static const partition partitions[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws"},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov", NULL},
    {"us-iso-", "aws-iso", "c2s.ic.gov", NULL},
    {"", "aws", "amazonaws.com", "api.aws"},
};

static const partition *partition_for(const char *region)
{
    const partition *p = partitions;
    while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
        p++; /* the last one fits all */
    return p;
}

const char *aws_partition_of(const char *region)
{
    return partition_for(region)->name;
}

/* The name of a region becomes part of a host name. */
static bool region_is_name(const char *region)
{
    for (const char *at = region; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-')
            return false;
    return *region && *region != '-';
}

static const char *of_service(const aws_place *place, const aws_profiles *profiles, const char *id)
{
    char name[64] = "";
    const char *section = aws_profile_get(profiles, place->profile, "services");
    for (size_t i = 0; id[i] && i + 1 < sizeof name; i++)
        name[i] = (char)tolower((unsigned char)id[i]);
    return section ? aws_services_get(profiles, section, name, "endpoint_url") : NULL;
}

/* config > AWS_ENDPOINT_URL_<ID> > AWS_ENDPOINT_URL > the profile's services > the profile */
static const char *configured(const aws_place *place, const aws_profiles *profiles,
                              const aws_service *service)
{
    char variable[96];
    const char *ignore = aws_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), *url;
    /* STS gives credentials to all: the endpoint of the module's own service is not its. */
    if (*place->endpoint && service != AWS_STS)
        return place->endpoint;
    if (!ignore)
        ignore = aws_profile_get(profiles, place->profile, "ignore_configured_endpoint_urls");
    if (ignore && strcmp(ignore, "true") == 0)
        return NULL;
    (void)snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", service->id);
    if ((url = aws_env(variable)) || (url = aws_env("AWS_ENDPOINT_URL")) ||
        (url = of_service(place, profiles, service->id)))
        return url;
    return aws_profile_get(profiles, place->profile, "endpoint_url");
}

static int32_t checked(const char *url, const aws_service *service, char *out, size_t size, ss_error *err)
{
    size_t len = strlen(url), scheme = strncmp(url, "https://", 8) == 0  ? 8
                                       : strncmp(url, "http://", 7) == 0 ? 7
                                                                         : 0;
    while (len && url[len - 1] == '/')
        len--;
    if (!scheme || len <= scheme || len >= size || strpbrk(url, " \t\r\n?#@"))
        return ss_fail(err, SS_PAUSE, "the endpoint of %s is not a URL like https://host:port: %.200s",
                       service->name, url);
    memcpy(out, url, len);
    out[len] = '\0';
    return SS_OK;
}

static int32_t by_region(const aws_place *place, const aws_service *service, char *out, size_t size,
                         ss_error *err)
{
    const partition *p = partition_for(place->region);
    char fips[64];
    if (!*place->region)
        return ss_fail(err, SS_PAUSE, "no region: set `region`, or AWS_REGION, or region in the profile");
    if (!region_is_name(place->region))
        return ss_fail(err, SS_PAUSE, "\"%.100s\" is not a region: set `region` to one like eu-central-1",
                       place->region);
    if (place->dual_stack && !p->dual_suffix)
        return ss_fail(err, SS_PAUSE, "%s has no dual-stack endpoints: switch dual_stack off", p->name);
    (void)snprintf(fips, sizeof fips, "%s-fips", service->name);
    const char *name = !place->fips ? service->name : service->fips ? service->fips : fips;
    int len;
    if (place->dual_stack && service->protocol == AWS_REST_XML) /* S3 has a form of its own */
        len = snprintf(out, size, "https://%s.dualstack.%s.%s", name, place->region, p->suffix);
    else
        len = snprintf(out, size, "https://%s.%s.%s", name, place->region,
                       place->dual_stack ? p->dual_suffix : p->suffix);
    return len > 0 && (size_t)len < size ? SS_OK
                                         : ss_fail(err, SS_PAUSE, "the name of the endpoint is too long");
}

int32_t aws_place_url(const aws_place *place, const aws_profiles *profiles, const aws_service *service,
                      char *out, size_t size, ss_error *err)
{
    const char *url = configured(place, profiles, service);
    return url ? checked(url, service, out, size, err) : by_region(place, service, out, size, err);
}

/* A client's life: settings, places, clock. */
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "plugins/common/aws/client.h"

#define ATTEMPTS  3u
#define IN_FLIGHT 16u

int64_t aws_now_us(const aws_client *c)
{
    if (c->settings.now_us)
        return c->settings.now_us(c->settings.host_arg);
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void aws_log(const aws_client *c, int32_t level, const char *format, ...)
{
    char text[700];
    va_list args;
    if (!c->settings.log)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->settings.log(c->settings.host_arg, level, text);
}

/* Copies of the settings' texts, one after the other in one piece of memory. */
static bool copy_settings(aws_client *c, const aws_settings *from)
{
    ss_str *const texts[] = {&c->settings.region,   &c->settings.profile,           &c->settings.endpoint,
                             &c->settings.role_arn, &c->settings.role_session_name, &c->settings.external_id,
                             &c->settings.ca_file};
    size_t total = 1, count = sizeof texts / sizeof *texts;
    c->settings = *from;
    for (size_t i = 0; i < count; i++)
        total += texts[i]->len + 1;
    char *at = c->texts = calloc(1, total);
    for (size_t i = 0; at && i < count; i++) {
        if (texts[i]->len)
            memcpy(at, texts[i]->ptr, texts[i]->len);
        texts[i]->ptr = at;
        at += texts[i]->len + 1;
    }
    return at != NULL;
}

static void put(char *out, size_t size, ss_str value, const char *other)
{
    if (value.len)
        (void)snprintf(out, size, "%.*s", (int)value.len, value.ptr);
    else
        (void)snprintf(out, size, "%s", other ? other : "");
}

static const char *first(const char *a, const char *b)
{
    return a ? a : b;
}

static bool is_true(const char *text)
{
    return text && strcmp(text, "true") == 0;
}

static void find_place(aws_client *c)
{
    aws_place *p = &c->place;
    const aws_settings *s = &c->settings;
    c->explicit_profile = s->profile.len > 0;
    put(p->profile, sizeof p->profile, s->profile, first(aws_env("AWS_PROFILE"), "default"));
    const char *region = first(aws_env("AWS_REGION"), aws_env("AWS_DEFAULT_REGION"));
    put(p->region, sizeof p->region, s->region,
        first(region, aws_profile_get(c->profiles, p->profile, "region")));
    put(p->endpoint, sizeof p->endpoint, s->endpoint, NULL);
    p->fips = s->fips || is_true(first(aws_env("AWS_USE_FIPS_ENDPOINT"),
                                       aws_profile_get(c->profiles, p->profile, "use_fips_endpoint")));
    p->dual_stack =
        s->dual_stack || is_true(first(aws_env("AWS_USE_DUALSTACK_ENDPOINT"),
                                       aws_profile_get(c->profiles, p->profile, "use_dualstack_endpoint")));
}

static uint32_t attempts_of(const aws_client *c)
{
    const char *text =
        first(aws_env("AWS_MAX_ATTEMPTS"), aws_profile_get(c->profiles, c->place.profile, "max_attempts"));
    long value = text ? strtol(text, NULL, 10) : 0;
    if (c->settings.max_attempts)
        value = (long)c->settings.max_attempts;
    return value < 1 ? ATTEMPTS : value > AWS_ATTEMPTS_MAX ? AWS_ATTEMPTS_MAX : (uint32_t)value;
}

static const char *bundle(const aws_client *c)
{
    if (c->settings.ca_file.len)
        return c->settings.ca_file.ptr;
    return first(aws_env("AWS_CA_BUNDLE"), aws_profile_get(c->profiles, c->place.profile, "ca_bundle"));
}

aws_client *aws_client_new(const aws_settings *settings, ss_error *err)
{
    aws_client *c = calloc(1, sizeof *c);
    if (!c || !copy_settings(c, settings)) {
        free(c);
        (void)ss_fail(err, SS_RETRY, "no memory for an AWS client");
        return NULL;
    }
    c->profiles = aws_profiles_read(err);
    if (!c->profiles) {
        aws_client_free(c);
        return NULL;
    }
    find_place(c);
    c->max_attempts = attempts_of(c);
    c->max_in_flight = settings->max_in_flight ? settings->max_in_flight : IN_FLIGHT;
    aws_quota_start(&c->quota);
    c->http = http_client_new(&(http_options){c->max_in_flight, bundle(c), "streamsteam"});
    if (!c->http) {
        (void)ss_fail(err, SS_RETRY, "no memory for an AWS client");
        aws_client_free(c);
        return NULL;
    }
    return c;
}

void aws_client_free(aws_client *c)
{
    if (!c)
        return;
    while (c->calls)
        aws_call_free(c->calls);
    http_client_free(c->http);
    aws_profiles_free(c->profiles);
    aws_wipe(&c->keys, sizeof c->keys);
    free(c->texts);
    free(c);
}

const char *aws_region(const aws_client *c)
{
    return c->place.region;
}

const char *aws_partition(const aws_client *c)
{
    return aws_partition_of(c->place.region);
}

int32_t aws_endpoint(aws_client *c, const aws_service *service, char *out, size_t size, ss_error *err)
{
    return aws_place_url(&c->place, c->profiles, service, out, size, err);
}

aws_counts aws_counted(const aws_client *c)
{
    return c->counts;
}

size_t aws_in_flight(const aws_client *c)
{
    return c->open;
}

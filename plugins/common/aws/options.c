#include "plugins/common/aws/options.h"

#include "plugins/common/aws/inside.h"

/* One secret into out: its length, 0 = not set, -1 = err. */
static int64_t secret(const aws_origin *o, const char *name, char *out, size_t size, ss_error *err)
{
    char text[4200];
    const ss_config *node = o->host->cfg_get(o->cfg, name);
    if (!node)
        return 0;
    int64_t len = o->host->secret(o->host->self, o->cfg, name, text, sizeof text, err);
    if (len < 0)
        return -1;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r')) /* a file ends with a line break */
        len--;
    bool good = len == 0 || aws_keys_set(out, size, ss_s(text, (size_t)len));
    aws_wipe(text, sizeof text);
    if (!good)
        (void)ss_fail(err, SS_PAUSE, "%s holds a blank, a line break, or is too long", name);
    return good ? len : -1;
}

static int keys_of_options(void *arg, aws_keys_text *out, ss_error *err)
{
    const aws_origin *o = arg;
    int64_t access = secret(o, "access_key", out->access_key, sizeof out->access_key, err);
    int64_t key = access < 0 ? -1 : secret(o, "secret_key", out->secret, sizeof out->secret, err);
    int64_t token = key < 0 ? -1 : secret(o, "session_token", out->token, sizeof out->token, err);
    if (token < 0)
        return -1;
    if ((access > 0) == (key > 0))
        return access > 0;
    (void)ss_fail(err, SS_PAUSE, "%s is set but %s is not: set both, or none",
                  access ? "access_key" : "secret_key", access ? "secret_key" : "access_key");
    return -1;
}

aws_settings aws_settings_of(aws_origin *origin, const ss_host *host, const ss_config *cfg)
{
    origin->host = host;
    origin->cfg = cfg;
    return (aws_settings){.region = host->cfg_str(cfg, "region"),
                          .profile = host->cfg_str(cfg, "profile"),
                          .endpoint = host->cfg_str(cfg, "endpoint"),
                          .role_arn = host->cfg_str(cfg, "role_arn"),
                          .role_session_name = host->cfg_str(cfg, "role_session_name"),
                          .external_id = host->cfg_str(cfg, "external_id"),
                          .ca_file = host->cfg_str(cfg, "ca_file"),
                          .fips = host->cfg_int(cfg, "fips") != 0,
                          .dual_stack = host->cfg_int(cfg, "dual_stack") != 0,
                          .max_attempts = (uint32_t)host->cfg_int(cfg, "max_attempts"),
                          .connect_timeout_ms = host->cfg_int(cfg, "connect_timeout"),
                          .timeout_ms = host->cfg_int(cfg, "timeout"),
                          .keys = keys_of_options,
                          .arg = origin,
                          .now_us = host->now_us,
                          .log = host->log,
                          .host_arg = host->self};
}

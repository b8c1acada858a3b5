#include "plugins/common/kafka_client.h"

#include <stdlib.h>

#include "plugins/common/aws/aws.h"

#define SECRET_BYTES 65536u

const ss_option kafka_client_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "The value of a property of librdkafka."}, {.name = NULL}};
const ss_option kafka_client_secret_item[] = {{.name = "*",
                                               .type = SS_T_STRING,
                                               .flags = SS_OPT_SECRET,
                                               .doc = "The value of a property of librdkafka."},
                                              {.name = NULL}};

const ss_option kafka_client_tls[] = {
    {.name = "enabled", .type = SS_T_BOOL, .dflt = "false", .doc = "Connections to brokers are encrypted."},
    {.name = "ca",
     .type = SS_T_PATH,
     .doc = "Certificates (PEM) of who signs the brokers'; none: those of the system."},
    {.name = "certificate",
     .type = SS_T_PATH,
     .doc = "This client's certificate (PEM), where brokers ask for one."},
    {.name = "key", .type = SS_T_PATH, .doc = "Its private key (PEM)."},
    {.name = "key_password", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "The password of that key."},
    {.name = "verify",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "The broker's certificate and host name are checked; false only for tests."},
    {.name = NULL}};

const ss_option kafka_client_sasl[] = {
    {.name = "mechanism",
     .type = SS_T_ENUM,
     .flags = SS_OPT_REQUIRED,
     .choices = "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER|AWS_MSK_IAM",
     .doc = "How this client proves who it is: PLAIN and SCRAM with username and password (PLAIN only with "
            "tls), OAUTHBEARER with "
            "token_file or librdkafka's own properties under client, AWS_MSK_IAM with AWS credentials of the "
            "usual chain."},
    {.name = "username", .type = SS_T_STRING, .doc = "The user at the brokers; PLAIN and SCRAM."},
    {.name = "password",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .doc = "Its password, best as ${file:PATH}."},
    {.name = "token_file",
     .type = SS_T_PATH,
     .doc = "OAUTHBEARER: a file with a JSON Web Token, read again before the token's end; without it the "
            "token comes from "
            "what client says (sasl.oauthbearer.method and its kin)."},
    {.name = "region",
     .type = SS_T_STRING,
     .doc = "AWS_MSK_IAM: the cluster's region; without it that of the AWS chain."},
    {.name = "profile",
     .type = SS_T_STRING,
     .doc = "AWS_MSK_IAM: the profile of ~/.aws; without it the usual AWS chain."},
    {.name = "role_arn",
     .type = SS_T_STRING,
     .doc = "AWS_MSK_IAM: a role to assume with the credentials that were found."},
    {.name = NULL}};

/* ---- properties ---- */

int32_t kafka_client_set(rd_kafka_conf_t *conf, const char *name, const char *value, const char *option,
                         ss_error *err)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return SS_OK;
    return ss_fail(err, SS_REJECT, "%s: %.300s", option, why);
}

int32_t kafka_client_set_str(rd_kafka_conf_t *conf, const char *name, ss_str value, const char *option,
                             ss_error *err)
{
    char *text = strndup(value.ptr ? value.ptr : "", value.len);
    if (!text)
        return ss_fail(err, SS_LIMIT, "out of memory");
    int32_t status = kafka_client_set(conf, name, text, option, err);
    free(text);
    return status;
}

/* The reason may hold the value: only the property is named. */
static int32_t set_secret(const ss_host *h, rd_kafka_conf_t *conf, const char *name, const ss_config *node,
                          const char *path, const char *option, ss_error *err)
{
    char *value = malloc(SECRET_BYTES), why[256];
    if (!value)
        return ss_fail(err, SS_LIMIT, "out of memory");
    int64_t len = h->secret(h->self, node, path, value, SECRET_BYTES - 1, err);
    int32_t status = len < 0 ? SS_REJECT : SS_OK;
    if (status == SS_OK) {
        value[len] = '\0';
        if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
            status = ss_fail(err, SS_REJECT, "%s: librdkafka does not take that value of %s", option, name);
        explicit_bzero(value, (size_t)len);
    }
    free(value);
    return status;
}

static bool is_reserved(ss_str name, const char *const *reserved)
{
    static const char *const always[] = {
        "bootstrap.servers", "metadata.broker.list", "security.protocol", "sasl.mechanism",
        "sasl.mechanisms",   "sasl.username",        "sasl.password",     NULL};
    for (size_t i = 0; always[i]; i++)
        if (ss_eq(name, ss_cstr(always[i])))
            return true;
    for (size_t i = 0; reserved[i]; i++)
        if (ss_eq(name, ss_cstr(reserved[i])))
            return true;
    return false;
}

static bool is_secret(ss_str name)
{
    static const char *const words[] = {"password", "secret", "key.pem"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(name.ptr, name.len, words[i], strlen(words[i])))
            return true;
    return false;
}

static int32_t read_map(const ss_host *h, rd_kafka_conf_t *conf, const char *const *reserved,
                        const ss_config *map, const char *option, bool secret, ss_error *err)
{
    for (size_t i = 0; map && i < h->cfg_len(map); i++) {
        ss_str key = h->cfg_key(map, i);
        char name[128], where[160];
        (void)snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
        (void)snprintf(where, sizeof where, "%s.%s", option, name);
        if (is_reserved(key, reserved))
            return ss_fail(err, SS_REJECT, "%s: this plugin sets that itself; take it out", where);
        if (!secret && is_secret(key))
            return ss_fail(err, SS_REJECT, "%s: by its name a secret: put it under client_secrets", where);
        int32_t status =
            secret ? set_secret(h, conf, name, h->cfg_at(map, i), "", where, err)
                   : kafka_client_set_str(conf, name, h->cfg_str(h->cfg_at(map, i), ""), where, err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

/* ---- security ---- */

static int32_t set_path(const ss_host *h, rd_kafka_conf_t *conf, const char *name, const ss_config *tls,
                        const char *key, ss_error *err)
{
    ss_str path = h->cfg_str(tls, key);
    char option[32];
    (void)snprintf(option, sizeof option, "tls.%s", key);
    return path.len ? kafka_client_set_str(conf, name, path, option, err) : SS_OK;
}

static int32_t read_tls(const ss_host *h, rd_kafka_conf_t *conf, const ss_config *tls, ss_error *err)
{
    int32_t status = set_path(h, conf, "ssl.ca.location", tls, "ca", err);
    if (status == SS_OK)
        status = set_path(h, conf, "ssl.certificate.location", tls, "certificate", err);
    if (status == SS_OK)
        status = set_path(h, conf, "ssl.key.location", tls, "key", err);
    if (status == SS_OK && h->cfg_get(tls, "key_password"))
        status = set_secret(h, conf, "ssl.key.password", tls, "key_password", "tls.key_password", err);
    if (status == SS_OK && !h->cfg_int(tls, "verify"))
        status = kafka_client_set(conf, "enable.ssl.certificate.verification", "false", "tls.verify", err);
    else if (status == SS_OK)
        status = kafka_client_set(conf, "ssl.endpoint.identification.algorithm", "https", "tls.verify", err);
    return status;
}

static int32_t read_password(const ss_host *h, rd_kafka_conf_t *conf, const ss_config *sasl, ss_error *err)
{
    ss_str user = h->cfg_str(sasl, "username");
    if (user.len == 0 || !h->cfg_get(sasl, "password"))
        return ss_fail(err, SS_REJECT, "sasl: this mechanism needs username and password");
    int32_t status = kafka_client_set_str(conf, "sasl.username", user, "sasl.username", err);
    return status == SS_OK ? set_secret(h, conf, "sasl.password", sasl, "password", "sasl.password", err)
                           : status;
}

static int32_t copy_text(char *out, size_t size, ss_str text, const char *option, ss_error *err)
{
    if (text.len >= size)
        return ss_fail(err, SS_REJECT, "%s: longer than %zu bytes", option, size - 1);
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return SS_OK;
}

/* Tokens of ours are renewed by a callback; without one librdkafka makes its own, as client says. */
static int32_t read_token(kafka_client *c, rd_kafka_conf_t *conf, bool msk, ss_error *err)
{
    const ss_host *h = c->host;
    int32_t status = copy_text(c->token_file, sizeof c->token_file, h->cfg_str(c->sasl, "token_file"),
                               "sasl.token_file", err);
    if (status == SS_OK)
        status = copy_text(c->region, sizeof c->region, h->cfg_str(c->sasl, "region"), "sasl.region", err);
    if (status == SS_OK && (msk || *c->token_file)) {
        rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, kafka_token_refresh);
        rd_kafka_conf_enable_sasl_queue(conf, 1);
    }
    return status;
}

static int32_t read_sasl(kafka_client *c, rd_kafka_conf_t *conf, bool encrypted, ss_error *err)
{
    const ss_host *h = c->host;
    ss_str mechanism = h->cfg_str(c->sasl, "mechanism");
    bool msk = ss_eq(mechanism, SS_LIT("AWS_MSK_IAM")),
         token = msk || ss_eq(mechanism, SS_LIT("OAUTHBEARER"));
    if (!encrypted && (msk || ss_eq(mechanism, SS_LIT("PLAIN"))))
        h->log(h->self, SS_WARNING,
               "this sasl.mechanism without tls sends what it proves itself with readable over the network");
    if (!msk && h->cfg_str(c->sasl, "region").len)
        return ss_fail(err, SS_REJECT, "sasl.region: only AWS_MSK_IAM has one");
    int32_t status = kafka_client_set_str(conf, "sasl.mechanisms", msk ? SS_LIT("OAUTHBEARER") : mechanism,
                                          "sasl.mechanism", err);
    if (status == SS_OK)
        status = token ? read_token(c, conf, msk, err) : read_password(h, conf, c->sasl, err);
    return status;
}

static int32_t read_security(kafka_client *c, rd_kafka_conf_t *conf, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = c->host;
    const ss_config *tls = h->cfg_get(cfg, "tls"), *sasl = h->cfg_get(cfg, "sasl");
    bool encrypted = tls && h->cfg_int(tls, "enabled");
    bool login = sasl && h->cfg_str(sasl, "mechanism").len > 0;
    if (!encrypted && tls && (h->cfg_str(tls, "ca").len || h->cfg_str(tls, "certificate").len))
        return ss_fail(err, SS_REJECT, "tls: certificates are given, but tls.enabled is not true: set it");
    int32_t status = encrypted ? read_tls(h, conf, tls, err) : SS_OK;
    c->sasl = login ? sasl : NULL;
    if (status == SS_OK && login)
        status = read_sasl(c, conf, encrypted, err);
    const char *protocol = login       ? (encrypted ? "SASL_SSL" : "SASL_PLAINTEXT")
                           : encrypted ? "SSL"
                                       : "PLAINTEXT";
    return status == SS_OK ? kafka_client_set(conf, "security.protocol", protocol, "tls", err) : status;
}

int32_t kafka_client_read(kafka_client *c, rd_kafka_conf_t *conf, const ss_host *host, const ss_config *cfg,
                          const char *const *reserved, ss_error *err)
{
    c->host = host;
    int32_t status = read_security(c, conf, cfg, err);
    if (status == SS_OK)
        status = read_map(host, conf, reserved, host->cfg_get(cfg, "client"), "client", false, err);
    if (status == SS_OK)
        status =
            read_map(host, conf, reserved, host->cfg_get(cfg, "client_secrets"), "client_secrets", true, err);
    return status;
}

int32_t kafka_client_started(const kafka_client *c, rd_kafka_t *rk, ss_error *err)
{
    if (!c->sasl ||
        (!*c->token_file && !ss_eq(c->host->cfg_str(c->sasl, "mechanism"), SS_LIT("AWS_MSK_IAM"))))
        return SS_OK;
    rd_kafka_error_t *why = rd_kafka_sasl_background_callbacks_enable(rk);
    if (!why)
        return SS_OK;
    (void)ss_fail(err, SS_REJECT, "sasl: %.300s", rd_kafka_error_string(why));
    rd_kafka_error_destroy(why);
    return SS_REJECT;
}

void kafka_client_free(kafka_client *c)
{
    aws_client_free(c->aws);
    c->aws = NULL;
}

#include "receivers/kafka/options.h"

#include <stdlib.h>

#define MIB          1048576
#define SECRET_BYTES 65536u

static const ss_option topic_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "A topic, or a regular expression that begins with ^."},
    {.name = NULL}};
static const ss_option client_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "The value of a property of librdkafka."}, {.name = NULL}};
static const ss_option secret_item[] = {{.name = "*",
                                         .type = SS_T_STRING,
                                         .flags = SS_OPT_SECRET,
                                         .doc = "The value of a property of librdkafka."},
                                        {.name = NULL}};

static const ss_option tls_keys[] = {
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

static const ss_option sasl_keys[] = {
    {.name = "mechanism",
     .type = SS_T_ENUM,
     .flags = SS_OPT_REQUIRED,
     .choices = "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
     .doc = "How the user proves who it is; PLAIN only with tls."},
    {.name = "username", .type = SS_T_STRING, .flags = SS_OPT_REQUIRED, .doc = "The user at the brokers."},
    {.name = "password",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED | SS_OPT_SECRET,
     .doc = "Its password, best as ${file:PATH}."},
    {.name = NULL}};

const ss_option kafka_options[] = {
    {.name = "brokers",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "Where to begin: host:port, several with commas between; the cluster names the others."},
    {.name = "topics",
     .type = SS_T_LIST,
     .flags = SS_OPT_REQUIRED,
     .min = 1,
     .max = (int64_t)KAFKA_TOPICS_MAX,
     .children = topic_item,
     .doc = "The topics to read; one that begins with ^ is a regular expression and takes topics that come "
            "later, too."},
    {.name = "group",
     .type = SS_T_STRING,
     .dflt = "streamsteam",
     .doc = "The consumer group at the brokers."},
    {.name = "parser",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The receiver of this configuration that reads the messages and makes events of them."},
    {.name = "start",
     .type = SS_T_ENUM,
     .dflt = "earliest",
     .choices = "earliest|latest",
     .doc = "Where a partition begins that neither the journal nor the group has a position of."},
    {.name = "out_of_range",
     .type = SS_T_ENUM,
     .dflt = "pause",
     .choices = "pause|earliest|latest",
     .doc = "What to do where the journal's position lies behind the partition's end (the topic was made "
            "anew, or "
            "brokers lost messages): pause with an alarm until this is set, read all that is there now, or "
            "only what "
            "comes from now on."},
    {.name = "shared_group",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Several servers share the group: where the group's committed offset is ahead of this journal's "
            "position, "
            "it counts, for another server took those messages."},
    {.name = "max_messages",
     .type = SS_T_INT,
     .dflt = "1000",
     .min = 1,
     .max = 10000,
     .doc = "Messages that are made durable together at the most."},
    {.name = "max_bytes",
     .type = SS_T_SIZE,
     .dflt = "4MiB",
     .min = 1024,
     .max = 8 * MIB,
     .doc = "Bytes of them at the most; one larger message goes alone."},
    {.name = "poll",
     .type = SS_T_DURATION,
     .dflt = "100ms",
     .min = 1,
     .max = 10000,
     .doc = "How long to wait for a first message before looking at everything else."},
    {.name = "tls", .type = SS_T_OBJECT, .children = tls_keys, .doc = "Encryption of the connections."},
    {.name = "sasl",
     .type = SS_T_OBJECT,
     .children = sasl_keys,
     .doc = "Login at the brokers; none where this is not given."},
    {.name = "client",
     .type = SS_T_MAP,
     .min = 0,
     .max = (int64_t)KAFKA_CLIENT_MAX,
     .children = client_item,
     .doc = "More properties of librdkafka's consumer by their names, such as fetch.wait.max.ms."},
    {.name = "client_secrets",
     .type = SS_T_MAP,
     .min = 0,
     .max = (int64_t)KAFKA_CLIENT_MAX,
     .children = secret_item,
     .doc = "The same for properties whose values must not be seen, such as ssl.key.pem."},
    {.name = NULL},
};

/* ---- librdkafka's properties ------------------------------------------------------------------ */

static int32_t set(kafka *k, const char *name, const char *value, const char *option, ss_error *err)
{
    char why[256];
    if (rd_kafka_conf_set(k->conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return SS_OK;
    return ss_fail(err, SS_REJECT, "%s: %.300s", option, why);
}

static int32_t set_str(kafka *k, const char *name, ss_str value, const char *option, ss_error *err)
{
    char *text = strndup(value.ptr ? value.ptr : "", value.len);
    if (!text)
        return ss_fail(err, SS_LIMIT, "out of memory");
    int32_t status = set(k, name, text, option, err);
    free(text);
    return status;
}

/* The reason may hold the value: only the property is named. */
static int32_t set_secret(kafka *k, const char *name, const ss_config *node, const char *path,
                          const char *option, ss_error *err)
{
    char *value = malloc(SECRET_BYTES), why[256];
    if (!value)
        return ss_fail(err, SS_LIMIT, "out of memory");
    int64_t len = k->host->secret(k->host->self, node, path, value, SECRET_BYTES - 1, err);
    int32_t status = len < 0 ? SS_REJECT : SS_OK;
    if (status == SS_OK) {
        value[len] = '\0';
        if (rd_kafka_conf_set(k->conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
            status = ss_fail(err, SS_REJECT, "%s: librdkafka does not take that value of %s", option, name);
        explicit_bzero(value, (size_t)len);
    }
    free(value);
    return status;
}

typedef struct setting {
    const char *name, *value;
} setting;

/* What exactly once rests on, or what has an option of its own. */
static const char *const reserved[] = {"enable.auto.commit",
                                       "enable.auto.offset.store",
                                       "auto.offset.reset",
                                       "auto.commit.interval.ms",
                                       "group.id",
                                       "bootstrap.servers",
                                       "metadata.broker.list",
                                       "security.protocol",
                                       "sasl.mechanism",
                                       "sasl.mechanisms",
                                       "sasl.username",
                                       "sasl.password",
                                       "enable.partition.eof",
                                       "isolation.level"};

static const setting fixed[] = {
    {"enable.auto.commit", "false"}, /* the journal's position counts; ours is committed after it */
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"}, /* a position that is not there is a decision, not a default */
    {"enable.partition.eof", "false"},
    {"isolation.level", "read_committed"},
    {"queued.min.messages", "10000"},
    {"queued.max.messages.kbytes", "16384"},
    {"session.timeout.ms", "10000"}, /* a killed process's partitions come to the next one after this */
    {"client.id", "streamsteam"},
};

static bool is_reserved(ss_str name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
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

static int32_t read_map(kafka *k, const ss_config *map, const char *option, bool secret, ss_error *err)
{
    const ss_host *h = k->host;
    for (size_t i = 0; map && i < h->cfg_len(map); i++) {
        ss_str key = h->cfg_key(map, i);
        char name[128], where[160];
        (void)snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
        (void)snprintf(where, sizeof where, "%s.%s", option, name);
        if (is_reserved(key))
            return ss_fail(err, SS_REJECT, "%s: this receiver sets that itself; take it out", where);
        if (!secret && is_secret(key))
            return ss_fail(err, SS_REJECT, "%s: by its name a secret: put it under client_secrets", where);
        int32_t status = secret ? set_secret(k, name, h->cfg_at(map, i), "", where, err)
                                : set_str(k, name, h->cfg_str(h->cfg_at(map, i), ""), where, err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

/* ---- security --------------------------------------------------------------------------------- */

static int32_t set_path(kafka *k, const char *name, const ss_config *tls, const char *key, ss_error *err)
{
    ss_str path = k->host->cfg_str(tls, key);
    char option[32];
    (void)snprintf(option, sizeof option, "tls.%s", key);
    return path.len ? set_str(k, name, path, option, err) : SS_OK;
}

static int32_t read_tls(kafka *k, const ss_config *tls, ss_error *err)
{
    int32_t status = set_path(k, "ssl.ca.location", tls, "ca", err);
    if (status == SS_OK)
        status = set_path(k, "ssl.certificate.location", tls, "certificate", err);
    if (status == SS_OK)
        status = set_path(k, "ssl.key.location", tls, "key", err);
    if (status == SS_OK && k->host->cfg_get(tls, "key_password"))
        status = set_secret(k, "ssl.key.password", tls, "key_password", "tls.key_password", err);
    if (status == SS_OK && !k->host->cfg_int(tls, "verify"))
        status = set(k, "enable.ssl.certificate.verification", "false", "tls.verify", err);
    else if (status == SS_OK)
        status = set(k, "ssl.endpoint.identification.algorithm", "https", "tls.verify", err);
    return status;
}

static int32_t read_sasl(kafka *k, const ss_config *sasl, bool encrypted, ss_error *err)
{
    const ss_host *h = k->host;
    ss_str mechanism = h->cfg_str(sasl, "mechanism");
    if (!encrypted && ss_eq(mechanism, SS_LIT("PLAIN")))
        k->host->log(k->host->self, SS_WARNING,
                     "sasl.mechanism PLAIN without tls sends the password readable over the network");
    int32_t status = set_str(k, "sasl.mechanisms", mechanism, "sasl.mechanism", err);
    if (status == SS_OK)
        status = set_str(k, "sasl.username", h->cfg_str(sasl, "username"), "sasl.username", err);
    if (status == SS_OK)
        status = set_secret(k, "sasl.password", sasl, "password", "sasl.password", err);
    return status;
}

static int32_t read_security(kafka *k, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = k->host;
    const ss_config *tls = h->cfg_get(cfg, "tls"), *sasl = h->cfg_get(cfg, "sasl");
    bool encrypted = tls && h->cfg_int(tls, "enabled");
    bool login = sasl && h->cfg_str(sasl, "mechanism").len > 0;
    if (!encrypted && tls && (h->cfg_str(tls, "ca").len || h->cfg_str(tls, "certificate").len))
        return ss_fail(err, SS_REJECT, "tls: certificates are given, but tls.enabled is not true: set it");
    int32_t status = encrypted ? read_tls(k, tls, err) : SS_OK;
    if (status == SS_OK && login)
        status = read_sasl(k, sasl, encrypted, err);
    const char *protocol = login       ? (encrypted ? "SASL_SSL" : "SASL_PLAINTEXT")
                           : encrypted ? "SSL"
                                       : "PLAINTEXT";
    return status == SS_OK ? set(k, "security.protocol", protocol, "tls", err) : status;
}

/* ---- all -------------------------------------------------------------------------------------- */

static enum kafka_policy policy_of(ss_str text)
{
    if (ss_eq(text, SS_LIT("earliest")))
        return KAFKA_EARLIEST;
    return ss_eq(text, SS_LIT("latest")) ? KAFKA_LATEST : KAFKA_PAUSE;
}

static int32_t read_topics(kafka *k, const ss_config *list, ss_error *err)
{
    for (size_t i = 0; i < k->host->cfg_len(list) && i < KAFKA_TOPICS_MAX; i++) {
        ss_str topic = k->host->cfg_str(k->host->cfg_at(list, i), "");
        if (topic.len == 0 || topic.len >= KAFKA_NAME_BYTES)
            return ss_fail(err, SS_REJECT, "topics: item %zu is empty or longer than %u bytes", i + 1,
                           KAFKA_NAME_BYTES - 1);
        k->topics[k->topic_count] = strndup(topic.ptr, topic.len);
        if (!k->topics[k->topic_count++])
            return ss_fail(err, SS_LIMIT, "out of memory");
    }
    return SS_OK;
}

int32_t options_read(kafka *k, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = k->host;
    k->conf = rd_kafka_conf_new();
    if (!k->conf)
        return ss_fail(err, SS_LIMIT, "out of memory");
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (set(k, fixed[i].name, fixed[i].value, "librdkafka", err) != SS_OK)
            return SS_REJECT;
    ss_str brokers = h->cfg_str(cfg, "brokers");
    (void)snprintf(k->brokers, sizeof k->brokers, "%.*s", (int)brokers.len, brokers.ptr);
    k->start = policy_of(h->cfg_str(cfg, "start"));
    k->out_of_range = policy_of(h->cfg_str(cfg, "out_of_range"));
    k->shared_group = h->cfg_int(cfg, "shared_group") != 0;
    k->max_messages = (uint32_t)h->cfg_int(cfg, "max_messages");
    k->max_bytes = (size_t)h->cfg_int(cfg, "max_bytes");
    k->poll_ms = (int)h->cfg_int(cfg, "poll");
    int32_t status = set_str(k, "bootstrap.servers", brokers, "brokers", err);
    if (status == SS_OK)
        status = set_str(k, "group.id", h->cfg_str(cfg, "group"), "group", err);
    if (status == SS_OK)
        status = read_topics(k, h->cfg_get(cfg, "topics"), err);
    if (status == SS_OK)
        status = read_security(k, cfg, err);
    if (status == SS_OK)
        status = read_map(k, h->cfg_get(cfg, "client"), "client", false, err);
    if (status == SS_OK)
        status = read_map(k, h->cfg_get(cfg, "client_secrets"), "client_secrets", true, err);
    return status;
}

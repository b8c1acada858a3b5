/* What every client of Apache Kafka here has in common: options of encryption and login, properties of
   librdkafka by their names, and MSK's login by IAM, whose token is renewed in the background. Link with
   -lrdkafka, and with -lcurl -lcrypto for MSK.

   static const ss_option options[] = {..., KAFKA_CLIENT_OPTIONS, {.name = NULL}}; */
#ifndef COMMON_KAFKA_CLIENT_H
#define COMMON_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "streamsteam/plugin.h"

#define KAFKA_CLIENT_MAX 128u /* entries of client and client_secrets */

extern const ss_option kafka_client_tls[], kafka_client_sasl[], kafka_client_item[],
    kafka_client_secret_item[];

/* clang-format off */
#define KAFKA_CLIENT_OPTIONS \
    {.name = "tls", .type = SS_T_OBJECT, .children = kafka_client_tls, .doc = "Encryption of the connections."}, \
    {.name = "sasl", .type = SS_T_OBJECT, .children = kafka_client_sasl, .doc = "Login at the brokers; none where this is not given."}, \
    {.name = "client", .type = SS_T_MAP, .min = 0, .max = (int64_t)KAFKA_CLIENT_MAX, .children = kafka_client_item, .doc = "More properties of librdkafka by their names, such as socket.keepalive.enable."}, \
    {.name = "client_secrets", .type = SS_T_MAP, .min = 0, .max = (int64_t)KAFKA_CLIENT_MAX, .children = kafka_client_secret_item, .doc = "The same for properties whose values must not be seen, such as ssl.key.pem."}
/* clang-format on */

/* The conf's opaque (rd_kafka_conf_set_opaque) points to a struct that begins with it: the renewal of tokens,
   which librdkafka calls on a thread of its own, finds it there. It lives as long as the last client of the
   conf. */
typedef struct kafka_client {
    const ss_host *host;
    const ss_config *sasl;  /* of the checked configuration; NULL = no login */
    char region[64];        /* AWS_MSK_IAM */
    char token_file[1024];  /* OAUTHBEARER */
    struct aws_client *aws; /* the renewal's own */
} kafka_client;

/* tls, sasl, client, client_secrets of cfg into conf; reserved: properties that the plugin sets itself, NULL
   at the end. SS_OK, or SS_REJECT with err. */
int32_t kafka_client_read(kafka_client *c, rd_kafka_conf_t *conf, const ss_host *host, const ss_config *cfg,
                          const char *const *reserved, ss_error *err);
void kafka_client_free(kafka_client *c);
/* After rd_kafka_new(): tokens are then renewed without anybody who polls. SS_OK, or SS_REJECT with err. */
int32_t kafka_client_started(const kafka_client *c, rd_kafka_t *rk, ss_error *err);

/* One property. option: what the administrator wrote. SS_OK, or SS_REJECT with err. */
int32_t kafka_client_set(rd_kafka_conf_t *conf, const char *name, const char *value, const char *option,
                         ss_error *err);
int32_t kafka_client_set_str(rd_kafka_conf_t *conf, const char *name, ss_str value, const char *option,
                             ss_error *err);

/* ---- tokens (kafka_token.c): MSK's for tests, too ---- */

#define KAFKA_MSK_TOKEN_MAX 8192u
#define KAFKA_MSK_LIFE_S    900
#define KAFKA_MSK_AGENT     "streamsteam"

struct aws_keys_text;
/* The token that signs kafka-cluster:Connect for that region at that time, as text with NUL; false: it does
 * not fit. */
bool kafka_msk_token(const struct aws_keys_text *keys, const char *region, int64_t now_us,
                     char out[KAFKA_MSK_TOKEN_MAX]);
/* rd_kafka_conf_set_oauthbearer_token_refresh_cb */
void kafka_token_refresh(rd_kafka_t *rk, const char *config, void *opaque);

#endif

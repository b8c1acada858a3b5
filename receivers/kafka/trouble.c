#include "receivers/kafka/trouble.h"

#define LOG_ERROR_LEVEL   3 /* syslog's numbers */
#define LOG_WARNING_LEVEL 4

void trouble_stop(kafka *k, int32_t status, const char *format, ...)
{
    if (k->status != SS_OK)
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(k->why.text, sizeof k->why.text, format, args);
    va_end(args);
    k->status = status;
}

void trouble_over(kafka *k)
{
    if (k->brokers_down)
        k->host->alarm(k->host->self, "brokers", NULL);
    k->brokers_down = false;
}

static void brokers_down(kafka *k, const char *text)
{
    char alarm[480];
    if (k->brokers_down)
        return;
    k->brokers_down = true;
    (void)snprintf(
        alarm, sizeof alarm,
        "no broker of %.200s answers (%.160s): check `brokers` and the network; nothing is lost, it goes on "
        "by itself",
        k->brokers, text);
    k->host->alarm(k->host->self, "brokers", alarm);
}

static void topic_missing(kafka *k, const char *text)
{
    char alarm[300];
    if (k->topic_missing)
        return;
    k->topic_missing = true;
    (void)snprintf(alarm, sizeof alarm, "%.200s: make the topic, or correct `topics`; it goes on by itself",
                   text);
    k->host->alarm(k->host->self, "topics", alarm);
}

void trouble_note(kafka *k, rd_kafka_resp_err_t err, const char *text)
{
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        brokers_down(k, text);
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        trouble_stop(k, SS_PAUSE,
                     "the brokers of %.120s refuse the login (%.200s): correct `sasl` and reload", k->brokers,
                     text);
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        trouble_stop(k, SS_PAUSE,
                     "no encrypted connection to the brokers of %.120s (%.240s): correct `tls` and reload",
                     k->brokers, text);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        trouble_stop(k, SS_PAUSE,
                     "the brokers of %.120s do not allow it (%.200s): the user needs READ on the topics and "
                     "on the group",
                     k->brokers, text);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        topic_missing(k, text);
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        trouble_stop(k, SS_FATAL, "librdkafka cannot go on: %.300s", text);
        break;
    default:
        ss_logf(k->host, SS_WARNING, "%.300s", text);
        break;
    }
}

void trouble_on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    kafka *k = opaque;
    char text[400];
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        (void)rd_kafka_fatal_error(rk, text, sizeof text);
        reason = text;
    }
    /* One of several brokers: librdkafka asks the others. */
    if (err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__RESOLVE ||
        err == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        ss_logf(k->host, SS_DEBUG, "%.300s", reason);
        return;
    }
    trouble_note(k, (rd_kafka_resp_err_t)err, reason);
}

/* On librdkafka's own threads. */
void trouble_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const kafka *k = rd_kafka_opaque(rk);
    if (k)
        ss_logf(k->host,
                level <= LOG_ERROR_LEVEL     ? SS_WARNING
                : level == LOG_WARNING_LEVEL ? SS_INFO
                                             : SS_DEBUG,
                "librdkafka %s: %.700s", facility, text);
}

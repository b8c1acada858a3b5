/* What the targets behind plain HTTP share: one request with a JSON body and its answer. */
#ifndef SPARK_HTTP_H
#define SPARK_HTTP_H

#include "modules/spark/target.h"
#include "plugins/common/http_client.h"

#define HTTP_URL_MAX    512u
#define HTTP_ANSWER_MAX (8u << 20)

typedef struct http_base {
    http_client *client;
    const ss_config *cfg;
    char url[HTTP_URL_MAX], ui[HTTP_URL_MAX], version[32], master[HTTP_URL_MAX], user[128];
    const char *secret; /* the option with the password */
    grow body;
} http_base;

http_base *http_base_new(const spark_target *t, const ss_config *cfg, const char *url_option, ss_error *err);
void http_base_free(spark_target *t);
/* body NULL: none. The call is done; NULL: no memory. */
http_call *http_ask(spark_target *t, const char *method, const char *base, const char *path,
                    const grow *body);
bool http_copy(const ss_host *h, const ss_config *cfg, const char *option, char *out, size_t size);
/* Of a submit that was not answered with 2xx. */
enum answer http_refused(spark_run *r, const char *who, const http_reply *reply);
enum answer http_silent(spark_run *r, const char *who, const http_reply *reply);
static inline bool http_good(const http_reply *reply)
{
    return reply->failure == HTTP_FINE && reply->status / 100 == 2;
}

#endif

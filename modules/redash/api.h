/* Redash's REST API: one request and its answer, and what is read out of answers. One thread. */
#ifndef REDASH_API_H
#define REDASH_API_H

#include "plugins/common/grow.h"
#include "plugins/common/http_client.h"
#include "plugins/common/json.h"

#define API_URL_MAX    512u
#define API_PATH_MAX   256u
#define API_NAME_MAX   256u
#define API_BODY_MAX   (1u << 20)
#define API_ANSWER_MAX (16u << 20)

typedef struct api {
    const ss_host *host;
    const ss_config *cfg;
    http_client *client;
    char url[API_URL_MAX];
    char tag[API_NAME_MAX]; /* what carries it is ours */
    http_call *call;        /* whose answer `answer` points into */
    ss_str answer;
} api;

bool api_open(api *a, const ss_host *host, const ss_config *cfg, ss_error *err);
void api_close(api *a);

/* body NULL: none. SS_OK: 2xx, and a->answer until the next call. SS_RETRY: try again, but look first: it may
   have been carried out. SS_DECLINE: 404. SS_REJECT: it is wrong, and err says what to do. */
int32_t api_ask(api *a, const char *method, const char *path, const grow *body, ss_error *err);

/* One object of an answer, as far as it is of interest; strings are cut at their size. */
typedef struct api_item {
    int64_t id, source, visualization, interval_s; /* 0: not said */
    char name[API_NAME_MAX], type[64], description[API_NAME_MAX];
    bool ours, tagged, draft; /* ours: has a->tag; tagged: has any */
} api_item;

/* The object that the answer is. sql: NULL, or gets its `query`. */
bool api_read_item(const api *a, ss_str json, api_item *out, grow *sql);
/* Each object of the list that the answer is, or that stands in it under that name. */
bool api_each(const api *a, ss_str json, const char *name, bool (*visit)(void *arg, const api_item *i),
              void *arg);
bool api_read_count(ss_str json, int64_t *out); /* `count` of a page */
/* Each object of the list at path, page by page. */
int32_t api_each_page(api *a, const char *path, bool (*visit)(void *arg, const api_item *i), void *arg,
                      ss_error *err);

/* ,"name":"text" and ,"name":number; the first of an object has no comma before it. */
void api_put_text(grow *out, const char *before_and_name, ss_str text);
void api_put_number(grow *out, const char *before_and_name, int64_t number);

#endif

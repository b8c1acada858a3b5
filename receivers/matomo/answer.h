/* Matomo's answers. */
#ifndef MATOMO_ANSWER_H
#define MATOMO_ANSWER_H

#include "receivers/matomo/matomo.h"

/* 200 with the image, or 204 with send_image=0. */
void answer_tracked(const matomo *m, ss_response *r, bool image);
/* 400 with the image, or with the text. */
void answer_invalid(const matomo *m, ss_response *r, bool image);
/* record_statistics is off: 503 with the image, or 204. */
void answer_closed(const matomo *m, ss_response *r, bool image);
/* 204. */
void answer_empty(ss_response *r);
/* Nothing was asked: the text with 200 (GET: monitoring looks at it) or 400. */
void answer_info(ss_response *r, uint32_t status);
void answer_json(ss_response *r, uint32_t status, ss_str body);
/* Adds CORS, cache and cookie headers; must come last. False: no memory. */
bool answer_headers(const matomo *m, const ss_request *request, const browser *seen, ss_response *r);
/* The answer to OPTIONS with Access-Control-Request-...; false where the request is no such. */
bool answer_preflight(const matomo *m, const ss_request *request, ss_response *r);

#endif

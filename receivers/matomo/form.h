/* Parameters in the body of a request. */
#ifndef MATOMO_FORM_H
#define MATOMO_FORM_H

#include "receivers/matomo/matomo.h"
#include "receivers/matomo/params.h"

/* Adds what an urlencoded or multipart body holds. scratch: room for body.len. Other types add nothing. */
void form_read(params *p, const matomo *m, const ss_request *request, char *scratch);
bool form_is(const ss_request *request);

#endif

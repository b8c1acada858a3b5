/* Many hits in one JSON body. */
#ifndef MATOMO_BULK_H
#define MATOMO_BULK_H

#include "receivers/matomo/matomo.h"

/* By its content, whatever its type says. */
bool bulk_is(ss_str body);
/* Returns what receive() returns. */
int32_t bulk_receive(const matomo *m, const ss_request *request, browser *seen, ss_response *response);

#endif

/* Client hints from the Sec-CH-UA headers, in the form of the parameter uadata. */
#ifndef MATOMO_HINTS_H
#define MATOMO_HINTS_H

#include "streamsteam/plugin.h"

#define HINTS_BRANDS_MAX 16u   /* in one list                     */
#define HINTS_HEADER_MAX 1024u /* bytes of a header that are read */

/* The JSON text, in memory of the call; empty where the browser sends none (or *ok is false: no memory). */
ss_str hints_read(const ss_host *host, const ss_request *request, bool *ok);

#endif

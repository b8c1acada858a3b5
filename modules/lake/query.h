/* `streamsteam query --lake`: SQL over the lake's files, by DuckDB. The view MODULE has all events, with the
   columns of every receiver; where files can be told apart, each receiver has one of its own. */
#ifndef LAKE_QUERY_H
#define LAKE_QUERY_H

#include "plugins/common/lake_ask.h"

/* SS_OK, or ask's fault says why. */
int32_t lake_query(const ss_host *host, const ss_config *cfg, const lake_sink *asked, ss_error *err);

#endif

/* The values of `format` that are asserted. */
#ifndef COMMON_JSON_SCHEMA_FORMAT_H
#define COMMON_JSON_SCHEMA_FORMAT_H

#include "streamsteam/plugin.h"

typedef enum json_schema_format {
    FORMAT_NONE = 0, /* not one of the specification's */
    FORMAT_DATE_TIME,
    FORMAT_DATE,
    FORMAT_TIME,
    FORMAT_DURATION,
    FORMAT_EMAIL,
    FORMAT_IDN_EMAIL,
    FORMAT_HOSTNAME,
    FORMAT_IPV4,
    FORMAT_IPV6,
    FORMAT_URI,
    FORMAT_URI_REFERENCE,
    FORMAT_IRI,
    FORMAT_IRI_REFERENCE,
    FORMAT_URI_TEMPLATE,
    FORMAT_UUID,
    FORMAT_JSON_POINTER,
    FORMAT_RELATIVE_JSON_POINTER,
    FORMAT_REGEX,
    FORMAT_UNSUPPORTED /* the specification's, but not checked here: idn-hostname */
} json_schema_format;

json_schema_format json_schema_format_named(ss_str name);
bool json_schema_format_ok(json_schema_format format, ss_str text);

#endif

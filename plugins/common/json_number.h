/* Shared by json_number.c and json_put.c only. */
#ifndef COMMON_JSON_NUMBER_H
#define COMMON_JSON_NUMBER_H

#include <locale.h>

locale_t json_c_locale(void); /* (locale_t)0 where memory was short: then the process's locale is used */

#endif

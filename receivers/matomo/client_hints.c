#include "receivers/matomo/client_hints.h"

#include "plugins/common/json.h"
#include "receivers/matomo/fields.h"
#include "receivers/matomo/value.h"

#define VALUE_MAX 1024u /* bytes of one header */

/* X-Requested-With names the Android application whose web view made the request. */
static const struct {
    const char *header, *key;
} hints[] = {{"Sec-CH-UA", "sec-ch-ua"},
             {"X-Requested-With", "x-requested-with"},
             {"Sec-CH-UA-Full-Version-List", "sec-ch-ua-full-version-list"},
             {"Sec-CH-UA-Full-Version", "sec-ch-ua-full-version"},
             {"Sec-CH-UA-Mobile", "sec-ch-ua-mobile"},
             {"Sec-CH-UA-Model", "sec-ch-ua-model"},
             {"Sec-CH-UA-Platform", "sec-ch-ua-platform"},
             {"Sec-CH-UA-Platform-Version", "sec-ch-ua-platform-version"},
             {"Sec-CH-UA-Arch", "sec-ch-ua-arch"},
             {"Sec-CH-UA-Bitness", "sec-ch-ua-bitness"},
             {"Sec-CH-UA-Form-Factors", "sec-ch-ua-form-factors"}};
#define HINTS     (sizeof hints / sizeof hints[0])
#define HINTS_ANY 2u /* the others never come without one of these */

bool client_hints_set(const ss_host *host, const ss_request *request, ss_event *event)
{
    ss_str values[HINTS];
    size_t bound = 2, found = 0, len = 0;
    for (size_t i = 0; i < HINTS && (i < HINTS_ANY || found > 0); i++) {
        values[i] = value_cut(host->header(request, hints[i].header), VALUE_MAX);
        if (values[i].len == 0)
            continue;
        bound += json_escape_bound(strlen(hints[i].key)) + json_escape_bound(values[i].len) + 2;
        found++;
    }
    char *out = found > 0 ? host->mem(request->call, bound) : NULL;
    if (!out)
        return false;
    for (size_t i = 0; i < HINTS; i++) {
        if (values[i].len == 0)
            continue;
        out[len] = len ? ',' : '{';
        len++;
        len += json_put_string(out + len, ss_cstr(hints[i].key));
        out[len++] = ':';
        len += json_put_string(out + len, values[i]);
    }
    out[len++] = '}';
    ss_set_json(event, FIELD_CLIENT_HINTS, ss_s(out, len));
    return true;
}

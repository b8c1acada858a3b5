/* bug: goes down into JSON with one call per level, without a limit */
/* found by: hostile requests | a million open brackets */
#include <algorithm>
#include <string>

#include "../sample.h"

namespace
{

struct instance {
    const ss_host *host;
};

SAMPLE_LIFE

struct scanner {
    const char *at, *end;

    size_t depth() // of the value that begins here
    {
        std::string key; // of the member that is being read
        size_t deepest = 0;
        while (at < end) {
            char c = *at++;
            if (c == '[' || c == '{')
                deepest = std::max(deepest, depth() + 1);
            else if (c == ']' || c == '}')
                break;
            else
                key = key.size() < 8 ? key + c : "";
        }
        return deepest;
    }
};

int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = static_cast<instance *>(inst);
    (void)err;
    scanner s = {request->body.ptr, request->body.ptr + request->body.len};
    if (s.depth() > 1000)
        response->status = 202;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("deep_json", nullptr);

} // namespace

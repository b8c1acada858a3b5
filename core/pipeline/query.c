/* host->query: a request's decoded pairs, once per request and only when somebody asks. */
#include "core/pipeline/internal.h"
#include "plugins/common/url.h"

static bool is_form(ss_str content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    return content_type.len >= sizeof form - 1 && strncasecmp(content_type.ptr, form, sizeof form - 1) == 0;
}

static uint32_t count_pairs(ss_str text)
{
    uint32_t n = text.len ? 1 : 0;
    for (size_t i = 0; i < text.len && n < PIPELINE_PAIRS_MAX; i++)
        n += text.ptr[i] == '&';
    return n;
}

static ss_str decode(char **room, ss_str raw, bool encoded)
{
    if (!encoded)
        return raw;
    char *out = *room;
    size_t len = url_decode(out, raw);
    *room += len;
    return ss_s(out, len);
}

static void add_pairs(ss_call *call, ss_str text, uint32_t size, char **room)
{
    url_pairs walk;
    url_pair pair;
    url_pairs_start(&walk, text);
    while (call->pair_count < size && url_pairs_next(&walk, &pair)) {
        ss_pair *out = &call->pairs[call->pair_count++];
        out->key = decode(room, pair.key, pair.key_encoded);
        out->value = decode(room, pair.value, pair.value_encoded);
    }
}

const ss_pair *query_pairs(const ss_request *request, uint32_t *count)
{
    ss_call *call = request->call;
    if (!call->decoded) {
        call->decoded = true;
        ss_str query = request->raw_query, form = ss_s("", 0);
        if (is_form(request->content_type))
            form = request->body;
        uint32_t size = count_pairs(query) + count_pairs(form);
        arena *a = &call->lane->request_arena; /* not host->mem: it must outlive an open event */
        call->pairs = arena_take(a, size * sizeof(ss_pair) + 16);
        char *room = arena_take(a, query.len + form.len + 16);
        if (call->pairs && room) {
            add_pairs(call, query, size, &room);
            add_pairs(call, form, size, &room);
        }
    }
    *count = call->pair_count;
    return call->pairs;
}

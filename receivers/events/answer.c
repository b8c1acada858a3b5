#include "receivers/events/answer.h"

#include "plugins/common/utf8.h"

#define HEAD_BYTES  160u         /* before the results: the counts, written last */
#define RESULT_ROOM (48u * 1024) /* of one event: its result, and its reasons once more behind it */
#define REASONS_MAX (20u * 1024)
#define SHOWN_MAX   128u /* bytes of an expected or found value */
#define FIRST_BYTES (64u * 1024)

void answer_start(answer *a, const events *e, ss_call *call)
{
    *a = (answer){.e = e, .call = call, .len = HEAD_BYTES};
}

bool answer_reserve(answer *a)
{
    if (a->text && a->size - a->len >= RESULT_ROOM)
        return true;
    size_t size = a->text ? a->size * 2 : FIRST_BYTES;
    char *grown = a->e->host->mem(a->call, size);
    if (!grown)
        return false;
    if (a->text)
        memcpy(grown, a->text, a->len);
    a->text = grown;
    a->size = size;
    return true;
}

/* At most SHOWN_MAX bytes, with dots where that is not all. */
static size_t put_cut(char *out, ss_str text)
{
    char cut[SHOWN_MAX + 3];
    if (text.len <= SHOWN_MAX)
        return json_put_string(out, text);
    size_t len = utf8_cut(text.ptr, text.len, SHOWN_MAX);
    memcpy(cut, text.ptr, len);
    memcpy(cut + len, "...", 3);
    return json_put_string(out, ss_s(cut, len + 3));
}

static size_t put_text(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return len;
}

static size_t put_reason(char *out, const json_tape *tape, const json_schema_error *error)
{
    char path[SCHEMA_PATH_SIZE];
    size_t path_len = tape->count ? json_schema_path(tape, error->token, path, sizeof path) : 0;
    size_t len = put_text(out, "{\"path\":");
    len += json_put_string(out + len, ss_s(path, path_len));
    len += put_text(out + len, ",\"keyword\":");
    len += json_put_string(out + len, ss_cstr(error->keyword));
    len += put_text(out + len, ",\"expected\":");
    len += put_cut(out + len, error->expected);
    len += put_text(out + len, ",\"got\":");
    len += put_cut(out + len, error->got);
    out[len++] = '}';
    return len;
}

ss_str answer_reasons(answer *a, const json_tape *tape, const json_schema_error *errors, uint32_t count)
{
    /* Behind where the result goes, which holds a copy of it. */
    char *text = a->text + a->len + RESULT_ROOM - REASONS_MAX, one[6144];
    size_t len = 0;
    text[len++] = '[';
    for (uint32_t i = 0; i < count; i++) {
        size_t more = put_reason(one, tape, &errors[i]);
        if (len + more + 2 > REASONS_MAX)
            break;
        if (i)
            text[len++] = ',';
        memcpy(text + len, one, more);
        len += more;
    }
    text[len++] = ']';
    return ss_s(text, len);
}

static const char *const outcome_names[OUTCOMES] = {"accepted", "quarantined", "rejected", "dropped"};

void answer_add(answer *a, outcome what, ss_str type, ss_str id, ss_str reasons)
{
    enum answer_mode mode = a->e->answer;
    uint32_t index = a->index++;
    a->counts[what]++;
    if (mode == ANSWER_NONE || (mode == ANSWER_ERRORS && reasons.len == 0))
        return;
    char *out = a->text;
    size_t len = a->len;
    len += put_text(out + len, a->told++ ? ",{\"index\":" : "{\"index\":");
    len += json_put_i64(out + len, index);
    len += put_text(out + len, ",\"status\":\"");
    len += put_text(out + len, outcome_names[what]);
    out[len++] = '"';
    if (type.len > 0) {
        len += put_text(out + len, ",\"type\":");
        len += put_cut(out + len, type);
    }
    if (id.len > 0) {
        len += put_text(out + len, ",\"id\":");
        len += put_cut(out + len, id);
    }
    if (reasons.len > 0) {
        len += put_text(out + len, ",\"errors\":");
        memcpy(out + len, reasons.ptr, reasons.len);
        len += reasons.len;
    }
    out[len++] = '}';
    a->len = len;
}

static uint32_t status_of(const answer *a)
{
    if (a->counts[EVENT_REJECTED] == 0)
        return a->e->answer == ANSWER_NONE ? 204 : 200;
    return a->counts[EVENT_REJECTED] == a->index ? 400 : 207;
}

bool answer_end(answer *a, ss_response *response)
{
    char head[HEAD_BYTES + 1];
    response->status = status_of(a);
    if (response->status == 204)
        return true;
    int len = snprintf(head, sizeof head,
                       "{\"accepted\":%u,\"quarantined\":%u,\"rejected\":%u,\"dropped\":%u,\"results\":[",
                       a->counts[EVENT_ACCEPTED], a->counts[EVENT_QUARANTINED], a->counts[EVENT_REJECTED],
                       a->counts[EVENT_DROPPED]);
    char *from = a->text + HEAD_BYTES - len;
    memcpy(from, head, (size_t)len);
    a->len += put_text(a->text + a->len, "]}\n");
    response->content_type = SS_LIT("application/json");
    response->body = ss_s(from, (size_t)(a->text + a->len - from));
    return a->counts[EVENT_REJECTED] < a->index;
}

void answer_error(ss_response *response, uint32_t status, const char *json)
{
    response->status = status;
    response->content_type = SS_LIT("application/json");
    response->body = ss_cstr(json);
}

#include "receivers/game/store.h"

#include <math.h>

#define SECOND_MIN     (-62135596800) /* year 1: what is beyond is no date for whoever sorts by it */
#define SECOND_MAX     253402300799   /* year 9999 */
#define US             1000000
#define MS             1000
#define DIGITS_MAX     15u /* of a number that is an integer for everybody */
#define METADATA_BYTES 256u

const uint8_t game_fields[MEMBERS] = {FIELD_EVENT_ID,        FIELD_EVENT_TYPE,    FIELD_EVENT_NAME,
                                      FIELD_EVENT_TIMESTAMP, FIELD_EVENT_VERSION, FIELD_APP_VERSION,
                                      FIELD_EVENT_DATA};

void game_uuid(const game *g, char out[GAME_UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[16];
    g->host->random(g->host->self, bytes, sizeof bytes);
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
}

bool game_metadata(game_store *s, const ss_request *request)
{
    char id[GAME_UUID_SIZE];
    ss_str request_id = request->request_id;
    size_t size = METADATA_BYTES + json_escape_bound(request_id.len);
    char *out = s->g->host->mem(s->call, size);
    if (!out)
        return false;
    game_uuid(s->g, id);
    int len = snprintf(
        out, size, "{\"ingestion_id\":\"%.36s\",\"processing_timestamp\":%lld,\"api\":{\"request_id\":", id,
        (long long)(s->g->host->now_us(s->g->host->self) / US));
    size_t at = (size_t)len + json_put_string(out + len, request_id);
    at += (size_t)snprintf(out + at, size - at,
                           ",\"request_time_epoch\":%lld},\"processing_result\":{\"status\":\"ok\"}}",
                           (long long)(request->received_us / MS));
    s->metadata = ss_s(out, at);
    return true;
}

ss_str game_text(const game *g, ss_call *call, const game_value *v)
{
    ss_str raw = ss_s(v->ptr, v->len);
    if (!v->escaped)
        return raw;
    char *plain = g->host->mem(call, raw.len + 1);
    return plain ? ss_s(plain, json_unescape(plain, raw)) : ss_s(NULL, 0);
}

void game_set_time(ss_event *event, double seconds)
{
    if (isnan(seconds))
        return;
    double clamped = seconds < (double)SECOND_MIN   ? (double)SECOND_MIN
                     : seconds > (double)SECOND_MAX ? (double)SECOND_MAX
                                                    : seconds;
    event->event_us = (int64_t)(clamped * US);
}

void game_set_timestamp(ss_event *event, ss_str number)
{
    int64_t whole = 0;
    double seconds;
    size_t i = 0;
    for (; i < number.len && i < DIGITS_MAX && (unsigned)(number.ptr[i] - '0') < 10; i++)
        whole = whole * 10 + (number.ptr[i] - '0');
    if (i == number.len) {
        ss_set_int(event, FIELD_EVENT_TIMESTAMP, whole);
        event->event_us = (whole < SECOND_MAX ? whole : SECOND_MAX) * US;
    } else if (!json_double(number, &seconds)) {
        ss_set_null(event, FIELD_EVENT_TIMESTAMP); /* Infinity, for JavaScript */
    } else {
        ss_set_json(event, FIELD_EVENT_TIMESTAMP, number);
        game_set_time(event, seconds);
    }
}

/* Everything is there in the right type: the schema said so. */
static bool set_members(const game_store *s, ss_event *event, const game_event *e)
{
    for (uint32_t m = 0; m < MEMBERS; m++) {
        const game_value *v = &e->members[m];
        if (!v->kind)
            continue;
        ss_str text = game_text(s->g, s->call, v);
        if (!text.ptr)
            return false;
        if (m == MEMBER_TIMESTAMP)
            game_set_timestamp(event, text);
        else if (m == MEMBER_DATA)
            ss_set_json(event, FIELD_EVENT_DATA, text);
        else
            ss_set_str(event, game_fields[m], text);
        if (m == MEMBER_ID)
            event->id = text;
        else if (m == MEMBER_TYPE)
            event->type = text;
    }
    return true;
}

/* The number is too long for the line. */
static bool shorten_timestamp(const game_store *s, ss_event *event, const game_value *v)
{
    double seconds;
    char *text = s->g->host->mem(s->call, JSON_DOUBLE_SIZE);
    if (!text || !json_double(ss_s(v->ptr, v->len), &seconds))
        return false;
    ss_set_json(event, FIELD_EVENT_TIMESTAMP, ss_s(text, json_put_double(text, seconds)));
    return true;
}

bool game_set_aside(const game_store *s, ss_event *event, char kind, ss_str bytes)
{
    char *aside = s->g->host->mem(s->call, bytes.len + 1);
    if (!aside)
        return false;
    aside[0] = kind;
    memcpy(aside + 1, bytes.ptr, bytes.len);
    event->aside = ss_s(aside, bytes.len + 1);
    return true;
}

int32_t game_store_event(const game_store *s, const game_event *e)
{
    const game_value *time = &e->members[MEMBER_TIMESTAMP];
    ss_event *event = s->g->host->event_new(s->call);
    if (!event || !set_members(s, event, e))
        return GAME_NO_MEMORY;
    bool odd_time = time->len > GAME_TOKEN_MAX;
    if (odd_time && !shorten_timestamp(s, event, time))
        return GAME_NO_MEMORY;
    if ((odd_time || e->surrogates) && !game_set_aside(s, event, ASIDE_EVENT, e->raw))
        return GAME_NO_MEMORY;
    event->app = s->app_id;
    ss_set_json(event, FIELD_METADATA, s->metadata);
    ss_set_str(event, FIELD_APPLICATION_NAME, s->app_name);
    ss_set_str(event, FIELD_APPLICATION_ID, s->app_id);
    return s->g->host->emit(s->call, event);
}

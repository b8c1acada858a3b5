/* The stored event in the forms that consumers of the guidance's pipeline read. */
#include <math.h>

#include "receivers/game/event.h"
#include "receivers/game/receiver.h"
#include "receivers/game/store.h"

#define SECOND_MAX 8640000000000 /* of a Date of JavaScript */
#define DAY        86400

typedef struct stored { /* slices of the line; ptr NULL: absent */
    ss_str members[MEMBERS], app_id, request_id, request_time, status;
    bool api;
} stored;

/* ---- reading the line ------------------------------------------------------------------------ */

static bool read_metadata(json_scan *s, stored *out)
{
    json_value v, key;
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        bool api = json_is(&key, "api"), result = json_is(&key, "processing_result");
        if (!api && !result) {
            (void)json_skip(s, NULL);
            continue;
        }
        out->api |= api;
        if (!json_read(s, &v) || v.kind != JSON_OBJECT)
            return false;
        while (json_member(s, &key)) {
            ss_str raw;
            if (!json_skip(s, &raw))
                return false;
            if (api && json_is(&key, "request_id"))
                out->request_id = raw;
            else if (api && json_is(&key, "request_time_epoch"))
                out->request_time = raw;
            else if (result && json_is(&key, "status"))
                out->status = raw;
        }
    }
    return !s->problem;
}

static bool read_line(ss_str line, stored *out)
{
    json_scan s;
    json_value v, key;
    memset(out, 0, sizeof *out);
    json_start(&s, line);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        ss_str raw, *place = json_is(&key, "application_id") ? &out->app_id : NULL;
        for (uint32_t m = 0; m < MEMBERS && !place; m++)
            if (ss_eq(key.text, ss_cstr(game_member_names[m])))
                place = &out->members[m];
        if (json_is(&key, "metadata")) {
            if (!read_metadata(&s, out))
                return false;
        } else if (json_skip(&s, &raw) && place) {
            *place = raw;
        }
    }
    return json_finish(&s);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool put(const ss_sink *out, ss_str text)
{
    return out->write(out->self, text.ptr, text.len) == 0;
}

/* JSON of others on one line: between its tokens, where alone they can stand, breaks become blanks. */
static bool put_flat(const ss_sink *out, ss_str json)
{
    const char *at = json.ptr, *end = at + json.len;
    while (at < end) {
        const char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        if (!put(out, ss_s(at, (size_t)(stop - at))) || (stop < end && !put(out, SS_LIT(" "))))
            return false;
        at = stop + 1;
    }
    return true;
}

static bool put_event(const ss_sink *out, const stored *in)
{
    static const uint8_t order[MEMBERS] = {
        MEMBER_ID,        MEMBER_TYPE,        MEMBER_NAME, MEMBER_EVENT_VERSION,
        MEMBER_TIMESTAMP, MEMBER_APP_VERSION, MEMBER_DATA};
    bool good = true, first = true;
    for (size_t i = 0; i < MEMBERS && good; i++) {
        ss_str value = in->members[order[i]];
        if (!value.ptr)
            continue;
        good = put(out, first ? SS_LIT("{\"") : SS_LIT(",\"")) &&
               put(out, ss_cstr(game_member_names[order[i]])) && put(out, SS_LIT("\":")) && put(out, value);
        first = false;
    }
    return good && put(out, first ? SS_LIT("{}") : SS_LIT("}"));
}

static bool put_named(const ss_sink *out, ss_str name, ss_str value)
{
    return !value.ptr || (put(out, name) && put(out, value));
}

/* The parts of a record that is kept as it came. */
static void read_record(ss_str record, ss_str *event, ss_str *app_id)
{
    json_scan s;
    json_value v, key;
    json_start(&s, record);
    if (!json_read(&s, &v))
        return;
    while (json_member(&s, &key)) {
        ss_str raw;
        if (json_skip(&s, &raw))
            *(json_is(&key, "event") ? event : json_is(&key, "application_id") ? app_id : &v.text) = raw;
    }
}

static int32_t result(bool good, ss_error *err)
{
    return good ? SS_OK : ss_fail(err, SS_LIMIT, "the view's output is full");
}

/* Failed inputs are no events: they stay as they are. */
static bool is_other(const ss_record *record, stored *in, const ss_sink *out, int32_t *status, ss_error *err)
{
    bool failed = record->flags & SS_RECORD_FAILED;
    if (!failed && read_line(record->json, in))
        return false;
    *status = failed ? result(put(out, record->json), err)
                     : ss_fail(err, SS_REJECT, "the stored line is no event of the receiver game");
    return true;
}

static ss_str aside_of(const ss_record *record, char kind)
{
    bool mine = record->aside.len > 1 && record->aside.ptr[0] == kind;
    return mine ? ss_s(record->aside.ptr + 1, record->aside.len - 1) : ss_s(NULL, 0);
}

static int32_t render_stream(const ss_record *record, const ss_sink *out, ss_error *err)
{
    stored in;
    int32_t status;
    ss_str whole = aside_of(record, ASIDE_RECORD), event = aside_of(record, ASIDE_EVENT);
    if (is_other(record, &in, out, &status, err))
        return status;
    if (whole.ptr)
        return result(put_flat(out, whole), err);
    bool good = put(out, SS_LIT("{\"event\":")) && (event.ptr ? put_flat(out, event) : put_event(out, &in));
    if (good && in.api)
        good = put(out, SS_LIT(",\"aws_ga_api_validated_flag\":true")) &&
               put_named(out, SS_LIT(",\"aws_ga_api_requestId\":"), in.request_id) &&
               put_named(out, SS_LIT(",\"aws_ga_api_requestTimeEpoch\":"), in.request_time);
    return result(good && put_named(out, SS_LIT(",\"application_id\":"), in.app_id) && put(out, SS_LIT("}")),
                  err);
}

static int32_t render_msk(const ss_record *record, const ss_sink *out, ss_error *err)
{
    stored in;
    int32_t status;
    ss_str whole = aside_of(record, ASIDE_RECORD), event = aside_of(record, ASIDE_EVENT);
    if (is_other(record, &in, out, &status, err))
        return status;
    if (whole.ptr)
        read_record(whole, &event, &in.app_id);
    bool good = put(out, SS_LIT("{\"event\":")) && (event.ptr ? put_flat(out, event) : put_event(out, &in));
    return result(good && put_named(out, SS_LIT(",\"application_id\":"), in.app_id) && put(out, SS_LIT("}")),
                  err);
}

/* ---- times ----------------------------------------------------------------------------------- */

/* As Date.toISOString() writes it: whole seconds, years beyond 9999 and before 0 with six digits. */
static int put_iso(char *out, size_t size, int64_t second)
{
    int64_t days = second / DAY, rest = second % DAY;
    if (rest < 0) {
        rest += DAY;
        days--;
    }
    days += 719468; /* since 0000-03-01: Hinnant's algorithm */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;
    int day = (int)(doy - (153 * month + 2) / 5 + 1);
    long long year = yoe + era * 400 + (month >= 10);
    int civil = (int)(month < 10 ? month + 3 : month - 9), hms = (int)rest;
    bool wide = year < 0 || year > 9999;
    return snprintf(out, size, "\"%s%0*lld-%02d-%02dT%02d:%02d:%02d.000Z\"",
                    !wide      ? ""
                    : year < 0 ? "-"
                               : "+",
                    wide ? 6 : 4, year < 0 ? -year : year, civil, day, hms / 3600, hms / 60 % 60, hms % 60);
}

static int32_t render_iso(const ss_record *record, const ss_sink *out, ss_error *err)
{
    stored in;
    int32_t status;
    double seconds;
    char iso[64] = "null";
    if (is_other(record, &in, out, &status, err))
        return status;
    ss_str time = in.members[MEMBER_TIMESTAMP];
    if (!time.ptr || ss_eq(in.status, SS_LIT("\"unregistered\"")))
        return result(put(out, record->json), err);
    if (json_double(time, &seconds) && fabs(trunc(seconds)) <= (double)SECOND_MAX)
        (void)put_iso(iso, sizeof iso, (int64_t)seconds);
    size_t before = (size_t)(time.ptr - record->json.ptr), behind = before + time.len;
    return result(put(out, ss_s(record->json.ptr, before)) && put(out, ss_cstr(iso)) &&
                      put(out, ss_s(record->json.ptr + behind, record->json.len - behind)),
                  err);
}

const ss_view game_views[] = {
    {"stream", "application/json",
     "The record that the API puts on the Kinesis stream: event, the aws_ga_ members, application_id.",
     render_stream},
    {"msk", "application/json", "The message that the API puts on the Kafka topic: event and application_id.",
     render_msk},
    {"processed_iso", "application/json",
     "The stored event with event_timestamp as text, 2025-01-23T19:02:57.000Z, where the application is "
     "registered (CONVERT_TIMESTAMP).",
     render_iso},
    {NULL, NULL, NULL, NULL}};

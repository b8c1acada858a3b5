/* What is said of an event that does not fit: as ajv says it, and as a sentence for the client. */
#include "plugins/common/utf8.h"
#include "receivers/game/event.h"

#define UUID_PATTERN "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
#define WORD_PATTERN "^[A-Za-z0-9-_.]+$"
#define KEY_SHOWN    128u /* bytes of a key in a sentence */

static char *put(char *to, const char *text)
{
    size_t len = strlen(text);
    memcpy(to, text, len);
    return to + len;
}

static const char *type_of(uint32_t place)
{
    return place == MEMBER_TIMESTAMP                      ? "number"
           : place == MEMBER_DATA || place == PLACE_EVENT ? "object"
                                                          : "string";
}

static const char *pattern_of(uint32_t place)
{
    return place == MEMBER_ID || place == PLACE_APPLICATION_ID ? UUID_PATTERN : WORD_PATTERN;
}

/* The key as JSON: as it was written, but halves of surrogate pairs. */
static char *put_key(char *to, const game_value *key)
{
    if (key->escaped)
        return to + json_put_compact(to, ss_s(key->ptr - 1, key->len + 2u)); /* its quotes stand around it */
    *to++ = '"';
    memcpy(to, key->ptr, key->len);
    to += key->len;
    *to++ = '"';
    return to;
}

static char *put_instance(char *to, const game_error *error)
{
    bool of_event = error->rule == RULE_REQUIRED || error->place == PLACE_EVENT;
    if (of_event)
        return put(to, "/event");
    if (error->place == PLACE_APPLICATION_ID)
        return put(to, "/application_id");
    return error->place == PLACE_RECORD ? to : put(put(to, "/event/"), game_member_names[error->place]);
}

static char *put_schema(char *to, const game_error *error, const char *keyword)
{
    if (error->place == PLACE_RECORD)
        to = put(to, "#/");
    else if (error->place == PLACE_APPLICATION_ID)
        to = put(to, "#/properties/application_id/");
    else
        to = put(to, "#/definitions/event/");
    if (error->place < MEMBERS && error->rule != RULE_REQUIRED)
        to = put(put(put(to, "properties/"), game_member_names[error->place]), "/");
    return put(to, keyword);
}

static char *put_message(char *to, const game_error *error, bool json)
{
    switch (error->rule) {
    case RULE_TYPE:
        return put(put(to, "must be "), type_of(error->place));
    case RULE_REQUIRED:
        return put(put(put(to, "must have required property '"), game_member_names[error->place]), "'");
    case RULE_EXTRA:
        return put(to, "must NOT have additional properties");
    default:
        to = put(put(to, "must match pattern "), json ? "\\\"" : "\"");
        return put(put(to, pattern_of(error->place)), json ? "\\\"" : "\"");
    }
}

size_t game_error_object(char *out, const game_error *error)
{
    static const char *const keywords[] = {[RULE_TYPE] = "type",
                                           [RULE_REQUIRED] = "required",
                                           [RULE_EXTRA] = "additionalProperties",
                                           [RULE_PATTERN] = "pattern"};
    const char *keyword = keywords[error->rule];
    char *to = put_instance(put(out, "{\"instancePath\":\""), error);
    to = put_schema(put(to, "\",\"schemaPath\":\""), error, keyword);
    to = put(put(put(to, "\",\"keyword\":\""), keyword), "\",\"params\":{");
    if (error->rule == RULE_TYPE)
        to = put(put(put(to, "\"type\":\""), type_of(error->place)), "\"");
    else if (error->rule == RULE_REQUIRED)
        to = put(put(put(to, "\"missingProperty\":\""), game_member_names[error->place]), "\"");
    else if (error->rule == RULE_EXTRA)
        to = put_key(put(to, "\"additionalProperty\":"), &error->extra);
    else
        to = put(put(put(to, "\"pattern\":\""), pattern_of(error->place)), "\"");
    to = put_message(put(to, "},\"message\":\""), error, true);
    to = put(to, "\"}");
    return (size_t)(to - out);
}

size_t game_error_sentence(char *out, const game_error *error)
{
    char *to = out;
    if (error->place < MEMBERS && error->rule != RULE_REQUIRED)
        to = put(put(to, "."), game_member_names[error->place]);
    to = put_message(put(to, " "), error, false);
    if (error->rule == RULE_EXTRA) {
        to = put(to, ": '");
        char *key = to;
        to += json_unescape(key, ss_s(error->extra.ptr, error->extra.len));
        to = key + utf8_cut(key, (size_t)(to - key), KEY_SHOWN);
        to = put(to, "'");
    }
    return (size_t)(to - out);
}

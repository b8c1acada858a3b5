#include "receivers/matomo/value.h"

#include "plugins/common/json.h"
#include "plugins/common/utf8.h"

#define NUMBER_MAX          64u /* characters of a number in a parameter */
#define VALUE_DOUBLE_DIGITS 15u /* of a whole number that a double holds */

bool value_int_slow(ss_str text, int64_t *out)
{
    return text.len <= NUMBER_MAX && json_i64(text, out);
}

bool value_double(ss_str text, double *out)
{
    char copy[NUMBER_MAX];
    int64_t whole;
    if (text.len == 0 || text.len > sizeof copy)
        return false;
    if (text.len <= VALUE_DOUBLE_DIGITS && *text.ptr >= '0' && *text.ptr <= '9' && value_int(text, &whole)) {
        *out = (double)whole; /* "-0" is another number than 0 */
        return true;
    }
    if (!memchr(text.ptr, ',', text.len))
        return json_text_double(text, out);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)(text.ptr[i] == ',' ? '.' : text.ptr[i]);
    return json_text_double(ss_s(copy, text.len), out);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

ss_str value_trim(ss_str text)
{
    while (text.len > 0 && is_space(*text.ptr)) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

ss_str value_cut(ss_str text, size_t max)
{
    text.len = utf8_cut(text.ptr, text.len, max);
    return text;
}

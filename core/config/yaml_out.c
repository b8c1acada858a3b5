#include "core/config/yaml_out.h"

#include <ctype.h>

#define YAML_OUT_COLUMNS 100u

void yaml_out_indent(buf *out, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        buf_adds(out, "  ");
}

static bool bare(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off"};
    if (!isalpha((unsigned char)text[0]) && text[0] != '/')
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_-./", *p))
            return false;
    return true;
}

void yaml_out_string(buf *out, const char *text)
{
    if (bare(text)) {
        buf_adds(out, text);
        return;
    }
    buf_adds(out, "\"");
    for (const char *p = text; *p; p++) {
        unsigned char byte = (unsigned char)*p;
        if (byte < ' ' || byte == 0x7f)
            buf_addf(out, "\\x%02x", byte);
        else if (byte == '"' || byte == '\\')
            buf_addf(out, "\\%c", byte);
        else if (byte == '$' && p[1] == '{')
            buf_adds(out, "$$");
        else
            buf_add(out, p, 1);
    }
    buf_adds(out, "\"");
}

void yaml_out_comment(buf *out, unsigned level, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (column == 0 || column + word + 1 > YAML_OUT_COLUMNS) {
            if (column > 0)
                buf_adds(out, "\n");
            yaml_out_indent(out, level);
            buf_adds(out, "#");
            column = level * 2u + 1;
        }
        buf_adds(out, " ");
        buf_add(out, text, word);
        column += word + 1;
        text += word;
        text += strspn(text, " \n");
    }
    if (column > 0)
        buf_adds(out, "\n");
}

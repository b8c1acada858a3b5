/* Words of Flink SQL. A statement shall survive clients that cut a script at semicolons and comments by
   themselves: neither stands inside a text or a name. */
#include "modules/windows/export_inside.h"

#include <inttypes.h>
#include <stdarg.h>

#define SECOND_US 1000000LL
#define SHORT_MAX 99 /* two digits: what an INTERVAL has without saying how many */

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

bool export_refuse(export *e, const char *format, ...)
{
    char text[400];
    va_list args;
    if (e->failed)
        return false;
    e->failed = true;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)ss_fail(e->err, SS_REJECT, "%s%s%s%s", e->metric ? "metric " : "", e->metric ? e->metric->name : "",
                  e->metric ? ": " : "", text);
    for (char *at = e->err->text; *at; at++) /* names may hold anything */
        *at = is_control(*at) ? ' ' : *at;
    return false;
}

void export_name(export *e, ss_str name, buf *out)
{
    bool bad = name.len == 0 || name.len > EXPORT_NAME_MAX;
    for (size_t i = 0; i < name.len; i++)
        bad = bad || is_control(name.ptr[i]) || name.ptr[i] == ';';
    if (bad) {
        (void)export_refuse(e,
                            "'%.*s' cannot be a column's name: 1 to %u bytes without control characters and "
                            "semicolons are wanted",
                            name.len > 80 ? 80 : (int)name.len, name.ptr, EXPORT_NAME_MAX);
        return;
    }
    buf_adds(out, "`");
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            buf_adds(out, "`");
        buf_add(out, &name.ptr[i], 1);
    }
    buf_adds(out, "`");
}

static bool is_plain(ss_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (is_control(c) || c == ';' || (c == '-' && next == '-') || (c == '/' && next == '*') ||
            (c == '*' && next == '/'))
            return false;
    }
    return true;
}

void export_text(ss_str text, buf *out)
{
    bool plain = is_plain(text);
    buf_adds(out, plain ? "'" : "U&'");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\'')
            buf_adds(out, "''");
        else if (!plain && c == '\\')
            buf_adds(out, "\\\\");
        else if (!plain && (is_control(c) || strchr(";-/*", c)))
            buf_addf(out, "\\%04x", (unsigned)c);
        else
            buf_add(out, &c, 1);
    }
    buf_adds(out, "'");
}

/* With an exponent: a DOUBLE, not a DECIMAL. */
void export_number(double number, buf *out)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", number);
    buf_addf(out, strchr(text, 'e') ? "(%s)" : "(%sE0)", text);
}

void export_span(int64_t us, buf *out)
{
    static const struct {
        int64_t us;
        const char *name;
    } units[] = {{86400 * SECOND_US, "DAY"},
                 {3600 * SECOND_US, "HOUR"},
                 {60 * SECOND_US, "MINUTE"},
                 {SECOND_US, "SECOND"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (us % units[i].us == 0 && us / units[i].us <= SHORT_MAX && (us || i == 3)) {
            buf_addf(out, "INTERVAL '%" PRId64 "' %s", us / units[i].us, units[i].name);
            return;
        }
    int64_t s = us / SECOND_US;
    buf_addf(out, "INTERVAL '%" PRId64 " %02d:%02d:%02d.%03d' DAY TO SECOND(3)", s / 86400,
             (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60), (int)(us / 1000 % 1000));
}

void export_note(ss_str text, buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        buf_add(out, is_control(text.ptr[i]) || text.ptr[i] == ';' ? " " : &text.ptr[i], 1);
}

void export_table(const export *e, const char *what, uint32_t number, buf *out)
{
    buf_addf(out, "`%s_%s", e->ask->module, what); /* an instance's name has no backtick */
    if (number)
        buf_addf(out, "_%u", number);
    buf_adds(out, "`");
}

void export_option(buf *out, const char *key, ss_str value)
{
    buf_adds(out, ",\n  ");
    export_text(ss_cstr(key), out);
    buf_adds(out, " = ");
    export_text(value, out);
}

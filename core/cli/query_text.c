#include "core/cli/query_text.h"

#include "plugins/common/utf8.h"

#define ELLIPSIS    "\xe2\x80\xa6"
#define ESCAPE_SIZE 16

typedef struct range {
    uint32_t from, to;
} range;

/* Two columns wide on terminals: East Asian scripts and pictures. */
static const range wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},
                             {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                             {0xFFE0, 0xFFE6},   {0x16FE0, 0x18AFF}, {0x1B000, 0x1B2FF}, {0x1F18E, 0x1F19A},
                             {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F900, 0x1F9FF},
                             {0x20000, 0x3FFFD}};
/* Drawn over the character before: marks, joiners, variation selectors. */
static const range narrow[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},
                               {0x064B, 0x065F}, {0x06D6, 0x06DC}, {0x0900, 0x0902}, {0x093C, 0x093C},
                               {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
                               {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D},
                               {0x20D0, 0x20F0}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};
/* They steer the terminal, or the order in which the rest of the line is read. */
static const range steering[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C},
                                 {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
                                 {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};

static bool in_ranges(const range *list, size_t count, uint32_t code)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > list[middle].to)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && code >= list[low].from;
}
#define IN(list, code) in_ranges(list, sizeof(list) / sizeof(list)[0], code)

static uint32_t code_of(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = p[0] & first_bits[len];
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (p[i] & 0x3F);
    return code;
}

/* What one character becomes: its bytes and columns. */
static size_t character(const char *text, size_t len, char out[ESCAPE_SIZE], size_t *columns)
{
    static const char letters[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    uint32_t code = code_of(text, len);
    int n = 0;
    if (!IN(steering, code)) {
        *columns = IN(narrow, code) ? 0 : IN(wide, code) ? 2 : 1;
        memcpy(out, text, len);
        return len;
    }
    if (code < sizeof letters && letters[code])
        n = snprintf(out, ESCAPE_SIZE, "\\%c", letters[code]);
    else if (code < 0x100)
        n = snprintf(out, ESCAPE_SIZE, "\\x%02x", code);
    else
        n = snprintf(out, ESCAPE_SIZE, code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
    *columns = (size_t)n;
    return (size_t)n;
}

size_t query_text_put(buf *out, ss_str text, size_t max)
{
    size_t total = 0, fits_len = out->len, fits = 0; /* where an ellipsis still has room */
    for (size_t i = 0; i < text.len;) {
        char piece[ESCAPE_SIZE];
        size_t columns = 0, step = utf8_sequence(text.ptr + i, text.len - i), bytes;
        if (step)
            bytes = character(text.ptr + i, step, piece, &columns);
        else
            bytes = columns = (size_t)snprintf(piece, sizeof piece, "\\x%02x", (unsigned char)text.ptr[i]);
        if (total + columns > max) {
            out->len = fits_len;
            buf_adds(out, ELLIPSIS);
            return fits + 1;
        }
        buf_add(out, piece, bytes);
        total += columns;
        if (total < max) {
            fits_len = out->len;
            fits = total;
        }
        i += step ? step : 1;
    }
    return total;
}

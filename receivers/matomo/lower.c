#include "receivers/matomo/lower.h"

void lower_ascii(char *text, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) { /* eight letters at once: 0x20 where 'A' <= byte <= 'Z' */
        uint64_t x, low;
        memcpy(&x, text + i, 8);
        low = x & 0x7F7F7F7F7F7F7F7Fu;
        uint64_t capital =
            (low + 0x3F3F3F3F3F3F3F3Fu) & ~(low + 0x2525252525252525u) & ~x & 0x8080808080808080u;
        x |= capital >> 2;
        memcpy(text + i, &x, 8);
    }
    for (; i < len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
}

static unsigned lower_code(unsigned c)
{
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40F)
        return c + 0x50;
    /* Latin Extended-A and the later Cyrillic letters come in pairs: capital, small. */
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
        return c & 1 ? c + 1 : c;
    if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177) || (c >= 0x460 && c <= 0x481))
        return c | 1;
    return c;
}

void lower_text(char *text, size_t len)
{
    lower_ascii(text, len);
    for (size_t i = 0; i + 1 < len; i++) {
        unsigned char first = (unsigned char)text[i], second = (unsigned char)text[i + 1];
        if (first < 0xC3 || first > 0xD2 || (second & 0xC0) != 0x80)
            continue;
        unsigned code = lower_code((unsigned)(first & 0x1F) << 6 | (second & 0x3F));
        text[i] = (char)(0xC0 | code >> 6);
        text[i + 1] = (char)(0x80 | (code & 0x3F));
        i++;
    }
}

#include "receivers/matomo/text.h"

#include "plugins/common/url.h"
#include "receivers/matomo/charset.h"
#include "receivers/matomo/lower.h"
#include "receivers/matomo/value.h"

ss_str text_take(texts *t, ss_str raw, unsigned how)
{
    char plain[3 * TEXT_SHORT_MAX];
    char *to = t->at;
    /* Cut before decoding: three characters make one byte at the most. */
    if (raw.len > sizeof plain)
        raw.len = sizeof plain;
    if (how & TEXT_ENCODED)
        raw = ss_s(plain, url_decode_text(plain, raw));
    char recoded[TEXT_SHORT_MAX + 4];
    if (t->charset.len && !charset_is_utf8(raw)) {
        size_t len = charset_to_utf8(recoded, sizeof recoded, raw, t->charset);
        raw = len ? ss_s(recoded, len) : raw;
    }
    ss_str text = value_cut(value_trim(raw), TEXT_SHORT_MAX);
    if ((size_t)(t->end - to) < text.len)
        return ss_s("", 0);
    if (text.len)
        memcpy(to, text.ptr, text.len);
    if (how & TEXT_LOWER)
        lower_text(to, text.len);
    t->at += text.len;
    return ss_s(to, text.len);
}

#include "receivers/matomo/charset.h"

#include <iconv.h>
#include <strings.h>

#include "plugins/common/utf8.h"

/* Clients name the charset: only these are looked up. Browsers read iso-8859-1 as windows-1252, and gb2312 as
 * gbk. */
static const char *const known[][2] = {
    {"iso-8859-1", "CP1252"},
    {"latin1", "CP1252"},
    {"us-ascii", "CP1252"},
    {"windows-1252", "CP1252"},
    {"cp1252", "CP1252"},
    {"iso-8859-2", "ISO-8859-2"},
    {"iso-8859-3", "ISO-8859-3"},
    {"iso-8859-4", "ISO-8859-4"},
    {"iso-8859-5", "ISO-8859-5"},
    {"iso-8859-6", "ISO-8859-6"},
    {"iso-8859-7", "ISO-8859-7"},
    {"iso-8859-8", "ISO-8859-8"},
    {"iso-8859-9", "CP1254"},
    {"iso-8859-10", "ISO-8859-10"},
    {"iso-8859-13", "ISO-8859-13"},
    {"iso-8859-15", "ISO-8859-15"},
    {"windows-1250", "CP1250"},
    {"windows-1251", "CP1251"},
    {"cp1251", "CP1251"},
    {"windows-1253", "CP1253"},
    {"windows-1254", "CP1254"},
    {"windows-1255", "CP1255"},
    {"windows-1256", "CP1256"},
    {"windows-1257", "CP1257"},
    {"windows-1258", "CP1258"},
    {"koi8-r", "KOI8-R"},
    {"koi8-u", "KOI8-U"},
    {"windows-874", "CP874"},
    {"tis-620", "CP874"},
    {"shift_jis", "CP932"},
    {"ms932", "CP932"},
    {"windows-31j", "CP932"},
    {"euc-jp", "EUC-JP"},
    {"euc-kr", "CP949"},
    {"ks_c_5601-1987", "CP949"},
    {"big5", "BIG5"},
    {"gb2312", "GBK"},
    {"gbk", "GBK"},
    {"gb18030", "GB18030"},
};

bool charset_is_utf8(ss_str text)
{
    for (size_t at = 0, n; at < text.len; at += n)
        if ((n = utf8_sequence(text.ptr + at, text.len - at)) == 0)
            return false;
    return true;
}

static const char *find(ss_str name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i][0]) == name.len && strncasecmp(known[i][0], name.ptr, name.len) == 0)
            return known[i][1];
    return NULL;
}

size_t charset_to_utf8(char *out, size_t room, ss_str text, ss_str name)
{
    const char *from = find(name);
    iconv_t convert = from ? iconv_open("UTF-8", from) : (iconv_t)-1;
    if (convert == (iconv_t)-1)
        return 0;
    char *in = (char *)(uintptr_t)text.ptr, *to = out;
    size_t in_left = text.len, out_left = room;
    bool ok = iconv(convert, &in, &in_left, &to, &out_left) != (size_t)-1 || out_left < 4; /* cut is fine */
    (void)iconv_close(convert);
    return ok ? room - out_left : 0;
}

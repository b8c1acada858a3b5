/* The expressions that are not in the files because they are part of the algorithm. */
#include "enrichers/device/own.h"

const own_regex own_regexes[OWN_COUNT] = {
    [OWN_DESKTOP] = {WRAP_WORD, "Windows (?:NT|IoT)|X11; Linux x86_64"},
    [OWN_NOT_DESKTOP] = {WRAP_WORD, "CE-HTML| Mozilla/|Andr[o0]id|Tablet|Mobile|iPhone|Windows Phone|ricoh|"
                                    "OculusBrowser|PicoBrowser|Lenovo|compatible; MSIE|Trident/|Tesla/|XBOX|"
                                    "FBMD/|ARM; ?[^)]"},
    [OWN_HINTED_ANDROID] = {WRAP_NONE, "Android (?:1[0-7][.\\d]*; K(?: Build/|[;)])|1[0-7]\\)) AppleWebKit"},
    [OWN_HBBTV] = {WRAP_WORD, "(?:HbbTV|SmartTvA)/[1-9]\\.[0-9]"},
    [OWN_SHELL_TV] = {WRAP_WORD, "[a-z]+[ _]Shell[ _]\\w{6}|tclwebkit\\d"},
    [OWN_NOTEBOOK] = {WRAP_WORD, "FBMD/"},
    [OWN_ARM] = {WRAP_WORD, "arm[ _;)ev]|.*arm$|.*arm64|aarch64|Apple ?TV|Watch ?OS|Watch1,[12]"},
    [OWN_LOONGARCH] = {WRAP_WORD, "loongarch64"},
    [OWN_MIPS] = {WRAP_WORD, "mips"},
    [OWN_SUPERH] = {WRAP_WORD, "sh4"},
    [OWN_SPARC] = {WRAP_WORD, "sparc64"},
    [OWN_X64] = {WRAP_WORD, "64-?bit|WOW64|(?:Intel)?x64|WINDOWS_64|win64|IRIX;?64|.*amd64|.*x86_?64"},
    [OWN_X86] = {WRAP_WORD, ".*32bit|.*win32|(?:i[0-9]|x)86|i86pc"},
    [OWN_GECKO] = {WRAP_NONE, " rv[: ]([0-9.]+).*(?:g|cl)ecko/\\d{8}"},
    [OWN_CHROME_SAFARI] = {WRAP_NONE, "Chrome/.+ Safari/537.36"},
    [OWN_TOUCH] = {WRAP_LETTER, "Touch"},
    [OWN_TABLET] = {WRAP_LETTER, "Android(?: [.0-9]+)?; Tablet;|Tablet(?! PC)|.*-tablet$"},
    [OWN_MOBILE] = {WRAP_LETTER, "Android(?: [.0-9]+)?; Mobile;|.*-mobile$"},
    [OWN_VR] = {WRAP_LETTER, "Android(?: [.0-9]+)?; Mobile VR;| VR "},
    [OWN_DESKTOP_TOKEN] = {WRAP_LETTER, "(?:Desktop|PC)(?: (?:x(?:32|64)|WOW64))?;"},
    [OWN_CHROME] = {WRAP_LETTER, "Chrome/"},
    [OWN_CHROME_MOBILE] = {WRAP_LETTER, "Mobile|eliboM"},
    [OWN_APAD] = {WRAP_LETTER, "Pad/APad"},
    [OWN_OPERA_TABLET] = {WRAP_LETTER, "Opera Tablet"},
    [OWN_PUFFIN_DESKTOP] = {WRAP_LETTER, "Puffin/\\d[.\\d]+[LMW]D"},
    [OWN_PUFFIN_PHONE] = {WRAP_LETTER, "Puffin/\\d[.\\d]+[AIFLW]P"},
    [OWN_PUFFIN_TABLET] = {WRAP_LETTER, "Puffin/\\d[.\\d]+[AILW]T"},
    [OWN_OPERA_TV] = {WRAP_LETTER, "Opera TV Store| OMI/"},
    [OWN_ANDROID_TV] = {WRAP_LETTER,
                        "Andr0id|(?:Android(?: UHD)?|Google) TV|\\(lite\\) TV|BRAVIA|Firebolt| TV$"},
    [OWN_SMART_TV] = {WRAP_LETTER, "SmartTV|Tizen.+ TV ."},
    [OWN_TV] = {WRAP_LETTER, "\\(TV;"},
};

/* The regular expressions of a directory and what each of them says, in the order in which they are tried. */
#ifndef DEVICE_RULES_H
#define DEVICE_RULES_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>

#include "enrichers/device/dict.h"
#include "enrichers/device/filter.h"

#define RULES_MAX   200000u /* the current data has 21,000 */
#define JIT_AFTER   8u /* uses of a rule before machine code is made for it: that takes longer than a match */
#define JIT_MAX     3000u /* rules that get it at the most */
#define ENGINES_MAX 64u

/* What stands before an expression: the beginning, or no letter (and so on), as in the original. */
enum rule_wrap { WRAP_WORD, WRAP_LETTER, WRAP_NONE };

enum rule_file {
    FILE_BOTS,
    FILE_OSS,
    FILE_FEED_READERS,
    FILE_MOBILE_APPS,
    FILE_MEDIA_PLAYERS,
    FILE_PIM,
    FILE_BROWSERS,
    FILE_LIBRARIES,
    FILE_ENGINES,
    FILE_TELEVISIONS,
    FILE_SHELL_TV,
    FILE_NOTEBOOKS,
    FILE_CONSOLES,
    FILE_CAR_BROWSERS,
    FILE_CAMERAS,
    FILE_PLAYERS,
    FILE_MOBILES,
    FILE_VENDORS,
    FILE_OWN, /* the expressions of the algorithm itself: enum own_rule */
    FILE_COUNT
};

/* The expressions that are part of the algorithm (own.c). */
enum own_rule {
    OWN_DESKTOP,
    OWN_NOT_DESKTOP,
    OWN_HINTED_ANDROID,
    OWN_HBBTV,
    OWN_SHELL_TV,
    OWN_NOTEBOOK,
    OWN_ARM,
    OWN_LOONGARCH,
    OWN_MIPS,
    OWN_SUPERH,
    OWN_SPARC,
    OWN_X64,
    OWN_X86,
    OWN_GECKO,
    OWN_CHROME_SAFARI,
    OWN_TOUCH,
    OWN_TABLET,
    OWN_MOBILE,
    OWN_VR,
    OWN_DESKTOP_TOKEN,
    OWN_CHROME,
    OWN_CHROME_MOBILE,
    OWN_APAD,
    OWN_OPERA_TABLET,
    OWN_PUFFIN_DESKTOP,
    OWN_PUFFIN_PHONE,
    OWN_PUFFIN_TABLET,
    OWN_OPERA_TV,
    OWN_ANDROID_TV,
    OWN_SMART_TV,
    OWN_TV,
    OWN_COUNT
};

typedef struct rule_list {
    uint32_t first, end;
} rule_list;

/* Texts are offsets; name, version and model may hold $1 to $9. */
typedef struct rule {
    _Atomic(pcre2_code *) code; /* made when it is needed first                  */
    _Atomic(pcre2_code *) fast; /* with machine code, when it is needed often    */
    atomic_uchar uses;          /* until it counts as often                      */
    uint32_t regex, name, version;
    uint32_t more;   /* bots: index of `bots`; browsers: of `engines`; clients: text of another type     */
    rule_list inner; /* a brand's models, the versions of an operating system                            */
    uint8_t wrap;
    int8_t type;      /* of a device, -1 = none                                                           */
    bool has_version; /* version: or model: was there, be it empty                                        */
} rule;

typedef struct rule_bot {
    uint32_t category, url, producer, producer_url;
} rule_bot;

/* `engine:` of a browser: the default, and from which version on another one. */
typedef struct rule_engine {
    uint32_t engine, from_first, from_count;
} rule_engine;
typedef struct rule_from {
    uint32_t version, engine;
} rule_from;

/* An operating system or a browser: what the rules call it, and its family. */
typedef struct rule_name {
    uint32_t name, family;
    bool mobile_only;
} rule_name;

typedef struct rule_names {
    rule_name *rows;
    uint32_t count;
    dict by_name;  /* lower case                    */
    dict by_loose; /* lower case and without spaces */
} rule_names;

typedef struct rules {
    texts texts;
    rule *rules;
    uint32_t count;
    rule_list lists[FILE_COUNT];
    rule_bot *bots;
    rule_engine *engines;
    rule_from *froms;
    uint32_t bot_count, engine_count, from_count;
    struct {
        uint32_t name, rule;
    } engine_rules[ENGINES_MAX]; /* where an engine's version is found */
    uint32_t engine_rule_count;
    rule_names systems, browsers;
    bool families; /* the file of names and families was there */
    dict apps, browser_apps;
    filter filter;
    atomic_uint jit_count;
    atomic_uint_fast64_t limited; /* matches that were given up at the limit of steps */
} rules;

/* What a thread needs to match: one for each scan. */
typedef struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    uint32_t left; /* expressions that may still be tried */
} matcher;

bool matcher_init(matcher *m);
void matcher_free(matcher *m);

bool rules_push(rules *r, const rule *one); /* while loading; false: no room */
void rules_free(rules *r);

/* Whether the rule matches: 0 = no, else one more than the number of the last group that took part. The
   groups are in m->data. */
int rule_match(rules *r, uint32_t id, const subject *s, matcher *m);
/* The first of a list that matches, in order; list.end where none does. */
uint32_t rules_first(rules *r, rule_list list, const subject *s, matcher *m, int *groups);
bool rules_own(rules *r, enum own_rule own, const subject *s, matcher *m);

/* Compiles a rule to see whether it can be compiled; what is wrong goes to `why`. */
bool rule_check(const rules *r, const rule *one, char *why, size_t size);

const rule_name *rules_system(const rules *r, ss_str name);
const rule_name *rules_browser(const rules *r, ss_str name);

#endif

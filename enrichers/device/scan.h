/* One look at one user agent: what the steps of the detection share. Kept in a pool and used again. */
#ifndef DEVICE_SCAN_H
#define DEVICE_SCAN_H

#include "enrichers/device/hints.h"
#include "enrichers/device/kinds.h"
#include "enrichers/device/result.h"
#include "enrichers/device/rules.h"

#define SCAN_ROOM 8192u

typedef struct scan {
    rules *r;
    subject plain;           /* the user agent as it came                                          */
    subject filled;          /* with the model that the client hints name in its place              */
    const subject *restored; /* that one where it differs, else the plain one                       */
    matcher matcher;
    int groups; /* of the last match, see rule_match() */
    hints hints;
    device_result *result;
    char room[SCAN_ROOM];
    size_t used;
} scan;

scan *scan_new(rules *r);
void scan_free(scan *s);

/* ---- the steps, in this order ---- */

void scan_begin(scan *s, ss_str user_agent, ss_str hints_json, device_result *result);
bool scan_bot(scan *s);
void scan_os(scan *s);
void scan_client(scan *s);
void scan_device(scan *s);
/* All of them. Texts live until the scan is used again, or in the rules. */
void scan_run(scan *s, ss_str user_agent, ss_str hints_json, device_result *result);

/* ---- for the steps ---- */

#define HINT(s, which) ((s)->hints.text[which])
#define TEXT(s, which) ((s)->result->text[which])

/* The first rule of a file that matches, or NULL; its groups are those that expand() uses. */
const rule *scan_first(scan *s, enum rule_file file, const subject *on);
const rule *scan_first_of(scan *s, rule_list list, const subject *on);
bool scan_own(scan *s, enum own_rule own, const subject *on);
/* A text of the rules with its $1 filled in from the last match on that subject, trimmed. */
ss_str scan_expand(scan *s, uint32_t text, const subject *on);
/* The same as a version: dots for underscores, none at the ends. */
ss_str scan_version(scan *s, uint32_t text, const subject *on);
/* A group of the last match, empty where it took no part. */
ss_str scan_group(const scan *s, int number, const subject *on);
ss_str scan_clean_version(scan *s, ss_str version);
/* A copy in the scan's room; empty where that is full. */
ss_str scan_keep(scan *s, ss_str text);

/* Does the user agent look like that of a desktop system that hides its model? Like that of an Android
   browser that hides it? */
bool scan_hides_desktop(scan *s, const subject *on);
bool scan_hides_android(scan *s, const subject *on);

/* os.c */
ss_str os_family(const rules *r, ss_str name);
bool os_is_desktop(const rules *r, ss_str name);
/* browser.c */
bool scan_browser(scan *s);
/* kind_rules.c: what kind of device it is where the files do not say, or say it too broadly. */
void scan_kind(scan *s);

#endif

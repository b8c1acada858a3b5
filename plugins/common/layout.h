/* Where a record's line goes in a lake: the partition template, compiled, and names that are safe in a path.
 */
#ifndef COMMON_LAYOUT_H
#define COMMON_LAYOUT_H

#include "streamsteam/plugin.h"

#define LAYOUT_TEMPLATE_MAX 512u
#define LAYOUT_PARTS_MAX    48u
#define LAYOUT_VALUE_MAX    200u /* bytes of one encoded value: a path component holds 255 */
#define LAYOUT_DIR_MAX      2048u
#define LAYOUT_KEY_MAX      1024u

enum layout_kind { LAYOUT_TEXT = 1, LAYOUT_RECEIVER, LAYOUT_APP, LAYOUT_TYPE, LAYOUT_TIME };

typedef struct layout_part {
    enum layout_kind kind;
    char time;        /* TIME: Y m d H M j */
    uint16_t at, len; /* TEXT: in the template */
} layout_part;

typedef struct layout {
    char text[LAYOUT_TEMPLATE_MAX];
    layout_part parts[LAYOUT_PARTS_MAX];
    uint32_t count;
    bool receiver, app, type;
    bool by_receive;    /* its times are those of the arrival; set by the owner */
    int64_t bucket_us;  /* the finest time in it, 0 = none */
    const char *option; /* for messages: the option that holds the template */
} layout;

/* "events/{receiver}/%Y/%m/%d/": false with err, which names the option. */
bool layout_compile(layout *l, const char *option, ss_str text, ss_error *err);
/* The event's time; the receive time where the event's cannot be true (20 years back, one day ahead). */
int64_t layout_time_us(const ss_record *r);
/* What decides on the partition, as bytes to compare: length. Two keys may give one directory. */
size_t layout_key(const layout *l, const ss_record *r, char out[LAYOUT_KEY_MAX]);
/* The directory, relative, ending in '/' (or empty). Length, 0 for empty. */
size_t layout_dir(const layout *l, const ss_record *r, char out[LAYOUT_DIR_MAX]);

#endif

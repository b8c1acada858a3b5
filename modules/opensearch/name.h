/* Where a record goes and under which name: the index of its day, its id, its version. */
#ifndef OPENSEARCH_NAME_H
#define OPENSEARCH_NAME_H

#include "plugins/common/grow.h"
#include "plugins/common/template.h"

#define NAME_INDEX_MAX   255u  /* bytes, OpenSearch's limit */
#define NAME_ID_MAX      512u  /* of an _id                 */
#define NAME_ID_TEXT_MAX 8192u /* of what is hashed beyond  */
#define NAME_DAYS        64u   /* templates of days that are kept */
#define NAME_ACTION_MAX  (NAME_INDEX_MAX * 6u + NAME_ID_MAX * 6u + 200u)

enum name_op { NAME_CREATE = 0, NAME_INDEX = 1 };

typedef struct name_day {
    int64_t day;
    bool made;
    record_template index;
} name_day;

typedef struct names {
    char index[TEMPLATE_TEXT_MAX]; /* with %Y %m %d */
    bool dated;
    name_day days[NAME_DAYS];
    record_template id, version;
    bool with_id, with_version, data_stream;
    enum name_op op;
    int64_t past_us, future_us; /* further from its arrival an event's own time is not believed */
} names;

bool names_init(names *n, ss_str index, ss_str id, ss_str version, ss_error *err);
/* The time that chooses the index: the event's, or that of its arrival where the two are too far apart. */
int64_t names_time(const names *n, const ss_record *r);
size_t names_index(names *n, const ss_record *r, char out[NAME_INDEX_MAX + 1]);
/* Never more than NAME_ID_MAX bytes: a longer one becomes its SHA-256. 0: it has none. */
size_t names_id(const names *n, const ss_record *r, char out[NAME_ID_TEXT_MAX]);
/* {"create":{"_index":"x","_id":"y"}}\n. false: why says why the record can have no name. */
bool names_action(names *n, const ss_record *r, grow *out, char *why, size_t size);
/* What the index names of one receiver have in common: "events-game-*". */
void names_pattern(const names *n, ss_str receiver, char *out, size_t size);

#endif

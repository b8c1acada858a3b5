/* What a lake's partition template means as a table of the Glue catalog: where it lies, its partition keys,
   and their projection. Not thread-safe. */
#ifndef GLUE_SHAPE_H
#define GLUE_SHAPE_H

#include "plugins/common/buf.h"
#include "plugins/common/layout.h"

#define SHAPE_KEYS_MAX     12u
#define SHAPE_NAME_MAX     64u
#define SHAPE_LOCATION_MAX 2048u
#define SHAPE_FORMAT_MAX   96u

enum shape_kind { SHAPE_NUMBER = 1, SHAPE_DATE, SHAPE_INJECTED };

typedef struct shape_key {
    char name[SHAPE_NAME_MAX];
    enum shape_kind kind;
    char time;                     /* NUMBER: as in the layout                  */
    char format[SHAPE_FORMAT_MAX]; /* DATE: as Java has it                      */
    const char *unit;              /* DATE: its finest part                     */
    uint32_t folder;               /* of the record's folders, from 0           */
    size_t skip;                   /* bytes of the folder's name before the value */
} shape_key;

typedef struct shape {
    layout layout;
    char receiver[LAYOUT_VALUE_MAX];
    char root[SHAPE_LOCATION_MAX];     /* of the lake; ends in a slash         */
    char location[SHAPE_LOCATION_MAX]; /* of the table; ends in a slash        */
    char folders[SHAPE_LOCATION_MAX];  /* below it: "year=${year}/..."         */
    shape_key keys[SHAPE_KEYS_MAX];
    uint32_t key_count;
    const char *names[SHAPE_KEYS_MAX + 1]; /* of the keys, NULL at the end     */
} shape;

/* location: of the lake, s3://bucket/prefix. false with err. */
bool shape_make(shape *s, ss_str receiver, ss_str location, ss_str partition, bool by_receive, ss_error *err);
/* "projection.year.type": "integer", ...; members of the table's Parameters, each with a comma before it. */
void shape_put_projection(const shape *s, buf *out);
/* [{"Name": "year", "Type": "string"}, ...] */
void shape_put_keys(const shape *s, buf *out);
/* The values of one record's folder (what layout_dir() gave) as a JSON list. */
void shape_put_values(const shape *s, const char *dir, buf *out);
void glue_put_text(buf *out, ss_str text); /* as a JSON string */

#endif

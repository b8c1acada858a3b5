/* What the parts of the export know of each other: export_words.c (names, texts, spans of time),
   export_sets.c (what the person set), export_fields.c (where a path stands in the line), export_value.c and
   export_filter.c (expressions), export_source.c and export_document.c (tables), export_metric.c (queries),
   export.c. */
#ifndef WINDOWS_EXPORT_INSIDE_H
#define WINDOWS_EXPORT_INSIDE_H

#include "modules/windows/export.h"
#include "modules/windows/line.h"

#define EXPORT_BYTES_MAX    (8u << 20)
#define EXPORT_FIELDS_MAX   4096u /* of all receivers that the module reads */
#define EXPORT_NAME_MAX     256u  /* bytes of a column's name: what Flink takes */
#define EXPORT_SHAPES_MAX   ENGINE_METRICS_MAX
#define EXPORT_PROPERTY_MAX 32u
#define EXPORT_READ_MAX     256u /* receivers */

enum export_set { /* --set KEY=VALUE */
                  SET_BROKERS,
                  SET_TOPIC,
                  SET_GROUP,
                  SET_START,
                  SET_END,
                  SET_IDLE,
                  SET_STREAM,
                  SET_REGION,
                  SET_PATH,
                  SET_SINK,
                  SET_METRICS_BROKERS,
                  SET_METRICS_TOPIC,
                  SET_METRICS_STREAM,
                  SET_METRICS_REGION,
                  SET_METRICS_PATH,
                  SET_LATE,
                  SET_TIME,
                  SET_COUNT
};

typedef struct export_field { /* of the catalog; borrowed */
    const char *name;
    uint32_t type; /* enum ss_field_type */
    const char *receiver;
    bool used; /* by the table that is being made */
} export_field;

typedef struct export
{
    const windows *w;
    const windows_ask *ask;
    ss_error *err;
    const char *sets[SET_COUNT];                 /* never NULL */
    const char *properties[EXPORT_PROPERTY_MAX]; /* properties.KEY=VALUE, as given */
    size_t property_count;
    const char *receivers[EXPORT_READ_MAX]; /* whose events count: not the one that takes the documents */
    size_t receiver_count;
    export_field *fields; /* owned */
    size_t field_count;
    const metric *metric; /* at work on; for errors */
    uint32_t number, table;
    char *shapes[EXPORT_SHAPES_MAX]; /* columns of the sinks so far; owned */
    uint32_t shape_count;
    bool failed; /* err says why */
}
export;

/* Notes the first error; the metric's name stands in front. false, always. */
bool export_refuse(export *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* export_words.c */
void export_name(export *e, ss_str name, buf *out); /* in backticks; refused where nothing can quote it */
void export_text(ss_str text, buf *out);            /* in single quotes */
void export_number(double number, buf *out);
void export_span(int64_t us, buf *out);  /* INTERVAL '1' MINUTE */
void export_note(ss_str text, buf *out); /* what may stand in a comment's line */
/* The name of a table or view of ours: module, then what, then a number (0: none). */
void export_table(const export *e, const char *what, uint32_t number, buf *out);
void export_option(buf *out, const char *key, ss_str value); /* a line of WITH */

/* export_sets.c */
bool export_sets(export *e);
bool export_batch(const export *e); /* the input ends: a batch job, which knows no late events */

/* export_fields.c */
bool export_catalog(export *e);
typedef struct export_value {  /* where a path stands */
    uint32_t type;             /* of its column: SS_FIELD_JSON: rest is a path in it */
    const export_field *field; /* NULL: of the record's header */
    uint32_t slot;
    ss_str rest; /* of the path, behind the field's name; empty: the field itself */
} export_value;
/* Marks what it needs; false: refused. */
bool export_resolve(export *e, uint32_t slot, export_value *v);
bool export_resolve_path(export *e, ss_str path, export_value *v);
bool export_has_path(export *e, const char *path, export_value *v); /* the same without an error */
void export_column(export *e, const export_value *v, buf *out);
const char *export_type(const export_value *v); /* of a dimension made of it */
/* The columns that are used, as lines of CREATE TABLE. */
void export_columns(export *e, buf *out);

/* export_value.c */
void export_dimension(export *e, const export_value *v, buf *out); /* NULL where it is missing */
void export_as_text(export *e, const export_value *v, buf *out);   /* NULL where it is missing */
void export_as_number(export *e, const export_value *v, buf *out); /* NULL where it is none */
void export_exists(export *e, const export_value *v, buf *out);
void export_equals(export *e, const export_value *v, const filter_node *n, buf *out);
void export_prefix(export *e, const export_value *v, const filter_node *n, buf *out);

/* export_filter.c */
void export_filter(export *e, const filter *f, buf *out);
void export_range(const filter_range *r, const char *what, buf *out); /* "": everything holds */

/* export_source.c */
int64_t export_wait_us(const export *e, const metric *m); /* how far the watermark is behind */
void export_source(export *e, int64_t wait_us, buf *out);
bool export_arrival(export *e); /* lines tell, or the source does, when an event arrived */
/* Conditions that the module takes an event at all, `front` before each. */
void export_taken(export *e, const char *front, buf *out);
void export_connector(export *e, bool sink, ss_str key, buf *out);

/* export_metric.c */
void export_view(export *e, buf *out);
void export_insert(export *e, uint32_t shape, buf *out);

/* export_document.c */
uint32_t export_shape(export *e,
                      buf *out); /* number of the table for the metric's documents; made if it is new */
void export_document(export *e, buf *out); /* the columns' values, in their order */

#endif

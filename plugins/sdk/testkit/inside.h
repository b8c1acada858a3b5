/* The testkit's own parts, shared by its sources. */
#ifndef TESTKIT_INSIDE_H
#define TESTKIT_INSIDE_H

#include "core/event/line.h"
#include "core/event/uuid.h"
#include "plugins/sdk/testkit/testkit.h"

#define KIT_FIELDS_MAX  1024u
#define KIT_TIMERS_MAX  64u
#define KIT_METRICS_MAX 512u
#define KIT_PARAMS_MAX  16u

/* ---- configuration: config.c ---- */

struct ss_config { /* one node; owned tree */
    enum { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_OBJECT } kind;
    char *key;  /* member of an object */
    char *text; /* STRING, NUMBER      */
    char *raw;  /* as written: what ANY hands over */
    size_t text_len;
    int64_t whole;
    double number;
    struct ss_config *items;
    size_t count;
};

bool kit_config_read(ss_config *root, const char *json, const ss_option *options, size_t option_size,
                     char *why, size_t size);
void kit_config_free(ss_config *root);
void kit_config_lend(ss_host *host); /* fills the cfg_ calls */

/* ---- lists of texts ---- */

typedef struct kit_text {
    char *text, *more;
    size_t len;
    int64_t number;
} kit_text;

typedef struct kit_list {
    kit_text *items;
    size_t count;
} kit_list;

char *kit_copy(ss_str text); /* NUL-terminated; ends the process where memory is short: a test cannot go on */
void *kit_alloc(size_t len);
kit_text *kit_add(kit_list *list, ss_str text);
void kit_clear(kit_list *list);
const char *kit_at(const kit_list *list, size_t i); /* NULL past the end */

/* ---- the host ---- */

typedef struct kit_stored {
    char *line, *app, *type, *id, *key, *value;
    int64_t receive_us, event_us;
} kit_stored;

typedef struct kit_events {
    kit_stored *items;
    size_t count;
} kit_events;

struct ss_timer {
    int64_t at_us, period_us; /* period 0: once */
    void (*callback)(void *arg);
    void *arg;
    bool used;
};

struct ss_metric {
    char *name, *labels;
    double value;
};

typedef struct kit_memory { /* one loan */
    struct kit_memory *next;
    _Alignas(16) char bytes[];
} kit_memory;

struct ss_call {
    testkit *kit;
    kit_memory *request_memory, *event_memory;
    kit_events events;
    ss_event event;
    ss_value *values;
    uint64_t *present;
    uint16_t *refs;
    bool open, pulled;
};

struct testkit {
    ss_host host;
    const ss_plugin *plugin;
    void *instance;
    ss_config config;
    event_table *table;
    ss_error error;
    int64_t now_us;
    uint64_t next_id, next_seq;
    bool stopping;
    uint32_t calls[TESTKIT_FAULTS], fail_at[TESTKIT_FAULTS];
    kit_list logs, rejects, commits, positions, alarms, states, apps, refs, problems;
    char *problem_text;
    ss_timer timers[KIT_TIMERS_MAX];
    ss_metric metrics[KIT_METRICS_MAX];
    size_t metric_count;
    char *dir;
    kit_events events;
    /* the last answer */
    uint32_t http;
    char *body, *content_type;
    size_t body_len;
    kit_list headers;
    /* the last request, as long as receive() runs */
    const testkit_request *request;
    ss_pair *pairs;
    uint32_t pair_count;
    ss_pair params[KIT_PARAMS_MAX];
    uint32_t param_count;
    kit_list request_headers;
    /* batches */
    ss_record *records;
    uint32_t record_count;
    ss_record_result *results;
    uint32_t result_count;
    ss_result result;
    char *enriched;
};

void kit_problem(testkit *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool kit_fault(testkit *k, enum testkit_fault what); /* counts; true: fail now */
void kit_host_lend(testkit *k);
void kit_call_begin(testkit *k, ss_call *call, bool pulled);
void kit_call_end(ss_call *call, bool keep); /* keep: its events become the testkit's */
void kit_events_clear(kit_events *events);
void kit_records_clear(testkit *k);
bool kit_table_make(testkit *k, const ss_field *receiver_fields);
const ss_pair *kit_query(const ss_request *request, uint32_t *count);
ss_str kit_header(const ss_request *request, const char *name);
void kit_remove_dir(const char *path);

#endif

/* The testkit's own parts, shared by its sources. */
#ifndef TESTKIT_INSIDE_H
#define TESTKIT_INSIDE_H

#include "core/event/line.h"
#include "core/event/uuid.h"
#include "plugins/sdk/testkit/testkit.h"

#define KIT_FIELDS_MAX  1024u
#define KIT_TIMERS_MAX  64u
#define KIT_METRICS_MAX 512u
#define KIT_PARAMS_MAX  8u                 /* as the server */
#define KIT_FAILED_MAX  (2u * 1024 * 1024) /* bytes of an input that failed() keeps */

/* ---- configuration: config.c ---- */

struct ss_config { /* one node; owned tree */
    enum { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_OBJECT } kind;
    char *key;  /* member of an object */
    char *text; /* STRING, NUMBER, ANY */
    char *raw;  /* as it was written   */
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
void *kit_alloc(size_t len); /* zeroed */
void *kit_realloc(void *p, size_t len);
kit_text *kit_add(kit_list *list, ss_str text);
void kit_clear(kit_list *list);
const char *kit_at(const kit_list *list, size_t i); /* NULL past the end */

/* ---- the host ---- */

typedef struct kit_stored {
    char *line, *app, *type, *id, *key, *value, *aside;
    size_t aside_len;
    int64_t receive_us, event_us;
} kit_stored;

/* Larger than what the header knows, as a newer server's are: who walks with an index meets what lies
 * between. */
typedef struct kit_record {
    ss_record of_header;
    uint64_t newer[3];
} kit_record;

typedef struct kit_result {
    ss_record_result of_header;
    uint64_t newer[3];
} kit_result;

typedef struct kit_events {
    kit_stored *items;
    size_t count;
} kit_events;

typedef struct kit_app {
    char *key, *id, *name;
    uint32_t flags;
} kit_app;

typedef struct kit_input { /* what failed() and pass() were given */
    char *app, *code, *text, *raw;
    size_t raw_len;
} kit_input;

typedef struct kit_inputs {
    kit_input *items;
    size_t count;
} kit_inputs;

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

/* What stands in memory that the host took back. */
#define KIT_GONE           0x15
#define KIT_GONE_COUNT     64u
#define KIT_STACK_BYTES    (1u << 20)
#define KIT_GONE_BYTES_MAX (64u * 1024) /* larger pieces go at once */

typedef struct kit_memory { /* one loan */
    struct kit_memory *next;
    size_t len;
    _Alignas(16) char bytes[];
} kit_memory;

struct ss_call {
    testkit *kit;
    kit_memory *request_memory, *event_memory;
    kit_events events;
    kit_inputs failed, passed;
    ss_event event;
    ss_value *values;
    uint64_t *present;
    uint16_t *refs;
    bool open, pulled;
    uint32_t ref_count;
};

struct testkit {
    ss_host host;
    testkit *owner; /* a twin's first testkit, whose host table the instance has; else NULL */
    const ss_plugin *plugin;
    void *instance;
    ss_config config;
    event_table *table;
    ss_error error;
    int64_t now_us;
    int64_t runs_since_us; /* by the monotonic clock; 0: it stands still */
    uint32_t deliver_ms;
    uint64_t next_id, next_seq;
    bool stopping;
    uint32_t calls[TESTKIT_FAULTS], fail_at[TESTKIT_FAULTS];
    kit_list logs, rejects, commits, positions, alarms, states, refs, problems;
    kit_app *apps;
    size_t app_count;
    int64_t throttle_ms;
    uint64_t checked_events;
    kit_inputs failed, passed;
    char *problem_text;
    ss_timer timers[KIT_TIMERS_MAX];
    ss_metric metrics[KIT_METRICS_MAX];
    size_t metric_count;
    char *dir;
    kit_events events;
    void *gone[KIT_GONE_COUNT]; /* kept for a while, so that nobody writes over the mark */
    size_t gone_at;
    /* Set when a callback has returned: what lies on the stack below it was its own. */
    const char *call_frame;
    /* the last answer */
    uint32_t http;
    char *body, *content_type;
    size_t body_len;
    kit_list headers;
    /* the last request, as long as receive() runs */
    const testkit_request *request;
    ss_pair *pairs;
    uint32_t pair_count;
    kit_list request_headers;
    /* batches */
    kit_record *records;
    uint32_t record_count;
    kit_result *results;
    uint32_t result_count;
    ss_result result;
    char *enriched;
    char *said; /* by the last verb or view */
    size_t said_len;
};

/* ---- whose code runs: torture.c ---- */

/* From now on this thread runs the plugin of k, whose allocations may be told to fail; NULL: the testkit's
   own. Returns what it was before. */
testkit *kit_enter(testkit *k);
bool kit_alloc_fails(void); /* asked by the allocators in wrap.c */

void kit_problem(testkit *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kit_take_back(testkit *k, void *whole, void *bytes, size_t len); /* marks, and frees later */
bool kit_is_gone(const testkit *k, ss_str text);                      /* memory that was taken back */
int64_t kit_now_us(const testkit *k);
bool kit_fault(testkit *k, enum testkit_fault what); /* counts; true: fail now */
void kit_host_lend(testkit *k);
void kit_call_begin(testkit *k, ss_call *call, bool pulled);
void *kit_lend(ss_call *call, size_t len);   /* scratch memory, never told to fail */
void kit_call_end(ss_call *call, bool keep); /* keep: its events become the testkit's */
void kit_event_close(ss_call *call);         /* ends an open event without storing it */
void kit_events_clear(kit_events *events);
/* apps.c */
void kit_apps_lend(ss_host *host); /* fills the calls about applications, messages and failed inputs */
void kit_apps_free(testkit *k);
void kit_inputs_clear(kit_inputs *list);
void kit_inputs_keep(kit_inputs *to, kit_inputs *from, bool keep); /* moves them, or clears them */
char *kit_exact(ss_str bytes); /* request.c: an allocation of just these bytes, for kit_take_back() */
void kit_records_clear(testkit *k);
bool kit_table_make(testkit *k, const ss_field *receiver_fields);
typedef struct kit_params { /* {name} parts of a path; slices of the route and of the path */
    ss_pair pairs[KIT_PARAMS_MAX];
    uint32_t count;
} kit_params;
/* NULL: none takes it. route.c */
const ss_route *kit_route_find(const testkit *k, ss_str path, const char *method, kit_params *params);
const ss_pair *kit_query(const ss_request *request, uint32_t *count);
ss_str kit_header(const ss_request *request, const char *name);
void kit_remove_dir(const char *path);

#endif

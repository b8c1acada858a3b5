/*
 * streamsteam/plugin.h - the whole plugin contract, and the only project header that a plugin includes.
 * C11, also valid C++17. No other project header, nothing of the server to link against.
 *
 * A plugin is one shared object with one exported function, ss_plugin_v0(), which returns a constant
 * descriptor (SS_PLUGIN below writes it). There are three kinds:
 *
 *   receiver   HTTP request (or a source of its own) -> events + response
 *   enricher   event -> event, or dropped with a counted reason
 *   module     batch of stored records -> the outside world
 *
 * The story of a request: the host decodes the HTTP message, finds the receiver's route and calls
 * receive(). The receiver opens an event with host->event_new(), sets fields by their declared index,
 * and closes it with host->emit(); the host runs the enrichers of that receiver on it and serialises it
 * once, as one JSON line, into the journal's next frame. When receive() returns SS_OK the events of the
 * request are committed together; the response goes out after they are on disk.
 *
 * The story of a record: each module runs alone, in a process of its own, on one thread. The host reads
 * the journal, builds batches and calls deliver(). The module says for each record OK, RETRY or REJECT;
 * the host moves the module's cursor, retries only what has to be retried, and keeps what was rejected
 * in the module's quarantine with the reason.
 *
 * Rules that hold everywhere:
 *  - Sizes: every struct that crosses the border starts with its size, every array has its element size in
 *    its owner (a "stride"). Fields are only ever appended. Test a newer field with SS_HAS().
 *  - Memory: what the host hands in is borrowed for the call; the host copies what it keeps, except where
 *    a comment says "borrowed until". Whoever made an opaque object frees it.
 *  - Threads: receivers and enrichers are called by several threads at once with one instance: keep the
 *    instance read-only, or lock. Modules are called on one thread only.
 *  - Errors: a callback that fails writes one sentence into ss_error that names the place and the remedy.
 *  - Time: *_us is microseconds since 1970-01-01 UTC, *_ms is a length in milliseconds.
 *
 * Changelog of the contract (a plugin built for major.minor loads where the major is equal and the host's
 * minor is not older):
 *   0.1  first version. 0.x means: not frozen yet, see docs/decisions.md.
 *   0.2  ss_plugin.warning and .instance_fields; SS_OPT_FIELD; SS_FIELD_OBJECT.
 *   0.3  applications: ss_app, host->app_check(), app_get(). Messages of pull receivers: ss_message,
 *        host->pass(), ss_receiver.parse(). Inputs that cannot become events: host->failed(),
 *        SS_RECORD_FAILED, SS_MODULE_TAKES_FAILED. ss_event.aside and ss_record.aside. host->rewind().
 */
/* Laid out by hand: the columns of comments are the manual. */
/* clang-format off */
#ifndef STREAMSTEAM_PLUGIN_H
#define STREAMSTEAM_PLUGIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SS_ABI_MAJOR 0u
#define SS_ABI_MINOR 3u

/* True where the struct (of that type) which p points to is new enough to have the field. */
#define SS_HAS(type, p, field) ((p)->struct_size >= offsetof(type, field) + sizeof((p)->field))

/* ---- values ------------------------------------------------------------------------------------ */

typedef struct ss_str { /* bytes, not NUL-terminated, borrowed unless a comment says otherwise */
    const char *ptr;
    size_t len;
} ss_str;

typedef struct ss_call ss_call;     /* opaque: one request, or one group of emitted events          */
typedef struct ss_config ss_config; /* opaque: a node of the checked configuration                  */
typedef struct ss_metric ss_metric; /* opaque: one time series; lives as long as the process        */
typedef struct ss_timer ss_timer;   /* opaque: dies before destroy()                                */

enum ss_status { /* what callbacks and host calls return; fixed values, carried as int32_t */
    SS_OK = 0,
    SS_RETRY = 1,    /* transient: the data is kept. receive(): 503 with Retry-After                */
    SS_REJECT = 2,   /* the input is wrong. receive(): see response->status; nothing is stored      */
    SS_DROP = 3,     /* enrich(): do not store this event, and count ss_error.text as the reason    */
    SS_DECLINE = 4,  /* receive(): not mine, let the next route look. Host: not available here      */
    SS_THROTTLE = 5, /* deliver(): the other end asks for less; result->retry_after_ms              */
    SS_PAUSE = 6,    /* deliver(): credentials or target wrong; stop, raise an alarm, keep all      */
    SS_FATAL = 7,    /* this instance is broken: the host starts a new one                          */
    SS_LIMIT = 8     /* a limit of the host was reached (memory, size, count)                       */
};

typedef struct ss_error { /* lent by the host; text is always NUL-terminated */
    uint32_t struct_size;
    uint32_t code; /* the plugin's own number, 0 = none */
    char text[504];
} ss_error;

enum ss_level { SS_DEBUG = 0, SS_INFO = 1, SS_WARNING = 2, SS_ERROR = 3 };

/* ---- options: one table drives checking, `explain`, the manual, the editor schema and redaction -- */

enum ss_option_type {
    SS_T_STRING = 1,
    SS_T_INT = 2,
    SS_T_FLOAT = 3,
    SS_T_BOOL = 4,
    SS_T_SIZE = 5,     /* bytes: 25MB, 128MiB, 4096                  */
    SS_T_DURATION = 6, /* milliseconds: 200ms, 60s, 15m, 1h, 7d      */
    SS_T_ENUM = 7,     /* one of `choices`                           */
    SS_T_URL = 8,
    SS_T_PATH = 9,    /* relative ones are relative to data_dir      */
    SS_T_OBJECT = 10, /* `children` are its keys                     */
    SS_T_LIST = 11,   /* `children[0]` (named "*") describes an item */
    SS_T_MAP = 12,    /* free keys; `children[0]` ("*") is a value   */
    SS_T_ANY = 13     /* any YAML, handed over as JSON text          */
};

enum ss_option_flag {
    SS_OPT_REQUIRED = 1u,
    SS_OPT_SECRET = 2u, /* never logged or printed; may come from ${env:} and ${file:} */
    SS_OPT_DEPRECATED = 4u,
    SS_OPT_FIELD = 8u /* enrichers: a STRING, or the keys of a MAP, name fields: `check` looks for them in
                         the receivers that use the enricher; not in defaults */
};

typedef struct ss_option { /* a table of these ends with name == NULL; stride: plugin->option_size */
    const char *name;
    uint32_t type, flags;
    const char *dflt;    /* as one would write it in YAML; NULL = none                       */
    int64_t min, max;    /* INT, SIZE, DURATION (ms): range; LIST, MAP: count; none if equal */
    const char *choices; /* ENUM: "gzip|none"                                                */
    const char *doc;     /* one sentence, required                                           */
    const struct ss_option *children;
} ss_option;

/* ---- fields ------------------------------------------------------------------------------------ */

enum ss_field_type {
    SS_FIELD_STRING = 1,
    SS_FIELD_INT = 2,
    SS_FIELD_DOUBLE = 3,
    SS_FIELD_BOOL = 4,
    SS_FIELD_TIMESTAMP = 5, /* stored as "2026-11-22T03:24:00.123Z" */
    SS_FIELD_DATETIME = 6,  /* stored as "2026-11-22 03:24:00", UTC */
    SS_FIELD_JSON = 7       /* any JSON value                       */
};

enum ss_field_flag {
    SS_FIELD_OBJECT = 1u /* JSON: always an object, so that outputs may make its members searchable */
};

typedef struct ss_field { /* ends with name == NULL; stride: plugin->field_size */
    const char *name;     /* dots make objects: geo_info.loc.longitude. Keep one object's fields together */
    uint32_t type, flags;
    const char *doc;    /* one sentence, required                 */
    const char *source; /* input parameter it comes from, or NULL */
} ss_field;

/* ---- events ------------------------------------------------------------------------------------ */

enum ss_value_kind { SS_V_STR = 1, SS_V_INT = 2, SS_V_DOUBLE = 3, SS_V_BOOL = 4, SS_V_TIME = 5, SS_V_JSON = 6, SS_V_NULL = 7 };

typedef struct ss_value { /* valid only while its bit in ss_event.present is set */
    uint32_t kind;
    uint32_t len; /* STR, JSON */
    union {
        const char *ptr; /* STR, JSON: borrowed until emit() returns */
        int64_t i64;     /* INT, BOOL (0/1), TIME (us)               */
        double f64;      /* DOUBLE                                   */
    } as;
} ss_value;

/*
 * An event under construction, or under enrichment. The host owns it and reuses it after emit().
 * Strings are borrowed until emit() returns: point into the request, into static memory, or into
 * host->mem(). The host escapes, validates and copies exactly once, into the journal's frame.
 */
typedef struct ss_event {
    uint32_t struct_size;
    uint32_t value_size;  /* stride of values                                               */
    uint32_t field_count; /* declared by the receiver (first, in order) and its enrichers   */
    uint32_t ref_count;
    ss_value *values;
    uint64_t *present;    /* bit i: values[i] is set                                        */
    const uint16_t *refs; /* what field_ref() returned -> index here; 0xFFFF = not declared */
    ss_call *call;
    int64_t receive_us; /* when the request arrived; set by the host                        */
    int64_t event_us;   /* when it happened; starts as receive_us                           */
    /* Where the receiver declares fields named event_id, received_at or event_type before all its others and
       leaves them unset, the host writes them from id, receive_us and type.                               */
    ss_str app;         /* application or site id                                           */
    ss_str type;        /* event type                                                       */
    ss_str id;          /* event id; the host makes a UUID v7 where it stays empty          */
    ss_str key;         /* partition key: events of one key keep their order; else id       */
    void *spare[4];
    /* 0.3: bytes that are kept with the record but are not part of the line: what the line dropped or changed and
       a view of the receiver needs. Borrowed until emit() returns.                                         */
    ss_str aside;
} ss_event;

/* ---- HTTP -------------------------------------------------------------------------------------- */

typedef struct ss_pair { /* stride: where the owner says */
    ss_str key, value;
} ss_pair;

typedef struct ss_request { /* all borrowed until the request is over */
    uint32_t struct_size;
    uint32_t pair_size; /* stride of path_params and of what query() returns  */
    ss_call *call;
    ss_str method;    /* "GET", "POST", ...                                   */
    ss_str path;      /* decoded, without the query                           */
    ss_str raw_query; /* as it came, without '?'                              */
    ss_str body;      /* whole; Content-Encoding gzip is already undone       */
    ss_str content_type;
    ss_str client_ip; /* after trusted proxies                                */
    ss_str peer_ip;   /* the socket's                                         */
    ss_str scheme;    /* "http" or "https", after trusted proxies             */
    ss_str host;
    ss_str user_agent;
    ss_str request_id; /* unique, printable                                   */
    ss_str route;      /* the route's path that matched, as declared          */
    int64_t received_us;
    const ss_pair *path_params; /* {name} parts of the route                  */
    uint32_t path_param_count;
    uint32_t flags; /* 1: has a query ('?' was there)                         */
    void *spare[4];
} ss_request;

typedef struct ss_response { /* filled by receive(); memory static or from host->mem() */
    uint32_t struct_size;
    uint32_t status;         /* starts as 204                                 */
    ss_str content_type;     /* none if empty                                 */
    ss_str body;             /* borrowed until the response is sent           */
    const ss_pair *headers;  /* more headers                                  */
    uint32_t header_count;
    uint32_t close;          /* 1: close the connection afterwards            */
    void *spare[4];
} ss_response;

enum ss_route_flag { SS_ROUTE_PREFIX = 1u /* matches everything below path */ };

typedef struct ss_route { /* ends with path == NULL; stride: receiver->route_size */
    const char *path;     /* "/matomo.php", "/v1/{app}/events"; a trailing slash matches too */
    const char *methods;  /* "GET|POST|HEAD|OPTIONS", "*" = all                              */
    uint32_t flags;
    uint32_t spare;
    const char *doc;
} ss_route;

/* ---- records ----------------------------------------------------------------------------------- */

enum ss_record_flag {
    SS_RECORD_REPLAY = 1u,
    SS_RECORD_RETRIED = 2u,
    SS_RECORD_QUARANTINE = 4u, /* comes again, out of the module's quarantine                  */
    SS_RECORD_FAILED = 8u      /* 0.3: not an event: an input that could not become one. type is the code, json
                                  {"attemptsMade":1,"arrivalTimestamp":ms,"errorCode":code,"errorMessage":text,
                                  "attemptEndingTimestamp":ms,"rawData":base64}. Only modules with
                                  SS_MODULE_TAKES_FAILED get it; for others it counts as filtered.        */
};

typedef struct ss_record { /* all borrowed until deliver() returns; stride: batch->record_size */
    uint64_t seq;          /* position in the journal, rises by one                       */
    int64_t receive_us, event_us;
    ss_str receiver, app, type, id, key;
    ss_str json;           /* the stored line, without newline                             */
    ss_str body;           /* the view's bytes where `view:` is configured, else json      */
    uint32_t schema_rev;   /* of the receiver when the event was stored                    */
    uint32_t flags;
    uint32_t attempt;      /* 1 = first                                                    */
    uint32_t spare;
    ss_str aside;          /* 0.3: what the receiver kept beside the line; mostly empty     */
} ss_record;

typedef struct ss_batch {
    uint32_t struct_size;
    uint32_t record_size;
    uint32_t count;
    uint32_t flags;
    const ss_record *records; /* walk with ss_record_at()                                  */
    uint64_t batch_id;        /* the same when the same records come again                 */
    uint64_t from, through;   /* the journal range (from, through] that the batch covers, filtered ones included */
    int64_t deadline_us;      /* deliver() is ended by force after this                    */
    void *spare[4];
} ss_batch;

enum ss_record_status {
    SS_RECORD_UNSET = 0,        /* counts as RETRY and is logged as a bug                  */
    SS_RECORD_OK = 1,           /* done; with SS_MODULE_COMMITS: taken                     */
    SS_RECORD_RETRY = 2,        /* transient, only this record comes again                 */
    SS_RECORD_REJECT = 3,       /* never possible: quarantine with code and text           */
    SS_RECORD_PENDING = 4       /* reserved                                                */
};

typedef struct ss_record_result { /* stride: result->record_size */
    uint32_t status;
    uint32_t code;
    ss_str text; /* REJECT, RETRY: why; set it with host->result() which copies            */
} ss_record_result;

typedef struct ss_result { /* lent by the host, same order as the batch */
    uint32_t struct_size;
    uint32_t record_size;
    uint32_t count;
    uint32_t spare0;
    ss_record_result *records;
    int64_t retry_after_ms; /* with SS_THROTTLE, SS_RETRY; 0 = the host's backoff          */
    void *spare[4];
} ss_result;

/* A place to write bytes to: views and the lifecycle verbs. write() returns 0, or -1 when it is full. */
typedef struct ss_sink {
    uint32_t struct_size;
    uint32_t spare0;
    void *self;
    int32_t (*write)(void *self, const char *bytes, size_t len);
} ss_sink;

/* What start() gets: where this instance stood when it was last stopped or killed. */
typedef struct ss_resume {
    uint32_t struct_size;
    uint32_t spare0;
    uint64_t seq;    /* module: records after this one will come                           */
    ss_str state;    /* module: what was given to commit() with that cursor; may be empty  */
    ss_str position; /* pull receiver: the last position committed with its events         */
    uint64_t journal_id;
    void *spare[4];
} ss_resume;

/* ---- applications ------------------------------------------------------------------------------ */

enum ss_app_flag { SS_APP_TOLERANT = 1u /* take a batch's good events, refuse the bad ones one by one */ };
enum ss_app_proof { SS_PROOF_KEY = 1u, SS_PROOF_SIGV4 = 2u }; /* what an Authorization header may hold */

typedef struct ss_app { /* the caller sets struct_size; strings are borrowed until the request (the call) is over */
    uint32_t struct_size;
    uint32_t flags;
    ss_str id, name;
    int64_t retry_after_ms; /* with SS_THROTTLE                                */
    void *spare[4];
} ss_app;

/* ---- messages of pull receivers ---------------------------------------------------------------- */

typedef struct ss_message { /* one message of a source; the caller sets struct_size; all borrowed for the call */
    uint32_t struct_size;
    uint32_t pair_size;     /* stride of headers                               */
    ss_str body, key;
    ss_str id;              /* names it in its source: "topic/3/1234"          */
    int64_t time_us;        /* when the source took it; 0 = unknown            */
    const ss_pair *headers;
    uint32_t header_count;
    uint32_t spare0;
    void *spare[4];
} ss_message;

/* ---- what the host lends: one table, append only ------------------------------------------------ */

enum ss_commit_flag { SS_COMMIT_SYNC = 1u /* on disk before commit() returns; needed for plans */ };

typedef struct ss_host {
    uint32_t struct_size;
    uint32_t abi_major, abi_minor;
    uint32_t spare0;
    void *self;       /* first argument of every call below                                          */
    ss_str instance;  /* the name in the YAML                                                        */
    ss_str server_version;

    /* Any thread. text: one finished line, NUL-terminated; secrets of the configuration are redacted;
       more than 20 lines a second from one instance are counted, not printed.                       */
    void (*log)(void *self, int32_t level, const char *text);
    int64_t (*now_us)(void *self);  /* the clock; the testkit fakes it                                */
    bool (*stopping)(void *self);   /* poll it in long loops                                          */
    void (*random)(void *self, void *out, size_t len);

    /* Configuration. Types, ranges and defaults were checked before create(): getters never fail; an
       absent optional value is an empty string, 0 or false. path: "roll.bytes"; "" = the node itself.
       cfg_int also serves SIZE (bytes), DURATION (ms) and BOOL (0/1). Borrowed for the instance's life. */
    const ss_config *(*cfg_get)(const ss_config *node, const char *path); /* NULL = absent            */
    size_t (*cfg_len)(const ss_config *node);                             /* OBJECT, LIST, MAP        */
    const ss_config *(*cfg_at)(const ss_config *node, size_t i);
    ss_str (*cfg_key)(const ss_config *node, size_t i);
    ss_str (*cfg_str)(const ss_config *node, const char *path);
    int64_t (*cfg_int)(const ss_config *node, const char *path);
    double (*cfg_float)(const ss_config *node, const char *path);
    /* The present value of a SECRET option: a ${file:} reference is read again. Copies into out,
       returns the length, or -1 with the reason in err.                                              */
    int64_t (*secret)(void *self, const ss_config *node, const char *path, char *out, size_t size, ss_error *err);

    /* Events. mem(): scratch memory of the call, 16-byte aligned, NULL at the host's limit. What was taken
       after event_new() lives until emit() returns, what was taken before it until the request is over. */
    void *(*mem)(ss_call *call, size_t len);
    ss_event *(*event_new)(ss_call *call); /* NULL at the host's limit; ends an open event without storing */
    /* Runs the enrichers, serialises, adds to the call's group. SS_OK; SS_DROP where an enricher dropped
       it (counted); SS_RETRY where the server cannot take it now (backpressure, disk full);
       SS_LIMIT where the event is larger than the server's limit.                                     */
    int32_t (*emit)(ss_call *call, ss_event *event);
    /* Enricher, in create(): a number for a field by name, to be used with ss_ref(). */
    uint32_t (*field_ref)(void *self, const char *name);
    /* Receiver: decoded query pairs of a request, in order; form: of the body too. stride: pair_size. */
    const ss_pair *(*query)(const ss_request *request, uint32_t *count);
    ss_str (*header)(const ss_request *request, const char *name); /* first of that name, any case     */
    /* Receiver: say why an input was not stored (`streamsteam tail --rejected`); counted by code.      */
    void (*rejected)(ss_call *call, const char *code, ss_str text);

    /* Pull receivers and modules that derive events: a group of events, committed together with the
       source's position. call_commit() blocks until they are durable and ends the call in any case.
       call_begin() returns NULL where the host cannot take events now. SS_OK: on disk. SS_RETRY: nothing of it
       is stored. SS_FATAL: the time was over and the outcome is not known: start() of the next instance knows.
       position: any text, or one that begins with '/': lines "/PART=VALUE\n" for the parts of the source that
       moved (partitions, shards); each is kept by itself, an empty VALUE takes it out, start() gets all.   */
    ss_call *(*call_begin)(void *self);
    int32_t (*call_commit)(void *self, ss_call *call, ss_str position, ss_error *err);

    /* Modules with SS_MODULE_COMMITS: everything up to through_seq is done; state comes back in start().
       One transaction. through_seq may equal the present cursor to store state only.                   */
    int32_t (*commit)(void *self, uint64_t through_seq, const void *state, size_t len, uint32_t flags, ss_error *err);
    void (*result)(void *self, ss_result *result, uint32_t i, uint32_t status, uint32_t code, ss_str text);

    /* Metrics: register in create(), update from any thread. labels: `site="1"` or "". The host adds the
       instance's labels. The same name and labels give the same metric. NULL at the limit (updates of
       NULL are ignored).                                                                               */
    ss_metric *(*counter)(void *self, const char *name, const char *help, const char *labels);
    ss_metric *(*gauge)(void *self, const char *name, const char *help, const char *labels);
    void (*metric_add)(ss_metric *metric, double value);
    void (*metric_set)(ss_metric *metric, double value);

    /* Timers: the callback runs on the instance's thread (modules) or on a thread of its own (receivers,
       enrichers), never beside another timer callback of that instance.                                 */
    ss_timer *(*every)(void *self, int64_t period_ms, void (*callback)(void *arg), void *arg);
    ss_timer *(*once)(void *self, int64_t delay_ms, void (*callback)(void *arg), void *arg);

    ss_str (*data_dir)(void *self); /* a directory of the instance's own, exists; borrowed              */
    /* A mapped file that outlives the process, zeroed when new; the same size gives the same bytes back;
       another size starts anew. NULL with err on failure. Receivers and enrichers.                      */
    void *(*state_file)(void *self, const char *name, size_t size, ss_error *err);
    /* The declared fields of a receiver and its enrichers, for DDL and mappings. Calls visit for each.  */
    int32_t (*catalog)(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field), void *arg);
    /* Application store: SS_OK, SS_REJECT (unknown or disabled), SS_DECLINE (none configured).          */
    int32_t (*app_auth)(void *self, ss_str key, ss_str app);
    int32_t (*app_list)(void *self, void (*visit)(void *arg, ss_str app, ss_str name), void *arg);
    /* Raise (text) or clear (NULL) an alarm by name: health, log, metrics.                              */
    void (*alarm)(void *self, const char *name, const char *text);

    /* 0.3: May this request send so many events to the application? proofs: enum ss_app_proof, what the
       Authorization header may hold. Counts them against rates and quotas. SS_OK: out is filled. SS_REJECT: no
       (unknown or disabled key, key of another application, wrong signature; err says which, for the log, not
       for the client). SS_THROTTLE: out->retry_after_ms. SS_RETRY: the store cannot be read now. SS_DECLINE:
       no store is configured. Any thread; does not block.                                               */
    int32_t (*app_check)(const ss_request *request, ss_str app, uint32_t proofs, uint32_t events, ss_app *out,
                         ss_error *err);
    /* 0.3: The application itself, without asking for a proof. SS_OK; SS_REJECT: there is none; SS_RETRY and
       SS_DECLINE as above. Any thread; does not block.                                                  */
    int32_t (*app_get)(ss_call *call, ss_str app, ss_app *out);
    /* 0.3: Receiver: keep an input that cannot become an event, durable like an event and in the same group:
       SS_RECORD_FAILED. code: a short name as in a path, "processing-failed". SS_OK; SS_RETRY and SS_LIMIT as
       emit(). An open event is ended without storing. app may be empty.                                  */
    int32_t (*failed)(ss_call *call, ss_str app, const char *code, ss_str text, ss_str raw);
    /* 0.3: Pull receivers and modules that derive events, between call_begin() and call_commit(): hands one
       message to the receiver that the instance's option `parser` names, which runs where events are taken in.
       Copies. SS_OK; SS_LIMIT: the call is full, commit it and begin another.                            */
    int32_t (*pass)(ss_call *call, const ss_message *message);
    /* 0.3: Modules with SS_MODULE_COMMITS, in start(): the other end has less than it had (a backup was put back).
       The records after *seq come again, as far as the journal has them; *seq becomes the last one that does not.
       The ledger of the module begins anew there. SS_DECLINE: not in start(), or this is a replay.         */
    int32_t (*rewind)(void *self, uint64_t *seq, ss_error *err);
    /* 0.3: Modules: how many records of the journal, filtered ones included, have not been handed to deliver() yet.
       0: it has seen everything that is durable, so that its clock may stand in for events that do not come.  */
    uint64_t (*behind)(void *self);
} ss_host;

/* ---- receiver ---------------------------------------------------------------------------------- */

typedef struct ss_view { /* ends with name == NULL; stride: receiver->view_size */
    const char *name;
    const char *content_type;
    const char *doc;
    /* A pure function: stored record -> other bytes. Runs in module processes, without an instance. */
    int32_t (*render)(const ss_record *record, const ss_sink *out, ss_error *err);
} ss_view;

typedef struct ss_receiver {
    uint32_t struct_size;
    uint32_t route_size, view_size;
    uint32_t spare0;
    const ss_route *routes; /* defaults; the instance's `routes:` may rename them                       */
    const ss_view *views;   /* or NULL                                                                  */
    /* CONCURRENT. SS_OK: commit what was emitted, answer with response. SS_REJECT: store nothing, answer
       with response. SS_RETRY: store nothing, 503. SS_DECLINE: store nothing, look further (404). A call
       longer than 2 s ends the process with the plugin's name.                                         */
    int32_t (*receive)(void *inst, const ss_request *request, ss_response *response, ss_error *err);
    /* Pull receivers instead of routes: loop until host->stopping(). Own process, own thread.          */
    int32_t (*run)(void *inst, ss_error *err);
    void *spare[4];
    /* 0.3: One message that a pull receiver (or a module) passed to this one, or NULL: it takes none. CONCURRENT.
       SS_OK: what was emitted counts (nothing: the message is done with). SS_REJECT: what it emitted is taken
       back and the message is kept as failed, code "processing-failed", with err->text. SS_RETRY: the whole
       group comes again.                                                                                */
    int32_t (*parse)(void *inst, ss_call *call, const ss_message *message, ss_error *err);
} ss_receiver;

/* ---- enricher ---------------------------------------------------------------------------------- */

typedef struct ss_enricher {
    uint32_t struct_size;
    uint32_t spare0;
    /* CONCURRENT. SS_OK keeps the (edited) event; SS_DROP drops it and counts err->text as the reason;
       anything else keeps the event as it is and counts a failure.                                     */
    int32_t (*enrich)(void *inst, ss_event *event, ss_error *err);
    void *spare[4];
} ss_enricher;

/* ---- module ------------------------------------------------------------------------------------ */

enum ss_module_flag {
    SS_MODULE_COMMITS = 1u,      /* OK means taken; only host->commit() moves the cursor */
    SS_MODULE_TAKES_FAILED = 2u  /* 0.3: gets records with SS_RECORD_FAILED, too         */
};

typedef struct ss_module {
    uint32_t struct_size;
    uint32_t flags;
    /* What a batch holds at the most; 0 = the host's default. The instance's `batch:` may lower it.    */
    uint32_t max_records;
    uint32_t max_bytes;
    int32_t (*deliver)(void *inst, const ss_batch *batch, ss_result *result, ss_error *err);
    /* Everything taken should be passed on and committed now: at stop, or when asked.                  */
    int32_t (*flush)(void *inst, int64_t deadline_us, ss_error *err);
    int32_t (*health)(void *inst, ss_error *err); /* SS_OK; SS_RETRY with a sentence; SS_FATAL: start anew */
    void *spare[4];
} ss_module;

/* ---- descriptor -------------------------------------------------------------------------------- */

enum ss_kind { SS_RECEIVER = 1, SS_ENRICHER = 2, SS_MODULE = 3 };

typedef struct ss_plugin {
    uint32_t struct_size; /* first on purpose, never moves */
    uint16_t abi_major, abi_minor;
    uint32_t kind;
    uint32_t flags;
    uint32_t option_size, field_size;
    const char *name, *version, *build_id, *summary, *license;
    const ss_option *options;
    const ss_field *fields; /* what it adds to events; NULL = none                                      */
    uint32_t schema_rev;    /* raise it when fields change                                              */
    uint32_t spare0;
    const ss_receiver *receiver; /* exactly the one that `kind` names                                   */
    const ss_enricher *enricher;
    const ss_module *module;

    /* create: no network. May run while an older instance still serves (reload = new, swap, destroy).
       err: what is wrong in the configuration and how to mend it.                                      */
    int32_t (*create)(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err);
    int32_t (*check)(void *inst, ss_error *err); /* `check --connect`: may use the network; or NULL      */
    int32_t (*start)(void *inst, const ss_resume *resume, ss_error *err);                  /* or NULL    */
    int32_t (*adopt)(void *inst, void *old_inst, ss_error *err); /* reload: take over state; or NULL     */
    int32_t (*drain)(void *inst, int64_t deadline_us, ss_error *err);                      /* or NULL    */
    void (*destroy)(void *inst); /* joins its own threads; cannot fail                                   */

    /* Lifecycle verbs: configuration only, no instance; idempotent; text for the person goes to out.    */
    int32_t (*setup)(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
    int32_t (*teardown)(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
    int32_t (*howto)(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);
    void *spare[4];
    /* 0.2: what a person should know before it is switched on (it costs money, it sends data abroad); or NULL. */
    const char *warning;
    /* 0.2: the fields of this instance, where they depend on its configuration; they take the place of
       `fields`, rows as there. Called after create(); lives until destroy(). May be NULL.                 */
    const ss_field *(*instance_fields)(void *inst);
} ss_plugin;

typedef const ss_plugin *(*ss_plugin_entry)(void);
#define SS_PLUGIN_ENTRY "ss_plugin_v0"

#ifdef __cplusplus
#define SS_EXTERN_C extern "C" /* its name must not be mangled */
#else
#define SS_EXTERN_C
#endif
#if defined(__GNUC__)
#define SS_EXPORT SS_EXTERN_C __attribute__((visibility("default")))
#else
#define SS_EXPORT SS_EXTERN_C
#endif

/* Writes the one exported function: SS_PLUGIN(my_descriptor), where my_descriptor is a static const ss_plugin
   that begins with SS_PLUGIN_BEGIN(kind).                                                                  */
#define SS_PLUGIN_HEADER \
    .struct_size = sizeof(ss_plugin), .abi_major = SS_ABI_MAJOR, .abi_minor = SS_ABI_MINOR, \
    .option_size = sizeof(ss_option), .field_size = sizeof(ss_field)
/* The same with the kind, in the order of the fields, as C++20 wants it: SS_PLUGIN_BEGIN(SS_RECEIVER), .name = ... */
#define SS_PLUGIN_BEGIN(kind_of_plugin) \
    .struct_size = sizeof(ss_plugin), .abi_major = SS_ABI_MAJOR, .abi_minor = SS_ABI_MINOR, .kind = (kind_of_plugin), \
    .flags = 0, .option_size = sizeof(ss_option), .field_size = sizeof(ss_field)
#define SS_PLUGIN(descriptor) \
    SS_EXPORT const ss_plugin *ss_plugin_v0(void); \
    const ss_plugin *ss_plugin_v0(void) { return &(descriptor); } \
    struct ss_plugin_swallow_semicolon

/* ---- small helpers, all inline: nothing to link ------------------------------------------------- */

#define SS_LIT(s) (ss_str{s, sizeof(s) - 1})
#ifndef __cplusplus
#undef SS_LIT
#define SS_LIT(s) ((ss_str){(s), sizeof(s) - 1})
#endif

static inline ss_str ss_s(const char *ptr, size_t len)
{
    ss_str s;
    s.ptr = ptr;
    s.len = len;
    return s;
}

static inline ss_str ss_cstr(const char *text) { return ss_s(text, text ? strlen(text) : 0); }

static inline bool ss_eq(ss_str a, ss_str b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

static inline const ss_record *ss_record_at(const ss_batch *batch, uint32_t i)
{
    return (const ss_record *)(const void *)((const char *)batch->records + (size_t)i * batch->record_size);
}

/* One of what host->query() gave, or of another array of pairs that belongs to the request. */
static inline const ss_pair *ss_pair_at(const ss_request *request, const ss_pair *pairs, uint32_t i)
{
    return (const ss_pair *)(const void *)((const char *)pairs + (size_t)i * request->pair_size);
}

static inline void ss_mark(ss_result *result, uint32_t i, uint32_t status)
{
    ((ss_record_result *)(void *)((char *)result->records + (size_t)i * result->record_size))->status = status;
}

static inline void ss_mark_all(ss_result *result, uint32_t status)
{
    for (uint32_t i = 0; i < result->count; i++)
        ss_mark(result, i, status);
}

/* The value slot of a field; marks it as set. Index: the field's place in the receiver's own table. */
static inline ss_value *ss_slot(ss_event *event, uint32_t field)
{
    event->present[field >> 6] |= (uint64_t)1 << (field & 63u);
    return (ss_value *)(void *)((char *)event->values + (size_t)field * event->value_size);
}

static inline bool ss_has(const ss_event *event, uint32_t field)
{
    return (event->present[field >> 6] >> (field & 63u)) & 1u;
}

static inline void ss_unset(ss_event *event, uint32_t field)
{
    event->present[field >> 6] &= ~((uint64_t)1 << (field & 63u));
}

static inline void ss_set_str(ss_event *event, uint32_t field, ss_str value)
{
    ss_value *v = ss_slot(event, field);
    v->kind = SS_V_STR;
    v->len = (uint32_t)value.len;
    v->as.ptr = value.ptr;
}

/* One JSON value as text; the host validates it and stores null where it is not JSON. 0.3: also for a field of
   type INT or DOUBLE, where a number is to stay as the client wrote it: up to 32 characters, else null. */
static inline void ss_set_json(ss_event *event, uint32_t field, ss_str json)
{
    ss_value *v = ss_slot(event, field);
    v->kind = SS_V_JSON;
    v->len = (uint32_t)json.len;
    v->as.ptr = json.ptr;
}

static inline void ss_set_int(ss_event *event, uint32_t field, int64_t value)
{
    ss_value *v = ss_slot(event, field);
    v->kind = SS_V_INT;
    v->as.i64 = value;
}

static inline void ss_set_double(ss_event *event, uint32_t field, double value)
{
    ss_value *v = ss_slot(event, field);
    v->kind = SS_V_DOUBLE;
    v->as.f64 = value;
}

static inline void ss_set_bool(ss_event *event, uint32_t field, bool value)
{
    ss_value *v = ss_slot(event, field);
    v->kind = SS_V_BOOL;
    v->as.i64 = value;
}

static inline void ss_set_time(ss_event *event, uint32_t field, int64_t us)
{
    ss_value *v = ss_slot(event, field);
    v->kind = SS_V_TIME;
    v->as.i64 = us;
}

static inline void ss_set_null(ss_event *event, uint32_t field) { ss_slot(event, field)->kind = SS_V_NULL; }

#define SS_NO_FIELD 0xFFFFu

/* Enrichers: from the number that field_ref() gave to the field's index in this event, or SS_NO_FIELD. */
static inline uint32_t ss_ref(const ss_event *event, uint32_t ref)
{
    return ref < event->ref_count ? event->refs[ref] : SS_NO_FIELD;
}

/* The string of a field, empty where it is absent or not a string. */
static inline ss_str ss_get_str(const ss_event *event, uint32_t field)
{
    if (field >= event->field_count || !ss_has(event, field))
        return ss_s("", 0);
    const ss_value *v = (const ss_value *)(const void *)((const char *)event->values + (size_t)field * event->value_size);
    return v->kind == SS_V_STR ? ss_s(v->as.ptr, v->len) : ss_s("", 0);
}

static inline int32_t ss_fail(ss_error *err, int32_t status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
static inline int32_t ss_fail(ss_error *err, int32_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

static inline void ss_logf(const ss_host *host, int32_t level, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
static inline void ss_logf(const ss_host *host, int32_t level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    host->log(host->self, level, text);
}

#ifdef __cplusplus
}
#endif
#endif

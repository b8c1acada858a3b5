#include "core/config/tables.h"

#include "core/config/schema.h"

#define KIB       1024LL
#define MIB       (1024LL * KIB)
#define GIB       (1024LL * MIB)
#define TIB       (1024LL * GIB)
#define SECOND_MS 1000LL
#define MINUTE_MS (60LL * SECOND_MS)
#define HOUR_MS   (60LL * MINUTE_MS)
#define DAY_MS    (24LL * HOUR_MS)

#define ACK_CHOICES "synced|written|memory"

static const ss_option address_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "HOST:PORT, [IPv6]:PORT, or :PORT for every IPv4 address; port 0 takes a free one."},
    {.name = NULL},
};
static const ss_option network_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "An address or a network, 10.0.0.0/8."},
    {.name = NULL},
};
static const ss_option header_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "The name of a header, such as CF-Connecting-IP."},
    {.name = NULL},
};
static const ss_option directory_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "A directory with plugins; relative ones start at the configuration file."},
    {.name = NULL},
};
static const ss_option name_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = ""},
    {.name = NULL},
};
static const ss_option path_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = ""},
    {.name = NULL},
};
static const ss_option path_list_item[] = {
    {.name = "*",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .min = 1,
     .max = 32,
     .children = path_item,
     .doc = "The paths under which the route answers instead."},
    {.name = NULL},
};

static const ss_option journal_options[] = {
    {.name = "segment_bytes",
     .type = SS_T_SIZE,
     .dflt = "64MiB",
     .min = 64 * KIB,
     .max = 4 * GIB,
     .doc = "Size of one journal file."},
    {.name = "max_bytes",
     .type = SS_T_SIZE,
     .dflt = "0",
     .min = 0,
     .max = INT64_MAX,
     .doc = "The journal as a whole; beyond it requests get 503. 0 = as much as the disk has."},
    {.name = "retain",
     .type = SS_T_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = 3650 * DAY_MS,
     .doc = "Keep events at least this long for replay, also when every module is done with them."},
    {.name = "queue_bytes",
     .type = SS_T_SIZE,
     .dflt = "64MiB",
     .min = MIB,
     .max = 16 * GIB,
     .doc = "Taken but not yet on disk; beyond it requests get 503."},
    {.name = "sync_delay_us",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = 1000000,
     .doc = "Benchmarks only: microseconds added to each sync, which emulates a slow disk."},
    {.name = "window_us",
     .type = SS_T_INT,
     .dflt = "200",
     .min = 0,
     .max = 100000,
     .doc = "Longest wait, in microseconds, for more requests to share one sync."},
    {.name = NULL},
};

const ss_option tables_server[] = {
    {.name = "listen",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .dflt = "[\"127.0.0.1:8080\"]",
     .min = 1,
     .max = TABLES_LISTENERS_MAX - 1,
     .children = address_item,
     .doc = "Where clients send events to."},
    {.name = "admin",
     .type = SS_T_STRING,
     .dflt = "127.0.0.1:8081",
     .doc = "Where /metrics is, with /healthz and /readyz; off or \"\" = nowhere. Keep it away from the "
            "internet."},
    {.name = "data_dir",
     .type = SS_T_STRING,
     .dflt = "var",
     .doc = "All state is kept here; a relative one starts at the working directory."},
    {.name = "plugin_dirs",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .min = 1,
     .max = 16,
     .children = directory_item,
     .doc = "Where plugins are looked for; by default plugins/ beside the binary's folder, else the "
            "installed ones."},
    {.name = "trusted_proxies",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .dflt = "[]",
     .min = 0,
     .max = 256,
     .children = network_item,
     .doc = "Peers whose X-Forwarded-For and X-Forwarded-Proto are believed."},
    {.name = "client_ip_headers",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .dflt = "[X-Forwarded-For]",
     .min = 1,
     .max = 8,
     .children = header_item,
     .doc = "Headers in which trusted_proxies write the client's address; the first that holds one counts."},
    {.name = "loops",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = 15,
     .doc = "Event loop threads; 0 = one less than there are processors, at least 1, at most 15."},
    {.name = "log_level",
     .type = SS_T_ENUM,
     .dflt = "info",
     .choices = "debug|info|warning|error",
     .doc = "The least important lines that are still logged."},
    {.name = "max_body_bytes",
     .type = SS_T_SIZE,
     .dflt = "8MiB",
     .min = KIB,
     .max = GIB,
     .doc = "Largest request body, also after decompression; beyond it 413."},
    {.name = "max_header_bytes",
     .type = SS_T_SIZE,
     .dflt = "30KiB",
     .min = KIB,
     .max = MIB,
     .doc = "Request line and headers together; beyond it 431."},
    {.name = "max_connections",
     .type = SS_T_INT,
     .dflt = "10000",
     .min = 1,
     .max = 1000000,
     .doc = "Open connections of all listeners together."},
    {.name = "max_connections_per_ip",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = 1000000,
     .doc = "Open connections from one address; 0 = no limit of its own."},
    {.name = "request_timeout",
     .type = SS_T_DURATION,
     .dflt = "15s",
     .min = 100,
     .max = HOUR_MS,
     .doc = "A request has to have arrived as a whole within this time."},
    {.name = "idle_timeout",
     .type = SS_T_DURATION,
     .dflt = "75s",
     .min = 100,
     .max = DAY_MS,
     .doc = "A kept connection without a request is closed after this time."},
    {.name = "max_event_bytes",
     .type = SS_T_SIZE,
     .dflt = "1MiB",
     .min = KIB,
     .max = 2000000,
     .doc = "Largest stored event; a larger one is refused and counted."},
    {.name = "ack",
     .type = SS_T_ENUM,
     .dflt = "synced",
     .choices = ACK_CHOICES,
     .doc = "When requests are answered: synced = on disk (loses nothing), written = in the page cache (a "
            "power cut "
            "loses it), memory = taken (a crash loses it)."},
    {.name = "memory",
     .type = SS_T_SIZE,
     .dflt = "4GiB",
     .min = 0,
     .max = TIB,
     .doc = "Most private memory of the process that takes events in: at three quarters it is started anew, "
            "beyond it allocations fail. 0 = no limit."},
    {.name = "drain",
     .type = SS_T_DURATION,
     .dflt = "25s",
     .min = SECOND_MS,
     .max = HOUR_MS,
     .doc = "How long a stop may take to finish requests and let modules pass on what they hold."},
    {.name = "journal",
     .type = SS_T_OBJECT,
     .children = journal_options,
     .doc = "The journal between taking and passing on."},
    {.name = "applications",
     .type = SS_T_OBJECT,
     .children = tables_applications,
     .doc = "Applications and the keys that events are sent with."},
    {.name = NULL},
};

#define OPTION_USE                                                                                           \
    {                                                                                                        \
        .name = "use", .type = SS_T_STRING,                                                                  \
        .doc = "The plugin: a name looked for in server.plugin_dirs, or a path to an .so; by default the "   \
               "instance's name."                                                                            \
    }

static const ss_option receiver_host[] = {
    OPTION_USE,
    {.name = "enrich",
     .type = SS_T_LIST,
     .dflt = "[]",
     .min = 0,
     .max = 32,
     .children = name_item,
     .doc = "Enrichers by name, in the order in which they run on each event."},
    {.name = "ack",
     .type = SS_T_ENUM,
     .choices = ACK_CHOICES,
     .doc = "When its requests are answered; by default as server.ack says."},
    {.name = "routes",
     .type = SS_T_MAP,
     .min = 0,
     .max = 64,
     .dflt = "{}",
     .children = path_list_item,
     .doc = "Other paths for the plugin's routes: {/matomo.php: [/m, /stats]}."},
    {.name = NULL},
};

static const ss_option field_item[] = {
    {.name = "*", .type = SS_T_ENUM, .choices = TABLES_FIELD_TYPES, .doc = "The type of the field."},
    {.name = NULL},
};
static const ss_option enricher_host[] = {
    OPTION_USE,
    {.name = "fields",
     .type = SS_T_MAP,
     .dflt = "{}",
     .min = 0,
     .max = 256,
     .children = field_item,
     .doc = "Fields that it adds to the events beside its plugin's own, by name; dots make objects."},
    {.name = NULL},
};

static const ss_option batch_options[] = {
    {.name = "records",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = 65536,
     .doc = "Most records in one batch, not above the plugin's own limit; 0 = that limit, else 500."},
    {.name = "bytes",
     .type = SS_T_SIZE,
     .dflt = "0",
     .min = 0,
     .max = 256 * MIB,
     .doc = "Most bytes in one batch, not above the plugin's own limit; 0 = that limit, else 4MiB."},
    {.name = "linger",
     .type = SS_T_DURATION,
     .dflt = "50ms",
     .min = 0,
     .max = HOUR_MS,
     .doc = "How long a batch may wait to become full."},
    {.name = NULL},
};
static const ss_option retry_options[] = {
    {.name = "base",
     .type = SS_T_DURATION,
     .dflt = "200ms",
     .min = 1,
     .max = HOUR_MS,
     .doc = "The first pause after a failure; it doubles, with full jitter."},
    {.name = "max",
     .type = SS_T_DURATION,
     .dflt = "60s",
     .min = 1,
     .max = DAY_MS,
     .doc = "The longest pause."},
    {.name = NULL},
};

static const ss_option module_host[] = {
    OPTION_USE,
    {.name = "receivers",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .dflt = "[]",
     .min = 0,
     .max = 64,
     .children = name_item,
     .doc = "Only events of these receivers; empty = of all."},
    {.name = "types",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .dflt = "[]",
     .min = 0,
     .max = 256,
     .children = name_item,
     .doc = "Only events of these types; empty = all."},
    {.name = "apps",
     .type = SS_T_LIST,
     .flags = SCHEMA_OPT_ONE_OR_LIST,
     .dflt = "[]",
     .min = 0,
     .max = 1024,
     .children = name_item,
     .doc = "Only events of these applications or sites; empty = all."},
    {.name = "batch",
     .type = SS_T_OBJECT,
     .children = batch_options,
     .doc = "How many records come at once."},
    {.name = "start",
     .type = SS_T_STRING,
     .dflt = "earliest",
     .doc = "Where a module that is new begins: earliest, latest, or a sequence number."},
    {.name = "max_bytes",
     .type = SS_T_SIZE,
     .dflt = "0",
     .min = 0,
     .max = 1024 * TIB,
     .doc =
         "How much undelivered data the journal keeps for it; beyond it the oldest expires. 0 = no limit."},
    {.name = "deadline",
     .type = SS_T_DURATION,
     .dflt = "60s",
     .min = 100,
     .max = DAY_MS,
     .doc = "A delivery that takes longer is ended by force."},
    {.name = "retry", .type = SS_T_OBJECT, .children = retry_options, .doc = "Pauses between attempts."},
    {.name = "memory",
     .type = SS_T_SIZE,
     .dflt = "2GiB",
     .min = 0,
     .max = TIB,
     .doc = "Most private memory of its process: at three quarters it is started anew, beyond it allocations "
            "fail. 0 = no limit."},
    {.name = "view",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "Deliver another form of the events, a view that their receiver declares."},
    {.name = NULL},
};

const ss_option *tables_host(uint32_t kind)
{
    return kind == SS_RECEIVER ? receiver_host : kind == SS_ENRICHER ? enricher_host : module_host;
}

const char *tables_kind(uint32_t kind)
{
    return kind == SS_RECEIVER ? "receiver" : kind == SS_ENRICHER ? "enricher" : "module";
}

const char *tables_section(uint32_t kind)
{
    return kind == SS_RECEIVER ? "receivers" : kind == SS_ENRICHER ? "enrichers" : "modules";
}

/* The enricher device: what a user agent and its client hints say about browser, system and device. */
#include <stdlib.h>
#include <unistd.h>

#include "enrichers/device/detector.h"

#define AGENT_FIELD "user_agent"
#define HINTS_FIELD "client_hints"
#define CACHE_MAX   (INT64_C(1) << 30)
#define PATH_CHARS  1024u
#define SHARE       "/share/device-detector/regexes"
#define DEBIAN_GEM  "/usr/share/rubygems-integration/all/gems/device_detector-1.0.1/regexes"

static const ss_option options[] = {
    {.name = "regexes",
     .type = SS_T_PATH,
     .doc = "Directory with device-detector's regex files (bots.yml, oss.yml, client/, device/); without it "
            "the places that docs/device.md lists are looked at."},
    {.name = "cache",
     .type = SS_T_SIZE,
     .dflt = "6MiB",
     .min = 0,
     .max = CACHE_MAX,
     .doc = "Memory for what is known about user agents seen lately."},
    {.name = "reload_every",
     .type = SS_T_DURATION,
     .dflt = "60s",
     .min = 0,
     .max = INT64_C(86400000),
     .doc = "How often to look whether the files have changed; 0 = never."},
    {.name = "user_agent_field", .type = SS_T_STRING, .dflt = AGENT_FIELD, .doc = "The event's user agent."},
    {.name = "client_hints_field",
     .type = SS_T_STRING,
     .dflt = HINTS_FIELD,
     .doc = "The event's client hints: Matomo's uadata object, or request headers by name."},
    {.name = NULL}};

static const ss_field fields[] = {
#define X(id, field, kind, text) {"device_info." field, SS_FIELD_##kind, 0, text, NULL},
    VIEW_FIELDS(X)
#undef X
        {NULL, 0, 0, NULL, NULL}};

typedef struct device {
    const ss_host *host;
    detector *detector;
    ss_timer *timer;
    uint32_t agent_ref, hints_ref;
    uint32_t refs[VIEW_COUNT];
    ss_metric *scans, *limited, *reloads, *failures;
    uint64_t limited_seen;
} device;

/* ---- events ---- */

static ss_str read_field(const ss_event *event, uint32_t ref)
{
    uint32_t field = ss_ref(event, ref);
    if (field >= event->field_count || !ss_has(event, field))
        return ss_s("", 0);
    const ss_value *v =
        (const ss_value *)(const void *)((const char *)event->values + (size_t)field * event->value_size);
    return v->kind == SS_V_STR || v->kind == SS_V_JSON ? ss_s(v->as.ptr, v->len) : ss_s("", 0);
}

static void set_all(const device *d, ss_event *event, const view *v)
{
    for (uint32_t i = 0; i < VIEW_COUNT; i++) {
        uint32_t field = ss_ref(event, d->refs[i]);
        if (field == SS_NO_FIELD)
            continue;
        if (!v)
            ss_set_null(event, field);
        else if (i == VIEW_IS_MOBILE || i == VIEW_IS_CRAWLER)
            ss_set_bool(event, field, i == VIEW_IS_MOBILE ? v->is_mobile : v->is_crawler);
        else if (v->text[i].len)
            ss_set_str(event, field, v->text[i]);
    }
}

static int32_t device_enrich(void *inst, ss_event *event, ss_error *err)
{
    device *d = inst;
    view v;
    bool scanned;
    ss_str agent = read_field(event, d->agent_ref), json = read_field(event, d->hints_ref);
    if (agent.len > SUBJECT_MAX)
        agent.len = SUBJECT_MAX;
    if (json.len > HINT_BYTES_MAX)
        json.len = 0;
    if (agent.len == 0 && json.len == 0) {
        set_all(d, event, NULL);
        return SS_OK;
    }
    if (detector_look(d->detector, agent, json, d->host, event->call, &v, &scanned) != SS_OK)
        return ss_fail(err, SS_LIMIT, "no memory for a look at the user agent");
    if (scanned)
        d->host->metric_add(d->scans, 1);
    v.text[VIEW_UA] = agent;
    set_all(d, event, &v);
    return SS_OK;
}

/* ---- the files ---- */

static void warn_without_names(const device *d)
{
    if (!detector_has_families(d->detector))
        ss_logf(d->host, SS_WARNING,
                "there is no names.yml beside the regex files: families of systems and browsers are coarse; "
                "packaging/setup.sh device installs both");
}

static void refresh(void *arg)
{
    device *d = arg;
    ss_error err = {.struct_size = sizeof err};
    uint64_t limited = detector_limited(d->detector);
    d->host->metric_add(d->limited, (double)(limited - d->limited_seen));
    d->limited_seen = limited;
    switch (detector_refresh(d->detector, &err)) {
    case SS_OK:
        d->limited_seen = 0;
        d->host->metric_add(d->reloads, 1);
        d->host->alarm(d->host->self, "regexes", NULL);
        ss_logf(d->host, SS_INFO, "regex files read again: %u rules", detector_rules(d->detector));
        warn_without_names(d);
        break;
    case SS_REJECT:
        d->host->metric_add(d->failures, 1);
        d->host->alarm(d->host->self, "regexes", err.text);
        ss_logf(d->host, SS_ERROR, "%s; the former regex files stay in use", err.text);
        break;
    default:
        break;
    }
}

/* The configured directory, or the first of the usual ones that has the files. */
static bool find_directory(const ss_host *host, const ss_config *cfg, char out[PATH_CHARS], ss_error *err)
{
    const char *data_home = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char own[PATH_CHARS] = "";
    if (data_home && *data_home)
        (void)snprintf(own, sizeof own, "%s/device-detector/regexes", data_home);
    else if (home && *home)
        (void)snprintf(own, sizeof own, "%s/.local" SHARE, home);
    const char *const places[] = {own, "/usr/local" SHARE, "/usr" SHARE, DEBIAN_GEM};
    ss_str given = host->cfg_str(cfg, "regexes");
    if (given.len > 0) {
        (void)snprintf(out, PATH_CHARS, "%.*s", (int)given.len, given.ptr);
        return true;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char probe[PATH_CHARS + 16];
        (void)snprintf(probe, sizeof probe, "%s/oss.yml", places[i]);
        if (*places[i] && access(probe, R_OK) == 0) {
            (void)snprintf(out, PATH_CHARS, "%s", places[i]);
            return true;
        }
    }
    (void)ss_fail(err, SS_REJECT,
                  "no regex files found: run packaging/setup.sh device and put the directory that it prints "
                  "under `regexes:`");
    return false;
}

/* ---- life ---- */

static void register_all(device *d)
{
    static const char *const names[VIEW_COUNT] = {
#define X(id, field, kind, text) "device_info." field,
        VIEW_FIELDS(X)
#undef X
    };
    const ss_host *h = d->host;
    for (uint32_t i = 0; i < VIEW_COUNT; i++)
        d->refs[i] = h->field_ref(h->self, names[i]);
    d->scans = h->counter(h->self, "device_scans_total", "User agents that were not in the cache.", "");
    d->limited = h->counter(h->self, "device_given_up_total",
                            "Expressions that were given up on a user agent at the limit of steps.", "");
    d->reloads = h->counter(h->self, "device_reloads_total", "Times that changed regex files were read.", "");
    d->failures = h->counter(h->self, "device_reload_failures_total",
                             "Times that changed regex files were refused.", "");
}

static void device_destroy(void *inst)
{
    device *d = inst;
    detector_free(d->detector);
    free(d);
}

static uint32_t field_ref(const ss_host *host, const ss_config *cfg, const char *option)
{
    char name[256];
    ss_str given = host->cfg_str(cfg, option);
    (void)snprintf(name, sizeof name, "%.*s", (int)given.len, given.ptr);
    return host->field_ref(host->self, name);
}

static int32_t device_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    char directory[PATH_CHARS];
    int64_t every = host->cfg_int(cfg, "reload_every");
    if (!find_directory(host, cfg, directory, err))
        return SS_REJECT;
    device *d = calloc(1, sizeof *d);
    if (!d)
        return ss_fail(err, SS_FATAL, "out of memory");
    d->host = host;
    d->detector = detector_new(directory, (size_t)host->cfg_int(cfg, "cache"), err);
    if (!d->detector) {
        device_destroy(d);
        return SS_REJECT;
    }
    d->agent_ref = field_ref(host, cfg, "user_agent_field");
    d->hints_ref = field_ref(host, cfg, "client_hints_field");
    register_all(d);
    warn_without_names(d);
    if (every > 0)
        d->timer = host->every(host->self, every, refresh, d);
    *inst = d;
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = device_enrich};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_ENRICHER,
                                 .name = "device",
                                 .version = "0.1.0",
                                 .summary = "Says which browser, system and device a user agent stands for, "
                                            "from Matomo device-detector's regex files.",
                                 .license = "MIT",
                                 .options = options,
                                 .fields = fields,
                                 .schema_rev = 1,
                                 .enricher = &enricher,
                                 .create = device_create,
                                 .destroy = device_destroy};
SS_PLUGIN(plugin);

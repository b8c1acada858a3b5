#include "modules/lake/options.h"

#include "modules/lake/failure.h"
#include "modules/lake/s3.h"

#define OFF "off"

static const ss_option parquet_members[] = {PARQUET_OPTIONS, {.name = NULL}};

static const ss_option roll_options[] = {
    {.name = "bytes",
     .type = SS_T_SIZE,
     .dflt = "25MB",
     .min = 1024,
     .max = 64LL << 30,
     .doc = "A cut ends when it holds so many bytes of lines, before compression."},
    {.name = "age",
     .type = SS_T_DURATION,
     .dflt = "60s",
     .min = 100,
     .max = 86400000,
     .doc = "A cut ends so long after its first event."},
    {.name = NULL},
};

const ss_option lake_options[] = {
    {.name = "path",
     .type = SS_T_PATH,
     .dflt = "lake",
     .doc = "The directory of the lake, or s3://bucket/prefix."},
    {.name = "s3", .type = SS_T_OBJECT, .children = s3_options, .doc = "How a bucket is reached."},
    {.name = "partition",
     .type = SS_T_STRING,
     .dflt = "{receiver}/year=%Y/month=%m/day=%d/",
     .doc = "Folders below path: {receiver} {app} {type}, and %Y %m %d %H %M %j of the event's time in UTC."},
    {.name = "partition_time",
     .type = SS_T_ENUM,
     .dflt = "event",
     .choices = "event|receive",
     .doc = "The time in partition: of the event, or of its arrival."},
    {.name = "errors",
     .type = SS_T_STRING,
     .dflt = "firehose-errors/{type}/",
     .doc = "Folders, as in partition, for inputs that could not become events; {type} is the reason, times "
            "are of the arrival; off leaves them out."},
    {.name = "bad_time",
     .type = SS_T_ENUM,
     .dflt = "receive",
     .choices = "receive|error",
     .doc = "An event whose time_field is absent, null or no time: receive puts it by its arrival, error "
            "below errors as " FAILURE_BAD_TIME "."},
    {.name = "time_field",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "The field of the stored line that holds the event's own time; bad_time: error looks at it."},
    {.name = "roll", .type = SS_T_OBJECT, .children = roll_options, .doc = "When files are finished."},
    {.name = "format",
     .type = SS_T_ENUM,
     .dflt = "ndjson",
     .choices = "ndjson|parquet",
     .doc = "Of the files of events: lines of JSON, or Parquet with the columns of the catalog, which needs "
            "DuckDB's library. Failed inputs are lines always."},
    {.name = "parquet", .type = SS_T_OBJECT, .children = parquet_members, .doc = "Of format: parquet."},
    {.name = "compression",
     .type = SS_T_ENUM,
     .dflt = "gzip",
     .choices = "gzip|none",
     .doc = "How files of lines are compressed."},
    {.name = "level",
     .type = SS_T_INT,
     .dflt = "1",
     .min = 1,
     .max = 3,
     .doc = "Of gzip: 1 is fast, 3 is small."},
    {.name = NULL},
};

static bool take_template(const char *option, ss_str text, char out[LAYOUT_TEMPLATE_MAX], ss_error *err)
{
    layout probe;
    if (!layout_compile(&probe, option, text, err))
        return false;
    (void)snprintf(out, LAYOUT_TEMPLATE_MAX, "%.*s", (int)text.len, text.ptr);
    return true;
}

/* What failed, and what counts as failed. */
static bool read_failures(cut_settings *s, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    ss_str errors = h->cfg_str(cfg, "errors"), field = h->cfg_str(cfg, "time_field");
    s->by_receive = ss_eq(h->cfg_str(cfg, "partition_time"), SS_LIT("receive"));
    s->bad_time = ss_eq(h->cfg_str(cfg, "bad_time"), SS_LIT("error"));
    if (ss_eq(errors, SS_LIT(OFF)))
        errors.len = 0;
    if (field.len >= sizeof s->time_field || memchr(field.ptr ? field.ptr : "", '\n', field.len))
        return ss_fail(err, 0, "lake: time_field: the name of a field, up to %zu bytes",
                       sizeof s->time_field - 1);
    (void)snprintf(s->time_field, sizeof s->time_field, "%.*s", (int)field.len, field.ptr ? field.ptr : "");
    if (s->bad_time && field.len == 0)
        return ss_fail(err, 0, "lake: bad_time: error needs time_field, the field that holds the time");
    if (s->bad_time && errors.len == 0)
        return ss_fail(err, 0, "lake: bad_time: error needs errors, the folder where they go");
    if (s->bad_time && s->by_receive)
        return ss_fail(err, 0,
                       "lake: with partition_time: receive no event has a bad time; leave bad_time out");
    return take_template("errors", errors, s->errors, err);
}

static bool read_parquet(lake_rules *r, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    ss_error why = {.struct_size = sizeof why};
    r->settings.parquet = ss_eq(h->cfg_str(cfg, "format"), SS_LIT("parquet"));
    return parquet_options(h, cfg, r->settings.parquet, &r->settings.columnar, r->library, &why) ||
           ss_fail(err, 0, "lake: %.480s", why.text);
}

bool options_read(lake_rules *r, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    cut_settings *s = &r->settings;
    ss_str path = h->cfg_str(cfg, "path");
    if (path.len == 0 || path.len >= PATH_MAX / 2 || memchr(path.ptr, '\n', path.len))
        return ss_fail(err, 0, "lake: path must have 1 to %d bytes and no line breaks", PATH_MAX / 2);
    if (!take_template("partition", h->cfg_str(cfg, "partition"), s->partition, err))
        return false;
    (void)snprintf(s->path, sizeof s->path, "%.*s", (int)path.len, path.ptr);
    s->gzip = !ss_eq(h->cfg_str(cfg, "compression"), SS_LIT("none"));
    s->level = (int)h->cfg_int(cfg, "level");
    r->roll_bytes = (uint64_t)h->cfg_int(cfg, "roll.bytes");
    r->roll_age_ms = h->cfg_int(cfg, "roll.age");
    return read_failures(s, h, cfg, err) && read_parquet(r, h, cfg, err);
}

#include "modules/opensearch/setup_bodies.h"

#include "plugins/common/catalog.h"
#include "plugins/common/json.h"

#define NAME_MAX_    300u
#define PRIORITY     200
#define FIELDS_EXTRA 50 /* of total_fields beyond those that are declared */
#define MS_PER_HOUR  3600000

static void put_json(grow *out, ss_str text)
{
    if (grow_room(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->at + out->len, text);
}

static void put_number(grow *out, const char *before, long long n)
{
    char text[160];
    (void)snprintf(text, sizeof text, "%s%lld", before, n);
    (void)grow_puts(out, text);
}

/* ---- mappings ---- */

/* Windows' documents in the seed's shape. Their members are named in the configuration, never by clients: new
   dimensions are mapped as they come, other texts are kept and not searchable. */
static const char metrics_mappings[] =
    "{\"dynamic\":true,\"date_detection\":false,\"dynamic_templates\":["
    "{\"dimensions\":{\"match\":\"DIMENSION_*\",\"mapping\":{\"type\":\"keyword\",\"ignore_above\":1024}}},"
    "{\"values\":{\"match\":\"METRIC_UNIT_VALUE_*\",\"mapping\":{\"type\":\"double\"}}},"
    "{\"texts\":{\"match_mapping_type\":\"string\",\"mapping\":{\"type\":\"keyword\",\"index\":false,"
    "\"doc_values\":false}}}],"
    "\"properties\":{\"METRIC_NAME\":{\"type\":\"keyword\",\"ignore_above\":1024},"
    "\"METRIC_TIMESTAMP\":{\"type\":\"date\"},\"METRIC_UNIT_VALUE_INT\":{\"type\":\"double\"},"
    "\"METRIC_UNIT_VALUE\":{\"type\":\"double\"},\"METRIC_TOP\":{\"type\":\"object\",\"enabled\":false},"
    "\"METRIC_UNIT\":{\"type\":\"keyword\",\"ignore_above\":256},"
    "\"METRIC_ID\":{\"type\":\"keyword\",\"ignore_above\":1024},\"METRIC_VERSION\":{\"type\":\"long\"},"
    "\"OUTPUT_TYPE\":{\"type\":\"keyword\",\"ignore_above\":256},\"@timestamp\":{\"type\":\"date\"}}}";

#define METRICS_FIELDS 200

typedef struct filling {
    catalog *catalog;
    ss_error *err;
    long long count;
    bool good;
} filling;

static void add_field(void *arg, const ss_field *field)
{
    filling *f = arg;
    f->good = f->good && catalog_add(f->catalog, field, "", f->err);
    f->count++;
}

/* template.mappings of the catalog's text, with "@timestamp" in it where it is wanted. */
static bool put_catalog_mappings(ss_str text, bool timestamp, grow *out)
{
    json_scan s;
    json_value v, key;
    ss_str raw;
    json_start(&s, text);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (json_is(&key, "template")) {
            if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
                return false;
            continue; /* on with its members */
        }
        if (!json_skip(&s, &raw) || !json_is(&key, "mappings"))
            continue;
        static const char properties[] = "\"properties\": {";
        const char *at = memmem(raw.ptr, raw.len, properties, sizeof properties - 1);
        if (!at)
            return false;
        at += sizeof properties - 1;
        (void)grow_put(out, ss_s(raw.ptr, (size_t)(at - raw.ptr)));
        if (timestamp)
            (void)grow_puts(out, "\"@timestamp\": {\"type\": \"date\"},");
        return grow_put(out, ss_s(at, raw.len - (size_t)(at - raw.ptr)));
    }
    return false;
}

static bool put_mappings(opensearch *o, ss_str receiver, grow *out, long long *fields, ss_error *err)
{
    if (ss_eq(receiver, SS_LIT(OPENSEARCH_METRICS))) {
        *fields = METRICS_FIELDS;
        return grow_puts(out, metrics_mappings);
    }
    char name[NAME_MAX_];
    (void)snprintf(name, sizeof name, "%.*s", (int)(receiver.len < 200 ? receiver.len : 200), receiver.ptr);
    filling f = {.catalog = catalog_new(), .err = err, .good = true};
    buf text;
    buf_init(&text, BODY_MAX);
    bool good = f.catalog && o->host->catalog(o->host->self, receiver, add_field, &f) == SS_OK;
    if (!good)
        (void)ss_fail(err, 0, "opensearch: templates: there is no receiver \"%s\" in the configuration",
                      name);
    good = good && f.good;
    if (good &&
        (!catalog_print(f.catalog, "opensearch", &(catalog_target){.receiver = name, .table = name}, &text) ||
         text.failed || !put_catalog_mappings(buf_str(&text), o->bulk.timestamp, out)))
        good = ss_fail(err, 0, "opensearch: the mappings of %s cannot be made", name);
    *fields = f.count;
    catalog_free(f.catalog);
    buf_fini(&text);
    return good;
}

/* ---- bodies ---- */

static void put_settings(opensearch *o, long long fields, grow *out)
{
    const ss_host *h = o->host;
    if (o->wire.kind == WIRE_AOSS) { /* shards and limits are its own affair */
        (void)grow_puts(out, "\"settings\":{},");
        return;
    }
    int64_t shards = h->cfg_int(o->cfg, "shards"), replicas = h->cfg_int(o->cfg, "replicas");
    put_number(out, "\"settings\":{\"index.mapping.total_fields.limit\":", fields * 2 + FIELDS_EXTRA);
    if (shards > 0)
        put_number(out, ",\"index.number_of_shards\":", shards);
    if (replicas >= 0)
        put_number(out, ",\"index.number_of_replicas\":", replicas);
    (void)grow_puts(out, "},");
}

bool setup_template_body(opensearch *o, ss_str receiver, grow *out, char hash[SIGV4_HEX + 1], ss_error *err)
{
    char pattern[TEMPLATE_TEXT_MAX];
    long long fields = 0;
    grow mappings = {.limit = BODY_MAX};
    names_pattern(&o->names, receiver, pattern, sizeof pattern);
    bool good = put_mappings(o, receiver, &mappings, &fields, err);
    (void)grow_puts(out, "{\"index_patterns\":[");
    put_json(out, ss_cstr(pattern));
    put_number(out, "],\"priority\":", PRIORITY);
    (void)grow_puts(out, o->names.data_stream ? ",\"data_stream\":{}" : "");
    (void)grow_puts(out, ",\"template\":{");
    put_settings(o, fields, out);
    (void)grow_puts(out, "\"mappings\":");
    (void)grow_put(out, grow_str(&mappings));
    grow_free(&mappings);
    (void)grow_puts(out, "}");
    sigv4_hash(hash, grow_str(out));
    (void)grow_puts(out, ",\"_meta\":{\"streamsteam\":\"");
    (void)grow_puts(out, hash);
    (void)grow_puts(out, "\"}}");
    return good && (!out->full || ss_fail(err, 0, "opensearch: no memory"));
}

void setup_policy_body(opensearch *o, grow *out, char hash[SIGV4_HEX + 1])
{
    char pattern[TEMPLATE_TEXT_MAX], age[64];
    const ss_config *list = o->host->cfg_get(o->cfg, "templates");
    size_t count = list ? o->host->cfg_len(list) : 0;
    grow inner = {.limit = BODY_MAX};
    (void)snprintf(age, sizeof age, "%lldh", (long long)(o->host->cfg_int(o->cfg, "retain") / MS_PER_HOUR));
    (void)grow_puts(&inner, "\"default_state\":\"live\",\"states\":[{\"name\":\"live\",\"actions\":[");
    if (o->names.data_stream)
        (void)grow_puts(&inner, "{\"rollover\":{\"min_index_age\":\"1d\",\"min_size\":\"30gb\"}}");
    (void)grow_puts(&inner,
                    "],\"transitions\":[{\"state_name\":\"delete\",\"conditions\":{\"min_index_age\":\"");
    (void)grow_puts(&inner, age);
    (void)grow_puts(&inner, "\"}}]},{\"name\":\"delete\",\"actions\":[{\"delete\":{}}],\"transitions\":[]}],"
                            "\"ism_template\":[{\"priority\":100,\"index_patterns\":[");
    for (size_t i = 0; i < count; i++) {
        names_pattern(&o->names, o->host->cfg_str(o->host->cfg_at(list, i), ""), pattern, sizeof pattern);
        (void)grow_puts(&inner, i ? "," : "");
        put_json(&inner, ss_cstr(pattern));
    }
    (void)grow_puts(&inner, "]}]");
    sigv4_hash(hash, grow_str(&inner));
    (void)grow_puts(out, "{\"policy\":{\"description\":\"streamsteam ");
    (void)grow_puts(out, hash);
    (void)grow_puts(out, "\",");
    (void)grow_put(out, grow_str(&inner));
    (void)grow_puts(out, "}}");
    out->full |= inner.full;
    grow_free(&inner);
}

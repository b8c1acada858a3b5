/* stream-steam.cfg of StreamSteam on AWS: an INI file with one section, [dev]. */
#include <ctype.h>

#include "core/cli/init.h"
#include "core/config/suggest.h"

#define SECTION       "dev"
#define SECTION_MAX   64u
#define KEY_BYTES_MAX 64u
#define MODULES_MAX   32u

enum key {
    K_ACCESS_KEY,
    K_SECRET_KEY,
    K_REGION,
    K_MASKING,
    K_GEOCODING,
    K_IP_INFO_TOKEN,
    K_DEVICE,
    K_USERSTACK_TOKEN,
    K_MODULES,
    K_COUNT
};

static const char *const key_names[K_COUNT] = {
    "aws_access_key_id",          "aws_secret_access_key", "aws_region_name",
    "ip_address_masking_enabled", "ip_geocoding_enabled",  "ip_info_api_token",
    "device_detection_enabled",   "userstack_api_token",   "modules_enabled",
};

typedef struct entry {
    ss_str value; /* trimmed; borrowed from the text. Not printed: most are secrets */
    uint32_t line;
    bool present;
} entry;

typedef struct cfg {
    init_notes *notes;
    place at; /* the line being read */
    bool in_section, found_section, seen_section;
    entry entries[K_COUNT];
    bool masking, geocoding, device, redash, spark;
    ss_str region;
} cfg;

/* ---- the INI file ------------------------------------------------------------------------------------- */

static ss_str trim(ss_str s)
{
    while (s.len > 0 && isspace((unsigned char)s.ptr[0]))
        s = ss_s(s.ptr + 1, s.len - 1);
    while (s.len > 0 && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* As a C string, lower case as their parser reads keys; what is not printable becomes '?'. */
static void copy_word(ss_str s, bool lower, char *out, size_t size)
{
    size_t n = s.len < size - 1 ? s.len : size - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        out[i] = (char)(c < 0x20 || c >= 0x7f ? '?' : lower ? tolower(c) : c);
    }
    out[n] = '\0';
}

static void refuse_line(cfg *c, const char *text)
{
    init_note(c->notes, c->at, INIT_REFUSED, NULL, "%s", text);
}

static void take_section(cfg *c, ss_str line)
{
    char name[SECTION_MAX];
    const char *close = memchr(line.ptr, ']', line.len);
    if (!close) {
        refuse_line(c, "a section without ']'");
        return;
    }
    copy_word(ss_s(line.ptr + 1, (size_t)(close - line.ptr - 1)), false, name, sizeof name);
    c->seen_section = true;
    c->in_section = strcmp(name, SECTION) == 0;
    if (strcmp(name, "DEFAULT") == 0) {
        refuse_line(c, "[DEFAULT] gives values to all sections: write them into [" SECTION "]");
        return;
    }
    if (c->in_section && c->found_section)
        refuse_line(c, "[" SECTION "] stands twice");
    c->found_section |= c->in_section;
    if (!c->in_section)
        init_note(c->notes, c->at, INIT_WARNED, NULL,
                  "[%s] is left out: StreamSteam on AWS reads [" SECTION "] alone", name);
}

static void take_entry(cfg *c, ss_str line)
{
    char key[KEY_BYTES_MAX];
    suggest near;
    char hint[96];
    size_t equals = 0;
    while (equals < line.len && line.ptr[equals] != '=' && line.ptr[equals] != ':')
        equals++;
    if (equals == line.len) {
        refuse_line(c, "neither a [section] nor KEY = VALUE");
        return;
    }
    copy_word(trim(ss_s(line.ptr, equals)), true, key, sizeof key);
    suggest_init(&near, ss_cstr(key));
    enum key k = 0;
    for (; k < K_COUNT && strcmp(key_names[k], key) != 0; k++)
        suggest_offer(&near, ss_cstr(key_names[k]));
    if (k == K_COUNT)
        init_note(c->notes, c->at, INIT_REFUSED, key, "an unknown key%s",
                  suggest_text(&near, hint, sizeof hint));
    else if (c->entries[k].present)
        init_note(c->notes, c->at, INIT_REFUSED, key, "stands in line %u already", c->entries[k].line);
    else
        c->entries[k] = (entry){trim(ss_s(line.ptr + equals + 1, line.len - equals - 1)), c->at.line, true};
}

static void take_line(cfg *c, ss_str raw)
{
    ss_str line = trim(raw);
    if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
        return;
    if (line.ptr[0] == '[')
        take_section(c, line);
    else if (!c->seen_section)
        refuse_line(c, "a line before any section: this is no stream-steam.cfg");
    else if (c->in_section && isspace((unsigned char)raw.ptr[0]))
        refuse_line(c, "a value that goes on in another line: write it in one");
    else if (c->in_section)
        take_entry(c, line);
}

static void read_lines(cfg *c, ss_str text)
{
    const char *end = text.ptr + text.len;
    for (const char *p = text.ptr; p < end; c->at.line++) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t len = line_end ? (size_t)(line_end - p) : (size_t)(end - p);
        take_line(c, ss_s(p, len));
        p += len + (line_end ? 1 : 0);
    }
}

/* ---- what each key becomes ---------------------------------------------------------------------------- */

static void note(cfg *c, enum key k, enum init_fate fate, const char *text)
{
    place at = {c->at.file, c->entries[k].line, 1};
    init_note(c->notes, at, fate, key_names[k], "%s", text);
}

static bool is(ss_str value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.ptr, word, value.len) == 0;
}

/* Absent and empty are false, as there. */
static bool bool_of(cfg *c, enum key k, const char *if_true, const char *if_false)
{
    ss_str value = c->entries[k].value;
    bool yes = is(value, "true");
    if (!c->entries[k].present)
        return false;
    if (!yes && value.len > 0 && !is(value, "false"))
        note(c, k, INIT_REFUSED, "must be true or false");
    else
        note(c, k, INIT_MAPPED, yes ? if_true : if_false);
    return yes;
}

static void take_secret(cfg *c, enum key k, const char *became)
{
    if (c->entries[k].present)
        note(c, k, INIT_WARNED, c->entries[k].value.len > 0 ? became : "it is empty: nothing to do");
}

static void take_region(cfg *c)
{
    ss_str value = c->entries[K_REGION].value;
    bool good = value.len > 0 && value.len <= SECTION_MAX;
    for (size_t i = 0; i < value.len; i++)
        good &= (value.ptr[i] >= 'a' && value.ptr[i] <= 'z') || isdigit((unsigned char)value.ptr[i]) ||
                value.ptr[i] == '-';
    if (!c->entries[K_REGION].present)
        return;
    note(c, K_REGION, good ? INIT_WARNED : INIT_REFUSED,
         good ? "in the comment for the delivery stream: nothing else here has a region"
              : "must be a region's name, such as eu-central-1");
    c->region = good ? value : c->region;
}

static void take_module(cfg *c, ss_str name)
{
    char word[SECTION_MAX];
    copy_word(name, false, word, sizeof word);
    place at = {c->at.file, c->entries[K_MODULES].line, 1};
    c->redash |= strcmp(word, "redash") == 0;
    c->spark |= strcmp(word, "emr-spark-cluster") == 0;
    const char *became =
        strcmp(word, "redash") == 0
            ? "point Redash at the warehouse's database (docs/migration.md); no server is started for it"
        : strcmp(word, "emr-spark-cluster") == 0
            ? "the lake has the same folders, which Spark reads as before (docs/migration.md); no cluster is "
              "started"
            : "a module of your own: `streamsteam new module NAME` begins one here";
    init_note(c->notes, at, INIT_WARNED, key_names[K_MODULES], "%s: %s", word, became);
}

static void take_modules(cfg *c)
{
    ss_str left = c->entries[K_MODULES].value;
    size_t count = 0;
    if (c->entries[K_MODULES].present && left.len == 0)
        note(c, K_MODULES, INIT_MAPPED, "none: nothing to do");
    while (left.len > 0 && count < MODULES_MAX) {
        const char *comma = memchr(left.ptr, ',', left.len);
        size_t len = comma ? (size_t)(comma - left.ptr) : left.len;
        ss_str name = trim(ss_s(left.ptr, len));
        if (name.len > 0) {
            take_module(c, name);
            count++;
        }
        left = ss_s(left.ptr + len + (comma ? 1 : 0), left.len - len - (comma ? 1 : 0));
    }
    if (left.len > 0)
        note(c, K_MODULES, INIT_REFUSED, "more than 32 modules");
}

static void translate(cfg *c)
{
    take_secret(c, K_ACCESS_KEY,
                "not copied: ${env:AWS_ACCESS_KEY_ID} in the comment for the delivery stream");
    take_secret(c, K_SECRET_KEY,
                "not copied: ${env:AWS_SECRET_ACCESS_KEY} in the comment for the delivery stream");
    take_region(c);
    c->masking =
        bool_of(c, K_MASKING, "enrichers.privacy, before the lookups as there: IPv4 /24 and IPv6 /64",
                "addresses are kept whole, as there; enrichers.privacy masks them");
    c->geocoding =
        bool_of(c, K_GEOCODING,
                "enrichers.geoip, from a local database: $STREAMSTEAM_GEOIP is its path (docs/enrichers.md)",
                "no enrichers.geoip");
    take_secret(c, K_IP_INFO_TOKEN, "not copied: nobody outside is asked, the database is local");
    c->device =
        bool_of(c, K_DEVICE, "enrichers.device, from local files: packaging/setup.sh device fetches them",
                "no enrichers.device");
    take_secret(c, K_USERSTACK_TOKEN, "not copied: nobody outside is asked, the files are local");
    take_modules(c);
}

/* ---- the configuration -------------------------------------------------------------------------------- */

static void put_receivers(const cfg *c, buf *out)
{
    const char *between = "";
    buf_adds(out,
             "\nreceivers:\n"
             "  # Matomo trackers, under the paths of the deployment (stage v1) and under Matomo's own.\n"
             "  matomo:\n"
             "    routes:\n"
             "      /matomo.php: [/matomo.php, /v1/matomo.php]\n"
             "      /matomo-event-receiver: [/matomo-event-receiver, /v1/matomo-event-receiver]\n");
    if (!c->masking && !c->geocoding && !c->device)
        return;
    buf_adds(out,
             "    # In the order of the Lambda: the device, then the address is masked, then looked up.\n"
             "    enrich: [");
    const struct {
        bool on;
        const char *name;
    } chain[] = {{c->device, "device"}, {c->masking, "privacy"}, {c->geocoding, "geoip"}};
    for (size_t i = 0; i < sizeof chain / sizeof chain[0]; i++) {
        if (!chain[i].on)
            continue;
        buf_addf(out, "%s%s", between, chain[i].name);
        between = ", ";
    }
    buf_adds(out, "]\n");
}

static void put_enrichers(const cfg *c, buf *out)
{
    if (!c->masking && !c->geocoding && !c->device)
        return;
    buf_adds(out, "\nenrichers:\n");
    if (c->device)
        buf_adds(out,
                 "  # In place of userstack. Without `regexes` the places in docs/device.md are looked at.\n"
                 "  device: {}\n");
    if (c->masking)
        buf_addf(out,
                 "  # What the Lambda did: IPv4 /24, IPv6 /64. Its text promised /48: that is ip_mask: 2, "
                 "with IPv4 /16.\n"
                 "  privacy: {ip_mask: 1%s}\n",
                 c->geocoding ? ", masked_lookups: true" : "");
    if (c->geocoding)
        buf_adds(out, "  # In place of ipinfo.io.\n"
                      "  geoip:\n"
                      "    database: ${env:STREAMSTEAM_GEOIP:-/usr/share/GeoIP/GeoLite2-City.mmdb}\n");
}

static void put_modules(const cfg *c, buf *out)
{
    buf_adds(out,
             "\nmodules:\n"
             "  # In place of the event compressor: gzipped lines in the folders of its bucket, by arrival.\n"
             "  lake:\n"
             "    partition: events/enriched/%Y/%m/%d/%H/\n"
             "    partition_time: receive\n"
             "    roll: {bytes: 25MiB, age: 60s}\n");
    if (c->redash)
        buf_adds(out,
                 "  # redash: its data source can be the warehouse: `streamsteam module howto warehouse`.\n");
    if (c->spark)
        buf_adds(out,
                 "  # emr-spark-cluster: spark.read.json on <data_dir>/lake/events/enriched/*/*/*/*/*.gz\n");
    buf_addf(
        out,
        "\n"
        "# The delivery stream itself, where it shall go on getting the events: put this into "
        "conf.d/firehose.yaml\n"
        "# when the module firehose is installed (`streamsteam plugins`). Keys come from the environment.\n"
        "# modules:\n"
        "#   firehose:\n"
        "#     stream: stream-steam-dev-event-compressor\n"
        "#     region: %.*s\n"
        "#     access_key_id: ${env:AWS_ACCESS_KEY_ID}\n"
        "#     secret_access_key: ${env:AWS_SECRET_ACCESS_KEY}\n",
        (int)c->region.len, c->region.ptr);
}

void init_from_streamsteam(const char *file, ss_str text, init_notes *n, buf *out)
{
    cfg c = {.notes = n, .at = {file, 1, 1}, .region = SS_LIT("eu-central-1")};
    if (text.len > 0)
        read_lines(&c, text);
    c.at.line = 0;
    if (!c.found_section)
        init_note(n, c.at, INIT_REFUSED, NULL, "no section [" SECTION "]: this is no stream-steam.cfg");
    else
        translate(&c);
    if (n->counts[INIT_REFUSED] > 0)
        return;
    init_put_head(out, "StreamSteam in place of StreamSteam on AWS, made by `streamsteam init`.", "var");
    put_receivers(&c, out);
    put_enrichers(&c, out);
    put_modules(&c, out);
}

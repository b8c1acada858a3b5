#include "modules/windows/metric.h"

#include <stdlib.h>

#define TEXT_MAX 512u

static char *copy_of(ss_str text)
{
    return strndup(text.ptr ? text.ptr : "", text.len);
}

/* As JSON, without its quotes. */
static char *escaped(ss_str text)
{
    char *room = malloc(json_escape_bound(text.len) + 1);
    if (!room)
        return NULL;
    size_t len = json_put_string(room, text);
    memmove(room, room + 1, len - 2);
    room[len - 2] = '\0';
    return room;
}

/* ---- documents ---- */

static bool wrong_document(const metric *m, ss_str text, ss_error *err)
{
    (void)ss_fail(err, SS_REJECT,
                  "metric %s: document: '%.*s' is not readable: {name} {start} {end} {value} {count} {unit} "
                  "{app} {version} {id}, or "
                  "{by.NAME} with a NAME of `by`",
                  m->name, (int)text.len, text.ptr);
    return false;
}

static enum metric_part_kind placeholder(const metric *m, ss_str name, uint32_t *by)
{
    static const struct {
        const char *name;
        enum metric_part_kind kind;
    } names[] = {{"name", PART_NAME},       {"start", PART_START}, {"end", PART_END},
                 {"value", PART_VALUE},     {"count", PART_COUNT}, {"unit", PART_UNIT},
                 {"version", PART_VERSION}, {"id", PART_ID},       {"app", PART_APP}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ss_eq(name, ss_cstr(names[i].name)))
            return names[i].kind;
    if (name.len > 3 && memcmp(name.ptr, "by.", 3) == 0)
        for (*by = 0; *by < m->by_count; (*by)++)
            if (ss_eq(ss_s(name.ptr + 3, name.len - 3), ss_cstr(m->by[*by].name)))
                return PART_BY;
    return PART_TEXT;
}

static metric_member *member_add(metric *m, ss_str key, ss_error *err)
{
    char *name = escaped(key);
    if (!name || m->member_count == METRIC_MEMBERS_MAX) {
        free(name);
        (void)ss_fail(err, SS_LIMIT, "metric %s: a document has at most %u members", m->name,
                      METRIC_MEMBERS_MAX);
        return NULL;
    }
    metric_member *member = &m->members[m->member_count++];
    member->key = name;
    return member;
}

static bool part_add(const metric *m, metric_member *member, metric_part part, ss_error *err)
{
    if (member->count == METRIC_PARTS_MAX || (part.kind == PART_TEXT && !part.text)) {
        free(part.text);
        return ss_fail(err, SS_LIMIT, "metric %s: document: too many parts in one text", m->name) == SS_OK;
    }
    member->parts[member->count++] = part;
    return true;
}

static bool member_compile(metric *m, ss_str key, ss_str text, ss_error *err)
{
    metric_member *member = member_add(m, key, err);
    if (!member)
        return false;
    for (size_t at = 0; at < text.len;) {
        const char *open = memchr(text.ptr + at, '{', text.len - at);
        size_t until = open ? (size_t)(open - text.ptr) : text.len;
        if (until > at) {
            metric_part part = {PART_TEXT, escaped(ss_s(text.ptr + at, until - at)), 0};
            if (!part_add(m, member, part, err))
                return false;
        }
        if (!open)
            break;
        const char *close = memchr(open, '}', text.len - until);
        metric_part part = {PART_TEXT, NULL, 0};
        if (close)
            part.kind = placeholder(m, ss_s(open + 1, (size_t)(close - open) - 1), &part.by);
        if (part.kind == PART_TEXT)
            return wrong_document(m, text, err);
        if (!part_add(m, member, part, err))
            return false;
        at = (size_t)(close - text.ptr) + 1;
    }
    member->alone = member->count == 1 && member->parts[0].kind != PART_TEXT;
    return true;
}

/* The guidance's documents: these dimensions always, null where a metric has none of that name. */
static bool seed_document(metric *m, ss_error *err)
{
    static const char *const dimensions[] = {"DIMENSION_APPLICATION_ID", "DIMENSION_APP_VERSION",
                                             "DIMENSION_COUNTRY_ID",     "DIMENSION_CURRENCY_TYPE",
                                             "DIMENSION_SPELL_ID",       "DIMENSION_MISSION_ID",
                                             "DIMENSION_ITEM_ID"};
    enum { DIMENSIONS = sizeof dimensions / sizeof *dimensions };
    bool whole = aggregate_is_whole(m->aggregate.kind);
    metric_part none = {PART_NULL, NULL, 0};
    if (!member_compile(m, SS_LIT("METRIC_NAME"), SS_LIT("{name}"), err) ||
        !member_compile(m, SS_LIT("METRIC_TIMESTAMP"), SS_LIT("{start}"), err))
        return false;
    bool top = m->aggregate.kind == AGGREGATE_TOP;
    if (!member_compile(m, SS_LIT("METRIC_UNIT_VALUE_INT"), top ? SS_LIT("{count}") : SS_LIT("{value}"), err))
        return false;
    if (!whole)
        m->members[m->member_count - 1].parts[0] = none;
    if (!whole && !member_compile(m, SS_LIT("METRIC_UNIT_VALUE"), SS_LIT("{value}"), err))
        return false;
    if (top && !member_compile(m, SS_LIT("METRIC_TOP"), SS_LIT("{value}"), err))
        return false;
    if (!member_compile(m, SS_LIT("METRIC_UNIT"), SS_LIT("{unit}"), err))
        return false;
    bool used[METRIC_BY_MAX] = {false};
    for (size_t i = 0; i < DIMENSIONS; i++) {
        metric_part part = none;
        for (uint32_t k = 0; k < m->by_count; k++)
            if (strcmp(m->by[k].name, dimensions[i]) == 0) {
                part = (metric_part){PART_BY, NULL, k};
                used[k] = true;
            }
        metric_member *member = member_add(m, ss_cstr(dimensions[i]), err);
        if (!member || !part_add(m, member, part, err))
            return false;
        member->alone = true;
    }
    for (uint32_t k = 0; k < m->by_count; k++) {
        metric_member *member = used[k] ? NULL : member_add(m, ss_cstr(m->by[k].name), err);
        if (!used[k] && (!member || !part_add(m, member, (metric_part){PART_BY, NULL, k}, err)))
            return false;
        if (member)
            member->alone = true;
    }
    return member_compile(m, SS_LIT("OUTPUT_TYPE"), SS_LIT("metrics"), err);
}

static bool free_document(metric *m, const ss_host *host, const ss_config *map, ss_error *err)
{
    for (size_t i = 0; i < host->cfg_len(map); i++)
        if (!member_compile(m, host->cfg_key(map, i), host->cfg_str(host->cfg_at(map, i), ""), err))
            return false;
    return true;
}

/* ---- options ---- */

static bool read_by(metric *m, paths *p, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    const ss_config *by = host->cfg_get(cfg, "by");
    size_t count = by ? host->cfg_len(by) : 0;
    for (size_t i = 0; i < count && i < METRIC_BY_MAX; i++) {
        metric_by *d = &m->by[m->by_count];
        d->slot = paths_add(p, host->cfg_str(host->cfg_at(by, i), ""), err);
        d->name = copy_of(host->cfg_key(by, i));
        if (!d->name || d->slot == PATHS_NONE)
            return false;
        m->by_count++;
    }
    return true;
}

static bool read_aggregate(metric *m, paths *p, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    static const char *const names[] = {
        "", "count", "distinct", "approximate_distinct", "sum", "min", "max", "avg", "quantile", "top"};
    ss_str value = host->cfg_str(cfg, "value"), of = host->cfg_str(cfg, "of");
    for (uint32_t i = 1; i < sizeof names / sizeof *names; i++)
        if (ss_eq(value, ss_cstr(names[i])))
            m->aggregate.kind = (enum aggregate_kind)i;
    m->aggregate.q = host->cfg_float(cfg, "quantile");
    m->aggregate.k = (uint32_t)host->cfg_int(cfg, "top");
    if (m->aggregate.kind == AGGREGATE_COUNT) {
        if (of.len)
            (void)ss_fail(err, SS_REJECT, "metric %s: `of` names the field of another value than count",
                          m->name);
        return of.len == 0;
    }
    if (of.len == 0) {
        (void)ss_fail(err, SS_REJECT, "metric %s: value: %.*s wants `of`, the field that it is made of",
                      m->name, (int)value.len, value.ptr);
        return false;
    }
    if (!(m->aggregate.q >= 0 && m->aggregate.q <= 1)) {
        (void)ss_fail(err, SS_REJECT, "metric %s: quantile: a number between 0 and 1 is wanted", m->name);
        return false;
    }
    m->aggregate.slot = paths_add(p, of, err);
    return m->aggregate.slot != PATHS_NONE;
}

static int64_t duration_us(const ss_host *host, const ss_config *cfg, const ss_config *whole,
                           const char *name)
{
    const ss_config *own = host->cfg_get(cfg, name);
    return host->cfg_int(own ? cfg : whole, name) * 1000;
}

static bool read_times(metric *m, const ss_host *host, const ss_config *cfg, const ss_config *whole,
                       ss_error *err)
{
    m->size_us = host->cfg_int(cfg, "size") * 1000;
    m->every_us = host->cfg_get(cfg, "every") ? host->cfg_int(cfg, "every") * 1000 : m->size_us;
    m->delay_us = duration_us(host, cfg, whole, "delay");
    m->lateness_us = duration_us(host, cfg, whole, "lateness");
    if (m->every_us > m->size_us || m->size_us % m->every_us != 0) {
        (void)ss_fail(
            err, SS_REJECT,
            "metric %s: `every` is how far windows of `size` are apart: size must be a multiple of it",
            m->name);
        return false;
    }
    if (m->size_us / m->every_us > METRIC_HOPS_MAX) {
        (void)ss_fail(
            err, SS_REJECT,
            "metric %s: an event would count in more than %u windows: `every` is too small for `size`",
            m->name, METRIC_HOPS_MAX);
        return false;
    }
    return true;
}

/* Two metrics are the same where their options are. */
static void print_mix(metric *m, ss_str text)
{
    static const hash_key key = {1, 2};
    m->print = m->print * 31 + hash_bytes(key, text.ptr ? text.ptr : "", text.len).a;
}

static void print_metric(metric *m, const ss_host *host, const ss_config *cfg)
{
    static const char *const texts[] = {"name", "value", "of", "filter", "having", "dedupe"};
    int64_t numbers[] = {m->size_us, m->every_us, m->aggregate.k, (int64_t)(m->aggregate.q * 1e9),
                         m->skip_missing};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        print_mix(m, host->cfg_str(cfg, texts[i]));
    print_mix(m, ss_s((const char *)numbers, sizeof numbers));
    const ss_config *by = host->cfg_get(cfg, "by");
    for (size_t i = 0; by && i < host->cfg_len(by); i++) {
        print_mix(m, host->cfg_key(by, i));
        print_mix(m, host->cfg_str(host->cfg_at(by, i), ""));
    }
}

bool metric_read(metric *m, paths *p, const ss_host *host, const ss_config *cfg, const ss_config *whole,
                 ss_error *err)
{
    ss_str name = host->cfg_str(cfg, "name"), dedupe = host->cfg_str(cfg, "dedupe");
    memset(m, 0, sizeof *m);
    if (name.len == 0 || name.len > METRIC_NAME_MAX)
        return ss_fail(err, SS_REJECT, "metrics: a name of 1 to %u bytes is wanted", METRIC_NAME_MAX) ==
               SS_OK;
    memcpy(m->name, name.ptr, name.len);
    m->unit = escaped(host->cfg_str(cfg, "unit"));
    m->skip_missing = ss_eq(host->cfg_str(cfg, "missing"), SS_LIT("skip"));
    m->max_groups = (uint32_t)host->cfg_int(cfg, "max_groups");
    m->memory = (size_t)host->cfg_int(cfg, "memory");
    m->dedupe = PATHS_NONE;
    ss_error why = {.struct_size = sizeof why};
    if (!m->unit || !read_times(m, host, cfg, whole, err) || !read_by(m, p, host, cfg, err) ||
        !read_aggregate(m, p, host, cfg, err))
        return false;
    if (!filter_compile(&m->filter, p, host->cfg_str(cfg, "filter"), &why))
        return ss_fail(err, SS_REJECT, "metric %s: filter: %.300s", m->name, why.text) == SS_OK;
    if (!filter_range_compile(&m->having, host->cfg_str(cfg, "having"), &why))
        return ss_fail(err, SS_REJECT, "metric %s: %.300s", m->name, why.text) == SS_OK;
    if (dedupe.len && (m->dedupe = paths_add(p, dedupe, err)) == PATHS_NONE)
        return false;
    const ss_config *document = host->cfg_get(cfg, "document");
    if (!document || host->cfg_len(document) == 0)
        document = host->cfg_get(whole, "document");
    print_metric(m, host, cfg);
    return document && host->cfg_len(document) ? free_document(m, host, document, err)
                                               : seed_document(m, err);
}

void metric_free(metric *m)
{
    for (uint32_t i = 0; i < METRIC_BY_MAX; i++)
        free(m->by[i].name);
    for (uint32_t i = 0; i < m->member_count; i++) {
        for (uint32_t k = 0; k < m->members[i].count; k++)
            free(m->members[i].parts[k].text);
        free(m->members[i].key);
    }
    free(m->unit);
    filter_free(&m->filter);
    memset(m, 0, sizeof *m);
}

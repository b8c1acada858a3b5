#include "enrichers/geoip/location.h"

#include <math.h>

#include "plugins/common/json.h"
#include "plugins/common/utf8.h"

#define RECORD_KEYS_MAX 64u /* of its outermost mapping */

#define LANGUAGE ((const char *)language_mark)
static const char language_mark[] = "";
#define ENGLISH "en"

/* clang-format off */
static const location_way text_ways[LOCATION_TEXTS][LOCATION_WAYS] = {
    [LOCATION_CITY]         = {{"city", "names", LANGUAGE}, {"city"}, {"city_name"}},
    [LOCATION_REGION]       = {{"subdivisions", "0", "names", LANGUAGE}, {"region"}, {"region_name"}, {"state1"}},
    [LOCATION_REGION_CODE]  = {{"subdivisions", "0", "iso_code"}, {"region_code"}},
    [LOCATION_COUNTRY]      = {{"country", "iso_code"}, {"country_code"}, {"country"}},
    [LOCATION_COUNTRY_NAME] = {{"country", "names", LANGUAGE}, {"country_name"}},
    [LOCATION_CONTINENT]    = {{"continent", "code"}, {"continent_code"}, {"continent"}},
    [LOCATION_ORG]          = {{"autonomous_system_organization"}, {"as_name"}, {"organization"}, {"org"}},
    [LOCATION_POSTAL]       = {{"postal", "code"}, {"postal_code"}, {"postcode"}, {"postal"}},
    [LOCATION_TIMEZONE]     = {{"location", "time_zone"}, {"timezone"}, {"time_zone"}},
};
static const location_way latitude_ways[LOCATION_WAYS]  = {{"location", "latitude"}, {"latitude"}, {"lat"}};
static const location_way longitude_ways[LOCATION_WAYS] = {{"location", "longitude"}, {"longitude"}, {"lng"}};
static const location_way asn_ways[LOCATION_WAYS]       = {{"autonomous_system_number"}, {"asn"}};
/* clang-format on */

/* Where a way leads through names: in that language, then in English. */
static void set_language(location_way ways[LOCATION_WAYS], const char *language)
{
    for (size_t k = 0; k < LOCATION_STEPS; k++) {
        if (ways[0][k] != LANGUAGE)
            continue;
        ways[0][k] = language;
        if (strcmp(language, ENGLISH) == 0)
            return;
        memmove(ways[2], ways[1], (LOCATION_WAYS - 2) * sizeof ways[0]);
        memcpy(ways[1], ways[0], sizeof ways[0]);
        ways[1][k] = ENGLISH;
        return;
    }
}

void location_ways_make(location_ways *w, const char *language)
{
    memcpy(w->texts, text_ways, sizeof w->texts);
    memcpy(w->latitude, latitude_ways, sizeof w->latitude);
    memcpy(w->longitude, longitude_ways, sizeof w->longitude);
    memcpy(w->asn, asn_ways, sizeof w->asn);
    for (size_t i = 0; i < LOCATION_TEXTS; i++)
        set_language(w->texts[i], language);
}

void location_clear(location *l)
{
    memset(l, 0, offsetof(location, text));
}

/* ---- one record, as the library's list of all that is in it: containers before their content ---- */

typedef const MMDB_entry_data_list_s node;

typedef struct record {
    node *keys[RECORD_KEYS_MAX]; /* of the outermost mapping; each is followed by its value */
    size_t count;
} record;

static node *behind(node *n)
{
    for (size_t pending = 1; n && pending > 0; pending--, n = n->next)
        if (n->entry_data.type == MMDB_DATA_TYPE_MAP)
            pending += 2u * n->entry_data.data_size;
        else if (n->entry_data.type == MMDB_DATA_TYPE_ARRAY)
            pending += n->entry_data.data_size;
    return n;
}

static void index_record(record *r, node *first)
{
    bool mapping = first && first->entry_data.type == MMDB_DATA_TYPE_MAP;
    node *n = mapping ? first->next : NULL;
    r->count = 0;
    for (uint32_t i = 0; n && i < first->entry_data.data_size && r->count < RECORD_KEYS_MAX; i++) {
        r->keys[r->count++] = n;
        n = behind(n->next);
    }
}

static bool is_key(node *n, const char *name)
{
    size_t len = strlen(name);
    return n->entry_data.data_size == len && memcmp(n->entry_data.utf8_string, name, len) == 0;
}

/* What stands under that key, or under that number: the ways know 0 alone. */
static node *child(node *n, const char *name)
{
    uint32_t size = n->entry_data.data_size;
    if (n->entry_data.type == MMDB_DATA_TYPE_ARRAY)
        return size > 0 && strcmp(name, "0") == 0 ? n->next : NULL;
    if (n->entry_data.type != MMDB_DATA_TYPE_MAP)
        return NULL;
    n = n->next;
    for (uint32_t i = 0; n && i < size; i++) {
        if (is_key(n, name))
            return n->next;
        n = behind(n->next);
    }
    return NULL;
}

static node *follow(const record *r, const location_way way)
{
    node *n = NULL;
    for (size_t i = 0; i < r->count && !n; i++)
        if (is_key(r->keys[i], way[0]))
            n = r->keys[i]->next;
    for (size_t step = 1; n && way[step]; step++)
        n = child(n, way[step]);
    return n;
}

/* The first value of these kinds that stands at one of the places; NULL: there is none. */
static const MMDB_entry_data_s *find(const record *r, const location_way ways[LOCATION_WAYS], uint32_t kinds)
{
    for (size_t i = 0; i < LOCATION_WAYS && ways[i][0]; i++) {
        node *n = follow(r, ways[i]);
        if (n && (kinds >> n->entry_data.type & 1u))
            return &n->entry_data;
    }
    return NULL;
}

/* ---- what is taken from it ---- */

#define KIND(k) (1u << MMDB_DATA_TYPE_##k)

static void add_text(location *l, enum location_text i, const location_ways *w, const record *r)
{
    const MMDB_entry_data_s *found = l->len[i] ? NULL : find(r, w->texts[i], KIND(UTF8_STRING));
    if (!found)
        return;
    l->at[i] = l->used;
    l->len[i] = (uint16_t)utf8_cut(found->utf8_string, found->data_size, LOCATION_TEXT_MAX);
    memcpy(l->text + l->used, found->utf8_string, l->len[i]);
    l->used = (uint16_t)(l->used + l->len[i]);
}

static void add_degrees(const record *r, const location_way ways[LOCATION_WAYS], double most, bool *has,
                        double *out)
{
    const MMDB_entry_data_s *found =
        *has ? NULL : find(r, ways, KIND(DOUBLE) | KIND(FLOAT) | KIND(UTF8_STRING));
    bool good = true;
    double value = 0;
    if (!found)
        return;
    if (found->type == MMDB_DATA_TYPE_UTF8_STRING)
        good = json_text_double(ss_s(found->utf8_string, found->data_size), &value);
    else
        value = found->type == MMDB_DATA_TYPE_DOUBLE ? found->double_value : (double)found->float_value;
    *has = good && fabs(value) <= most;
    *out = *has ? value : 0;
}

/* A number, or "AS64496". */
static uint32_t asn_of(const MMDB_entry_data_s *found)
{
    int64_t number = 0;
    if (found->type == MMDB_DATA_TYPE_UINT16)
        return found->uint16;
    if (found->type == MMDB_DATA_TYPE_UINT32)
        return found->uint32;
    ss_str text = ss_s(found->utf8_string, found->data_size);
    if (text.len > 2 && (text.ptr[0] | 0x20) == 'a' && (text.ptr[1] | 0x20) == 's')
        text = ss_s(text.ptr + 2, text.len - 2);
    return json_i64(text, &number) && number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}

int location_add(location *l, const location_ways *w, MMDB_entry_s *from)
{
    MMDB_entry_data_list_s *list = NULL;
    record r;
    int status = MMDB_get_entry_data_list(from, &list);
    if (status == MMDB_SUCCESS) {
        index_record(&r, list);
        for (unsigned i = 0; i < LOCATION_TEXTS; i++)
            add_text(l, (enum location_text)i, w, &r);
        add_degrees(&r, w->latitude, 90, &l->has_latitude, &l->latitude);
        add_degrees(&r, w->longitude, 180, &l->has_longitude, &l->longitude);
        const MMDB_entry_data_s *asn =
            l->asn ? NULL : find(&r, w->asn, KIND(UINT16) | KIND(UINT32) | KIND(UTF8_STRING));
        if (asn)
            l->asn = asn_of(asn);
    }
    MMDB_free_entry_data_list(list);
    return status;
}

void location_finish(location *l)
{
    char text[LOCATION_TEXT_MAX + 16];
    ss_str org = location_get(l, LOCATION_ORG);
    if (!l->asn)
        return;
    int n = snprintf(text, sizeof text, "AS%u%s%.*s", l->asn, org.len ? " " : "", (int)org.len, org.ptr);
    size_t len = utf8_cut(text, (size_t)n, sizeof l->text - l->used);
    l->at[LOCATION_ORG] = l->used;
    l->len[LOCATION_ORG] = (uint16_t)len;
    memcpy(l->text + l->used, text, len);
    l->used = (uint16_t)(l->used + len);
}

#include "enrichers/geoip/location.h"

#include <math.h>

#include "plugins/common/json.h"
#include "plugins/common/utf8.h"

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

/* The first value that stands at one of the places. What is damaged ends the search. */
static int find(MMDB_entry_s *record, const location_way ways[LOCATION_WAYS], uint32_t kinds,
                MMDB_entry_data_s *out)
{
    for (size_t i = 0; i < LOCATION_WAYS && ways[i][0]; i++) {
        int status = MMDB_aget_value(record, out, ways[i]);
        if (status == MMDB_SUCCESS && out->has_data && (kinds >> out->type & 1u))
            return MMDB_SUCCESS;
        if (status != MMDB_SUCCESS && status != MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
            return status;
    }
    out->has_data = false;
    return MMDB_SUCCESS;
}

#define KIND(k) (1u << MMDB_DATA_TYPE_##k)

static int add_text(location *l, enum location_text i, const location_ways *w, MMDB_entry_s *record)
{
    MMDB_entry_data_s found;
    if (l->len[i] > 0)
        return MMDB_SUCCESS;
    int status = find(record, w->texts[i], KIND(UTF8_STRING), &found);
    if (status != MMDB_SUCCESS || !found.has_data)
        return status;
    l->at[i] = l->used;
    l->len[i] = (uint16_t)utf8_cut(found.utf8_string, found.data_size, LOCATION_TEXT_MAX);
    memcpy(l->text + l->used, found.utf8_string, l->len[i]);
    l->used = (uint16_t)(l->used + l->len[i]);
    return MMDB_SUCCESS;
}

static int add_degrees(MMDB_entry_s *record, const location_way ways[LOCATION_WAYS], double most, bool *has,
                       double *out)
{
    MMDB_entry_data_s found;
    if (*has)
        return MMDB_SUCCESS;
    int status = find(record, ways, KIND(DOUBLE) | KIND(FLOAT) | KIND(UTF8_STRING), &found);
    if (status != MMDB_SUCCESS || !found.has_data)
        return status;
    bool good = true;
    double value = 0;
    if (found.type == MMDB_DATA_TYPE_UTF8_STRING)
        good = json_text_double(ss_s(found.utf8_string, found.data_size), &value);
    else
        value = found.type == MMDB_DATA_TYPE_DOUBLE ? found.double_value : (double)found.float_value;
    *has = good && fabs(value) <= most;
    *out = *has ? value : 0;
    return MMDB_SUCCESS;
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

static int add_asn(location *l, const location_ways *w, MMDB_entry_s *record)
{
    MMDB_entry_data_s found;
    if (l->asn)
        return MMDB_SUCCESS;
    int status = find(record, w->asn, KIND(UINT16) | KIND(UINT32) | KIND(UTF8_STRING), &found);
    if (status == MMDB_SUCCESS && found.has_data)
        l->asn = asn_of(&found);
    return status;
}

int location_add(location *l, const location_ways *w, MMDB_entry_s *record)
{
    int status = MMDB_SUCCESS;
    for (unsigned i = 0; i < LOCATION_TEXTS && status == MMDB_SUCCESS; i++)
        status = add_text(l, (enum location_text)i, w, record);
    if (status == MMDB_SUCCESS)
        status = add_degrees(record, w->latitude, 90, &l->has_latitude, &l->latitude);
    if (status == MMDB_SUCCESS)
        status = add_degrees(record, w->longitude, 180, &l->has_longitude, &l->longitude);
    if (status == MMDB_SUCCESS)
        status = add_asn(l, w, record);
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

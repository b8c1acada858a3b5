#include "receivers/matomo/location.h"

#include "receivers/matomo/value.h"

#define PLACE_MAX 255u /* bytes of a city or region */

_Static_assert(PARAM_LONG - PARAM_COUNTRY == 4 && PARAM_LONG < 64, "one run of bits in the first word");

bool location_given(const params *p)
{
    const uint64_t location = (((uint64_t)1 << (PARAM_LONG - PARAM_COUNTRY + 1)) - 1) << PARAM_COUNTRY;
    return (p->set[0] & location) != 0;
}

static uint32_t set_degrees(ss_event *e, ss_str text, uint32_t field, double most)
{
    double degrees;
    if (text.len == 0 || ss_eq(text, SS_LIT("0")))
        return 0;
    if (!value_double(text, &degrees) || degrees < -most || degrees > most)
        return 1;
    ss_set_double(e, field, degrees);
    return 0;
}

static uint32_t set_country(ss_event *e, ss_str code, char country[LOCATION_COUNTRY_CHARS])
{
    bool letters = code.len == LOCATION_COUNTRY_CHARS;
    for (size_t i = 0; i < code.len && letters; i++) {
        char upper = (char)(code.ptr[i] & ~0x20);
        letters = upper >= 'A' && upper <= 'Z';
        country[i] = upper;
    }
    if (!letters)
        return code.len > 0;
    ss_set_str(e, FIELD_GEO_COUNTRY, ss_s(country, LOCATION_COUNTRY_CHARS));
    return 0;
}

uint32_t location_set(ss_event *e, const params *p, char country[LOCATION_COUNTRY_CHARS])
{
    uint32_t dropped = set_country(e, params_get(p, PARAM_COUNTRY), country);
    if (params_has(p, PARAM_REGION))
        ss_set_str(e, FIELD_GEO_REGION, value_cut(p->value[PARAM_REGION], PLACE_MAX));
    if (params_has(p, PARAM_CITY))
        ss_set_str(e, FIELD_GEO_CITY, value_cut(p->value[PARAM_CITY], PLACE_MAX));
    dropped += set_degrees(e, params_get(p, PARAM_LAT), FIELD_GEO_LATITUDE, 90);
    return dropped + set_degrees(e, params_get(p, PARAM_LONG), FIELD_GEO_LONGITUDE, 180);
}

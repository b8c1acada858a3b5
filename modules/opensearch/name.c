#include "modules/opensearch/name.h"

#include "plugins/common/json.h"
#include "plugins/common/sigv4.h"

#define DAY_US      86400000000LL
#define NUMBER_MAX  24u
#define YEAR_LAST   9999
#define DAY_OF_1970 719468 /* days from 0000-03-01 */
#define DAYS_400Y   146097

/* ---- dates ---- */

static int64_t day_of(int64_t us)
{
    return us >= 0 ? us / DAY_US : -((-us + DAY_US - 1) / DAY_US);
}

/* Proleptic Gregorian; years begin in March so that the leap day is the last. */
static void civil(int64_t day, int *year, int *month, int *mday)
{
    day += DAY_OF_1970;
    int64_t era = (day >= 0 ? day : day - DAYS_400Y + 1) / DAYS_400Y;
    int64_t doe = day - era * DAYS_400Y;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400) + (*month <= 2);
}

/* %Y, %m, %d; star: '*' in their place. false: another letter. */
static bool put_date(const char *text, const int date[3], bool star, char *out, size_t size)
{
    size_t at = 0;
    for (const char *p = text; *p && at + 8 < size; p++) {
        if (*p != '%') {
            out[at++] = *p;
            continue;
        }
        p++;
        if (*p != 'Y' && *p != 'm' && *p != 'd')
            return false;
        if (star)
            out[at++] = '*';
        else if (*p == 'Y')
            at += (size_t)snprintf(out + at, size - at, "%04d", date[0]);
        else
            at += (size_t)snprintf(out + at, size - at, "%02d", *p == 'm' ? date[1] : date[2]);
    }
    out[at] = '\0';
    return true;
}

/* ---- options ---- */

bool names_init(names *n, ss_str index, ss_str id, ss_str version, ss_error *err)
{
    char text[TEMPLATE_TEXT_MAX * 2];
    record_template trial;
    static const int date[3] = {2000, 1, 1};
    if (index.len == 0 || index.len >= TEMPLATE_TEXT_MAX / 2)
        return ss_fail(err, 0, "opensearch: index has 1 to %u bytes", TEMPLATE_TEXT_MAX / 2 - 1);
    memcpy(n->index, index.ptr, index.len);
    n->index[index.len] = '\0';
    n->dated = strchr(n->index, '%') != NULL;
    if (!put_date(n->index, date, false, text, sizeof text))
        return ss_fail(err, 0, "opensearch: index \"%.100s\": there are %%Y, %%m and %%d", n->index);
    if (!template_compile(&trial, ss_cstr(text), err) || !template_compile(&n->id, id, err) ||
        !template_compile(&n->version, version, err))
        return false;
    n->with_id = id.len > 0;
    n->with_version = version.len > 0;
    return true;
}

/* ---- index ---- */

int64_t names_time(const names *n, const ss_record *r)
{
    int64_t off = r->event_us - r->receive_us;
    return off < -n->past_us || off > n->future_us ? r->receive_us : r->event_us;
}

static const record_template *template_of(names *n, int64_t us)
{
    int64_t day = n->dated ? day_of(us) : 0;
    name_day *d = &n->days[(uint64_t)day % NAME_DAYS];
    char text[TEMPLATE_TEXT_MAX * 2];
    int date[3];
    ss_error err = {.struct_size = sizeof err};
    if (d->made && d->day == day)
        return &d->index;
    civil(day, &date[0], &date[1], &date[2]);
    date[0] = date[0] < 0 ? 0 : date[0] > YEAR_LAST ? YEAR_LAST : date[0];
    (void)put_date(n->index, date, false, text, sizeof text);
    (void)template_compile(&d->index, ss_cstr(text), &err); /* was tried in names_init() */
    d->day = day;
    d->made = true;
    return &d->index;
}

/* Values of events stand in names: what OpenSearch does not take becomes '_'. */
static char allowed(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return (unsigned char)c <= ' ' || strchr("\\/*?\"<>|,#:%", c) || c == 127 ? '_' : c;
}

size_t names_index(names *n, const ss_record *r, char out[NAME_INDEX_MAX + 1])
{
    const record_template *t = template_of(n, names_time(n, r));
    size_t len = template_write(t, r, out, NAME_INDEX_MAX);
    for (size_t i = 0; i < len; i++)
        out[i] = allowed(out[i]);
    if (len && strchr("-_+.", out[0]))
        out[0] = 'x';
    out[len] = '\0';
    return len;
}

/* ---- id and action ---- */

size_t names_id(const names *n, const ss_record *r, char out[NAME_ID_TEXT_MAX])
{
    size_t len = n->with_id ? template_write(&n->id, r, out, NAME_ID_TEXT_MAX) : 0;
    if (len <= NAME_ID_MAX)
        return len;
    char hash[SIGV4_HEX + 1];
    sigv4_hash(hash, ss_s(out, len));
    memcpy(out, hash, SIGV4_HEX);
    return SIGV4_HEX;
}

static void put_string(grow *out, ss_str text)
{
    if (grow_room(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->at + out->len, text);
}

static bool put_version(const names *n, const ss_record *r, grow *out, char *why, size_t size)
{
    char text[NUMBER_MAX];
    int64_t version;
    size_t len = template_write(&n->version, r, text, sizeof text);
    if (!json_i64(ss_s(text, len), &version) || version < 0) {
        (void)snprintf(why, size,
                       "its version \"%.*s\" is not a whole number of 0 and above (option version)", (int)len,
                       text);
        return false;
    }
    char number[JSON_I64_SIZE + 1];
    number[json_put_i64(number, version)] = '\0';
    (void)grow_puts(out, ",\"version\":");
    (void)grow_puts(out, number);
    (void)grow_puts(out, ",\"version_type\":\"external_gte\"");
    return true;
}

bool names_action(names *n, const ss_record *r, grow *out, char *why, size_t size)
{
    char index[NAME_INDEX_MAX + 1], id[NAME_ID_TEXT_MAX];
    size_t index_len = names_index(n, r, index), id_len = names_id(n, r, id);
    if (index_len == 0) {
        (void)snprintf(why, size, "the option index gives an empty name for it");
        return false;
    }
    if (n->with_id && id_len == 0) {
        (void)snprintf(why, size, "the option id gives nothing for it");
        return false;
    }
    (void)grow_puts(out, n->op == NAME_CREATE ? "{\"create\":{\"_index\":" : "{\"index\":{\"_index\":");
    put_string(out, ss_s(index, index_len));
    if (id_len) {
        (void)grow_puts(out, ",\"_id\":");
        put_string(out, ss_s(id, id_len));
    }
    if (n->with_version && !put_version(n, r, out, why, size))
        return false;
    (void)grow_puts(out, "}}\n");
    return true;
}

/* Placeholders but {receiver} become '*', and two of them in a row one. */
void names_pattern(const names *n, ss_str receiver, char *out, size_t size)
{
    char text[TEMPLATE_TEXT_MAX];
    size_t at = 0;
    (void)put_date(n->index, NULL, true, text, sizeof text);
    for (const char *p = text; *p && at + receiver.len + 2 < size; p++) {
        static const char own[] = "{receiver}";
        if (strncmp(p, own, sizeof own - 1) == 0) {
            for (size_t i = 0; i < receiver.len; i++)
                out[at++] = allowed(receiver.ptr[i]);
            p += sizeof own - 2;
            continue;
        }
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (end)
            p = end;
        if (!end && *p != '*')
            out[at++] = allowed(*p);
        else if (at == 0 || out[at - 1] != '*')
            out[at++] = '*';
    }
    /* game_metrics* also takes the index that somebody rolls over by hand; %Y.%m.%d is one star. */
    if (at && out[at - 1] != '*' && !n->data_stream)
        out[at++] = '*';
    out[at] = '\0';
    for (char *p = out; (p = strstr(p, "*.*")) != NULL;)
        memmove(p, p + 2, strlen(p + 2) + 1);
}

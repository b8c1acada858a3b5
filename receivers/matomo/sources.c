#include "receivers/matomo/sources.h"

#include <stdlib.h>

#define LABELS_MAX 8u
#define LETTERS    26u

/* ---- looking up ---- */

/* From the end on, so that one pass over a host gives the hash of each name above it. */
static inline uint32_t hash_step(uint32_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 16777619u;
}

#define HASH_START 2166136261u

static inline uint32_t slot_of(uint32_t hash)
{
    return (hash ^ hash >> 15) & (SOURCES_SLOTS - 1);
}

static uint32_t hash_of(ss_str text)
{
    uint32_t hash = HASH_START;
    for (size_t i = text.len; i-- > 0;)
        hash = hash_step(hash, text.ptr[i]);
    return hash;
}

static const referrer_place *find_hashed(const sources *s, ss_str text, uint32_t hash, unsigned kinds)
{
    for (uint32_t i = slot_of(hash); s->slots[i]; i = (i + 1) & (SOURCES_SLOTS - 1)) {
        const referrer_place *p = &referrer_places[s->slots[i] - 1];
        if ((p->kind & kinds) && p->len == text.len && memcmp(p->text, text.ptr, text.len) == 0)
            return p;
    }
    return NULL;
}

static const referrer_place *find(const sources *s, ss_str text, unsigned kinds)
{
    return find_hashed(s, text, hash_of(text), kinds);
}

/* The longest of the host and the names above it that is a place of these kinds; text: which it was. */
static const referrer_place *find_above(const sources *s, ss_str host, unsigned kinds)
{
    const referrer_place *best = NULL;
    uint32_t hash = HASH_START;
    for (size_t i = host.len; i-- > 0;) {
        hash = hash_step(hash, host.ptr[i]);
        if (i > 0 && host.ptr[i - 1] != '.')
            continue;
        const referrer_place *p = find_hashed(s, ss_s(host.ptr + i, host.len - i), hash, kinds);
        if (p)
            best = p;
    }
    return best;
}

/* host and path as one place, where the host has such. */
static const referrer_place *find_path(const sources *s, ss_str host, ss_str path, unsigned paths,
                                       unsigned kinds)
{
    char text[2 * URL_HOST_MAX];
    if (path.len < 2 || path.len > URL_HOST_MAX || !find(s, host, paths))
        return NULL;
    memcpy(text, host.ptr, host.len);
    memcpy(text + host.len, path.ptr, path.len);
    return find(s, ss_s(text, host.len + path.len), kinds);
}

static const known_source *source_at(const sources *s, const referrer_place *p)
{
    return p ? &s->list[p->source] : NULL;
}

/* Hosts that no place stands for. */
static const char *special_engine(ss_str host, ss_str path, ss_str query)
{
    static const char own[] = "/pemonitorhosted/ws/results/", custom[] = "cx=partner-pub-";
    if (query.len >= sizeof custom - 1 && memcmp(query.ptr, custom, sizeof custom - 1) == 0)
        return "google.com/cse";
    if (path.len >= sizeof own - 1 && memcmp(path.ptr, own, sizeof own - 1) == 0)
        return "wsdsold.infospace.com";
    if (memmem(host.ptr, host.len, ".images.search.yahoo.com", 24))
        return "images.search.yahoo.com";
    return memmem(host.ptr, host.len, ".search.yahoo.com", 17) ? "search.yahoo.com" : NULL;
}

const known_source *sources_engine(const sources *s, ss_str host, ss_str path, ss_str query)
{
    char any[URL_HOST_MAX];
    const referrer_place *p = find_path(s, host, path, REFERRER_ENGINE_PATHS, REFERRER_ENGINE);
    if (!p)
        p = find(s, host, REFERRER_ENGINE);
    if (p)
        return source_at(s, p);
    ss_str lossy = sources_any_country(s, any, host);
    if (!ss_eq(lossy, host)) {
        p = find_path(s, lossy, path, REFERRER_ENGINE_PATHS, REFERRER_ENGINE);
        if (!p)
            p = find(s, lossy, REFERRER_ENGINE);
    }
    const char *special = p ? NULL : special_engine(host, path, query);
    return source_at(s, special ? find(s, ss_cstr(special), REFERRER_ENGINE) : p);
}

const known_source *sources_social(const sources *s, ss_str host)
{
    return source_at(s, find_above(s, host, REFERRER_SOCIAL));
}

const known_source *sources_assistant(const sources *s, ss_str host, ss_str path)
{
    const referrer_place *p = find_above(s, host, REFERRER_ASSISTANT | REFERRER_ASSISTANT_PATHS);
    if (!p || p->kind == REFERRER_ASSISTANT)
        return source_at(s, p);
    ss_str base = ss_s(p->text, p->len);
    /* "/i/grok/share" is below "/i/grok": cut at each slash. */
    for (size_t len = path.len; len > 1; len--)
        if ((len == path.len || path.ptr[len] == '/') &&
            (p = find_path(s, base, ss_s(path.ptr, len), REFERRER_ASSISTANT_PATHS, REFERRER_ASSISTANT)) !=
                NULL)
            return source_at(s, p);
    return NULL;
}

/* ---- countries ---- */

/* Two-letter domains of countries. */
static const char country_codes[] = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh "
                                    "bi bj bl bm bn bo bq br bs bt bv bw "
                                    "by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk "
                                    "dm do dz ec ee eg eh er es et eu fi "
                                    "fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy "
                                    "hk hm hn hr ht hu id ie il im in io "
                                    "iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk "
                                    "lr ls lt lu lv ly ma mc md me mf mg "
                                    "mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl "
                                    "no np nr nu nz om pa pe pf pg ph pk "
                                    "pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk "
                                    "sl sm sn so sr ss st su sv sx sy sz "
                                    "tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk um us uy uz va "
                                    "vc ve vg vi vn vu wf ws ye yt za zm "
                                    "zw ";

static bool is_country(const sources *s, ss_str label)
{
    unsigned first = label.len == 2 ? (unsigned char)label.ptr[0] - (unsigned)'a' : LETTERS;
    unsigned second = label.len == 2 ? (unsigned char)label.ptr[1] - (unsigned)'a' : LETTERS;
    return first < LETTERS && second < LETTERS && (s->countries[first] >> second & 1u);
}

static bool is_www(ss_str label)
{
    size_t w = 0;
    while (w < label.len && label.ptr[w] == 'w')
        w++;
    for (size_t i = w; i < label.len; i++)
        if (label.ptr[i] < '0' || label.ptr[i] > '9')
            return false;
    return w > 0;
}

static bool is_second_level(ss_str label)
{
    static const char *const list[] = {"com", "org", "net", "co", "it", "edu"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (ss_eq(label, ss_cstr(list[i])))
            return true;
    return false;
}

ss_str sources_any_country(const sources *s, char out[URL_HOST_MAX], ss_str host)
{
    ss_str labels[LABELS_MAX];
    size_t count = 0, first = 0, len = 0;
    const char *at = host.ptr, *end = host.ptr + host.len;
    while (at <= end && count < LABELS_MAX) {
        const char *dot = at < end ? memchr(at, '.', (size_t)(end - at)) : NULL;
        labels[count++] = ss_s(at, (size_t)((dot ? dot : end) - at));
        at = dot ? dot + 1 : end + 1;
    }
    if (at <= end || count < 2 || host.len > URL_HOST_MAX - 8)
        return host;
    if (is_www(labels[0]) || ss_eq(labels[0], SS_LIT("search")))
        first = 1;
    size_t last = count - 1;
    bool country = last > first && is_country(s, labels[last]);
    size_t names = country && last > first + 1 && is_second_level(labels[last - 1]) ? last - 1 : last;
    for (size_t i = first; i < names; i++) {
        if (ss_eq(labels[i], SS_LIT("m")))
            continue;
        ss_str label = is_country(s, labels[i]) ? SS_LIT("{}") : labels[i];
        memcpy(out + len, label.ptr, label.len);
        len += label.len;
        out[len++] = '.';
    }
    ss_str tail = country ? SS_LIT("{}") : labels[last];
    memcpy(out + len, tail.ptr, tail.len);
    return ss_s(out, len + tail.len);
}

/* ---- making ---- */

static size_t count_lines(const char *text)
{
    size_t count = *text != '\0';
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static bool take_lines(sources *s, const char *text, const source_word **words, uint32_t *count,
                       ss_error *err)
{
    *words = s->words + s->word_count;
    *count = (uint32_t)count_lines(text);
    for (uint32_t i = 0; i < *count; i++) {
        size_t len = strcspn(text, "\n");
        source_word *w = &s->words[s->word_count++];
        w->text = ss_s(text, len);
        if (pattern_is(w->text) && !(w->regex = pattern_new(w->text, err)))
            return false;
        text += len + (text[len] == '\n');
    }
    return true;
}

static bool fill(sources *s, ss_error *err)
{
    if (referrer_place_count > SOURCES_SLOTS / 2) {
        (void)ss_fail(err, SS_FATAL, "the table of search engines is too small: a bug, please report it");
        return false;
    }
    for (const char *code = country_codes; *code; code += 3)
        s->countries[code[0] - 'a'] |= 1u << (code[1] - 'a');
    for (size_t i = 0; i < referrer_source_count; i++) {
        const referrer_source *from = &referrer_sources[i];
        known_source *to = &s->list[i];
        to->name = ss_cstr(from->name);
        to->charset = ss_cstr(from->charset);
        if (!take_lines(s, from->params, &to->params, &to->param_count, err) ||
            !take_lines(s, from->hidden, &to->hidden, &to->hidden_count, err))
            return false;
    }
    for (size_t i = 0; i < referrer_place_count; i++) {
        uint32_t slot = slot_of(hash_of(ss_s(referrer_places[i].text, referrer_places[i].len)));
        while (s->slots[slot])
            slot = (slot + 1) & (SOURCES_SLOTS - 1);
        s->slots[slot] = (uint16_t)(i + 1);
    }
    return true;
}

sources *sources_new(ss_error *err)
{
    size_t words = 0;
    for (size_t i = 0; i < referrer_source_count; i++)
        words += count_lines(referrer_sources[i].params) + count_lines(referrer_sources[i].hidden);
    sources *s = calloc(1, sizeof *s);
    if (s) {
        s->list = calloc(referrer_source_count, sizeof *s->list);
        s->words = calloc(words + 1, sizeof *s->words);
    }
    if (!s || !s->list || !s->words)
        (void)ss_fail(err, SS_LIMIT, "no memory for the table of search engines");
    else if (fill(s, err))
        return s;
    sources_free(s);
    return NULL;
}

void sources_free(sources *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->word_count; i++)
        pattern_free(s->words[i].regex);
    free(s->words);
    free(s->list);
    free(s);
}

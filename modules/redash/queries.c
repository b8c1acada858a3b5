/* Queries with a chart each, and the dashboard that shows them. What is ours carries the module's tag. */
#include "modules/redash/make.h"
#include "plugins/common/sha256.h"

#define CHART_NAME    "Chart"
#define HASH_SHOWN    16 /* digits: what a chart was made of, in its description */
#define HASH_MARK     "streamsteam:"
#define COLUMNS       2
#define WIDGET_WIDTH  3 /* of six */
#define WIDGET_HEIGHT 8

void id_list_add(id_list *l, int64_t id)
{
    if (l->count == l->size) {
        size_t size = l->size ? l->size * 2 : 16;
        int64_t *at = realloc(l->at, size * sizeof *at);
        l->failed = l->failed || !at;
        if (!at)
            return;
        l->at = at;
        l->size = size;
    }
    size_t i = l->count++;
    for (; i > 0 && l->at[i - 1] > id; i--)
        l->at[i] = l->at[i - 1];
    l->at[i] = id;
}

static int32_t send(maker *m, const char *method, const char *path, grow *body, api_item *made, ss_error *err)
{
    int32_t rc = api_ask(&m->api, method, path, body, err);
    if (rc == SS_OK && made && !api_read_item(&m->api, m->api.answer, made, NULL))
        rc = ss_fail(err, SS_REJECT, "redash: %s %.100s: the answer has no id", method, path);
    grow_free(body);
    return rc;
}

/* ---- found by tag and name ---- */

typedef struct finding {
    const char *name;
    bool adopt; /* also what has the name, no tag, and is a draft: of an answer that was lost */
    id_list ids;
} finding;

static bool find_item(void *arg, const api_item *i)
{
    finding *f = arg;
    bool mine = i->ours || (f->adopt && i->draft && !i->tagged);
    if (mine && strcmp(i->name, f->name) == 0)
        id_list_add(&f->ids, i->id);
    return true;
}

/* The first; more can be there where an answer was lost and came true late: they go. 0: none. */
static int32_t find_one(maker *m, const char *path, const char *name, bool adopt, int64_t *id, ss_error *err)
{
    finding f = {.name = name, .adopt = adopt};
    char one[API_PATH_MAX];
    int32_t rc = api_each_page(&m->api, path, find_item, &f, err);
    if (rc == SS_OK && f.ids.failed)
        rc = ss_fail(err, SS_REJECT, "redash: no memory");
    *id = rc == SS_OK && f.ids.count ? f.ids.at[0] : 0;
    for (size_t i = 1; rc == SS_OK && i < f.ids.count; i++) {
        (void)snprintf(one, sizeof one, "%s/%lld", path, (long long)f.ids.at[i]);
        rc = api_ask(&m->api, "DELETE", one, NULL, err);
        rc = rc == SS_DECLINE ? SS_OK : rc;
    }
    free(f.ids.at);
    return rc;
}

/* ---- one query ---- */

static void put_schedule(const maker *m, grow *out)
{
    if (!m->refresh_s) {
        (void)grow_puts(out, ",\"schedule\":null");
        return;
    }
    api_put_number(out, ",\"schedule\":{\"interval\":", m->refresh_s);
    (void)grow_puts(out, ",\"until\":null,\"day_of_week\":null,\"time\":null}");
}

static void put_query(const maker *m, const redash_query *q, ss_str sql, grow *out)
{
    api_put_text(out, "{\"name\":", ss_cstr(q->name));
    api_put_text(out, ",\"query\":", sql);
    api_put_text(out, ",\"description\":", ss_cstr(q->doc));
    api_put_number(out, ",\"data_source_id\":", m->source);
    put_schedule(m, out);
}

static bool is_same(const maker *m, const redash_query *q, ss_str sql, const api_item *there, const grow *old)
{
    return !there->draft && there->source == m->source && strcmp(there->description, q->doc) == 0 &&
           ss_eq(grow_str(old), sql) && there->interval_s == m->refresh_s;
}

/* Made where it is not there; *id in any case. */
static int32_t have_query(maker *m, const redash_query *q, ss_str sql, int64_t *id, bool *made, ss_error *err)
{
    api_item item;
    grow body = {.limit = API_BODY_MAX};
    int32_t rc = find_one(m, "/api/queries", q->name, false, id, err);
    *made = false;
    if (rc != SS_OK || *id)
        return rc;
    put_query(m, q, sql, &body);
    api_put_text(&body, ",\"options\":{\"parameters\":[]},\"tags\":[", ss_cstr(m->api.tag));
    (void)grow_puts(&body, "]}");
    rc = send(m, "POST", "/api/queries", &body, &item, err);
    *made = rc == SS_OK;
    *id = rc == SS_OK ? item.id : 0;
    return rc;
}

/* ---- its chart ---- */

typedef struct visuals {
    int64_t chart, table;
    char description[API_NAME_MAX];
} visuals;

static bool note_visual(void *arg, const api_item *i)
{
    visuals *v = arg;
    if (strcmp(i->type, "TABLE") == 0 && !v->table)
        v->table = i->id;
    if (strcmp(i->type, "CHART") == 0 && strncmp(i->description, HASH_MARK, sizeof HASH_MARK - 1) == 0 &&
        !v->chart) {
        v->chart = i->id;
        (void)snprintf(v->description, sizeof v->description, "%s", i->description);
    }
    return true;
}

static bool describe(const grow *options, char out[API_NAME_MAX])
{
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    sha256 *h = sha256_new();
    bool good = h && sha256_add(h, options->at, options->len) && sha256_end(h, hash);
    sha256_free(h);
    if (good) {
        sha256_hex(hex, hash);
        (void)snprintf(out, API_NAME_MAX, HASH_MARK "%.*s", HASH_SHOWN, hex);
    }
    return good;
}

static int32_t make_chart(maker *m, size_t i, int64_t query, const visuals *v, ss_error *err)
{
    char path[API_PATH_MAX], description[API_NAME_MAX];
    api_item made = {.id = v->chart};
    grow options = {.limit = API_BODY_MAX}, body = {.limit = API_BODY_MAX};
    redash_chart(m->queries[i], &options);
    int32_t rc = !options.full && describe(&options, description)
                     ? SS_OK
                     : ss_fail(err, SS_REJECT, "redash: no memory");
    if (rc == SS_OK && (!v->chart || strcmp(v->description, description) != 0)) {
        (void)snprintf(path, sizeof path, v->chart ? "/api/visualizations/%lld" : "/api/visualizations",
                       (long long)v->chart);
        api_put_text(
            &body, "{\"type\":\"CHART\",\"name\":\"" CHART_NAME "\",\"description\":", ss_cstr(description));
        api_put_number(&body, ",\"query_id\":", query);
        (void)grow_puts(&body, ",\"options\":");
        (void)grow_put(&body, grow_str(&options));
        (void)grow_puts(&body, "}");
        rc = send(m, "POST", path, &body, &made, err);
    }
    m->visuals[i] = made.id;
    grow_free(&options);
    return rc;
}

static int32_t bring_up_to_date(maker *m, size_t i, int64_t id, ss_str sql, bool made, ss_error *err)
{
    const redash_query *q = m->queries[i];
    char path[API_PATH_MAX];
    api_item there;
    visuals v = {.chart = 0};
    grow old = {.limit = API_BODY_MAX}, body = {.limit = API_BODY_MAX};
    (void)snprintf(path, sizeof path, "/api/queries/%lld", (long long)id);
    int32_t rc = api_ask(&m->api, "GET", path, NULL, err);
    if (rc == SS_OK && (!api_read_item(&m->api, m->api.answer, &there, &old) ||
                        !api_each(&m->api, m->api.answer, "visualizations", note_visual, &v)))
        rc = ss_fail(err, SS_REJECT, "redash: GET %.100s: the answer is not what Redash 10 gives", path);
    bool same = rc == SS_OK && is_same(m, q, sql, &there, &old);
    if (rc == SS_OK && !same) {
        put_query(m, q, sql, &body);
        (void)grow_puts(&body, ",\"is_draft\":false}");
        rc = send(m, "POST", path, &body, NULL, err);
    }
    grow_free(&old);
    m->visuals[i] = v.table;
    if (rc == SS_OK && q->kind)
        rc = make_chart(m, i, id, &v, err);
    if (rc == SS_OK)
        maker_say(m, "query %s: %s\n", q->name, made ? "made" : same ? "is there" : "changed");
    return rc;
}

int32_t make_query(maker *m, size_t i, ss_error *err)
{
    const redash_query *q = m->queries[i];
    grow sql = {.limit = API_BODY_MAX};
    int64_t id;
    bool made;
    enum text_dialect d = strcmp(m->source_type, "pg") == 0       ? TEXT_POSTGRES
                          : strcmp(m->source_type, "sqlite") == 0 ? TEXT_SQLITE
                                                                  : TEXT_ATHENA;
    int32_t rc = redash_sql(q, d, ss_cstr(m->table), &sql)
                     ? SS_OK
                     : ss_fail(err, SS_REJECT, "redash: no text for %s", q->name);
    rc = rc == SS_OK ? have_query(m, q, grow_str(&sql), &id, &made, err) : rc;
    rc = rc == SS_OK ? bring_up_to_date(m, i, id, grow_str(&sql), made, err) : rc;
    grow_free(&sql);
    return rc;
}

/* ---- the dashboard ---- */

int32_t make_dashboard(maker *m, size_t i, ss_error *err)
{
    char path[API_PATH_MAX];
    api_item there;
    grow body = {.limit = API_BODY_MAX};
    (void)i;
    int32_t rc = find_one(m, "/api/dashboards", m->dashboard_name, true, &m->dashboard, err);
    bool made = rc == SS_OK && !m->dashboard;
    if (made) {
        api_put_text(&body, "{\"name\":", ss_cstr(m->dashboard_name));
        (void)grow_puts(&body, "}");
        rc = send(m, "POST", "/api/dashboards", &body, &there, err);
        m->dashboard = rc == SS_OK ? there.id : 0;
    }
    if (rc != SS_OK)
        return rc;
    (void)snprintf(path, sizeof path, "/api/dashboards/%lld", (long long)m->dashboard);
    rc = api_ask(&m->api, "GET", path, NULL, err);
    if (rc == SS_OK && !api_read_item(&m->api, m->api.answer, &there, NULL))
        rc = ss_fail(err, SS_REJECT, "redash: GET %.100s: the answer is not what Redash 10 gives", path);
    if (rc == SS_OK && (there.draft || !there.ours)) {
        body = (grow){.limit = API_BODY_MAX};
        api_put_text(&body, "{\"is_draft\":false,\"tags\":[", ss_cstr(m->api.tag));
        (void)grow_puts(&body, "]}");
        rc = send(m, "POST", path, &body, NULL, err);
    }
    if (rc == SS_OK)
        maker_say(m, "dashboard %s: %s, %.400s/dashboards/%lld\n", m->dashboard_name,
                  made ? "made" : "is there", m->api.url, (long long)m->dashboard);
    return rc;
}

typedef struct showing {
    int64_t visual;
    bool there;
} showing;

static bool note_widget(void *arg, const api_item *i)
{
    showing *s = arg;
    s->there = s->there || i->visualization == s->visual;
    return true;
}

int32_t make_widget(maker *m, size_t i, ss_error *err)
{
    char path[API_PATH_MAX], position[160];
    showing s = {.visual = m->visuals[i]};
    grow body = {.limit = API_BODY_MAX};
    if (!s.visual)
        return SS_OK;
    (void)snprintf(path, sizeof path, "/api/dashboards/%lld", (long long)m->dashboard);
    int32_t rc = api_ask(&m->api, "GET", path, NULL, err);
    if (rc == SS_OK && !api_each(&m->api, m->api.answer, "widgets", note_widget, &s))
        rc = ss_fail(err, SS_REJECT, "redash: GET %.100s: the answer is not what Redash 10 gives", path);
    if (rc != SS_OK || s.there)
        return rc;
    api_put_number(&body, "{\"dashboard_id\":", m->dashboard);
    api_put_number(&body, ",\"visualization_id\":", s.visual);
    (void)snprintf(position, sizeof position,
                   ",\"text\":\"\",\"width\":1,\"options\":{\"isHidden\":false,\"parameterMappings\":{},"
                   "\"position\":{\"col\":%zu,\"row\":%zu,\"sizeX\":%d,\"sizeY\":%d}}}",
                   i % COLUMNS * WIDGET_WIDTH, i / COLUMNS * WIDGET_HEIGHT, WIDGET_WIDTH, WIDGET_HEIGHT);
    (void)grow_puts(&body, position);
    return send(m, "POST", "/api/widgets", &body, NULL, err);
}

/* The data source: found by its name, which Redash has once. */
#include "modules/redash/make.h"

#define PASSWORD_MAX 512

typedef struct looking {
    const char *name;
    api_item found;
} looking;

static bool look(void *arg, const api_item *i)
{
    looking *l = arg;
    if (strcmp(i->name, l->name) == 0)
        l->found = *i;
    return true;
}

static void put_option(maker *m, grow *out, const char *before, const char *option)
{
    api_put_text(out, before, m->api.host->cfg_str(m->api.cfg, option));
}

static bool put_secret(maker *m, grow *out, const char *before, const char *option, ss_error *err)
{
    char text[PASSWORD_MAX];
    int64_t len = m->api.host->secret(m->api.host->self, m->api.cfg, option, text, sizeof text, err);
    if (len < 0)
        return false;
    if (len > 0) /* without one Redash keeps what it has */
        api_put_text(out, before, ss_s(text, (size_t)len));
    explicit_bzero(text, sizeof text);
    return true;
}

static bool put_options(maker *m, grow *out, ss_error *err)
{
    const ss_host *h = m->api.host;
    const ss_config *cfg = m->api.cfg;
    if (strcmp(m->source_type, "sqlite") == 0) {
        put_option(m, out, "{\"dbpath\":", "sqlite.file");
    } else if (strcmp(m->source_type, "pg") == 0) {
        put_option(m, out, "{\"host\":", "postgres.host");
        api_put_number(out, ",\"port\":", h->cfg_int(cfg, "postgres.port"));
        put_option(m, out, ",\"user\":", "postgres.user");
        put_option(m, out, ",\"dbname\":", "postgres.database");
        put_option(m, out, ",\"sslmode\":", "postgres.sslmode");
        if (!put_secret(m, out, ",\"password\":", "postgres.password", err))
            return false;
    } else {
        put_option(m, out, "{\"region\":", "athena.region");
        put_option(m, out, ",\"s3_staging_dir\":", "athena.staging");
        put_option(m, out, ",\"schema\":", "athena.database");
        put_option(m, out, ",\"work_group\":", "athena.workgroup");
        put_option(m, out, ",\"aws_access_key\":", "athena.access_key");
        (void)grow_puts(out, ",\"glue\":true");
        if (!put_secret(m, out, ",\"aws_secret_key\":", "athena.secret_key", err))
            return false;
    }
    return grow_puts(out, "}");
}

static bool put_source(maker *m, grow *out, ss_error *err)
{
    api_put_text(out, "{\"name\":", ss_cstr(m->source_name));
    api_put_text(out, ",\"type\":", ss_cstr(m->source_type));
    (void)grow_puts(out, ",\"options\":");
    return put_options(m, out, err) && grow_puts(out, "}");
}

static int32_t find(maker *m, looking *l, ss_error *err)
{
    *l = (looking){.name = m->source_name};
    int32_t rc = api_ask(&m->api, "GET", "/api/data_sources", NULL, err);
    if (rc == SS_OK && !api_each(&m->api, m->api.answer, NULL, look, l))
        rc = ss_fail(err, SS_REJECT, "redash: GET /api/data_sources: the answer is not what Redash 10 gives");
    return rc;
}

/* One that somebody else made, and whose language is its type's. */
static int32_t take_existing(maker *m, const api_item *found, ss_error *err)
{
    static const char *const known[] = {"pg", "sqlite", "athena"};
    if (!found->id)
        return ss_fail(err, SS_REJECT, "redash: source.name: there is no data source '%.100s' in Redash",
                       m->source_name);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(found->type, known[i]) == 0) {
            m->source = found->id;
            (void)snprintf(m->source_type, sizeof m->source_type, "%s", known[i]);
            return SS_OK;
        }
    return ss_fail(err, SS_REJECT,
                   "redash: the data source '%.100s' is a %.60s: no saved queries are written for it",
                   m->source_name, found->type);
}

int32_t make_source(maker *m, size_t i, ss_error *err)
{
    looking l;
    char path[API_PATH_MAX];
    grow body = {.limit = API_BODY_MAX};
    (void)i;
    int32_t rc = find(m, &l, err);
    if (rc != SS_OK || !m->source_type[0])
        return rc == SS_OK ? take_existing(m, &l.found, err) : rc;
    if (l.found.id && strcmp(l.found.type, m->source_type) != 0)
        return ss_fail(err, SS_REJECT,
                       "redash: the data source '%.100s' is a %.60s, not a %.20s: take another source.name",
                       m->source_name, l.found.type, m->source_type);
    (void)snprintf(path, sizeof path, l.found.id ? "/api/data_sources/%lld" : "/api/data_sources",
                   (long long)l.found.id);
    rc = put_source(m, &body, err) ? api_ask(&m->api, "POST", path, &body, err) : SS_REJECT;
    if (body.at)
        explicit_bzero(body.at, body.size);
    grow_free(&body);
    api_item made;
    if (rc == SS_OK && !api_read_item(&m->api, m->api.answer, &made, NULL))
        rc = ss_fail(err, SS_REJECT, "redash: POST %.100s: the answer has no id", path);
    if (rc != SS_OK)
        return rc;
    m->source = made.id;
    maker_say(m, "data source %s: %s\n", m->source_name,
              l.found.id ? "is there, its settings were sent" : "made");
    return SS_OK;
}

/* ---- teardown ---- */

typedef struct users {
    int64_t source;
    size_t others;
} users;

static bool count_others(void *arg, const api_item *i)
{
    users *u = arg;
    u->others += i->source == u->source && !i->ours;
    return true;
}

/* It goes where nobody else's query asks it. */
static int32_t remove_source(maker *m, ss_error *err)
{
    looking l;
    char path[API_PATH_MAX];
    int32_t rc = find(m, &l, err);
    if (rc != SS_OK || !l.found.id || !m->source_type[0])
        return rc;
    users u = {.source = l.found.id};
    rc = api_each_page(&m->api, "/api/queries", count_others, &u, err);
    if (rc != SS_OK)
        return rc;
    if (u.others) {
        maker_say(m, "data source %s: stays, other queries ask it\n", m->source_name);
        return SS_OK;
    }
    (void)snprintf(path, sizeof path, "/api/data_sources/%lld", (long long)l.found.id);
    rc = api_ask(&m->api, "DELETE", path, NULL, err);
    if (rc == SS_OK)
        maker_say(m, "data source %s: taken away\n", m->source_name);
    return rc == SS_DECLINE ? SS_OK : rc;
}

static bool note_ours(void *arg, const api_item *i)
{
    if (i->ours)
        id_list_add(arg, i->id);
    return true;
}

static int32_t remove_ours(maker *m, const char *what, ss_error *err)
{
    id_list l = {.at = NULL};
    char path[API_PATH_MAX];
    int32_t rc = api_each_page(&m->api, what, note_ours, &l, err);
    if (rc == SS_OK && l.failed)
        rc = ss_fail(err, SS_REJECT, "redash: no memory");
    for (size_t i = 0; rc == SS_OK && i < l.count; i++) {
        (void)snprintf(path, sizeof path, "%s/%lld", what, (long long)l.at[i]);
        rc = api_ask(&m->api, "DELETE", path, NULL, err);
        rc = rc == SS_DECLINE ? SS_OK : rc; /* it is gone */
    }
    if (rc == SS_OK)
        maker_say(m, "%s: %zu taken away\n", strrchr(what, '/') + 1, l.count);
    free(l.at);
    return rc;
}

static int32_t remove_step(maker *m, size_t i, ss_error *err)
{
    return i == 0   ? remove_ours(m, "/api/dashboards", err)
           : i == 1 ? remove_ours(m, "/api/queries", err)
                    : remove_source(m, err);
}

int32_t make_nothing_left(maker *m, ss_error *err)
{
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < 3; i++)
        rc = maker_try(m, remove_step, i, err);
    return rc;
}

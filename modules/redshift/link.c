/* Statements that are no load: through the Data API, or a connection of libpq. */
#include <stdlib.h>

#include "modules/redshift/redshift.h"
#include "plugins/common/json.h"
#include "plugins/common/url.h"

#define CONNECT_MS    10000
#define CONNINFO_MAX  8192u
#define STATEMENT_MS  60000
#define TIMEOUT_SQL   "SET statement_timeout TO 25000"
#define PASSWORD_LIFE "900"

/* ---- a password of IAM ---- */

typedef struct login {
    char user[256], password[1024];
} login;

static void take(char *out, size_t size, ss_str text, bool escaped)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    memcpy(out, text.ptr, len);
    out[escaped ? json_unescape(out, ss_s(out, len)) : len] = '\0';
}

static void read_json(ss_str body, login *l)
{
    json_scan scan;
    json_value v, key;
    json_start(&scan, body);
    if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(&scan, &key)) {
        bool user = json_is(&key, "dbUser"), password = json_is(&key, "dbPassword");
        if (!user && !password) {
            (void)json_skip(&scan, NULL);
            continue;
        }
        if (json_read(&scan, &v) && v.kind == JSON_STRING)
            take(user ? l->user : l->password, user ? sizeof l->user : sizeof l->password, v.text, v.escaped);
    }
}

/* <DbUser>IAM:x</DbUser> with XML's five entities. */
static void read_xml(ss_str body, const char *open, const char *close, char *out, size_t size)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    const char *at = body.len ? memmem(body.ptr, body.len, open, strlen(open)) : NULL;
    const char *end = at ? memmem(at, (size_t)(body.ptr + body.len - at), close, strlen(close)) : NULL;
    size_t len = 0;
    for (at = end ? at + strlen(open) : NULL; at && at < end && len + 1 < size;) {
        size_t used = 1;
        char c = *at;
        for (size_t i = 0; c == '&' && i < sizeof entities / sizeof *entities; i++)
            if (strlen(entities[i].name) <= (size_t)(end - at) &&
                memcmp(at, entities[i].name, strlen(entities[i].name)) == 0) {
                used = strlen(entities[i].name);
                c = entities[i].c;
            }
        out[len++] = c;
        at += used;
    }
    out[len] = '\0';
}

static void put_pair(buf *out, const char *name, ss_str value)
{
    if (value.len == 0 || !buf_reserve(out, strlen(name) + 3 * value.len + 2))
        return;
    buf_addf(out, "&%s=", name);
    if (buf_reserve(out, 3 * value.len))
        out->len += url_encode(out->ptr + out->len, value);
}

static aws_call *ask_cluster(redshift *r, buf *body)
{
    static const ss_pair head[] = {
        {{"Content-Type", 12}, {"application/x-www-form-urlencoded; charset=utf-8", 48}}};
    buf_adds(body, "Action=GetClusterCredentials&Version=2012-12-01&DurationSeconds=" PASSWORD_LIFE);
    put_pair(body, "ClusterIdentifier", r->api.cluster);
    put_pair(body, "DbUser", r->api.user);
    put_pair(body, "DbName", r->api.database);
    const aws_request request = {.service = AWS_REDSHIFT,
                                 .method = SS_LIT("POST"),
                                 .path = SS_LIT("/"),
                                 .headers = head,
                                 .header_count = 1,
                                 .body = buf_str(body)};
    return aws_start(r->aws, &request);
}

static aws_call *ask_workgroup(redshift *r, buf *body)
{
    const ss_str values[] = {r->api.workgroup, r->api.database};
    static const char *const names[] = {"{\"workgroupName\":", ",\"dbName\":"};
    for (size_t i = 0; i < 2; i++) {
        buf_adds(body, names[i]);
        if (buf_reserve(body, json_escape_bound(values[i].len)))
            body->len += json_put_string(body->ptr + body->len, values[i]);
    }
    buf_adds(body, ",\"durationSeconds\":" PASSWORD_LIFE "}");
    return aws_json(r->aws, AWS_REDSHIFT_SERVERLESS, "GetCredentials", buf_str(body), 0, NULL);
}

static int32_t iam_login(redshift *r, login *l, ss_error *err)
{
    buf body;
    buf_init(&body, 4096);
    bool serverless = r->api.workgroup.len > 0;
    aws_call *call = serverless ? ask_workgroup(r, &body) : ask_cluster(r, &body);
    int32_t rc = SS_RETRY;
    if (call) {
        const aws_reply *reply = aws_wait(call);
        rc = aws_status(reply->result);
        if (rc != SS_OK)
            rc = ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "%s", reply->text);
        else if (serverless)
            read_json(reply->body, l);
        else {
            read_xml(reply->body, "<DbUser>", "</DbUser>", l->user, sizeof l->user);
            read_xml(reply->body, "<DbPassword>", "</DbPassword>", l->password, sizeof l->password);
        }
        if (rc == SS_OK && (!l->user[0] || !l->password[0]))
            rc = ss_fail(err, SS_RETRY, "redshift: AWS gave no user and password for the database");
    } else {
        (void)ss_fail(err, SS_RETRY, "redshift: no memory");
    }
    aws_call_free(call);
    buf_fini(&body);
    return rc;
}

/* ---- the connection ---- */

static void put_word(buf *out, const char *name, const char *value)
{
    buf_addf(out, " %s='", name);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buf_adds(out, "\\");
        buf_add(out, value, 1);
    }
    buf_adds(out, "'");
}

static int32_t connect_pg(redshift *r, ss_error *err)
{
    char text[CONNINFO_MAX];
    login l = {.user = ""};
    int64_t len = r->host->secret(r->host->self, r->cfg, "connection", text, sizeof text - 1, err);
    if (len < 0)
        return SS_PAUSE;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    buf conninfo;
    buf_init(&conninfo, 2 * CONNINFO_MAX);
    buf_add(&conninfo, text, (size_t)len);
    bool iam = r->host->cfg_int(r->cfg, "iam") != 0;
    int32_t rc = iam ? iam_login(r, &l, err) : SS_OK;
    if (rc == SS_OK && iam) {
        put_word(&conninfo, "user", l.user);
        put_word(&conninfo, "password", l.password);
    }
    if (rc == SS_OK)
        rc = conninfo.failed ? ss_fail(err, SS_PAUSE, "redshift: connection is too long")
                             : pg_open(&r->pg, buf_text(&conninfo), "streamsteam redshift", CONNECT_MS, err);
    if (rc == SS_OK)
        rc = pg_run(&r->pg, TIMEOUT_SQL, err);
    if (rc != SS_OK)
        pg_close(&r->pg);
    explicit_bzero(text, sizeof text);
    explicit_bzero(&l, sizeof l);
    if (conninfo.ptr)
        explicit_bzero(conninfo.ptr, conninfo.size);
    buf_fini(&conninfo);
    return rc;
}

int32_t link_open(redshift *r, ss_error *err)
{
    return !redshift_uses_pg(r) || pg_is_open(&r->pg) ? SS_OK : connect_pg(r, err);
}

void link_close(redshift *r)
{
    pg_close(&r->pg);
}

void link_rollback(redshift *r)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    if (pg_is_open(&r->pg) && pg_run(&r->pg, "ROLLBACK", &ignored) != SS_OK)
        pg_close(&r->pg);
}

/* ---- statements ---- */

static bool is_there(const char *why)
{
    return strstr(why, "already exists") != NULL;
}

/* With a token that nobody else has: what the client itself sends again is not run twice. */
static int32_t api_run(redshift *r, const char *sql, bool there, char id[API_ID_SIZE], ss_error *err)
{
    const ss_host *h = r->host;
    char token[API_TOKEN_SIZE], why[API_TEXT_SIZE];
    unsigned char bytes[16];
    enum api_state state = API_RUNNING;
    h->random(h->self, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    int64_t until = h->now_us(h->self) + STATEMENT_MS * 1000;
    int32_t rc = api_submit(&r->api, &sql, 1, token, id, until, err);
    if (rc == SS_OK)
        rc = api_wait(&r->api, id, until, &state, why, err);
    if (rc != SS_OK || state == API_FINISHED || (state == API_FAILED && there && is_there(why)))
        return rc;
    if (state == API_FAILED) {
        rc = api_meaning(why);
        return ss_fail(err, rc == SS_REJECT ? SS_RETRY : rc, "Redshift: %s", why);
    }
    return ss_fail(err, SS_RETRY, "redshift: a statement has not ended within %d s", STATEMENT_MS / 1000);
}

int32_t link_run(redshift *r, const char *sql, bool there, ss_error *err)
{
    char id[API_ID_SIZE];
    int32_t rc = link_open(r, err);
    if (rc != SS_OK)
        return rc;
    if (!redshift_uses_pg(r))
        return api_run(r, sql, there, id, err);
    rc = pg_run(&r->pg, sql, err);
    return rc != SS_OK && there && is_there(err->text) ? SS_OK : rc;
}

int32_t link_rows(redshift *r, const char *sql, void (*visit)(void *arg, ss_str text), void *arg,
                  ss_error *err)
{
    char id[API_ID_SIZE];
    pg_rows rows;
    int32_t rc = link_open(r, err);
    if (rc != SS_OK)
        return rc;
    if (!redshift_uses_pg(r)) {
        rc = api_run(r, sql, false, id, err);
        return rc == SS_OK ? api_rows(&r->api, id, 0, visit, arg, 0, err) : rc;
    }
    rc = pg_ask(&r->pg, sql, NULL, 0, &rows, err);
    for (int i = 0; rc == SS_OK && i < rows.rows; i++) {
        const char *value = pg_cell(&rows, i, 0);
        if (value)
            visit(arg, ss_cstr(value));
    }
    pg_rows_free(&rows);
    return rc;
}

void link_take_number(void *arg, ss_str text)
{
    *(uint64_t *)arg = strtoull(text.ptr, NULL, 10);
}

int32_t link_position(redshift *r, const char *key, uint64_t *position, ss_error *err)
{
    buf sql;
    *position = 0;
    buf_init(&sql, REDSHIFT_SQL_MAX);
    buf_adds(&sql, "SELECT through FROM ");
    put_qualified(r, REDSHIFT_POSITION, &sql);
    buf_addf(&sql, " WHERE journal = '%s' AND module = ", r->journal);
    catalog_put_text(&sql, key);
    int32_t rc = link_rows(r, buf_text(&sql), link_take_number, position, err);
    buf_fini(&sql);
    return rc;
}

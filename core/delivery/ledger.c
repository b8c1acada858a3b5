#include "core/delivery/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/delivery/state.h"
#include "core/journal/reader.h"
#include "core/journal/summary.h"
#include "plugins/common/wal_sync.h"

#define LEDGER_BUSY_MS     5000
#define LEDGER_MODULES_MAX 1024
#define LEDGER_SCAN_BYTES  (4u * 1024 * 1024)
#define APP_MANY           "*" /* the journal's "not counted by name" */

struct ledger {
    sqlite3 *db;
    char path[PATH_MAX];
};

static const char ledger_schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-256;"
    "CREATE TABLE IF NOT EXISTS folded(id INTEGER PRIMARY KEY CHECK(id=1), journal_id INTEGER,"
    " through_seq INTEGER NOT NULL, records INTEGER NOT NULL, damaged INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS accepted(receiver TEXT, app TEXT, records INTEGER NOT NULL,"
    " PRIMARY KEY(receiver, app)) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO folded VALUES(1,0,0,0,0);";

/* ---- folding
 * ----------------------------------------------------------------------------------------------- */

static int ledger_fail(const char *path, sqlite3 *db, const char *doing, ss_error *err)
{
    return ss_fail(err, -1, "%s: cannot %s: %s; check the disk's space and the file's rights", path, doing,
                   db ? sqlite3_errmsg(db) : "out of memory");
}

ledger *ledger_open(const char *data_dir, ss_error *err)
{
    ledger *l = calloc(1, sizeof *l);
    if (!l) {
        (void)ss_fail(err, -1, "%s/" LEDGER_FILE ": out of memory", data_dir);
        return NULL;
    }
    int n = snprintf(l->path, sizeof l->path, "%s/" LEDGER_FILE, data_dir);
    bool fits = n > 0 && (size_t)n < sizeof l->path;
    int keep_wal = 1;
    if (!fits ||
        sqlite3_open_v2(l->path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) ||
        sqlite3_busy_timeout(l->db, LEDGER_BUSY_MS) ||
        sqlite3_file_control(l->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal) ||
        sqlite3_exec(l->db, ledger_schema, NULL, NULL, NULL) || wal_sync_first(l->db) != SQLITE_OK ||
        file_sync_dir(data_dir) != 0) {
        (void)ledger_fail(l->path, l->db, "open it", err);
        ledger_close(l);
        return NULL;
    }
    return l;
}

void ledger_close(ledger *l)
{
    if (!l)
        return;
    (void)sqlite3_close(l->db);
    free(l);
}

static int fold_counts(ledger *l, const journal_segment_summary *s)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(l->db,
                           "INSERT INTO accepted VALUES(?1,?2,?3) ON CONFLICT(receiver,app) DO UPDATE SET"
                           " records=records+excluded.records",
                           -1, &stmt, NULL) != SQLITE_OK)
        return -1;
    int rc = SQLITE_DONE;
    for (size_t i = 0; rc == SQLITE_DONE && i < s->count_count; i++) {
        const journal_count *c = &s->counts[i];
        (void)sqlite3_bind_text(stmt, 1, c->receiver.len ? c->receiver.ptr : "", (int)c->receiver.len,
                                SQLITE_STATIC);
        (void)sqlite3_bind_text(stmt, 2, c->app.len ? c->app.ptr : "", (int)c->app.len, SQLITE_STATIC);
        (void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)c->records);
        rc = sqlite3_step(stmt);
        (void)sqlite3_reset(stmt);
    }
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int fold_through(ledger *l, const journal_segment_summary *s)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(
            l->db, "UPDATE folded SET journal_id=?1, through_seq=?2, records=records+?3, damaged=damaged+?4",
            -1, &stmt, NULL) != SQLITE_OK)
        return -1;
    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)s->journal_id);
    (void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)s->last_seq);
    (void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)s->records);
    (void)sqlite3_bind_int64(stmt, 4, (sqlite3_int64)s->damaged);
    int rc = sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : -1;
}

static uint64_t folded_through(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    uint64_t through = 0;
    if (sqlite3_prepare_v2(db, "SELECT through_seq FROM folded", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        through = (uint64_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return through;
}

int ledger_retire(void *ledger_arg, const journal_segment_summary *s)
{
    ledger *l = ledger_arg;
    if (s->last_seq < s->first_seq || s->last_seq == 0)
        return 0;
    ss_error err = error_init();
    if (sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        (void)ledger_fail(l->path, l->db, "write to it", &err);
        log_error("%s", err.text);
        return -1;
    }
    /* Segments go in order, so one number says which ones are in. */
    bool known = folded_through(l->db) >= s->last_seq;
    int rc = known ? 0 : fold_counts(l, s);
    if (rc == 0 && !known)
        rc = fold_through(l, s);
    FAULT_POINT("ledger.before_commit");
    if (rc != 0 || sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        (void)ledger_fail(l->path, l->db, "fold a retired segment into it", &err);
        (void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
        log_error("%s; the segment stays until that works", err.text);
        return -1;
    }
    FAULT_POINT("ledger.after_commit");
    return 0;
}

/* ---- what was accepted
 * ------------------------------------------------------------------------------------- */

typedef struct accepted_walk {
    const char *journal_dir;
    uint64_t after_seq, through_seq;
    tally *out;
    ss_error *err;
} accepted_walk;

static int read_totals(const char *data_dir, uint64_t *through, tally *out, ss_error *err)
{
    char path[PATH_MAX];
    *through = 0;
    int n = snprintf(path, sizeof path, "%s/" LEDGER_FILE, data_dir);
    if (n < 0 || (size_t)n >= sizeof path || access(path, F_OK) != 0)
        return 0; /* nothing was ever retired */
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, LEDGER_BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "SELECT receiver, app, records FROM accepted", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        *through = folded_through(db);
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *receiver = (const char *)sqlite3_column_text(stmt, 0),
                   *app = (const char *)sqlite3_column_text(stmt, 1);
        tally_add(out, tally_row_of(out, ss_cstr(receiver ? receiver : ""), ss_cstr(app ? app : "")),
                  OUTCOME_DELIVERED, sqlite3_column_int64(stmt, 2));
    }
    (void)sqlite3_finalize(stmt);
    if (rc != SQLITE_OK)
        (void)ledger_fail(path, db, "read it", err);
    (void)sqlite3_close(db);
    return rc == SQLITE_OK ? 0 : -1;
}

/* Part of a segment: record by record. */
static int scan_part(accepted_walk *w, uint64_t after_seq)
{
    journal_reader *reader = journal_reader_open(w->journal_dir, after_seq, LEDGER_SCAN_BYTES, w->err);
    if (!reader)
        return -1;
    journal_item item;
    int rc = 1;
    while (rc == 1) {
        switch (journal_reader_next(reader, w->through_seq, &item, w->err)) {
        case JOURNAL_READ_RECORD:
            tally_add(w->out, tally_row_of(w->out, item.record.receiver, item.record.app), OUTCOME_DELIVERED,
                      1);
            break;
        case JOURNAL_READ_FULL:
            journal_reader_release(reader);
            break;
        case JOURNAL_READ_GAP:
        case JOURNAL_READ_DAMAGED:
            break;
        case JOURNAL_READ_END:
            rc = 0;
            break;
        case JOURNAL_READ_ERROR:
            rc = -1;
            break;
        }
    }
    journal_reader_close(reader);
    return rc;
}

static int add_segment(void *arg, const journal_segment_summary *s)
{
    accepted_walk *w = arg;
    if (s->last_seq < s->first_seq || s->last_seq <= w->after_seq || s->first_seq > w->through_seq)
        return 0;
    if (s->last_seq > w->through_seq)
        return scan_part(w, s->first_seq - 1);
    for (size_t i = 0; i < s->count_count; i++)
        tally_add(w->out, tally_row_of(w->out, s->counts[i].receiver, s->counts[i].app), OUTCOME_DELIVERED,
                  (int64_t)s->counts[i].records);
    return 0;
}

int ledger_accepted(const char *data_dir, const char *journal_dir, uint64_t through_seq, tally *out,
                    ss_error *err)
{
    for (int attempt = 0; attempt < LEDGER_TRIES_MAX; attempt++) {
        uint64_t before, after;
        tally ignored = {0};
        tally_clear(out);
        accepted_walk walk = {.journal_dir = journal_dir, .through_seq = through_seq, .out = out, .err = err};
        if (read_totals(data_dir, &before, out, err) != 0)
            return -1;
        walk.after_seq = before;
        int rc = through_seq > before ? journal_summaries(journal_dir, add_segment, &walk, err) : 0;
        int again = read_totals(data_dir, &after, &ignored, err);
        tally_fini(&ignored);
        if (before == after)
            return rc || again ? -1 : 0;
    }
    return ss_fail(err, -1, "%s: segments go faster than they can be counted; try again later", journal_dir);
}

/* ---- the books
 * --------------------------------------------------------------------------------------------- */

typedef struct book {
    ledger_row *rows;
    size_t count, size;
    bool failed;
} book;

static ledger_row *book_row(book *b, ss_str receiver, ss_str app)
{
    for (size_t i = 0; i < b->count; i++)
        if (ss_eq(b->rows[i].app, app) && ss_eq(b->rows[i].receiver, receiver))
            return &b->rows[i];
    if (b->count == b->size) {
        size_t size = b->size ? b->size * 2 : 64;
        ledger_row *rows = realloc(b->rows, size * sizeof *rows);
        if (!rows) {
            b->failed = true;
            return NULL;
        }
        b->rows = rows;
        b->size = size;
    }
    char *copy = malloc(receiver.len + app.len + 1);
    if (!copy) {
        b->failed = true;
        return NULL;
    }
    memcpy(copy, receiver.len ? receiver.ptr : "", receiver.len);
    memcpy(copy + receiver.len, app.len ? app.ptr : "", app.len);
    b->rows[b->count] =
        (ledger_row){.receiver = ss_s(copy, receiver.len), .app = ss_s(copy + receiver.len, app.len)};
    return &b->rows[b->count++];
}

static void book_fini(book *b)
{
    for (size_t i = 0; i < b->count; i++)
        free((void *)(uintptr_t)b->rows[i].receiver.ptr);
    free(b->rows);
    *b = (book){0};
}

static void book_count(void *arg, ss_str receiver, ss_str app, const int64_t n[OUTCOME_COUNT])
{
    ledger_row *row = book_row(arg, receiver, app);
    for (int k = 0; row && k < OUTCOME_COUNT; k++)
        row->counts[k] += n[k];
}

static void book_baseline(void *arg, ss_str receiver, ss_str app, const int64_t n[OUTCOME_COUNT])
{
    ledger_row *row = book_row(arg, receiver, app);
    if (row)
        row->accepted -= n[0];
}

static int book_accepted(book *b, const char *data_dir, uint64_t cursor, ss_error *err)
{
    char journal_dir[PATH_MAX];
    int n = snprintf(journal_dir, sizeof journal_dir, "%s/journal", data_dir);
    if (n < 0 || (size_t)n >= sizeof journal_dir)
        return ss_fail(err, -1, "%s: the path is too long", data_dir);
    tally accepted = {0};
    int rc = ledger_accepted(data_dir, journal_dir, cursor, &accepted, err);
    for (uint32_t i = 0; rc == 0 && i < accepted.count; i++) {
        ledger_row *row = book_row(b, accepted.rows[i].receiver, accepted.rows[i].app);
        if (row)
            row->accepted += accepted.rows[i].counts[0];
    }
    tally_fini(&accepted);
    return rc;
}

static int64_t row_sum(const ledger_row *row)
{
    int64_t sum = 0;
    for (int k = 0; k < OUTCOME_COUNT; k++)
        sum += row->counts[k];
    return sum;
}

static bool is_many(const ledger_row *row)
{
    return ss_eq(row->app, SS_LIT(APP_MANY)) || ss_eq(row->app, SS_LIT("__other__"));
}

/* Where a receiver has more applications than are counted by name, only its sum can be compared. */
static void gather_many(book *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (!is_many(&b->rows[i]))
            continue;
        for (size_t k = 0; k < b->count; k++) {
            if (k == i || !ss_eq(b->rows[k].receiver, b->rows[i].receiver) || b->rows[k].accepted < 0)
                continue;
            b->rows[i].accepted += b->rows[k].accepted - row_sum(&b->rows[k]);
            b->rows[k].accepted = row_sum(&b->rows[k]);
        }
    }
}

static bool wrong(ledger_module *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(ledger_module *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(m->why, sizeof m->why, format, args);
    va_end(args);
    return false;
}

/* accepted up to the cursor = delivered + rejected + expired + filtered + damaged; and per receiver and
   application, except for those expired and damaged records whose owner nobody can tell. */
static bool book_balances(ledger_module *m, book *b, bool verify)
{
    int64_t sum = 0, unknown = 0, missing = 0;
    for (int k = 0; k < OUTCOME_COUNT; k++)
        sum += m->counts[k];
    if (sum != (int64_t)(m->cursor - m->start_seq))
        return wrong(m, "%lld records are accounted for, but the cursor moved by %lld", (long long)sum,
                     (long long)(m->cursor - m->start_seq));
    if (!verify)
        return true;
    gather_many(b);
    for (size_t i = 0; i < b->count; i++) {
        const ledger_row *row = &b->rows[i];
        if (row->receiver.len == 0 && row->app.len == 0) {
            unknown += row_sum(row);
            continue;
        }
        if (row->accepted < row_sum(row))
            return wrong(m, "receiver %.*s, application %.*s: accepted %lld, but %lld are accounted for",
                         (int)row->receiver.len, row->receiver.ptr, (int)row->app.len, row->app.ptr,
                         (long long)row->accepted, (long long)row_sum(row));
        missing += row->accepted - row_sum(row);
    }
    if (missing > unknown)
        return wrong(m,
                     "%lld accepted records are neither delivered, rejected nor filtered, but only %lld "
                     "expired or were damaged",
                     (long long)missing, (long long)unknown);
    return true;
}

static int book_read(const char *path, const char *data_dir, bool verify, ledger_module *m, book *b,
                     ss_error *err)
{
    state *s = state_open_existing(path, err);
    if (!s)
        return -1;
    int rc = state_freeze(s, err);
    if (rc == 0) {
        m->start_seq = state_started(s).start_seq;
        m->cursor = state_cursor(s);
        rc = state_counts(s, false, book_count, b, err);
        if (rc == 0)
            rc = state_counts(s, true, book_baseline, b, err);
        state_thaw(s);
    }
    state_close(s);
    for (size_t i = 0; i < b->count; i++)
        for (int k = 0; k < OUTCOME_COUNT; k++)
            m->counts[k] += b->rows[i].counts[k];
    if (rc == 0 && verify)
        rc = book_accepted(b, data_dir, m->cursor, err);
    return rc == 0 && b->failed ? ss_fail(err, -1, "%s: out of memory", path) : rc;
}

static int visit_module(const char *data_dir, const char *name, bool verify, ledger_visit visit, void *arg,
                        ss_error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/modules/%s/" STATE_FILE, data_dir, name);
    if (n < 0 || (size_t)n >= sizeof path || access(path, F_OK) != 0)
        return 0;
    ledger_module m = {.name = name};
    book b = {0};
    int rc = book_read(path, data_dir, verify, &m, &b, err);
    if (rc == 0) {
        m.balances = book_balances(&m, &b, verify);
        m.rows = b.rows;
        m.row_count = b.count;
        visit(arg, &m);
    }
    book_fini(&b);
    return rc;
}

int ledger_modules(const char *data_dir, bool verify, ledger_visit visit, void *arg, ss_error *err)
{
    char path[PATH_MAX];
    struct dirent **names = NULL;
    int n = snprintf(path, sizeof path, "%s/modules", data_dir);
    int count = n > 0 && (size_t)n < sizeof path ? scandir(path, &names, NULL, alphasort) : -1;
    if (count < 0 && errno != ENOENT)
        return ss_fail(err, -1, "%s: %m", path);
    int rc = 0;
    for (int i = 0; i < count; i++) {
        if (rc == 0 && names[i]->d_name[0] != '.' && i < LEDGER_MODULES_MAX)
            rc = visit_module(data_dir, names[i]->d_name, verify, visit, arg, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

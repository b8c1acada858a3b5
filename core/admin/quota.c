/* Counts of quotas: from the store at the start, to the store every few seconds. */
#include "core/admin/authorizer_inside.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#define FLUSH_US   10000000
#define USAGE_DAYS 7 /* counts of older days are deleted */

static bool read_count(void *arg, const database_row *row)
{
    authorizer *a = arg;
    limits_count total = {.kind = ss_eq(database_row_text(row, 0), SS_LIT("app")) ? LIMITS_APP : LIMITS_KEY,
                          .day = a->day,
                          .count = database_row_int(row, 2)};
    if (key16_parse(database_row_text(row, 1), &total.id))
        limits_know(a->limits, &total);
    return true;
}

void authorizer_read_usage(authorizer *a)
{
    ss_error ignored = error_init(); /* counts that cannot be read begin at nothing */
    a->day = limits_day(clock_now_us());
    database_value day = database_int(a->day);
    (void)database_run(a->db, "SELECT kind, id, count FROM usage WHERE day=$1", &day, 1, read_count, a, NULL,
                       &ignored);
}

typedef struct flushing {
    authorizer *a;
    bool begun, failed;
    ss_error err;
} flushing;

static bool flush_one(void *arg, limits_count *grown)
{
    flushing *f = arg;
    char id[KEY_HASH_TEXT + 1];
    if (!f->begun && !f->failed) {
        f->failed = database_begin(f->a->db, &f->err) != STORE_OK;
        f->begun = !f->failed;
    }
    if (f->failed)
        return false;
    key16_put(grown->id, id);
    database_value values[] = {database_int(grown->day),
                               database_text(grown->kind == LIMITS_APP ? SS_LIT("app") : SS_LIT("key")),
                               database_text(ss_cstr(id)), database_int(grown->count)};
    f->failed = database_run(f->a->db,
                             "INSERT INTO usage VALUES($1,$2,$3,$4) ON CONFLICT(day, kind, id)"
                             " DO UPDATE SET count=usage.count+excluded.count RETURNING count",
                             values, 4, authorizer_take_number, &grown->count, NULL, &f->err) != STORE_OK;
    return !f->failed;
}

void authorizer_flush(authorizer *a)
{
    flushing f = {.a = a, .err = error_init()};
    int64_t today = limits_day(clock_now_us());
    a->next_flush_us = clock_mono_us() + FLUSH_US;
    limits_each_grown(a->limits, flush_one, &f);
    database_value old = database_int(today - USAGE_DAYS);
    if (f.begun && !f.failed && a->day != today)
        f.failed = database_run(a->db, "DELETE FROM usage WHERE day<$1", &old, 1, NULL, NULL, NULL, &f.err) !=
                   STORE_OK;
    a->day = today;
    if (f.begun && database_end(a->db, !f.failed, &f.err) != STORE_OK)
        f.failed = true;
    if (f.failed)
        log_warn("counts of quotas could not be stored: %s", f.err.text);
}

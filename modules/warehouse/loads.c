#include "modules/warehouse/loads.h"

#include <inttypes.h>
#include <time.h>

#define NUMBER_SIZE 24u
#define TIME_SIZE   32u

static const char *number(uint64_t value, char out[NUMBER_SIZE])
{
    (void)snprintf(out, NUMBER_SIZE, "%" PRIu64, value);
    return out;
}

static const char *time_text(int64_t us, char out[TIME_SIZE])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)snprintf(out, TIME_SIZE, "1970-01-01T00:00:00Z");
    return out;
}

void loads_init(loads *l, db *d, uint64_t journal_id, ss_str module)
{
    *l = (loads){.db = d};
    (void)snprintf(l->journal, sizeof l->journal, "%016" PRIx64, journal_id);
    (void)snprintf(l->module, sizeof l->module, "%.*s", (int)module.len, module.ptr);
}

int32_t loads_position(loads *l, uint64_t *position, ss_error *err)
{
    const char *values[] = {l->journal, l->module};
    return db_number(l->db, "SELECT through FROM load_position WHERE journal = $1 AND module = $2", values, 2,
                     position, NULL, err);
}

int32_t loads_lock(loads *l, uint64_t *position, ss_error *err)
{
    char sql[160];
    bool found = false;
    const char *values[] = {l->journal, l->module};
    (void)snprintf(sql, sizeof sql, "SELECT through FROM load_position WHERE journal = $1 AND module = $2%s",
                   l->db->ops->lock);
    int32_t rc = db_number(l->db, sql, values, 2, position, &found, err);
    if (rc != SS_OK || found)
        return rc;
    rc = db_do(l->db,
               "INSERT INTO load_position (journal, module, through) VALUES ($1, $2, 0) ON CONFLICT "
               "(journal, module) DO "
               "NOTHING",
               values, 2, err);
    return rc == SS_OK ? db_number(l->db, sql, values, 2, position, &found, err) : rc;
}

int32_t loads_begin(loads *l, uint64_t after, int64_t now_us, ss_error *err)
{
    char from[NUMBER_SIZE], at[TIME_SIZE];
    l->next_id = l->id;
    l->next_began_us = l->began_us;
    int64_t age_us = now_us - l->began_us;
    if (l->id && l->through == after && age_us >= 0 && age_us < LOADS_MERGE_US)
        return SS_OK;
    const char *values[] = {l->journal, l->module, number(after + 1, from), time_text(now_us, at)};
    l->next_began_us = now_us;
    return db_number(l->db,
                     "INSERT INTO load_log (journal, module, first, through, rows, loads, loaded_at) VALUES "
                     "($1, $2, $3, 0, "
                     "0, 0, $4) RETURNING id",
                     values, 4, &l->next_id, NULL, err);
}

int32_t loads_end(loads *l, uint64_t after, uint64_t through, uint64_t rows, int64_t now_us, bool move,
                  ss_error *err)
{
    char number_text[3][NUMBER_SIZE], at[TIME_SIZE];
    (void)after;
    const char *log[] = {number(through, number_text[0]), number(rows, number_text[1]), time_text(now_us, at),
                         number(l->next_id, number_text[2])};
    int32_t rc = db_do(
        l->db,
        "UPDATE load_log SET through = $1, rows = rows + $2, loads = loads + 1, loaded_at = $3 WHERE id = $4",
        log, 4, err);
    const char *values[] = {log[0], l->journal, l->module};
    if (rc == SS_OK && move)
        rc = db_do(l->db, "UPDATE load_position SET through = $1 WHERE journal = $2 AND module = $3", values,
                   3, err);
    return rc;
}

void loads_committed(loads *l, uint64_t through)
{
    l->id = l->next_id;
    l->began_us = l->next_began_us;
    l->through = through;
}

void loads_rolled_back(loads *l)
{
    l->next_id = l->id;
    l->next_began_us = l->began_us;
}

int32_t loads_covers(loads *l, uint64_t seq, bool *yes, ss_error *err)
{
    char text[NUMBER_SIZE];
    uint64_t id;
    const char *values[] = {l->journal, l->module, number(seq, text)};
    return db_number(
        l->db,
        "SELECT id FROM load_log WHERE journal = $1 AND module = $2 AND $3 BETWEEN first AND through LIMIT 1",
        values, 3, &id, yes, err);
}

int32_t loads_single(loads *l, uint64_t seq, bool *known, ss_error *err)
{
    char text[NUMBER_SIZE];
    uint64_t changed = 0;
    const char *values[] = {l->journal, l->module, number(seq, text)};
    int32_t rc = l->db->ops->ask(
        l->db,
        "INSERT INTO load_single (journal, module, seq) VALUES ($1, $2, $3) ON CONFLICT (journal, "
        "module, seq) DO NOTHING",
        values, 3, NULL, NULL, &changed, err);
    *known = changed == 0;
    return rc;
}

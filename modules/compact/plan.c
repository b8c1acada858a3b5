#include "modules/compact/plan.h"

#include <stdlib.h>

static const char *const extensions[] = {"", ".ndjson", ".ndjson.gz", ".parquet"};

enum file_kind plan_kind(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = FILE_PARQUET; i > FILE_OTHER; i--) {
        size_t end = strlen(extensions[i]);
        if (len > end && strcmp(name + len - end, extensions[i]) == 0)
            return (enum file_kind)i;
    }
    return FILE_OTHER;
}

const char *plan_extension(enum file_kind kind)
{
    return extensions[kind];
}

/* ---- order ---- */

typedef struct planning {
    const lake_index *x;
    const plan_rules *r;
    size_t *order,
        *chosen; /* places of files: all, by partition; those of units, one unit behind the other */
    size_t chosen_count;
    plan_unit *units;
    size_t unit_count, unit_size;
} planning;

static int64_t start_of(const plan_rules *r, const index_file *f)
{
    return f->min_us / r->unit_us * r->unit_us;
}

static int difference(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* As spark has it: the folder, and the unit in which a file's first event lies. Other kinds of files are
   partitions of their own. */
static int compare_partition(const planning *p, const index_file *a, const index_file *b)
{
    int d = difference(start_of(p->r, a), start_of(p->r, b));
    d = d ? d : a->folder == b->folder ? 0 : strcmp(a->folder, b->folder);
    d = d ? d : (int)a->errors - (int)b->errors;
    return d ? d : (int)plan_kind(a->name) - (int)plan_kind(b->name);
}

static int compare_file(const index_file *a, const index_file *b)
{
    int d = difference(a->min_us, b->min_us);
    return d ? d : strcmp(a->name, b->name);
}

static int by_partition(const void *one, const void *other, void *arg)
{
    const planning *p = arg;
    const index_file *a = &p->x->files[*(const size_t *)one], *b = &p->x->files[*(const size_t *)other];
    int d = compare_partition(p, a, b);
    return d ? d : compare_file(a, b);
}

static int by_time(const void *one, const void *other, void *arg)
{
    const planning *p = arg;
    return compare_file(&p->x->files[*(const size_t *)one], &p->x->files[*(const size_t *)other]);
}

/* Cuts' files first, then compacted ones, small before large. */
static int by_size(const void *one, const void *other, void *arg)
{
    const planning *p = arg;
    const index_file *a = &p->x->files[*(const size_t *)one], *b = &p->x->files[*(const size_t *)other];
    int d = (a->unit != NO_UNIT) - (b->unit != NO_UNIT);
    d = d ? d : difference(a->bytes, b->bytes);
    return d ? d : strcmp(a->name, b->name);
}

/* ---- one partition ---- */

static bool is_asked_for(const planning *p, const index_file *f)
{
    ss_str want = p->r->partition;
    size_t len = strlen(f->folder);
    if (want.len > 0 && want.ptr[want.len - 1] == '/')
        want.len--;
    return len >= want.len && memcmp(f->folder, want.ptr, want.len) == 0 &&
           (len == want.len || f->folder[want.len] == '/');
}

/* The stream has passed its end and the grace; or the clock has, and nothing has come for as long. What comes
   when the partition has been compacted is gathered for as long. */
static bool is_closed(const planning *p, const size_t *files, size_t count)
{
    const plan_rules *r = p->r;
    int64_t end_us = 0, seen_us = 0;
    bool late = false;
    for (size_t i = 0; i < count; i++) {
        const index_file *f = &p->x->files[files[i]];
        int64_t max_us = f->max_us < r->now_us ? f->max_us : r->now_us; /* no clock is a day ahead for long */
        int64_t end = max_us / r->unit_us * r->unit_us + r->unit_us;
        end_us = end > end_us ? end : end_us;
        seen_us = f->unit == NO_UNIT && f->seen_us > seen_us ? f->seen_us : seen_us;
        late = late || f->unit != NO_UNIT;
    }
    if (late)
        return r->now_us >= seen_us + r->grace_us;
    int64_t closes = end_us + r->grace_us;
    int64_t newest_us = p->x->newest_us < r->now_us ? p->x->newest_us : r->now_us;
    return newest_us >= closes || (r->now_us >= closes && r->now_us >= p->x->arrived_us + r->grace_us);
}

bool plan_converts(const plan_rules *r, const index_file *f)
{
    enum file_kind kind = plan_kind(f->name);
    return r->parquet && !f->errors && (kind == FILE_LINES || kind == FILE_GZIP);
}

static bool may_join(const planning *p, const index_file *f)
{
    return !f->dead && (f->bytes < p->r->size / 2 || plan_converts(p->r, f)) &&
           (f->unit == NO_UNIT || p->x->units[f->unit].state == UNIT_DONE);
}

static bool add_unit(planning *p, const size_t *files, size_t count, int64_t bytes)
{
    if (count < 2 && !(count == 1 && plan_converts(p->r, &p->x->files[*files])))
        return true;
    if (p->unit_count == p->unit_size) {
        size_t size = p->unit_size ? p->unit_size * 2 : 64;
        plan_unit *units = realloc(p->units, size * sizeof *units);
        if (!units)
            return false;
        p->units = units;
        p->unit_size = size;
    }
    plan_unit u = {
        .files = files, .count = count, .bytes = bytes, .start_us = start_of(p->r, &p->x->files[*files])};
    for (size_t i = 0; i < count; i++)
        u.lines += p->x->files[files[i]].count;
    p->units[p->unit_count++] = u;
    return true;
}

/* Those that join, in order of time, until there is enough for a file. */
static bool cut_up(planning *p, size_t *files, size_t count)
{
    size_t first = 0, most = PLAN_FILES_MAX;
    int64_t bytes = 0;
    if (count > 0 && plan_kind(p->x->files[*files].name) == FILE_PARQUET)
        most = PLAN_PARQUET_MAX;
    qsort_r(files, count, sizeof *files, by_time, p);
    for (size_t i = 0; i < count; i++) {
        bytes += p->x->files[files[i]].bytes;
        if (bytes < p->r->size && i + 1 - first < most && i + 1 < count)
            continue;
        if (!add_unit(p, files + first, i + 1 - first, bytes))
            return false;
        first = i + 1;
        bytes = 0;
    }
    return true;
}

static bool plan_partition(planning *p, const size_t *files, size_t count)
{
    size_t *chosen = p->chosen + p->chosen_count, candidates = 0, joined = 0;
    int64_t sum = 0;
    bool asked = p->r->partition.len > 0;
    const index_file *any = &p->x->files[*files];
    if (plan_kind(any->name) == FILE_OTHER || (plan_kind(any->name) == FILE_PARQUET && !p->r->parquet))
        return true;
    if (asked ? !is_asked_for(p, any) : !is_closed(p, files, count))
        return true;
    for (size_t i = 0; i < count; i++)
        if (may_join(p, &p->x->files[files[i]]))
            chosen[candidates++] = files[i];
    qsort_r(chosen, candidates, sizeof *chosen, by_size, p);
    for (; joined < candidates; joined++) {
        const index_file *f = &p->x->files[chosen[joined]];
        /* No cut makes the Parquet files that lines became: there the smallest is what others join. */
        bool first = joined == 0 && plan_kind(f->name) == FILE_PARQUET;
        if (f->unit != NO_UNIT && f->bytes > sum * PLAN_PART && !first && !plan_converts(p->r, f))
            break;
        sum += f->bytes;
    }
    p->chosen_count += joined;
    return cut_up(p, chosen, joined);
}

/* ---- all ---- */

static bool plan_all(planning *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->x->file_count; i++)
        if (!p->x->files[i].dead)
            p->order[count++] = i;
    qsort_r(p->order, count, sizeof *p->order, by_partition, p);
    for (size_t first = 0, end; first < count; first = end) {
        const index_file *f = &p->x->files[p->order[first]];
        for (end = first + 1; end < count && compare_partition(p, f, &p->x->files[p->order[end]]) == 0;)
            end++;
        if (!plan_partition(p, p->order + first, end - first))
            return false;
    }
    return true;
}

bool plan_make(const lake_index *x, const plan_rules *r, bool (*visit)(void *arg, const plan_unit *u),
               void *arg)
{
    planning p = {.x = x, .r = r};
    size_t room = x->file_count ? x->file_count : 1;
    p.order = malloc(room * sizeof *p.order);
    p.chosen = malloc(room * sizeof *p.chosen);
    bool good = p.order && p.chosen && plan_all(&p);
    for (size_t i = 0; good && i < p.unit_count; i++)
        good = visit(arg, &p.units[i]);
    free(p.order);
    free(p.chosen);
    free(p.units);
    return good;
}

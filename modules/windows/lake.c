#include "modules/windows/lake.h"

#include <stdlib.h>

#include "modules/windows/line.h"
#include "plugins/common/lake_lines.h"
#include "plugins/common/rfc3339.h"

#define TEXT_MAX    1024u /* bytes of an application, a type, an id; longer ones are cut */
#define LOOK_EVERY  1024u /* lines: whether it is to stop */
#define SECONDS_MAX 1e11
#define US_PER_S    1e6
#define HASH_KEY    0x6c616b65u /* any: nothing is compared with what another process hashed */
#define LAKE_TEXTS  3u

typedef struct reader {
    windows *w;
    const windows_lake *ask;
    windows_lake_result *result;
    lake_files files;
    const lake_file **chosen;
    const char **receivers; /* whose lines each has */
    size_t count;
    lake_lines lines;
    paths parts;
    uint32_t slots[LINE_PARTS][LINE_FIELDS_MAX];
    char texts[LAKE_TEXTS][TEXT_MAX];
    ss_error *err;
} reader;

/* ---- whose lines ---- */

static bool is_taken(const windows_names *names, ss_str text)
{
    bool taken = names->count == 0;
    for (size_t i = 0; i < names->count && !taken; i++)
        taken = ss_eq(ss_cstr(names->at[i]), text);
    return taken;
}

/* NULL with err: its folders do not say it. */
static const char *receiver_of(reader *r, const lake_file *f)
{
    const windows_names *all = &r->ask->all;
    for (size_t i = 0; i < all->count; i++)
        if (lake_file_is_of(f, all->at[i]))
            return all->at[i];
    (void)ss_fail(
        r->err, SS_REJECT,
        "%.200s: no folder of its path is the name of a receiver of the configuration, so whose events "
        "it holds is not known: the lake's `partition` has to have {receiver}",
        f->path);
    return NULL;
}

/* Of the time that is asked for, and of a receiver whose events the module reads. */
static bool choose(reader *r)
{
    const windows_lake *ask = r->ask;
    r->chosen = calloc(r->files.count + 1, sizeof *r->chosen);
    r->receivers = calloc(r->files.count + 1, sizeof *r->receivers);
    if (!r->chosen || !r->receivers)
        return ss_fail(r->err, SS_REJECT, "no memory for a list of %zu files", r->files.count), false;
    for (size_t i = 0; i < r->files.count; i++) {
        const lake_file *f = &r->files.items[i];
        if (!lake_file_touches(f, ask->from_us, ask->to_us))
            continue;
        const char *receiver = receiver_of(r, f);
        if (!receiver)
            return false;
        if (ss_eq(r->w->parser, ss_cstr(receiver)) || !is_taken(&ask->receivers, ss_cstr(receiver)))
            continue;
        if (f->parquet)
            return ss_fail(
                       r->err, SS_REJECT,
                       "%.200s is a Parquet file, and windows are computed from lines: take a time that the "
                       "journal has, or a lake that keeps lines",
                       f->path),
                   false;
        r->receivers[r->count] = receiver;
        r->chosen[r->count++] = f;
    }
    return true;
}

/* ---- a line as a record ---- */

static bool add_parts(reader *r)
{
    paths_init(&r->parts);
    for (size_t part = 0; part < LINE_PARTS; part++)
        for (size_t i = 0; line_fields[part][i]; i++) {
            r->slots[part][i] = paths_add(&r->parts, ss_cstr(line_fields[part][i]), r->err);
            if (r->slots[part][i] == PATHS_NONE)
                return false;
        }
    return true;
}

static ss_str text_of(reader *r, enum line_part part)
{
    for (size_t i = 0; line_fields[part][i]; i++) {
        const path_value *v = paths_get(&r->parts, r->slots[part][i]);
        if (!v || v->kind == JSON_NULL)
            continue;
        ss_str text = v->text.len < TEXT_MAX ? v->text : ss_s(v->text.ptr, TEXT_MAX);
        return v->escaped ? ss_s(r->texts[part], json_unescape(r->texts[part], text)) : text;
    }
    return ss_s("", 0);
}

static bool is_moment(const path_value *v, int64_t *us)
{
    double seconds;
    if (v->kind == JSON_STRING)
        return rfc3339_stored(v->text, us);
    if (v->kind != JSON_NUMBER || !json_double(v->text, &seconds) || seconds < -SECONDS_MAX ||
        seconds > SECONDS_MAX)
        return false;
    *us = (int64_t)(seconds * US_PER_S);
    return true;
}

static bool moment_of(reader *r, enum line_part part, int64_t *us)
{
    for (size_t i = 0; line_fields[part][i]; i++) {
        const path_value *v = paths_get(&r->parts, r->slots[part][i]);
        if (v && is_moment(v, us))
            return true;
    }
    return false;
}

static bool take_line(reader *r, ss_str line)
{
    const windows_lake *ask = r->ask;
    const ss_record bare = {.json = line};
    paths_read(&r->parts, &bare);
    ss_record record = {.seq = r->files.through,
                        .receiver = ss_cstr(r->receivers[r->lines.next - 1]),
                        .app = text_of(r, LINE_APP),
                        .type = text_of(r, LINE_TYPE),
                        .id = text_of(r, LINE_ID),
                        .json = line,
                        .body = line,
                        .attempt = 1};
    bool arrived = moment_of(r, LINE_ARRIVAL, &record.receive_us),
         dated = moment_of(r, LINE_TIME, &record.event_us);
    if (!arrived && !dated)
        return ss_fail(r->err, SS_REJECT, "%.200s has a line that does not say when its event was",
                       lake_lines_file(&r->lines)->path),
               false;
    record.event_us = dated ? record.event_us : record.receive_us;
    record.receive_us = arrived ? record.receive_us : record.event_us;
    if (!is_taken(&ask->types, record.type) || !is_taken(&ask->apps, record.app))
        return true;
    r->w->engine.seq = record.seq - 1; /* all have the same number, and each is new */
    return engine_take(&r->w->engine, &record) ||
           (ss_fail(r->err, SS_REJECT, "no memory for the windows"), false);
}

static bool take_lines(reader *r)
{
    ss_str line;
    int got;
    r->lines = (lake_lines){.lake = r->ask->lake, .files = r->chosen, .count = r->count};
    while ((got = lake_lines_next(&r->lines, &line, r->err)) > 0) {
        if (!take_line(r, line))
            return false;
        if (++r->result->lines % LOOK_EVERY == 0 && r->ask->stopping())
            return ss_fail(r->err, SS_REJECT, "stopped"), false;
    }
    return got == 0;
}

/* ---- all ---- */

/* Windows that end later than the newest event that a cut has are not over for the lake. */
static void begin(reader *r)
{
    windows *w = r->w;
    const windows_lake *ask = r->ask;
    w->dir = ask->dir;
    w->order.through_seq = r->result->through = r->files.through;
    w->settings.hold = true;
    w->settings.hold_from_us = ask->from_us;
    w->settings.hold_to_us = ask->to_us;
    w->settings.hold_end_us = ask->to_us < r->files.max_us ? ask->to_us : r->files.max_us;
    w->settings.key = (hash_key){HASH_KEY, HASH_KEY};
    engine_init(&w->engine, &w->settings, &w->paths, w->metrics, w->metric_count, w->states);
}

static bool compute(reader *r)
{
    if (r->w->paths.asked & 1u << LINE_KEY)
        return ss_fail(
                   r->err, SS_REJECT,
                   "@key is not in the stored lines: name the field that the key is made of, or compute from "
                   "the journal"),
               false;
    if (!lake_files_read(r->ask->lake, &r->files, r->err))
        return false;
    if (r->files.through == 0)
        return true;
    if (!choose(r) || !add_parts(r))
        return false;
    begin(r);
    bool good = take_lines(r) && windows_backfill_write(r->w, &r->result->windows, r->err) == SS_OK;
    lake_lines_end(&r->lines);
    return good;
}

int32_t windows_from_lake(windows *w, const windows_lake *ask, windows_lake_result *result, ss_error *err)
{
    reader *r = calloc(1, sizeof *r);
    if (!r)
        return ss_fail(err, SS_REJECT, "no memory");
    *r = (reader){.w = w, .ask = ask, .result = result, .err = err};
    *result = (windows_lake_result){.windows.covered_us = ask->from_us};
    bool good = compute(r);
    paths_fini(&r->parts);
    lake_files_free(&r->files);
    free(r->chosen);
    free(r->receivers);
    free(r);
    return good ? SS_OK : SS_REJECT;
}

#include "modules/spark/trigger.h"

#include <inttypes.h>
#include <time.h>

#define NEVER_US INT64_MAX
#define LOOK_US  2000000ll /* so long one look reads manifests of a bucket */

static bool store_failed(trigger *t, ss_error *err)
{
    char why[SPARK_REASON_MAX];
    (void)snprintf(why, sizeof why, "%s", spark_store_problem(t->store));
    spark_store_undo(t->store);
    return ss_fail(err, SS_RETRY, "its own state cannot be written: %s", why), false;
}

/* ---- files ---- */

static int64_t floor_to(int64_t us, int64_t unit)
{
    return us / unit * unit;
}

/* The partition is the folder (unless folders are together) and the unit in which the file's first event
   lies; it ends with the unit of the last one. */
static bool give_to_job(trigger *t, const spark_job *j, int64_t id, const spark_file *f)
{
    char key[SPARK_KEY_MAX];
    bool mine = j->prefix.len == 0 ||
                (f->path.len >= j->prefix.len && memcmp(f->path.ptr, j->prefix.ptr, j->prefix.len) == 0);
    if (j->on == ON_AFTER || !mine)
        return true;
    const char *slash = memrchr(f->path.ptr, '/', f->path.len);
    size_t folder = slash && !j->together ? (size_t)(slash - f->path.ptr) + 1 : 0;
    time_t start = (time_t)(floor_to(f->min_us, j->unit_us) / 1000000);
    struct tm tm;
    int n = 0;
    if (j->on == ON_CLOSED && gmtime_r(&start, &tm)) {
        n = snprintf(key, sizeof key, "%.*s",
                     (int)(folder < SPARK_KEY_MAX - 20 ? folder : SPARK_KEY_MAX - 20), f->path.ptr);
        n += (int)strftime(key + n, sizeof key - (size_t)n,
                           j->unit_us == DAY_US ? "@%Y-%m-%d" : "@%Y-%m-%dT%H", &tm);
    }
    return spark_part_add(t->store, j->name, id, ss_s(key, (size_t)n),
                          floor_to(f->max_us, j->unit_us) + j->unit_us, f->seen_us);
}

typedef struct taking {
    trigger *t;
    int64_t now_us;
    bool stored;
} taking;

static bool take_object(void *arg, const lake_object *o)
{
    taking *k = arg;
    if (o->errors)
        return true;
    spark_file f = {.path = o->path,
                    .bytes = o->bytes,
                    .events = o->count,
                    .min_us = o->min_us,
                    .max_us = o->max_us < k->now_us ? o->max_us : k->now_us,
                    .seen_us = k->now_us};
    if (f.min_us > f.max_us)
        f.min_us = f.max_us;
    int64_t id = spark_file_add(k->t->store, &f);
    k->stored = id > 0;
    for (size_t i = 0; k->stored && i < k->t->jobs->count; i++)
        k->stored = give_to_job(k->t, &k->t->jobs->at[i], id, &f);
    if (k->stored && f.max_us > k->t->newest_us)
        k->t->newest_us = f.max_us;
    return k->stored;
}

static bool pass_over(void *arg, const lake_object *o)
{
    (void)arg;
    (void)o;
    return true;
}

typedef struct listing {
    taking k;
    ss_error *err;
    bool failed, begun, unread;
} listing;

/* One transaction for all of a directory; for each where reading takes its time, so that nobody waits for a
 * bucket's answer at the state's door. */
static bool begin(listing *l)
{
    bool needed = !l->begun;
    l->begun = true;
    return !needed || spark_store_begin(l->k.t->store);
}

static bool end(listing *l)
{
    bool needed = l->begun;
    l->begun = false;
    return !needed || spark_store_commit(l->k.t->store);
}

static bool keep_manifest(listing *l, ss_str name)
{
    trigger *t = l->k.t;
    ss_str text = grow_str(&t->text);
    ss_error damage = {.struct_size = sizeof damage};
    l->k.stored = true;
    if (!manifest_read(text, pass_over, NULL, &damage) || !manifest_read(text, take_object, &l->k, &damage)) {
        if (!l->k.stored)
            return false;
        t->damaged++;
        (void)snprintf(t->damaged_name, sizeof t->damaged_name, "%.*s", (int)name.len, name.ptr);
    }
    t->arrived_us = l->k.now_us;
    t->look_us = 0;
    return spark_manifest_add(t->store, name, l->k.now_us);
}

/* A manifest that is broken is set aside and told; one that cannot be read comes again. */
static bool take_manifest(void *arg, ss_str name)
{
    listing *l = arg;
    trigger *t = l->k.t;
    if (spark_manifest_seen(t->store, name))
        return true;
    l->unread = (t->lake.slow && t->lake.now_us(t->lake.self) > l->k.now_us + LOOK_US) ||
                !t->lake.read(t->lake.self, name, &t->text, l->err);
    if (l->unread)
        return false;
    l->failed = !begin(l) || !keep_manifest(l, name) || (t->lake.slow && !end(l));
    return !l->failed;
}

static bool is_wanted(void *arg, ss_str name)
{
    return !spark_manifest_seen(((listing *)arg)->k.t->store, name);
}

static bool is_known(void *arg, ss_str name, char newest[SPARK_MANIFEST_MAX])
{
    return spark_manifest_newest(((listing *)arg)->k.t->store, name, newest);
}

/* Of a bucket nothing is decided on half of what is there. */
static bool take_new_files(trigger *t, int64_t now_us, ss_error *err)
{
    listing l = {.k = {.t = t, .now_us = now_us}, .err = err};
    const lake_names names = {.arg = &l, .wanted = is_wanted, .visit = take_manifest, .known = is_known};
    if (!t->lake.changed(t->lake.self))
        return !t->trouble[0] || (ss_fail(err, SS_RETRY, "%s", t->trouble), false);
    err->text[0] = '\0';
    /* What is lost of it in a power cut is read again; batches are made and sent on synced ground. */
    spark_store_lazy(t->store, t->lake.slow);
    bool listed = t->lake.list(t->lake.self, &names, err);
    spark_store_lazy(t->store, false);
    t->half = t->lake.slow && (!listed || l.unread);
    (void)snprintf(t->trouble, sizeof t->trouble, "%.390s", err->text);
    if (l.failed || !end(&l))
        return store_failed(t, err);
    return !t->trouble[0];
}

/* ---- decisions ---- */

typedef struct due_key {
    char *key;
    bool late;
} due_key;

typedef struct decision {
    trigger *t;
    const spark_job *job;
    int64_t now_us, next_us;
    due_key *due;
    size_t count, size;
    int64_t files, bytes, events;
    bool failed;
} decision;

static void look_again_at(decision *d, int64_t us)
{
    if (us < d->next_us)
        d->next_us = us;
}

/* Closed: the stream has passed its end and the grace; or the clock has, and nothing has come for as long. */
static bool is_due(decision *d, const spark_group *g)
{
    int64_t grace = d->job->grace_us, closes = g->end_us + grace, idle = d->t->arrived_us + grace;
    int64_t gathered = g->first_seen_us + grace;
    if (g->late) {
        look_again_at(d, gathered > d->now_us ? gathered : NEVER_US);
        return d->job->late && d->now_us >= gathered;
    }
    if (d->t->newest_us >= closes || (d->now_us >= closes && d->now_us >= idle))
        return true;
    look_again_at(d, closes > idle ? closes : idle);
    return false;
}

static bool weigh_partition(void *arg, const spark_group *g)
{
    decision *d = arg;
    if (!is_due(d, g))
        return true;
    if (d->count == d->size) {
        size_t size = d->size ? d->size * 2 : 64;
        due_key *due = realloc(d->due, size * sizeof *due);
        if (!due)
            return !(d->failed = true);
        d->due = due;
        d->size = size;
    }
    char *key = strdup(g->key);
    if (!key)
        return !(d->failed = true);
    d->due[d->count++] = (due_key){.key = key, .late = g->late};
    return true;
}

static bool weigh_amount(void *arg, const spark_group *g)
{
    decision *d = arg;
    d->files += g->files;
    d->bytes += g->bytes;
    d->events += g->events;
    return true;
}

/* A run that counts the partition anew would put these files alone in place of all. */
static bool set_aside(decision *d, int64_t id)
{
    spark_batch b;
    if (!spark_batch_get(d->t->store, id, &b))
        return false;
    (void)snprintf(b.state, sizeof b.state, "failed");
    (void)snprintf(
        b.reason, sizeof b.reason,
        "late files of a partition whose former files are forgotten (keep): rerun it if the job needs no "
        "others, else run the job by hand over the folder");
    b.ended_us = d->now_us;
    return spark_batch_put(d->t->store, &b);
}

static bool make_batch(decision *d, const char *key, const char *kind, bool late)
{
    int64_t id = spark_batch_make(d->t->store, d->job->name, key, kind, late, d->now_us);
    d->t->made += id > 0;
    return id > 0 && (!key || !spark_part_pruned(d->t->store, d->job->name, key) || set_aside(d, id));
}

static bool make_due(decision *d)
{
    bool good = true;
    for (size_t i = 0; i < d->count; i++) {
        good = good && make_batch(d, d->due[i].key, d->due[i].late ? "late" : "closed", d->due[i].late);
        free(d->due[i].key);
    }
    free(d->due);
    return good;
}

static bool decide_closed(decision *d)
{
    bool read = spark_groups(d->t->store, d->job->name, weigh_partition, d) && !d->failed;
    return make_due(d) && read;
}

static bool decide_amount(decision *d)
{
    const spark_job *j = d->job;
    if (!spark_groups(d->t->store, j->name, weigh_amount, d))
        return false;
    bool reached = (j->files && d->files >= j->files) || (j->bytes && d->bytes >= j->bytes) ||
                   (j->events && d->events >= j->events);
    return !reached || make_batch(d, NULL, "amount", false);
}

/* Times that passed while nobody ran count once. */
static bool decide_cron(decision *d)
{
    int64_t fired = 0;
    bool known = false;
    (void)spark_job_get(d->t->store, d->job->name, &fired, &known);
    int64_t next = cron_next(&d->job->cron, fired);
    if (!next || next > d->now_us) {
        look_again_at(d, next ? next : NEVER_US);
        return true;
    }
    look_again_at(d, cron_next(&d->job->cron, d->now_us));
    if (!spark_groups(d->t->store, d->job->name, weigh_amount, d))
        return false;
    return spark_job_set(d->t->store, d->job->name, d->now_us) &&
           (d->files == 0 || make_batch(d, NULL, "cron", false));
}

static bool decide(trigger *t, const spark_job *j, int64_t now_us, int64_t *next_us)
{
    decision d = {.t = t, .job = j, .now_us = now_us, .next_us = *next_us};
    bool good = j->on == ON_CLOSED   ? decide_closed(&d)
                : j->on == ON_AMOUNT ? decide_amount(&d)
                : j->on == ON_CRON   ? decide_cron(&d)
                                     : true;
    *next_us = d.next_us;
    return good;
}

bool trigger_look(trigger *t, int64_t now_us, ss_error *err)
{
    bool read = take_new_files(t, now_us, err);
    if (now_us < t->look_us || t->half)
        return read;
    int64_t next_us = NEVER_US;
    if (!spark_store_begin(t->store))
        return store_failed(t, err);
    for (size_t i = 0; i < t->jobs->count; i++)
        if (!decide(t, &t->jobs->at[i], now_us, &next_us))
            return store_failed(t, err);
    if (!spark_store_commit(t->store))
        return store_failed(t, err);
    t->look_us = next_us;
    return read;
}

/* ---- start ---- */

typedef struct newcomer {
    trigger *t;
    const spark_job *job;
} newcomer;

static bool give_known_file(void *arg, int64_t id, const spark_file *f)
{
    newcomer *n = arg;
    return give_to_job(n->t, n->job, id, f);
}

bool trigger_start(trigger *t, int64_t now_us, ss_error *err)
{
    t->text.limit = LAKE_MANIFEST_MAX;
    t->arrived_us = now_us; /* what came meanwhile is read first: nothing closes by the clock before */
    t->newest_us = spark_newest_us(t->store);
    if (!spark_store_begin(t->store))
        return store_failed(t, err);
    for (size_t i = 0; i < t->jobs->count; i++) {
        newcomer n = {t, &t->jobs->at[i]};
        int64_t fired;
        bool known;
        (void)spark_job_get(t->store, n.job->name, &fired, &known);
        if (!known &&
            (!spark_files(t->store, give_known_file, &n) || !spark_job_set(t->store, n.job->name, now_us)))
            return store_failed(t, err);
    }
    return spark_store_commit(t->store) || store_failed(t, err);
}

void trigger_stop(trigger *t)
{
    grow_free(&t->text);
    if (t->lake.free)
        t->lake.free(t->lake.self);
}

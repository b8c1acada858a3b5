/* What the journal's tests share: a directory, a board, records made from a number, and a writer's batches
   that can be waited for. */
#ifndef TESTS_UNIT_JOURNAL_FIXTURE_H
#define TESTS_UNIT_JOURNAL_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/journal/format.h"
#include "core/journal/reader.h"
#include "core/journal/segment.h"
#include "core/journal/summary.h"
#include "core/journal/writer.h"
#include "tests/unit/check.h"

#define FIXTURE_SEGMENT_BYTES (32u * 1024)
#define FIXTURE_PATH          512

typedef struct fixture {
    char root[128], dir[FIXTURE_PATH];
    journal_board *board;
    journal_options options;
    journal_writer *writer;
    int source;
} fixture;

static inline void fixture_join(char out[PATH_MAX], const char *dir, const char *name)
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        abort();
}

static inline void fixture_remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        char child[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        fixture_join(child, path, e->d_name);
        if (unlink(child) != 0)
            fixture_remove_tree(child);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

static inline void fixture_init_under(fixture *f, const char *parent)
{
    memset(f, 0, sizeof *f);
    log_init("test", SS_ERROR + 1); /* the tests provoke what would be logged */
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(f->root, sizeof f->root, "%s/journal-XXXXXX", tmp && strlen(tmp) < 100 ? tmp : parent);
    if (!mkdtemp(f->root))
        abort();
    (void)snprintf(f->dir, sizeof f->dir, "%s/journal", f->root);
    f->board = mmap(NULL, sizeof *f->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    f->options = (journal_options){.dir = f->dir, .segment_bytes = FIXTURE_SEGMENT_BYTES, .window_us = 200};
}

static inline void fixture_init(fixture *f)
{
    fixture_init_under(f, "/tmp");
}

/* For the loops over every byte: thousands of small journals, where a real disk's syncs prove nothing more.
 */
static inline void fixture_init_in_memory(fixture *f)
{
    fixture_init_under(f, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

static inline void fixture_fini(fixture *f)
{
    fixture_remove_tree(f->root);
    (void)munmap(f->board, sizeof *f->board);
}

static inline bool fixture_open(fixture *f)
{
    ss_error err = error_init();
    f->writer = journal_open(&f->options, f->board, &err);
    if (!f->writer) {
        printf("# %s\n", err.text);
        return false;
    }
    f->source = journal_source_id(f->writer, &(journal_source){.name = ss_cstr("matomo"),
                                                               .version = ss_cstr("1.0"),
                                                               .schema_rev = 7,
                                                               .catalog_hash = 99});
    return f->source > 0;
}

static inline void fixture_close(fixture *f)
{
    journal_close(f->writer);
    f->writer = NULL;
}

/* A module at this cursor: what follows it is kept. */
static inline void fixture_pin(fixture *f, uint32_t slot, uint64_t cursor)
{
    atomic_store(&f->board->slots[slot].synced_cursor, cursor);
    atomic_store(&f->board->slots[slot].used, 1);
}

/* ---- records ---- */

/* The line of event `number`: its length depends on the number, so that records differ. */
static inline size_t fixture_line(uint64_t number, char out[256])
{
    int len = snprintf(out, 256, "{\"n\":%" PRIu64 ",\"pad\":\"", number);
    size_t pad = (size_t)(number * 7 % 90);
    memset(out + len, 'x', pad);
    memcpy(out + (size_t)len + pad, "\"}", 3);
    return (size_t)len + pad + 2;
}

static inline void fixture_record(buf *out, int source, uint64_t number, bool request_end)
{
    char line[256], app[16], id[32];
    journal_record_head h = {.receive_us = (int64_t)(1000 + number),
                             .event_us = (int64_t)(2000 + number),
                             .source = (uint16_t)source,
                             .flags = request_end ? JOURNAL_REQUEST_END : 0,
                             .type_len = 9};
    h.app_len = (uint16_t)snprintf(app, sizeof app, "app%" PRIu64, number % 3);
    h.id_len = (uint16_t)snprintf(id, sizeof id, "id-%" PRIu64, number);
    h.key_len = h.id_len;
    h.json_len = (uint32_t)fixture_line(number, line);
    h.length = (uint32_t)(sizeof h + h.app_len + h.type_len + h.id_len + h.key_len + h.json_len);
    buf_add(out, &h, sizeof h);
    buf_add(out, app, h.app_len);
    buf_add(out, "page_view", 9);
    buf_add(out, id, h.id_len);
    buf_add(out, id, h.key_len);
    buf_add(out, line, h.json_len);
    buf_add(out, "\0\0\0\0\0\0\0", JOURNAL_ALIGN(h.length) - h.length);
}

/* Is this the record that fixture_record() made of `number`? */
static inline bool fixture_same(const ss_record *r, uint64_t number)
{
    char line[256], app[16], id[32];
    size_t len = fixture_line(number, line);
    (void)snprintf(app, sizeof app, "app%" PRIu64, number % 3);
    (void)snprintf(id, sizeof id, "id-%" PRIu64, number);
    return ss_eq(r->json, ss_s(line, len)) && ss_eq(r->app, ss_cstr(app)) && ss_eq(r->id, ss_cstr(id)) &&
           ss_eq(r->key, ss_cstr(id)) && ss_eq(r->type, ss_cstr("page_view")) &&
           ss_eq(r->receiver, ss_cstr("matomo")) && r->schema_rev == 7 &&
           r->receive_us == (int64_t)(1000 + number) && r->event_us == (int64_t)(2000 + number);
}

/* ---- batches ---- */

typedef struct fixture_batch {
    journal_batch batch;
    buf records;
    pthread_mutex_t lock;
    pthread_cond_t done;
    int written, synced, refused;
    bool written_late;
} fixture_batch;

static inline void fixture_notify(journal_batch *batch, enum journal_event what)
{
    fixture_batch *b = batch->owner;
    pthread_mutex_lock(&b->lock);
    b->written_late |= what == JOURNAL_WRITTEN && b->synced + b->refused > 0;
    b->written += what == JOURNAL_WRITTEN;
    b->synced += what == JOURNAL_SYNCED;
    b->refused += what == JOURNAL_REFUSED;
    pthread_cond_broadcast(&b->done);
    pthread_mutex_unlock(&b->lock);
}

static inline void fixture_batch_init(fixture_batch *b)
{
    memset(b, 0, sizeof *b);
    buf_init(&b->records, 64u * 1024 * 1024);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->done, NULL);
    b->batch = (journal_batch){.notify = fixture_notify, .owner = b};
}

static inline void fixture_batch_add(fixture_batch *b, int source, uint64_t number, bool request_end)
{
    fixture_record(&b->records, source, number, request_end);
    b->batch.count++;
}

static inline void fixture_batch_submit(fixture *f, fixture_batch *b)
{
    b->batch.records = b->records.ptr;
    b->batch.bytes = b->records.len;
    journal_submit(f->writer, &b->batch);
}

/* True: synced. */
static inline bool fixture_batch_wait(fixture_batch *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->synced + b->refused == 0)
        pthread_cond_wait(&b->done, &b->lock);
    bool ok = b->synced == 1 && b->refused == 0 && !b->written_late;
    pthread_mutex_unlock(&b->lock);
    return ok;
}

static inline void fixture_batch_fini(fixture_batch *b)
{
    buf_fini(&b->records);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->done);
}

/* Appends events first..last in one batch, one request. The event's number is expected to be its seq. */
static inline bool fixture_append(fixture *f, uint64_t first, uint64_t last)
{
    fixture_batch b;
    fixture_batch_init(&b);
    for (uint64_t n = first; n <= last; n++)
        fixture_batch_add(&b, f->source, n, n == last);
    fixture_batch_submit(f, &b);
    bool ok = fixture_batch_wait(&b) && b.batch.first_seq == first;
    fixture_batch_fini(&b);
    return ok;
}

/* ---- reading back ---- */

typedef struct fixture_seen {
    uint64_t records, wrong, damaged, gap, next, errors;
} fixture_seen;

/* Reads after..limit, releasing every `release` records; numbers are expected to be the seqs. */
static inline fixture_seen fixture_read(const char *dir, uint64_t after, uint64_t limit, unsigned release)
{
    fixture_seen seen = {.next = after + 1};
    ss_error err = error_init();
    journal_reader *r = journal_reader_open(dir, after, 0, &err);
    journal_item item;
    unsigned held = 0;
    for (bool on = r != NULL; on;) {
        enum journal_read what = journal_reader_next(r, limit, &item, &err);
        switch (what) {
        case JOURNAL_READ_RECORD:
            seen.wrong += item.record.seq != seen.next || !fixture_same(&item.record, item.record.seq);
            seen.records++;
            seen.next = item.record.seq + 1;
            if (++held >= release) {
                journal_reader_release(r);
                held = 0;
            }
            break;
        case JOURNAL_READ_GAP:
        case JOURNAL_READ_DAMAGED:
            seen.wrong += item.from != seen.next || item.through < item.from || item.through > limit;
            *(what == JOURNAL_READ_GAP ? &seen.gap : &seen.damaged) += item.through - item.from + 1;
            seen.next = item.through + 1;
            break;
        case JOURNAL_READ_FULL:
            seen.wrong += held == 0;
            journal_reader_release(r);
            held = 0;
            break;
        case JOURNAL_READ_END:
            on = false;
            break;
        case JOURNAL_READ_ERROR:
        default:
            printf("# reader: %s\n", err.text);
            seen.errors++;
            on = false;
        }
    }
    journal_reader_close(r);
    return seen;
}

static inline void fixture_copy_file(const char *from, const char *to)
{
    buf b;
    buf_init(&b, 256u * 1024 * 1024);
    if (file_read(from, &b) != 0) {
        if (errno != ENOENT) /* else the keeper retired it in this moment */
            abort();
        return;
    }
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || file_write_all(fd, b.ptr, b.len) != 0)
        abort();
    (void)close(fd);
    buf_fini(&b);
}

/* A crash leaves one moment; copying takes time. A file whose name went away meanwhile (recycled: it may have
   new content already) counts as gone at that moment. */
static inline void fixture_copy_still(const char *from, const char *to)
{
    struct stat before, after;
    if (stat(from, &before) != 0)
        return;
    fixture_copy_file(from, to);
    if (stat(from, &after) != 0 || after.st_ino != before.st_ino)
        (void)unlink(to);
}

/* What a crash leaves: the files as they are, the writer not asked. */
static inline void fixture_copy_dir(const char *from, const char *to)
{
    if (mkdir(to, 0700) != 0)
        abort();
    DIR *dir = opendir(from);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        char a[PATH_MAX], b[PATH_MAX];
        if (e->d_name[0] == '.' || strncmp(e->d_name, "spare", 5) == 0)
            continue;
        fixture_join(a, from, e->d_name);
        fixture_join(b, to, e->d_name);
        fixture_copy_still(a, b);
    }
    if (dir)
        (void)closedir(dir);
}

static inline void fixture_segment_path(const char *dir, uint64_t id, char out[PATH_MAX])
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, id);
    fixture_join(out, dir, name);
}

static inline size_t fixture_count_files(const char *dir, const char *part)
{
    size_t count = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        count += strstr(e->d_name, part) != NULL;
    if (d)
        (void)closedir(d);
    return count;
}

#endif

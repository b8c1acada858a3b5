/* The file that tells a run its input: which files of the lake, and which of the same partition other
   batches have had. Written anew for each run under the batch's name, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/spark/compacted.h"
#include "modules/spark/runner.h"

#define LIST_PIECE (64u << 10)
#define LIST_MAX   (64u << 20)

typedef struct writer {
    runner *r;
    grow text;
    int fd;
    size_t count;
    compacted *compacted; /* read when the first file is missed */
    ss_error *err;
    bool failed, hopeless;
} writer;

static bool pour(writer *w)
{
    for (size_t at = 0; at < w->text.len;) {
        ssize_t n = write(w->fd, w->text.at + at, w->text.len - at);
        if (n <= 0)
            return !(w->failed = true);
        at += (size_t)n;
    }
    grow_clear(&w->text);
    return true;
}

static bool put_path(void *arg, ss_str path)
{
    writer *w = arg;
    char whole[4096];
    int n = snprintf(whole, sizeof whole, "%s/%.*s", w->r->lake, (int)path.len, path.ptr);
    if (n < 0 || (size_t)n >= sizeof whole)
        return !(w->failed = true);
    (void)grow_puts(&w->text, w->count++ ? ",\n" : "\n");
    json_text(&w->text, ss_s(whole, (size_t)n));
    return w->text.len < LIST_PIECE || pour(w);
}

/* One that is gone was compacted: what holds its lines comes behind the others. What nobody knows is named as
 * it was. In a bucket nothing is compacted. */
static bool put_file(void *arg, ss_str path)
{
    writer *w = arg;
    char here[4096];
    if (!w->r->local)
        return put_path(w, path);
    int n = snprintf(here, sizeof here, "%s/%.*s", w->r->local, (int)path.len, path.ptr);
    if (n < 0 || (size_t)n >= sizeof here || access(here, F_OK) == 0 || errno != ENOENT)
        return put_path(w, path);
    if (!w->compacted && !(w->compacted = compacted_read(w->r->local, w->err)))
        return !(w->failed = true);
    return compacted_want(w->compacted, path) || put_path(w, path);
}

static bool put_compacted(writer *w)
{
    bool good = !w->compacted || compacted_each(w->compacted, put_path, w, w->err);
    w->hopeless = w->hopeless || (!good && !w->failed);
    compacted_free(w->compacted);
    w->compacted = NULL;
    return good;
}

static bool put_files(writer *w, const spark_batch *b, bool earlier)
{
    (void)grow_puts(&w->text, earlier ? ",\"earlier\":[" : ",\"files\":[");
    w->count = 0;
    bool read = spark_batch_files(w->r->store, b, earlier, put_file, w) && put_compacted(w);
    return grow_puts(&w->text, "]") && read && !w->failed;
}

static bool put_head(writer *w, const spark_batch *b, const char *name)
{
    ss_error err = {.struct_size = sizeof err};
    const run_facts facts = {.batch = b, .batch_name = name, .run = "", .list = ""};
    (void)grow_puts(&w->text, "{\"version\":1,");
    json_pair(&w->text, "batch", ss_cstr(name));
    (void)grow_puts(&w->text, ",");
    json_pair(&w->text, "job", ss_cstr(b->job));
    (void)grow_puts(&w->text, ",");
    json_pair(&w->text, "partition", ss_cstr(b->key));
    (void)grow_puts(&w->text, ",");
    json_pair(&w->text, "kind", ss_cstr(b->kind));
    return job_expand(SS_LIT(",\"late\":{late},\"events\":{events},\"bytes\":{bytes},\"from\":\"{from}\","
                             "\"through\":\"{through}\""),
                      &facts, &w->text, &err);
}

/* Where Spark does not see this disk. */
static bool shelve(runner *r, const char *name, const char *path, ss_error *err)
{
    char object[SPARK_NAME_MAX + 8];
    grow text = {.limit = LIST_MAX};
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && grow_room(&text, LIST_PIECE) && (n = read(fd, text.at + text.len, LIST_PIECE)) > 0)
        text.len += (size_t)n;
    if (fd >= 0)
        (void)close(fd);
    (void)snprintf(object, sizeof object, "%s.json", name);
    bool good = n == 0 || (ss_fail(err, SS_RETRY, "%.300s cannot be read, or is too long", path), false);
    good = good && r->shelf->put(r->shelf->self, object, grow_str(&text), err);
    grow_free(&text);
    return good;
}

bool list_write(runner *r, const spark_batch *b, const char *name, const char *path, ss_error *err)
{
    char temporary[4096];
    writer w = {.r = r, .text = {.limit = 2 * LIST_PIECE}, .err = err};
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    (void)mkdir(r->lists, 0755);
    w.fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = w.fd >= 0 && put_head(&w, b, name) && put_files(&w, b, false) && put_files(&w, b, true) &&
                grow_puts(&w.text, "}\n") && pour(&w) && fsync(w.fd) == 0;
    if (w.fd >= 0)
        good = close(w.fd) == 0 && good;
    good = good && rename(temporary, path) == 0;
    grow_free(&w.text);
    compacted_free(w.compacted);
    if (w.hopeless)
        err->code = LIST_HOPELESS;
    else if (!good)
        (void)ss_fail(err, SS_RETRY, "%.300s cannot be written: %m", path);
    return good && (!r->shelf || shelve(r, name, path, err));
}

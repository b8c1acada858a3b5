#include "enrichers/geoip/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

static bool refuse(ss_error *err, const char *path, const char *why)
{
    (void)ss_fail(err, SS_REJECT, "%.300s: %s", path, why);
    return false;
}

/* ---- the copy ---- */

static bool copy(int from, int to, int64_t bytes)
{
    while (bytes > 0) {
        ssize_t n = sendfile(to, from, NULL, (size_t)bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes -= n;
    }
    return true;
}

/* A memfd with the file's content, or -1. */
static int hold(const char *path, struct stat *file, ss_error *err)
{
    struct stat after;
    int from = open(path, O_RDONLY | O_CLOEXEC), to = -1;
    if (from < 0 || fstat(from, file) != 0) {
        (void)refuse(err, path, strerror(errno));
    } else if (!S_ISREG(file->st_mode) || file->st_size == 0 || file->st_size > DATABASE_BYTES_MAX) {
        (void)refuse(err, path, "a file of 1 byte to 2 GiB is wanted");
    } else {
        to = memfd_create("geoip", MFD_CLOEXEC);
        bool good = to >= 0 && copy(from, to, file->st_size);
        if (!good || fstat(from, &after) != 0 || !database_same_file(file, &after)) {
            (void)refuse(err, path,
                         good ? "it changed while it was read" : "it could not be read into memory");
            if (to >= 0)
                (void)close(to);
            to = -1;
        }
    }
    if (from >= 0)
        (void)close(from);
    return to;
}

/* ---- the check ---- */

typedef struct check {
    database *db;
    const location_ways *ways;
    uint8_t *seen; /* a bit for each byte of the data section */
} check;

/* Each record once: all the ways are tried, as a lookup does. */
static bool record_is_good(check *c, MMDB_entry_s *record)
{
    location l;
    uint32_t at = record->offset;
    if (at >= c->db->mmdb.data_section_size)
        return false;
    if ((unsigned)c->seen[at >> 3] >> (at & 7u) & 1u)
        return true;
    c->seen[at >> 3] = (uint8_t)((unsigned)c->seen[at >> 3] | 1u << (at & 7u));
    c->db->records++;
    location_clear(&l);
    return location_add(&l, c->ways, record) == MMDB_SUCCESS;
}

static bool side_is_good(check *c, uint8_t type, MMDB_entry_s *record)
{
    return type == MMDB_RECORD_TYPE_SEARCH_NODE || type == MMDB_RECORD_TYPE_EMPTY ||
           (type == MMDB_RECORD_TYPE_DATA && record_is_good(c, record));
}

/* Node after node, not down the tree: each is looked at once however often it is pointed at. */
static bool tree_is_good(check *c)
{
    for (uint32_t i = 0; i < c->db->mmdb.metadata.node_count; i++) {
        MMDB_search_node_s node;
        if (MMDB_read_node(&c->db->mmdb, i, &node) != MMDB_SUCCESS ||
            !side_is_good(c, node.left_record_type, &node.left_record_entry) ||
            !side_is_good(c, node.right_record_type, &node.right_record_entry))
            return false;
    }
    return true;
}

static bool is_good(database *d, const location_ways *ways)
{
    check c = {d, ways, calloc(1, d->mmdb.data_section_size / 8 + 1)};
    bool good = c.seen && tree_is_good(&c);
    free(c.seen);
    return good;
}

/* ---- */

static bool load(database *d, const char *path, const location_ways *ways, ss_error *err)
{
    char held[64];
    int fd = hold(path, &d->file, err);
    if (fd < 0)
        return false;
    (void)snprintf(held, sizeof held, "/proc/self/fd/%d", fd);
    int status = MMDB_open(held, MMDB_MODE_MMAP, &d->mmdb);
    (void)close(fd);
    if (status != MMDB_SUCCESS)
        return refuse(err, path, MMDB_strerror(status));
    if (is_good(d, ways))
        return true;
    MMDB_close(&d->mmdb);
    return refuse(err, path, "its search tree or one of its records is damaged: fetch it again");
}

database *database_open(const char *path, const location_ways *ways, ss_error *err)
{
    database *d = calloc(1, sizeof *d);
    if (!d) {
        (void)refuse(err, path, "out of memory");
        return NULL;
    }
    if (!load(d, path, ways, err)) {
        free(d);
        return NULL;
    }
    return d;
}

bool database_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void database_close(database *d)
{
    if (!d)
        return;
    MMDB_close(&d->mmdb);
    free(d);
}

#include "plugins/loader/host_state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"

/* The content begins on a page of its own: 64 KiB is a multiple of the page size everywhere. */
#define STATE_HEADER_BYTES 65536u

typedef struct state_header {
    char magic[8]; /* "SSSTATE1" */
    uint64_t size;
} state_header;

static const char state_magic[8] = {'S', 'S', 'S', 'T', 'A', 'T', 'E', '1'};

static bool good_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    return len > 0 && len < HOST_SHORT_NAME_MAX;
}

/* An existing file of that size, or -1. */
static int open_old(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    state_header head;
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size == (off_t)(STATE_HEADER_BYTES + size) &&
        file_pread_all(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
        memcmp(head.magic, state_magic, sizeof state_magic) == 0 && head.size == size)
        return fd;
    (void)close(fd);
    return -1;
}

/* A zeroed one under a temporary name, then renamed: who still maps the old one keeps it. The blocks are
   allocated now: a full disk must be an error here, not a SIGBUS at some later write. */
static int create_new(const char *path, size_t size)
{
    char tmp[PATH_MAX];
    if ((size_t)snprintf(tmp, sizeof tmp, "%s.tmp", path) >= sizeof tmp) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    state_header head = {.size = size};
    memcpy(head.magic, state_magic, sizeof state_magic);
    int rc = posix_fallocate(fd, 0, (off_t)(STATE_HEADER_BYTES + size));
    if (rc == 0 && (file_pwrite_all(fd, &head, sizeof head, 0) != 0 || rename(tmp, path) != 0))
        rc = errno;
    if (rc == 0)
        return fd;
    (void)close(fd);
    (void)unlink(tmp);
    errno = rc;
    return -1;
}

static void *content_of(const host_state *s)
{
    return (char *)s->map + STATE_HEADER_BYTES;
}

void *host_state_map(host_base *b, const char *name, size_t size, ss_error *err)
{
    if (!name || !good_name(name) || size == 0 || size > HOST_STATE_BYTES_MAX) {
        (void)ss_fail(err, 0, "state_file: a name of letters, digits, _ and -, and 1 byte to 1 GiB");
        return NULL;
    }
    for (size_t i = 0; i < b->state_count; i++)
        if (strcmp(b->states[i].name, name) == 0 && b->states[i].size == size)
            return content_of(&b->states[i]);
    if (b->state_count == HOST_STATES_MAX) {
        (void)ss_fail(err, 0, "state_file: more than %u of one instance", HOST_STATES_MAX);
        return NULL;
    }
    char path[PATH_MAX];
    int fd = -1;
    void *map = MAP_FAILED;
    errno = ENAMETOOLONG;
    if ((size_t)snprintf(path, sizeof path, "%s/%s.state", b->dir, name) < sizeof path &&
        (fd = open_old(path, size)) < 0)
        fd = create_new(path, size);
    if (fd >= 0)
        map = mmap(NULL, STATE_HEADER_BYTES + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        (void)ss_fail(err, 0, "%.300s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    if (map == MAP_FAILED)
        return NULL;
    host_state *s = &b->states[b->state_count++];
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    s->map = map;
    s->size = size;
    return content_of(s);
}

void host_state_unmap(host_base *b)
{
    for (size_t i = 0; i < b->state_count; i++)
        (void)munmap(b->states[i].map, STATE_HEADER_BYTES + b->states[i].size);
    b->state_count = 0;
}

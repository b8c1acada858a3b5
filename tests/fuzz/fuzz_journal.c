/* Recovery, reader and verify over a segment file of arbitrary bytes. The first byte chooses: 0 = the bytes
   as they are; 1 = checksums, segment number and key are put right first, so that the fuzzer gets behind
   them. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/journal/reader.h"
#include "core/journal/recovery.h"
#include "core/journal/summary.h"
#include "core/journal/verify.h"

#define FUZZ_BYTES_MAX (64u * 1024)
#define FUZZ_KEY       UINT64_C(0x1122334455667788)

static char dir[64];

static void fail(const char *why)
{
    (void)fprintf(stderr, "fuzz_journal: %s\n", why);
    abort();
}

static void put_head_right(char *bytes)
{
    journal_segment_head *h = (journal_segment_head *)(void *)bytes;
    memcpy(h->magic, JOURNAL_SEGMENT_MAGIC, sizeof h->magic);
    h->version = JOURNAL_FORMAT_VERSION;
    h->head_bytes = JOURNAL_HEAD_BYTES;
    h->segment_id = 1;
    h->segment_key = FUZZ_KEY;
    h->first_seq = h->first_seq % 1000 + 1;
    h->crc = FORMAT_CRC_OF(h);
}

static void put_frame_right(char *at, size_t left)
{
    journal_frame_head *h = (journal_frame_head *)(void *)at;
    h->segment_id = 1;
    h->segment_key = FUZZ_KEY;
    size_t extra = h->type == JOURNAL_FRAME_RECORDS ? h->position_bytes : h->body_bytes;
    if (extra <= left - sizeof *h)
        h->extra_crc = journal_crc32c(0, h + 1, extra);
    h->crc = FORMAT_CRC_OF(h);
}

/* Wherever something looks like a head, a trailer or a record, its checksum is made to fit. */
static void put_right(char *bytes, size_t len)
{
    if (len < JOURNAL_HEAD_BYTES)
        return;
    put_head_right(bytes);
    for (size_t at = JOURNAL_HEAD_BYTES; at + sizeof(journal_frame_head) <= len; at += 8) {
        uint32_t magic;
        memcpy(&magic, bytes + at, sizeof magic);
        journal_frame_trailer *t = (journal_frame_trailer *)(void *)(bytes + at);
        journal_record_head *r = (journal_record_head *)(void *)(bytes + at);
        if (magic == JOURNAL_TRAILER_MAGIC) {
            t->segment_key = FUZZ_KEY;
            t->crc = FORMAT_CRC_OF(t);
        } else if (magic != JOURNAL_FRAME_MAGIC && format_record_sane(r) && r->length <= len - at) {
            r->crc = format_record_crc(r);
        }
    }
    for (size_t at = JOURNAL_HEAD_BYTES; at + sizeof(journal_frame_head) <= len; at += 8) {
        uint32_t magic;
        memcpy(&magic, bytes + at, sizeof magic);
        if (magic == JOURNAL_FRAME_MAGIC)
            put_frame_right(bytes + at, len - at);
    }
}

/* Every number up to the limit is told exactly once, in order. */
static void read_all(uint64_t limit, bool counted)
{
    ss_error err = error_init();
    journal_item item;
    uint64_t next = 1;
    journal_reader *r = journal_reader_open(dir, 0, 0, &err);
    if (!r)
        fail(err.text);
    for (size_t steps = 0;; steps++) {
        if (steps > FUZZ_BYTES_MAX)
            fail("the reader does not come to an end");
        enum journal_read what = journal_reader_next(r, limit, &item, &err);
        if (what == JOURNAL_READ_FULL) {
            journal_reader_release(r);
            continue;
        }
        if (what == JOURNAL_READ_END || what == JOURNAL_READ_ERROR)
            break;
        if (item.from != next || item.through < item.from || item.through > limit)
            fail("a number was told twice, or not at all");
        if (what == JOURNAL_READ_RECORD && item.record.seq != next)
            fail("a record has another number");
        next = item.through + 1;
    }
    if (counted && next != limit + 1)
        fail("a number is missing");
    journal_reader_close(r);
}

static void ignore(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static int ignore_summary(void *arg, const journal_segment_summary *s)
{
    (void)arg;
    (void)s;
    return 0;
}

static void look_at(int dirfd)
{
    ss_error err = error_init();
    verify_result verified;
    recovery_result r;
    uint64_t first, last;
    read_all(UINT64_MAX, false);
    read_all(1000, false);
    if (journal_verify(dir, ignore, NULL, &verified, &err) != 0 ||
        journal_summaries(dir, ignore_summary, NULL, &err) != 0 ||
        journal_last_seq(dir, &first, &last, &err) != 0)
        fail(err.text);
    if (recovery_run(dirfd, &r, &err) != 0)
        fail(err.text);
    uint64_t next = r.next_seq;
    if (r.count == 1 && r.segments[0].last_seq >= r.segments[0].first_seq && r.segments[0].sealed)
        read_all(next - 1, true);
    recovery_free(&r);
    if (recovery_run(dirfd, &r, &err) != 0)
        fail(err.text);
    if (r.next_seq < next)
        fail("a second recovery finds less than the first");
    recovery_free(&r);
}

static void remove_dir(void)
{
    (void)rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_init("fuzz", SS_ERROR + 1);
    (void)snprintf(dir, sizeof dir, "%s/fuzz-journal-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(dir) && atexit(remove_dir) == 0 ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) char bytes[FUZZ_BYTES_MAX];
    if (size < 1 || size > FUZZ_BYTES_MAX)
        return -1;
    memcpy(bytes, data + 1, size - 1);
    memset(bytes + size - 1, 0, sizeof bytes - (size - 1));
    if (data[0] & 1u)
        put_right(bytes, size - 1);
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, 1);
    int fd = dirfd < 0 ? -1 : openat(dirfd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || file_pwrite_all(fd, bytes, size - 1, 0) != 0)
        fail("cannot write the file");
    (void)close(fd);
    look_at(dirfd);
    (void)unlinkat(dirfd, name, 0);
    (void)close(dirfd);
    return 0;
}

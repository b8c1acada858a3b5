#include "core/journal/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/journal/window.h"

#define SEGMENT_DIGITS 20u /* of a 64-bit number */

void segment_name(char out[SEGMENT_NAME_BYTES], uint64_t id)
{
    (void)snprintf(out, SEGMENT_NAME_BYTES, "%020" PRIu64 ".seg", id);
}

bool segment_name_id(const char *name, uint64_t *id)
{
    uint64_t value = 0;
    for (size_t i = 0; i < SEGMENT_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(name[i] - '0');
    }
    *id = value;
    return strcmp(name + SEGMENT_DIGITS, ".seg") == 0 && value > 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int list_add(segment_list *list, size_t *size, uint64_t id)
{
    if (list->count == *size) {
        *size = *size ? 2 * *size : 64;
        uint64_t *ids = realloc(list->ids, *size * sizeof *ids);
        if (!ids)
            return -1;
        list->ids = ids;
    }
    list->ids[list->count++] = id;
    return 0;
}

int segment_list_read(int dirfd, segment_list *out)
{
    *out = (segment_list){0};
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    size_t size = 0;
    uint64_t id;
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;)
        if (segment_name_id(e->d_name, &id))
            rc = list_add(out, &size, id);
    (void)closedir(dir);
    if (rc != 0)
        segment_list_free(out);
    else if (out->count > 0)
        qsort(out->ids, out->count, sizeof *out->ids, compare_ids);
    return rc;
}

void segment_list_free(segment_list *list)
{
    free(list->ids);
    *list = (segment_list){0};
}

int segment_open(int dirfd, uint64_t id, int flags)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, id);
    return openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* ---- heads ---- */

static int head_rebuild(int fd, uint64_t id, journal_segment_head *out)
{
    window w;
    int rc = SEGMENT_HEAD_BAD;
    if (window_init(&w, fd) != 0)
        return rc;
    const char *p;
    for (uint64_t at = 0; (p = window_at(&w, at, sizeof(journal_frame_head))) != NULL; at += 8) {
        const journal_frame_head *h = (const journal_frame_head *)(const void *)p;
        if (h->magic != JOURNAL_FRAME_MAGIC || h->segment_id != id || !format_frame_sane(h))
            continue;
        *out = (journal_segment_head){.version = JOURNAL_FORMAT_VERSION,
                                      .head_bytes = JOURNAL_HEAD_BYTES,
                                      .segment_id = id,
                                      .segment_key = h->segment_key,
                                      .first_seq = h->first_seq,
                                      .created_us = h->commit_us};
        rc = SEGMENT_HEAD_REBUILT;
        break;
    }
    window_fini(&w);
    return rc;
}

int segment_head_read(int fd, uint64_t id, journal_segment_head *out)
{
    for (int copy = 0; copy < 2; copy++) {
        ssize_t n = file_pread_all(fd, out, sizeof *out, copy * (off_t)JOURNAL_HEAD_COPY_BYTES);
        if (n != (ssize_t)sizeof *out || !format_head_ok(out))
            continue;
        bool ours = out->segment_id == id && out->version == JOURNAL_FORMAT_VERSION &&
                    out->head_bytes == JOURNAL_HEAD_BYTES && out->first_seq > 0 &&
                    out->first_seq <= UINT64_MAX / 2;
        return ours ? SEGMENT_HEAD_OK : SEGMENT_HEAD_BAD;
    }
    return head_rebuild(fd, id, out);
}

void segment_head_write(const journal_segment_head *head, buf *out)
{
    static const char zeros[JOURNAL_HEAD_COPY_BYTES];
    journal_segment_head h = *head;
    memcpy(h.magic, JOURNAL_SEGMENT_MAGIC, sizeof h.magic);
    h.version = JOURNAL_FORMAT_VERSION;
    h.head_bytes = JOURNAL_HEAD_BYTES;
    h.crc = FORMAT_CRC_OF(&h);
    for (int copy = 0; copy < 2; copy++) {
        buf_add(out, &h, sizeof h);
        buf_add(out, zeros, sizeof zeros - sizeof h);
    }
}

void segment_meta_write(const journal_segment_head *head, uint16_t type, uint64_t next_seq, uint32_t count,
                        const char *body, size_t len, buf *out)
{
    journal_frame_trailer trailer;
    journal_frame_head h = {.type = type,
                            .segment_id = head->segment_id,
                            .segment_key = head->segment_key,
                            .first_seq = next_seq,
                            .count = count,
                            .body_bytes = (uint32_t)len,
                            .commit_us = clock_now_us(),
                            .extra_crc = journal_crc32c(0, body, len)};
    format_frame_seal(&h, &trailer);
    buf_add(out, &h, sizeof h);
    buf_add(out, body, len);
    buf_add(out, &trailer, sizeof trailer);
}

/* ---- footers ---- */

segment_facts *segment_facts_new(void)
{
    segment_facts *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    buf_init(&f->pairs, SEGMENT_FOOTER_MAX);
    buf_init(&f->left_out, SEGMENT_LEFT_OUT_MAX);
    return f;
}

void segment_facts_free(segment_facts *f)
{
    if (!f)
        return;
    buf_fini(&f->pairs);
    buf_fini(&f->left_out);
    names_dictionary_fini(&f->dictionary);
    names_positions_fini(&f->positions);
    free(f);
}

static size_t dictionary_bytes(const names_dictionary *d)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < d->count; i++)
        bytes += names_dictionary_entry_bytes(d, i);
    return bytes;
}

static size_t positions_bytes(const names_positions *p)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->count; i++)
        bytes +=
            JOURNAL_ALIGN(sizeof(journal_position_entry) + p->items[i].source_len + p->items[i].position_len);
    return bytes;
}

size_t segment_footer_bytes(const segment_facts *f)
{
    return JOURNAL_FRAME_OVERHEAD + sizeof(journal_footer) + f->pairs.len + dictionary_bytes(&f->dictionary) +
           positions_bytes(&f->positions);
}

static void footer_body(const segment_facts *f, buf *out)
{
    journal_footer footer = f->footer;
    footer.pair_bytes = (uint32_t)f->pairs.len;
    footer.dictionary_bytes = (uint32_t)dictionary_bytes(&f->dictionary);
    footer.position_bytes = (uint32_t)positions_bytes(&f->positions);
    buf_add(out, &footer, sizeof footer);
    buf_add(out, f->pairs.ptr, f->pairs.len);
    for (uint32_t i = 0; i < f->dictionary.count; i++)
        names_dictionary_put(&f->dictionary, i, out);
    for (uint32_t i = 0; i < f->positions.count; i++) {
        const names_position *p = &f->positions.items[i];
        names_position_put(ss_s(p->source, p->source_len), ss_s(p->position, p->position_len), out);
    }
}

int segment_footer_write(int fd, const journal_segment_head *head, const segment_facts *f,
                         uint64_t file_bytes)
{
    buf body, frame;
    buf_init(&body, SEGMENT_FOOTER_MAX);
    buf_init(&frame, SEGMENT_FOOTER_MAX);
    footer_body(f, &body);
    segment_meta_write(head, JOURNAL_FRAME_FOOTER, f->footer.last_seq + 1, f->footer.pair_count, body.ptr,
                       body.len, &frame);
    uint64_t end = f->end_offset + frame.len + sizeof(journal_locator);
    uint64_t at = (file_bytes > end ? file_bytes : end) - sizeof(journal_locator);
    journal_locator locator = {.magic = JOURNAL_LOCATOR_MAGIC,
                               .footer_bytes = (uint32_t)frame.len,
                               .segment_id = head->segment_id,
                               .segment_key = head->segment_key,
                               .footer_offset = f->end_offset,
                               .last_seq = f->footer.last_seq};
    locator.crc = FORMAT_CRC_OF(&locator);
    int rc = -1;
    if (body.failed || frame.failed)
        errno = ENOMEM;
    else if (file_pwrite_all(fd, frame.ptr, frame.len, (off_t)f->end_offset) == 0)
        rc = file_pwrite_all(fd, &locator, sizeof locator, (off_t)at);
    buf_fini(&body);
    buf_fini(&frame);
    return rc;
}

static int footer_parse(const char *body, size_t len, bool names, segment_facts *out)
{
    if (len < sizeof out->footer)
        return -1;
    memcpy(&out->footer, body, sizeof out->footer);
    const journal_footer *f = &out->footer;
    if ((uint64_t)sizeof *f + f->pair_bytes + f->dictionary_bytes + f->position_bytes != len)
        return -1;
    const char *pairs = body + sizeof *f, *dictionary = pairs + f->pair_bytes;
    buf_add(&out->pairs, pairs, f->pair_bytes);
    out->sealed = true;
    if (out->pairs.failed)
        return -1;
    return !names || (names_dictionary_read(&out->dictionary, dictionary, f->dictionary_bytes) &&
                      names_positions_read(&out->positions, dictionary + f->dictionary_bytes,
                                           f->position_bytes))
               ? 0
               : -1;
}

static bool locator_read(int fd, const journal_segment_head *head, journal_locator *out)
{
    struct stat st;
    journal_locator l;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)(JOURNAL_HEAD_BYTES + sizeof l))
        return false;
    uint64_t size = (uint64_t)st.st_size;
    if (file_pread_all(fd, &l, sizeof l, st.st_size - (off_t)sizeof l) != (ssize_t)sizeof l ||
        l.magic != JOURNAL_LOCATOR_MAGIC || l.crc != FORMAT_CRC_OF(&l) || l.segment_id != head->segment_id ||
        l.segment_key != head->segment_key || l.footer_offset < JOURNAL_HEAD_BYTES ||
        l.footer_offset > size || l.footer_bytes > size - l.footer_offset ||
        l.footer_bytes < JOURNAL_FRAME_OVERHEAD || l.footer_bytes > SEGMENT_FOOTER_MAX)
        return false;
    *out = l;
    return true;
}

bool segment_may_end_at(int fd, const journal_segment_head *head, uint64_t offset)
{
    journal_locator l;
    segment_facts *facts =
        locator_read(fd, head, &l) && l.footer_offset != offset ? segment_facts_new() : NULL;
    bool elsewhere = facts && segment_footer_read(fd, head, false, facts) == 0;
    segment_facts_free(facts);
    return !elsewhere;
}

int segment_footer_read(int fd, const journal_segment_head *head, bool names, segment_facts *out)
{
    journal_locator l;
    if (!locator_read(fd, head, &l))
        return -1;
    char *frame = malloc(l.footer_bytes);
    int rc = -1;
    if (frame &&
        file_pread_all(fd, frame, l.footer_bytes, (off_t)l.footer_offset) == (ssize_t)l.footer_bytes) {
        const journal_frame_head *h = (const journal_frame_head *)(const void *)frame;
        if (format_frame_ok(h, head) && h->type == JOURNAL_FRAME_FOOTER &&
            format_frame_bytes(h) == l.footer_bytes && h->position_bytes == 0 &&
            h->extra_crc == journal_crc32c(0, h + 1, h->body_bytes))
            rc = footer_parse((const char *)(h + 1), h->body_bytes, names, out);
        /* Three places say where the numbers end; a footer that contradicts itself is none. */
        if (rc == 0 && (h->first_seq == 0 || h->first_seq < head->first_seq ||
                        h->first_seq - 1 != l.last_seq || out->footer.last_seq != l.last_seq))
            rc = -1;
        out->end_offset = l.footer_offset;
    }
    free(frame);
    return rc;
}

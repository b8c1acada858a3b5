/* A module process's configuration blob (core/config/plan.h says what is in it), read once at the start. */
#ifndef DELIVERY_SPEC_H
#define DELIVERY_SPEC_H

#include <limits.h>

#include "core/base/error.h"

#define SPEC_NAME_MAX        48u
#define SPEC_BATCH_MAX       65536u /* records in one batch, whatever the file says */
#define SPEC_BATCH_BYTES_MIN (64u * 1024)
#define SPEC_BATCH_BYTES_MAX (256u * 1024 * 1024)
#define SPEC_DRAIN_MS        20000 /* where the blob says nothing */

enum spec_start { SPEC_EARLIEST = 1, SPEC_LATEST = 2, SPEC_SEQ = 3 };

/* Which records a module gets. Slices into the node tree that they were read from. */
typedef struct spec_filter {
    ss_str *receivers, *types, *apps; /* owned arrays; empty = all */
    size_t receiver_count, type_count, app_count;
} spec_filter;

typedef struct spec {
    ss_config *root; /* owned */
    ss_config *held; /* owned: the host's part that is still in force, NULL = the blob's own */
    char name[SPEC_NAME_MAX];
    char plugin_path[PATH_MAX], data_dir[PATH_MAX], journal_dir[PATH_MAX];
    const ss_config *options;
    spec_filter filter;
    char view[64];
    uint32_t batch_records;
    size_t batch_bytes;
    int64_t linger_ms, deadline_ms, retry_base_ms, retry_max_ms, drain_ms;
    enum spec_start start;
    uint64_t start_seq;
    uint64_t max_bytes, memory_bytes;
    uint64_t fingerprint;
    char *host_json; /* owned: receivers, types, apps, view as canonical JSON, stored beside the position */
} spec;

int spec_read(spec *s, ss_str blob, ss_error *err);
void spec_fini(spec *s);
/* Takes filter and view from a stored host_json instead (until spec_release). */
int spec_hold(spec *s, ss_str host_json, ss_error *err);
int spec_release(spec *s, ss_error *err);

bool spec_wants(const spec_filter *f, const ss_record *r);

#endif

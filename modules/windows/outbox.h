/* Documents that wait to be handed over, in order, in blocks: they may be many. Owns copies. */
#ifndef WINDOWS_OUTBOX_H
#define WINDOWS_OUTBOX_H

#include "streamsteam/plugin.h"

#define OUTBOX_BLOCK_BYTES (256u * 1024)

typedef struct outbox_entry { /* its texts follow: id, key, app, body */
    uint64_t version;
    int64_t time_us;
    uint32_t id_len, key_len, app_len, body_len;
} outbox_entry;

typedef struct outbox_block {
    struct outbox_block *next;
    size_t len, size;
    char bytes[];
} outbox_block;

typedef struct outbox {
    outbox_block *first, *last;
    uint64_t count;
    size_t bytes;
} outbox;

typedef struct outbox_item { /* borrowed from the outbox */
    outbox_entry entry;
    ss_str id, key, app, body;
} outbox_item;

typedef struct outbox_walk {
    const outbox_block *block;
    size_t at;
} outbox_walk;

bool outbox_add(outbox *o, const outbox_item *item); /* entry's lengths are filled here; false: no memory */
void outbox_clear(outbox *o);
outbox_walk outbox_begin(const outbox *o);
bool outbox_next(outbox_walk *w, outbox_item *item);

#endif

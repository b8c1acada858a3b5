/* A request's body: {"events":[...]}, read and checked in one pass. */
#ifndef GAME_BATCH_H
#define GAME_BATCH_H

#include "receivers/game/event.h"

typedef struct game_item {
    game_event event;
    game_error error;
    bool large; /* more than max_event, or than the server takes */
} game_item;

enum game_fault { /* of the body as a whole */
                  FAULT_NONE,
                  FAULT_JSON,
                  FAULT_NO_OBJECT,
                  FAULT_NO_EVENTS,
                  FAULT_NO_LIST,
                  FAULT_EMPTY,
                  FAULT_MANY,
                  FAULT_MEMORY
};

typedef struct game_batch {
    game_item *items; /* of the request's memory */
    uint32_t count, size;
    uint32_t bad, first_bad; /* items that do not fit, and the first of them */
    enum game_fault fault;
    const char *problem; /* FAULT_JSON: what and where */
    size_t offset;
} game_batch;

void game_batch_read(game_batch *b, const game *g, ss_call *call, ss_str body);
/* Why the whole is refused; false: no memory. */
bool game_batch_reason(const game_batch *b, const game *g, ss_call *call, ss_str *text);
/* The same of one item that does not fit. */
bool game_item_reason(const game_batch *b, const game *g, ss_call *call, uint32_t index, ss_str *text);

#endif

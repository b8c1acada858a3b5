#include "receivers/game/batch.h"

#define ITEM_BYTES_GUESS 128u
#define REASON_BYTES     256u

static bool grow(game_batch *b, const game *g, ss_call *call, size_t body_len)
{
    size_t size = b->size ? (size_t)b->size * 2 : body_len / ITEM_BYTES_GUESS + 16;
    if (size > g->max_events)
        size = g->max_events;
    game_item *items = g->host->mem(call, size * sizeof *items);
    if (!items) {
        b->fault = FAULT_MEMORY;
        return false;
    }
    if (b->count)
        memcpy(items, b->items, b->count * sizeof *items);
    b->items = items;
    b->size = (uint32_t)size;
    return true;
}

static bool read_item(game_batch *b, const game *g, json_scan *s)
{
    game_item *item = &b->items[b->count];
    if (!game_event_read(s, &item->event))
        return false;
    game_event_check(&item->event, &item->error);
    item->large = item->event.raw.len > g->max_event_bytes;
    if ((item->error.rule != RULE_NONE || item->large) && b->bad++ == 0)
        b->first_bad = b->count;
    b->count++;
    return true;
}

/* false: stop reading. */
static bool read_list(game_batch *b, const game *g, ss_call *call, json_scan *s, size_t body_len)
{
    json_value list;
    b->count = b->bad = 0; /* the name twice: the last list counts */
    b->fault = FAULT_NONE;
    if (!json_read(s, &list))
        return false;
    if (list.kind != JSON_ARRAY) {
        b->fault = FAULT_NO_LIST;
        return list.kind != JSON_OBJECT || json_leave(s);
    }
    while (json_item(s)) {
        if (b->count == g->max_events) {
            b->fault = FAULT_MANY;
            return false;
        }
        if ((b->count == b->size && !grow(b, g, call, body_len)) || !read_item(b, g, s))
            return false;
    }
    if (b->count == 0)
        b->fault = FAULT_EMPTY;
    return !s->problem;
}

void game_batch_read(game_batch *b, const game *g, ss_call *call, ss_str body)
{
    json_scan s;
    json_value v, key;
    *b = (game_batch){.fault = FAULT_NO_EVENTS};
    json_start(&s, body);
    bool go = json_read(&s, &v);
    if (go && v.kind != JSON_OBJECT) {
        b->fault = FAULT_NO_OBJECT;
        go = v.kind != JSON_ARRAY || json_leave(&s);
    }
    while (go && v.kind == JSON_OBJECT && json_member(&s, &key))
        go = json_is(&key, "events") ? read_list(b, g, call, &s, body.len) : json_skip(&s, NULL);
    bool stopped = !go && !s.problem; /* by a limit: the rest is not looked at */
    if (!stopped && !json_finish(&s)) {
        b->fault = FAULT_JSON;
        b->problem = s.problem;
        b->offset = json_offset(&s);
    }
}

/* ---- reasons --------------------------------------------------------------------------------- */

bool game_item_reason(const game_batch *b, const game *g, ss_call *call, uint32_t index, ss_str *text)
{
    const game_item *item = &b->items[index];
    char *out = g->host->mem(call, REASON_BYTES + GAME_ERROR_SIZE(&item->error));
    if (!out)
        return false;
    size_t len = (size_t)snprintf(out, REASON_BYTES, "events[%u]", index);
    if (item->error.rule != RULE_NONE)
        len += game_error_sentence(out + len, &item->error);
    else if (item->event.raw.len > g->max_event_bytes)
        len += (size_t)snprintf(out + len, REASON_BYTES - len, " must NOT have more than %zu bytes",
                                g->max_event_bytes);
    else
        len += (size_t)snprintf(out + len, REASON_BYTES - len,
                                " is larger than the server's max_event_bytes allows");
    *text = ss_s(out, len);
    return true;
}

bool game_batch_reason(const game_batch *b, const game *g, ss_call *call, ss_str *text)
{
    if (b->fault == FAULT_NONE)
        return game_item_reason(b, g, call, b->first_bad, text);
    char *out = g->host->mem(call, REASON_BYTES);
    int len = 0;
    if (!out)
        return false;
    switch (b->fault) {
    case FAULT_JSON:
        len = snprintf(out, REASON_BYTES, "the body is not JSON: %s, at byte %zu", b->problem, b->offset);
        break;
    case FAULT_NO_OBJECT:
        len = snprintf(out, REASON_BYTES, "the body must be object");
        break;
    case FAULT_NO_EVENTS:
        len = snprintf(out, REASON_BYTES, "the body must have required property 'events'");
        break;
    case FAULT_NO_LIST:
        len = snprintf(out, REASON_BYTES, "events must be array");
        break;
    default:
        len = snprintf(out, REASON_BYTES, "events must have 1 to %u items, not %s", g->max_events,
                       b->fault == FAULT_EMPTY ? "0" : "more");
    }
    *text = ss_s(out, (size_t)len);
    return true;
}

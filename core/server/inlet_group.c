/* One group that came in: through the parser, into one frame with its places, and the answer. */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/server/inlet_inside.h"

#define INLET_QUIET_US     10000000
#define INLET_PARTS_MAX    256u         /* of one group's position */
#define INLET_PLACES_BYTES (60u * 1024) /* of all parts together: they stand in one frame of the journal */

typedef struct places {
    const peer *peer;
    journal_place list[INLET_PARTS_MAX + 1];
    uint32_t count;
    size_t bytes;
    buf names; /* reserved whole: pointers into it stay */
} places;

static bool add_place(void *arg, ss_str part, ss_str value)
{
    places *to = arg;
    size_t source = strlen(to->peer->source);
    to->bytes += 64 + source + part.len + value.len;
    if (to->count == INLET_PARTS_MAX || source + part.len > JOURNAL_NAME_MAX ||
        to->bytes > INLET_PLACES_BYTES)
        return false;
    if (part.len == 0 && value.len == 0)
        return true; /* no position at all */
    char *name = to->names.ptr + to->names.len;
    buf_add(&to->names, to->peer->source, source);
    buf_add(&to->names, part.ptr, part.len);
    to->list[to->count++] = (journal_place){ss_s(name, source + part.len), value};
    return true;
}

static bool make_places(const peer *p, const wire_group *g, places *to, ss_error *err)
{
    *to = (places){.peer = p};
    buf_init(&to->names, WIRE_FRAME_BYTES_MAX);
    size_t source = strlen(p->source);
    if (!buf_reserve(&to->names,
                     (INLET_PARTS_MAX + 1) * (source + sizeof INLET_ID_SUFFIX) + g->position.len) ||
        !wire_each_part(g->position, add_place, to, err)) {
        if (!err->text[0])
            (void)ss_fail(err, SS_LIMIT, "the position has more than %u parts, or is too long",
                          INLET_PARTS_MAX);
        return false;
    }
    char *name = to->names.ptr + to->names.len;
    buf_add(&to->names, p->source, source);
    buf_adds(&to->names, INLET_ID_SUFFIX);
    to->list[to->count++] = (journal_place){ss_s(name, source + sizeof INLET_ID_SUFFIX - 1), g->id};
    return true;
}

static const char *why_not_parsed(uint32_t flags)
{
    if (flags & WIRE_MESSAGE_POISON)
        return "it ended the process that takes events in, more than once, inside parse()";
    if (flags & WIRE_MESSAGE_CUT)
        return "it is longer than a message may be";
    return NULL;
}

static int32_t run_messages(peer *p, pipeline_group *run, const wire_group *g, ss_error *err)
{
    ss_str rest = g->messages;
    ss_message message;
    uint32_t flags;
    for (uint32_t i = 0; i < g->count; i++) {
        if (!wire_next_message(&rest, &message, &flags, p->headers))
            return ss_fail(err, SS_LIMIT, "message %u of the group does not add up", i + 1);
        int32_t status = pipeline_group_message(p->lane, run, &message, why_not_parsed(flags), err);
        if (status != SS_OK)
            return status;
    }
    return rest.len == 0 ? SS_OK : ss_fail(err, SS_LIMIT, "bytes are left behind the group's messages");
}

static int32_t run_group(peer *p, const wire_group *g, pipeline_group *run, ss_error *err)
{
    places *to = malloc(sizeof *to);
    if (!to)
        return ss_fail(err, SS_RETRY, "out of memory");
    int32_t status = make_places(p, g, to, err) ? pipeline_group_begin(p->lane, run, err) : SS_LIMIT;
    if (status == SS_OK) {
        status = run_messages(p, run, g, err);
        if (status == SS_OK) {
            FAULT_POINT("inlet.before_commit");
            status = pipeline_group_commit(p->lane, run, to->list, to->count, err);
            FAULT_POINT("inlet.after_commit");
        } else {
            pipeline_group_abort(p->lane);
        }
    }
    buf_fini(&to->names);
    free(to);
    return status;
}

/* It comes again soon: once in a while is enough. */
static void tell_refused(peer *p, const char *text)
{
    int64_t now = clock_mono_us();
    if (now < p->quiet_until_us)
        return;
    p->quiet_until_us = now + INLET_QUIET_US;
    log_warn("a group of %s is refused and comes again: %s", p->process, text);
}

bool inlet_group(peer *p, ss_str body)
{
    wire_group g;
    ss_error err = error_init();
    if (!wire_read_group(body, &g))
        return false;
    pipeline_group run = {.parser = ss_cstr(p->parser),
                          .parsing = &p->inlet->board->processes[p->process_index].parsing};
    int32_t status = run_group(p, &g, &run, &err);
    if (status == SS_OK) {
        metrics_add(p->groups, 1);
        metrics_add(p->messages, g.count);
        metrics_add(p->failed, run.failed);
    } else {
        metrics_add(p->refused, 1);
        tell_refused(p, err.text);
    }
    wire_answer answer = {.group = g.id, .status = status, .text = ss_cstr(status == SS_OK ? "" : err.text)};
    wire_put_answer(&p->out, &answer);
    return inlet_send(p, &p->out);
}

#include "core/pull/link.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/pull/wire.h"

#define LINK_CALLS_MAX    16u
#define LINK_HELLO_US     2000000 /* ingest answers a hello at once, or when the group before is done */
#define LINK_STEP_MS      100     /* between looks at the time, while an answer is waited for         */
#define LINK_PAUSE_MS     20      /* between attempts to connect                                      */
#define LINK_POISON_TIMES 2u      /* ingest ended so often inside parse() of one message: it is kept unread */
#define LINK_MEMORY_BYTES (16u * 1024 * 1024)

struct ss_call {
    pull_link *link;
    struct ss_call *next; /* spare ones */
    buf messages;
    size_t *offsets; /* of each message in messages */
    uint32_t count, size;
    arena memory;
};

struct pull_link {
    pull_link_setup setup;
    char data_dir[PATH_MAX], source[WIRE_NAME_MAX], parser[WIRE_NAME_MAX];
    pthread_mutex_t calls_lock; /* spare, open */
    struct ss_call *spare;
    uint32_t open;
    pthread_mutex_t lock; /* everything below: one exchange at a time */
    int fd;               /* -1 = not connected */
    uint64_t nonce, number;
    uint64_t journal_id;
    buf in, out, position;
    char last_group[WIRE_GROUP_ID_BYTES + 1]; /* as the welcome said */
};

/* ---- life ------------------------------------------------------------------------------------- */

pull_link *pull_link_new(const pull_link_setup *setup, ss_error *err)
{
    pull_link *l = calloc(1, sizeof *l);
    if (!l) {
        (void)ss_fail(err, SS_LIMIT, "out of memory");
        return NULL;
    }
    l->setup = *setup;
    l->fd = -1;
    (void)snprintf(l->data_dir, sizeof l->data_dir, "%s", setup->data_dir);
    (void)snprintf(l->source, sizeof l->source, "%s", setup->source);
    (void)snprintf(l->parser, sizeof l->parser, "%s", setup->parser);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_mutex_init(&l->calls_lock, NULL);
    buf_init(&l->in, WIRE_FRAME_BYTES_MAX + sizeof(wire_head) + 4096);
    buf_init(&l->out, WIRE_FRAME_BYTES_MAX + sizeof(wire_head));
    buf_init(&l->position, WIRE_FRAME_BYTES_MAX);
    if (getrandom(&l->nonce, sizeof l->nonce, 0) == (ssize_t)sizeof l->nonce)
        return l;
    (void)ss_fail(err, SS_RETRY, "no random numbers: %s", strerror(errno));
    pull_link_free(l);
    return NULL;
}

static void call_free(struct ss_call *call)
{
    buf_fini(&call->messages);
    arena_fini(&call->memory);
    free(call->offsets);
    free(call);
}

void pull_link_free(pull_link *l)
{
    if (!l)
        return;
    if (l->fd >= 0)
        (void)close(l->fd);
    for (struct ss_call *call = l->spare, *next; call; call = next) {
        next = call->next;
        call_free(call);
    }
    buf_fini(&l->in);
    buf_fini(&l->out);
    buf_fini(&l->position);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_mutex_destroy(&l->calls_lock);
    free(l);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void hang_up(pull_link *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    buf_reset(&l->in);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int step_ms(int64_t until_us)
{
    int64_t left = (until_us - clock_mono_us() + 999) / 1000;
    return left <= 0 ? 0 : (int)least(left, LINK_STEP_MS);
}

/* The plugin's own limit may move (a stop is asked for): it is asked again at each step. */
static int64_t own_limit(pull_link *l, int64_t fixed)
{
    return least(fixed, l->setup.until_us(l->setup.arg));
}

enum exchange { LINK_DONE, LINK_LOST, LINK_LATE };

/* After a send or recv that gave n, which was not data: LINK_DONE means try again. */
static enum exchange wait_for(pull_link *l, ssize_t n, short what, int64_t fixed)
{
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return LINK_LOST;
    int64_t until = own_limit(l, fixed);
    if (clock_mono_us() >= until)
        return LINK_LATE;
    struct pollfd wait = {l->fd, what, 0};
    (void)poll(&wait, 1, step_ms(until));
    return LINK_DONE;
}

static enum exchange send_out(pull_link *l, int64_t fixed)
{
    size_t sent = 0;
    while (sent < l->out.len) {
        ssize_t n = send(l->fd, l->out.ptr + sent, l->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        enum exchange waited = wait_for(l, n, POLLOUT, fixed);
        if (waited != LINK_DONE)
            return waited;
    }
    return LINK_DONE;
}

/* One frame of that type into *body, which points into l->in until the next call. */
static enum exchange receive(pull_link *l, enum wire_type wanted, ss_str *body, int64_t fixed)
{
    buf_reset(&l->in);
    for (;;) {
        enum wire_type type = wanted;
        size_t used;
        int there = wire_frame(buf_str(&l->in), &type, body, &used);
        if (there != 0)
            return there > 0 && type == wanted && used == l->in.len ? LINK_DONE : LINK_LOST;
        if (!buf_reserve(&l->in, 4096))
            return LINK_LOST;
        ssize_t n = recv(l->fd, l->in.ptr + l->in.len, 4096, MSG_DONTWAIT);
        if (n > 0) {
            l->in.len += (size_t)n;
            continue;
        }
        enum exchange waited = wait_for(l, n, POLLIN, fixed);
        if (waited != LINK_DONE)
            return waited;
    }
}

/* ---- connecting ------------------------------------------------------------------------------- */

static bool take_welcome(pull_link *l, ss_str body, wire_welcome *w)
{
    if (!wire_read_welcome(body, w) || (w->group.len != 0 && w->group.len != WIRE_GROUP_ID_BYTES))
        return false;
    if (w->status != SS_OK)
        return true;
    l->journal_id = w->journal_id;
    (void)snprintf(l->last_group, sizeof l->last_group, "%.*s", (int)w->group.len, w->group.ptr);
    buf_reset(&l->position);
    buf_add(&l->position, w->position.ptr, w->position.len);
    return !l->position.failed;
}

static int32_t connect_now(pull_link *l, ss_error *err)
{
    if (l->fd >= 0)
        return SS_OK;
    l->fd = pull_connect(l->data_dir);
    if (l->fd < 0)
        return ss_fail(err, SS_RETRY, "%s/inlet.sock: %s", l->data_dir, strerror(errno));
    wire_hello hello = {.protocol = WIRE_PROTOCOL,
                        .version = SS_LIT(SS_VERSION),
                        .process = ss_cstr(l->setup.board->processes[l->setup.process_index].name),
                        .source = ss_cstr(l->source),
                        .parser = ss_cstr(l->parser)};
    wire_welcome welcome;
    ss_str body;
    int64_t until = clock_mono_us() + LINK_HELLO_US;
    wire_put_hello(&l->out, &hello);
    if (send_out(l, until) != LINK_DONE || receive(l, WIRE_WELCOME, &body, until) != LINK_DONE ||
        !take_welcome(l, body, &welcome)) {
        hang_up(l);
        return ss_fail(err, SS_RETRY, "ingest does not answer yet");
    }
    if (welcome.status == SS_OK)
        return SS_OK;
    int32_t status = welcome.status == SS_REJECT ? SS_REJECT : SS_RETRY;
    (void)ss_fail(err, status, "%.*s", (int)welcome.text.len, welcome.text.ptr);
    hang_up(l);
    return status;
}

int32_t pull_link_connect(pull_link *l, ss_error *err)
{
    (void)pthread_mutex_lock(&l->lock);
    int32_t status = connect_now(l, err);
    (void)pthread_mutex_unlock(&l->lock);
    return status;
}

ss_str pull_link_position(pull_link *l)
{
    return buf_str(&l->position);
}

uint64_t pull_link_journal(pull_link *l)
{
    return l->journal_id;
}

/* ---- calls ------------------------------------------------------------------------------------ */

static bool ingest_takes(const pull_link *l)
{
    board *b = l->setup.board;
    return atomic_load(&b->journal.state) == JOURNAL_OPEN && atomic_load(&b->processes[1].ready);
}

static struct ss_call *call_new(pull_link *l)
{
    struct ss_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->link = l;
    buf_init(&call->messages, WIRE_FRAME_BYTES_MAX - WIRE_POSITION_MAX - 1024);
    arena_init(&call->memory, LINK_MEMORY_BYTES);
    return call;
}

ss_call *pull_link_begin(pull_link *l)
{
    ss_error err = error_init();
    if (!ingest_takes(l) || pull_link_connect(l, &err) != SS_OK)
        return NULL;
    (void)pthread_mutex_lock(&l->calls_lock);
    struct ss_call *call = l->open < LINK_CALLS_MAX ? l->spare : NULL;
    if (call)
        l->spare = call->next;
    else if (l->open < LINK_CALLS_MAX)
        call = call_new(l);
    l->open += call != NULL;
    (void)pthread_mutex_unlock(&l->calls_lock);
    if (call)
        call->count = 0;
    return call;
}

static void call_end(struct ss_call *call)
{
    pull_link *l = call->link;
    buf_reset(&call->messages);
    arena_reset(&call->memory);
    (void)pthread_mutex_lock(&l->calls_lock);
    call->next = l->spare;
    l->spare = call;
    l->open--;
    (void)pthread_mutex_unlock(&l->calls_lock);
}

void *pull_link_memory(ss_call *call, size_t len)
{
    return arena_take(&call->memory, len);
}

int32_t pull_link_pass(ss_call *call, const ss_message *message)
{
    bool full = call->count == WIRE_GROUP_MESSAGES_MAX ||
                (call->count > 0 && call->messages.len + wire_message_bytes(message) > WIRE_GROUP_BYTES_MAX);
    if (full)
        return SS_LIMIT;
    if (call->count == call->size) {
        uint32_t size = call->size ? call->size * 2 : 64;
        size_t *grown = realloc(call->offsets, size * sizeof *grown);
        if (!grown)
            return SS_LIMIT;
        call->offsets = grown;
        call->size = size;
    }
    size_t before = call->messages.len;
    call->offsets[call->count] = wire_put_message(&call->messages, message);
    if (call->messages.failed) {
        call->messages.failed = false;
        call->messages.len = before;
        return SS_LIMIT;
    }
    call->count++;
    return SS_OK;
}

/* ---- commit ----------------------------------------------------------------------------------- */

typedef struct commit {
    struct ss_call *call;
    ss_str position;
    char id[WIRE_GROUP_ID_BYTES + 1];
    bool unknown;       /* it was sent, and no answer came          */
    uint64_t suspect;   /* the message (from 1) whose parse() ended ingest last */
    uint32_t suspected; /* how often */
} commit;

static void put_group(pull_link *l, const commit *c)
{
    wire_group group = {.id = ss_cstr(c->id),
                        .position = c->position,
                        .count = c->call->count,
                        .messages = buf_str(&c->call->messages)};
    wire_put_group(&l->out, &group);
}

/* Ingest is gone. Was it a message of this group that ended it? */
static void learn_poison(pull_link *l, commit *c)
{
    uint64_t number = atomic_exchange(&l->setup.board->processes[l->setup.process_index].parsing, 0u);
    if (number == 0 || number > c->call->count)
        return;
    c->suspected = number == c->suspect ? c->suspected + 1 : 1;
    c->suspect = number;
    if (c->suspected < LINK_POISON_TIMES)
        return;
    log_error("message %" PRIu64
              " of a group of %u ended ingest %u times in parse() of receiver %s: it is kept "
              "as failed, unread",
              number, c->call->count, c->suspected, l->parser);
    wire_flag_message(c->call->messages.ptr, c->call->offsets[number - 1], WIRE_MESSAGE_POISON);
}

static enum exchange exchange_group(pull_link *l, commit *c, int64_t fixed, wire_answer *answer)
{
    ss_str body;
    put_group(l, c);
    if (l->out.failed)
        return LINK_LATE;
    FAULT_POINT("pull.before_send");
    c->unknown = true;
    enum exchange what = send_out(l, fixed);
    FAULT_POINT("pull.after_send");
    if (what == LINK_DONE)
        what = receive(l, WIRE_ANSWER, &body, fixed);
    if (what == LINK_DONE && (!wire_read_answer(body, answer) || !ss_eq(answer->group, ss_cstr(c->id))))
        what = LINK_LOST;
    if (what == LINK_DONE)
        c->unknown = false;
    else
        hang_up(l); /* an answer that comes late must not be taken for that of another group */
    return what;
}

/* Connected, and it is known what became of the group so far. SS_OK: it is durable. SS_RETRY: it is not.
   SS_DROP: not known yet. */
static int32_t find_out(pull_link *l, commit *c, ss_error *err)
{
    int32_t status = connect_now(l, err);
    if (status != SS_OK)
        return status == SS_REJECT ? SS_FATAL : SS_DROP;
    bool stored = c->unknown && strcmp(l->last_group, c->id) == 0;
    c->unknown = false;
    return stored ? SS_OK : SS_RETRY;
}

static int32_t commit_locked(pull_link *l, commit *c, ss_error *err)
{
    (void)snprintf(c->id, sizeof c->id, "%016" PRIx64 "%016" PRIx64, l->nonce, ++l->number);
    for (;;) {
        int32_t known = find_out(l, c, err);
        if (known == SS_OK || known == SS_FATAL)
            return known;
        int64_t until = own_limit(l, INT64_MAX);
        if (known == SS_RETRY) {
            wire_answer answer;
            enum exchange what = exchange_group(l, c, INT64_MAX, &answer);
            if (what == LINK_DONE && answer.status == SS_OK)
                return SS_OK;
            if (what == LINK_DONE)
                return ss_fail(err, answer.status == SS_LIMIT ? SS_LIMIT : SS_RETRY, "%.*s",
                               (int)answer.text.len, answer.text.ptr);
            if (what == LINK_LOST)
                learn_poison(l, c);
        }
        if (clock_mono_us() >= until)
            return c->unknown ? ss_fail(err, SS_FATAL,
                                        "ingest did not say in time whether the events are stored; a new "
                                        "instance asks")
                              : ss_fail(err, SS_RETRY, "ingest takes no events now: try again");
        (void)poll(NULL, 0, LINK_PAUSE_MS);
    }
}

static bool part_ok(void *arg, ss_str part, ss_str value)
{
    const pull_link *l = arg;
    return part.len + strlen(l->source) <= WIRE_PART_MAX && value.len <= WIRE_VALUE_MAX;
}

int32_t pull_link_commit(pull_link *l, ss_call *call, ss_str position, ss_error *err)
{
    ss_error local = error_init();
    ss_error *e = err ? err : &local;
    commit c = {.call = call, .position = position};
    int32_t status;
    if (position.len > WIRE_POSITION_MAX || !wire_each_part(position, part_ok, l, e)) {
        if (!e->text[0])
            (void)ss_fail(e, SS_LIMIT,
                          "the position is too long: %u bytes, %u of one part's value, %u of its name with "
                          "the instance's",
                          WIRE_POSITION_MAX, WIRE_VALUE_MAX, WIRE_PART_MAX);
        status = SS_LIMIT;
    } else {
        (void)pthread_mutex_lock(&l->lock);
        status = commit_locked(l, &c, e);
        (void)pthread_mutex_unlock(&l->lock);
    }
    call_end(call);
    return status;
}

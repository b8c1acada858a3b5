#include "core/delivery/replay.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "core/config/node.h"
#include "core/delivery/delivery.h"
#include "core/delivery/tally.h"
#include "core/journal/reader.h"
#include "core/journal/summary.h"

static void on_stop(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    delivery_ask_stop();
    errno = saved;
}

/* A page of our own stands in for the server's: everything on disk up to `through` may be read. */
static int private_board(board *b, const replay_options *o, const char *journal_dir, ss_error *err)
{
    uint64_t first = 0, last = 0;
    if (journal_last_seq(journal_dir, &first, &last, err) != 0)
        return -1;
    if (o->from == 0 || o->through < o->from || o->through > last)
        return ss_fail(err, -1, "%llu to %llu is not a range of this journal, which has %llu to %llu",
                       (unsigned long long)o->from, (unsigned long long)o->through, (unsigned long long)first,
                       (unsigned long long)last);
    journal_reader *reader = journal_reader_open(journal_dir, o->from - 1, JOURNAL_RECORD_MAX, err);
    if (!reader)
        return -1;
    atomic_store(&b->journal.journal_id, journal_reader_id(reader));
    journal_reader_close(reader);
    atomic_store(&b->journal.first_seq, first);
    atomic_store(&b->journal.durable_seq, o->through);
    atomic_store(&b->journal.state, JOURNAL_OPEN);
    return 0;
}

static int replay_on(board *b, const replay_options *o, replay_summary *out, ss_error *err)
{
    ss_config *config = node_parse(o->blob.ptr, o->blob.len, err);
    if (!config)
        return -1;
    char journal_dir[PATH_MAX];
    (void)snprintf(journal_dir, sizeof journal_dir, "%s", node_str(config, "journal_dir").ptr);
    node_free(config);
    if (private_board(b, o, journal_dir, err) != 0)
        return -1;
    (void)snprintf(out->id, sizeof out->id, "%llu-%llu", (unsigned long long)o->from,
                   (unsigned long long)o->through);
    uint64_t outcomes[OUTCOME_COUNT] = {0};
    delivery_setup setup = {.blob = o->blob,
                            .board = b,
                            .process_index = 2,
                            .replay_id = out->id,
                            .replay_from = o->from,
                            .replay_through = o->through,
                            .outcomes = outcomes};
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART}, old_term, old_int;
    (void)sigaction(SIGTERM, &stop, &old_term);
    (void)sigaction(SIGINT, &stop, &old_int);
    int rc = delivery_run(&setup);
    (void)sigaction(SIGTERM, &old_term, NULL);
    (void)sigaction(SIGINT, &old_int, NULL);
    out->delivered = outcomes[OUTCOME_DELIVERED];
    out->rejected = outcomes[OUTCOME_REJECTED];
    out->expired = outcomes[OUTCOME_EXPIRED];
    out->filtered = outcomes[OUTCOME_FILTERED];
    out->damaged = outcomes[OUTCOME_DAMAGED];
    if (rc != DELIVERY_CLEAN)
        return ss_fail(err, -1, "the module did not take the replay; the lines above say why");
    uint64_t cursor = atomic_load(&b->journal.slots[0].cursor);
    if (cursor < o->through)
        return ss_fail(err, -1, "stopped after record %llu; the same command goes on from there",
                       (unsigned long long)cursor);
    return 0;
}

int replay_run(const replay_options *options, replay_summary *out, ss_error *err)
{
    *out = (replay_summary){.id = ""};
    board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        return ss_fail(err, -1, "out of memory: %s", strerror(errno));
    int rc = replay_on(b, options, out, err);
    (void)munmap(b, sizeof *b);
    return rc;
}

/* streamsteam tail: the newest events, or why inputs were not stored. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/journal/reader.h"
#include "core/journal/summary.h"
#include "core/observe/board.h"
#include "core/observe/rejects.h"
#include "core/server/control.h"

#define TAIL_LINES     10
#define TAIL_LINES_MAX 1000000
#define TAIL_POLL_MS   100 /* tail has no place among the readers that ingest wakes */
#define TAIL_BUFFER    (8u * 1024 * 1024)
#define TAIL_WIDEN     8u /* looking for lines of one receiver: so much further back each time */

static const char help[] =
    "usage: streamsteam tail [--follow] [--receiver NAME] [--rejected] [-n N] [-c FILE | -d DIR]\n"
    "\n"
    "Prints the newest events as JSON lines, oldest first: exactly what was stored. Works with a running "
    "server\n"
    "and on the journal of a stopped one.\n"
    "\n"
    "  --follow            go on with what comes, until Ctrl-C or the server's end\n"
    "  --receiver NAME     only events of this receiver\n"
    "  --rejected          instead of events: inputs that were not stored, with the reason (running server "
    "only)\n"
    "  -n N                so many lines (default 10)\n"
    "  -c, --config FILE   find the data directory in this configuration\n"
    "  -d, --data-dir DIR  the data directory\n"
    "\n"
    "Exit code: 0, 1 = failed, 2 = wrong use.\n";

typedef struct tail {
    const char *verb, *receiver;
    bool follow, rejected;
    uint64_t lines;
    char data_dir[PATH_MAX], journal_dir[PATH_MAX + 16];
    board *board; /* NULL: no server runs */
} tail;

static bool server_lives(const tail *t)
{
    pid_t pid = (pid_t)atomic_load(&t->board->processes[0].pid);
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* The board of the running server, by way of its control socket. */
static int find_server(tail *t, ss_error *err)
{
    buf answer;
    int fd = -1;
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask(t->data_dir, "board", &answer, &fd, err);
    buf_fini(&answer);
    if (rc != 0 || fd < 0)
        return -1;
    t->board = board_map(fd);
    (void)close(fd);
    if (!t->board)
        return ss_fail(
            err, -1, "the running server is of another build: use the streamsteam that it was started from");
    return 0;
}

/* ---- rejected ------------------------------------------------------------------------------------- */

static void print_last_lines(const char *text, size_t len, uint64_t lines)
{
    const char *start = text + len;
    for (uint64_t seen = 0; start > text; start--) {
        if (start[-1] == '\n' && start != text + len && ++seen == lines)
            break;
    }
    (void)fwrite(start, 1, (size_t)(text + len - start), stdout);
}

static int tail_rejected(tail *t, const ss_error *err)
{
    if (!t->board)
        return cli_fail(CLI_FAILED, t->verb, "%s", err->text);
    uint64_t from = 0;
    buf text;
    buf_init(&text, 2u * BOARD_REJECTS_BYTES);
    (void)rejects_read(t->board, &from, &text);
    if (text.len > 0 && t->lines > 0)
        print_last_lines(text.ptr, text.len, t->lines);
    (void)fflush(stdout);
    while (t->follow && server_lives(t)) {
        buf_reset(&text);
        if (rejects_read(t->board, &from, &text) > 0) {
            (void)fwrite(text.ptr, 1, text.len, stdout);
            (void)fflush(stdout);
        }
        (void)poll(NULL, 0, TAIL_POLL_MS);
    }
    buf_fini(&text);
    return CLI_OK;
}

/* ---- events --------------------------------------------------------------------------------------- */

/* Reads (after, limit]. count: how many lines of the wanted receiver there are; print the last `lines` of
   them only (skip = those before). Returns 0, or -1 with err. */
static int pass(const tail *t, uint64_t after, uint64_t limit, uint64_t skip, bool print, uint64_t *count,
                ss_error *err)
{
    journal_reader *r = journal_reader_open(t->journal_dir, after, TAIL_BUFFER, err);
    if (!r)
        return -1;
    journal_item item;
    enum journal_read what;
    *count = 0;
    while ((what = journal_reader_next(r, limit, &item, err)) != JOURNAL_READ_END &&
           what != JOURNAL_READ_ERROR) {
        if (what == JOURNAL_READ_FULL) {
            journal_reader_release(r);
        } else if (what == JOURNAL_READ_DAMAGED && print) {
            (void)fprintf(stderr,
                          "streamsteam tail: records %llu to %llu are damaged; `streamsteam journal verify` "
                          "tells more\n",
                          (unsigned long long)item.from, (unsigned long long)item.through);
        } else if (what == JOURNAL_READ_RECORD &&
                   (!t->receiver || ss_eq(item.record.receiver, ss_cstr(t->receiver)))) {
            if (print && *count >= skip)
                (void)printf("%.*s\n", (int)item.record.json.len, item.record.json.ptr);
            (*count)++;
        }
    }
    journal_reader_close(r);
    return what == JOURNAL_READ_ERROR ? -1 : 0;
}

/* The last lines up to limit. With a receiver chosen nobody knows how far back they are: look further and
 * further. */
static int print_last(const tail *t, uint64_t first, uint64_t limit, ss_error *err)
{
    uint64_t span = t->lines, count = 0;
    for (;;) {
        uint64_t after = limit > span ? limit - span : 0;
        if (first > 0 && after < first - 1)
            after = first - 1;
        bool all = after == 0 || after == first - 1;
        if (!t->receiver)
            return pass(t, after, limit, 0, true, &count, err);
        if (pass(t, after, limit, 0, false, &count, err) != 0)
            return -1;
        if (count >= t->lines || all)
            return pass(t, after, limit, count > t->lines ? count - t->lines : 0, true, &count, err);
        span = span > UINT64_MAX / TAIL_WIDEN ? UINT64_MAX : span * TAIL_WIDEN;
    }
}

static int follow(const tail *t, uint64_t at, ss_error *err)
{
    while (server_lives(t)) {
        uint64_t durable = atomic_load(&t->board->journal.durable_seq), count;
        if (durable > at) {
            if (pass(t, at, durable, 0, true, &count, err) != 0)
                return -1;
            (void)fflush(stdout);
            at = durable;
        } else {
            (void)poll(NULL, 0, TAIL_POLL_MS);
        }
    }
    return 0;
}

static int tail_events(tail *t)
{
    uint64_t first = 0, last = 0;
    ss_error err = error_init();
    if (t->board) {
        first = atomic_load(&t->board->journal.first_seq);
        last = atomic_load(&t->board->journal.durable_seq);
    } else if (journal_last_seq(t->journal_dir, &first, &last, &err) != 0) {
        return cli_fail(CLI_FAILED, t->verb, "%s", err.text);
    }
    int rc = last == 0 || t->lines == 0 ? 0 : print_last(t, first, last, &err);
    (void)fflush(stdout);
    if (rc == 0 && t->follow && t->board)
        rc = follow(t, last, &err);
    return rc == 0 ? CLI_OK : cli_fail(CLI_FAILED, t->verb, "%s", err.text);
}

static int read_lines(const char *verb, const char *text, uint64_t *lines)
{
    char *end;
    *lines = TAIL_LINES;
    if (!text)
        return CLI_OK;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n > TAIL_LINES_MAX)
        return cli_fail(CLI_USAGE, verb, "-n wants a number up to %d, not \"%s\"", TAIL_LINES_MAX, text);
    *lines = n;
    return CLI_OK;
}

int verb_tail(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    tail t = {.verb = argv[0]};
    t.follow = cli_take_flag(&argc, argv, "follow");
    t.rejected = cli_take_flag(&argc, argv, "rejected");
    t.receiver = cli_take_option(&argc, argv, NULL, "receiver", &bad);
    const char *lines = cli_take_option(&argc, argv, "n", "lines", &bad);
    int code = read_lines(argv[0], lines, &t.lines);
    if (code == CLI_OK)
        code = cli_data_dir(&argc, argv, t.data_dir);
    if (code != CLI_OK)
        return code;
    if (bad || argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "%s%s; see streamsteam tail --help",
                        bad ? "an option wants a value" : "it does not know ", bad ? "" : argv[1]);
    (void)snprintf(t.journal_dir, sizeof t.journal_dir, "%s/journal", t.data_dir);
    ss_error err = error_init();
    (void)find_server(&t, &err);
    if (t.follow && !t.board)
        return cli_fail(CLI_FAILED, argv[0], "%s", err.text);
    code = t.rejected ? tail_rejected(&t, &err) : tail_events(&t);
    if (t.board)
        (void)munmap(t.board, sizeof *t.board);
    return code;
}

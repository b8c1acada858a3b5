#include "core/observe/health.h"

const char *health_journal_state(uint32_t state)
{
    static const char *const names[] = {"closed", "open", "full", "failed"};
    return state <= JOURNAL_FAILED ? names[state] : "unknown";
}

bool health_ready(board *b, buf *text)
{
    switch (atomic_load(&b->journal.state)) {
    case JOURNAL_FULL:
        buf_adds(
            text,
            "journal full: free disk space, or raise server.journal.max_bytes; events are answered with 503");
        return false;
    case JOURNAL_FAILED:
        buf_adds(text, "journal failed: the log names the error; events are answered with 503");
        return false;
    case JOURNAL_OPEN:
        break;
    default:
        buf_adds(text, "journal not open yet");
        return false;
    }
    if (!atomic_load(&b->processes[1].ready)) {
        buf_adds(text, "ingest is starting or stopping");
        return false;
    }
    buf_adds(text, "ready");
    return true;
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                               : 0;
    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xED && p[1] > 0x9F, too_high = p[0] == 0xF4 && p[1] > 0x8F;
    return overlong || surrogate || too_high ? 0 : len;
}

void health_put_json(buf *out, ss_str text)
{
    for (size_t i = 0; i < text.len;) {
        const unsigned char *p = (const unsigned char *)text.ptr + i;
        size_t len = utf8_length(p, text.len - i);
        if (len == 0)
            buf_adds(out, "\\ufffd");
        else if (*p == '"' || *p == '\\')
            buf_add(out, *p == '"' ? "\\\"" : "\\\\", 2);
        else if (*p == '\n')
            buf_adds(out, "\\n");
        else if (*p < 0x20 || *p == 0x7F)
            buf_addf(out, "\\u%04x", *p);
        else
            buf_add(out, p, len);
        i += len ? len : 1;
    }
}

static void put_text(buf *out, const char *name, const char *text, size_t size)
{
    buf_addf(out, "\"%s\":\"", name);
    health_put_json(out, ss_s(text, strnlen(text, size)));
    buf_adds(out, "\"");
}

static unsigned long long number(const _Atomic uint64_t *value)
{
    return (unsigned long long)atomic_load(value);
}

void health_journal_json(board *b, buf *out)
{
    const journal_board *j = &b->journal;
    buf_addf(out,
             "{\"id\":\"%016llx\",\"state\":\"%s\",\"durable_seq\":%llu,\"first_seq\":%llu,\"bytes\":%llu}",
             number(&j->journal_id), health_journal_state(atomic_load(&j->state)), number(&j->durable_seq),
             number(&j->first_seq), number(&j->bytes));
}

void health_processes_json(board *b, buf *out)
{
    bool first = true;
    buf_adds(out, "[");
    for (uint32_t i = 0; i < BOARD_PROCESSES_MAX; i++) {
        board_process *p = &b->processes[i];
        if (!p->name[0])
            continue;
        buf_adds(out, first ? "{" : ",{");
        first = false;
        put_text(out, "name", p->name, sizeof p->name);
        buf_addf(out, ",\"pid\":%d,\"ready\":%s,\"restarts\":%llu,\"started_us\":%lld,", atomic_load(&p->pid),
                 atomic_load(&p->ready) ? "true" : "false", number(&p->restarts),
                 (long long)atomic_load(&p->started_us));
        put_text(out, "state", p->state_text, sizeof p->state_text);
        buf_adds(out, "}");
    }
    buf_adds(out, "]");
}

void health_modules_json(board *b, buf *out)
{
    uint64_t durable = atomic_load(&b->journal.durable_seq);
    bool first = true;
    buf_adds(out, "[");
    for (uint32_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        journal_slot *slot = &b->journal.slots[i];
        board_process *p = &b->processes[2 + i];
        if (!atomic_load(&slot->used))
            continue;
        uint64_t cursor = atomic_load(&slot->cursor), synced = atomic_load(&slot->synced_cursor);
        const char *name = strncmp(p->name, "module ", 7) == 0 ? p->name + 7 : p->name;
        buf_adds(out, first ? "{" : ",{");
        first = false;
        put_text(out, "name", name, sizeof p->name - 7);
        buf_addf(out, ",\"slot\":%u,\"cursor\":%llu,\"lag\":%llu,\"synced_cursor\":", i,
                 (unsigned long long)cursor, (unsigned long long)(durable > cursor ? durable - cursor : 0));
        if (synced == UINT64_MAX)
            buf_adds(out, "null");
        else
            buf_addf(out, "%llu", (unsigned long long)synced);
        buf_addf(out, ",\"expired\":%llu,\"max_bytes\":%llu,\"paused\":%s}", number(&slot->expired),
                 number(&slot->max_bytes), atomic_load(&p->paused) ? "true" : "false");
    }
    buf_adds(out, "]");
}

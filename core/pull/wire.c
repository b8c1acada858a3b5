#include "core/pull/wire.h"

#include "core/base/error.h"

/* ---- writing ---------------------------------------------------------------------------------- */

static void put_u32(buf *out, uint32_t value)
{
    buf_add(out, &value, sizeof value);
}

static void put_u64(buf *out, uint64_t value)
{
    buf_add(out, &value, sizeof value);
}

static void put_str(buf *out, ss_str text)
{
    put_u32(out, (uint32_t)text.len);
    buf_add(out, text.ptr, text.len);
}

void wire_begin(buf *out, enum wire_type type)
{
    wire_head head = {.magic = WIRE_MAGIC, .type = (uint32_t)type};
    buf_reset(out);
    buf_add(out, &head, sizeof head);
}

void wire_end(buf *out)
{
    if (out->failed)
        return;
    uint32_t bytes = (uint32_t)(out->len - sizeof(wire_head));
    memcpy(out->ptr + offsetof(wire_head, bytes), &bytes, sizeof bytes);
}

void wire_put_hello(buf *out, const wire_hello *h)
{
    wire_begin(out, WIRE_HELLO);
    put_u32(out, h->protocol);
    put_str(out, h->version);
    put_str(out, h->process);
    put_str(out, h->source);
    put_str(out, h->parser);
    wire_end(out);
}

void wire_put_welcome(buf *out, const wire_welcome *w)
{
    wire_begin(out, WIRE_WELCOME);
    put_u32(out, (uint32_t)w->status);
    put_str(out, w->text);
    put_u64(out, w->journal_id);
    put_str(out, w->group);
    put_str(out, w->position);
    wire_end(out);
}

void wire_put_answer(buf *out, const wire_answer *a)
{
    wire_begin(out, WIRE_ANSWER);
    put_str(out, a->group);
    put_u32(out, (uint32_t)a->status);
    put_str(out, a->text);
    wire_end(out);
}

void wire_put_group(buf *out, const wire_group *g)
{
    wire_begin(out, WIRE_GROUP);
    put_str(out, g->id);
    put_str(out, g->position);
    put_u32(out, g->count);
    buf_add(out, g->messages.ptr, g->messages.len);
    wire_end(out);
}

typedef struct message_head {
    uint32_t flags;
    uint32_t body, key, id;
    int64_t time_us;
    uint32_t headers, spare;
} message_head;

static ss_pair header_at(const ss_message *m, uint32_t i)
{
    ss_pair pair = {{"", 0}, {"", 0}};
    size_t size = m->pair_size < sizeof pair ? m->pair_size : sizeof pair;
    memcpy(&pair, (const char *)m->headers + (size_t)i * m->pair_size, size);
    return pair;
}

static uint32_t header_count(const ss_message *m)
{
    if (!m->headers || m->pair_size == 0)
        return 0;
    return m->header_count < WIRE_HEADERS_MAX ? m->header_count : WIRE_HEADERS_MAX;
}

static ss_str cut(ss_str text, size_t *room)
{
    if (text.len > *room)
        text.len = *room;
    *room -= text.len;
    return text;
}

size_t wire_message_bytes(const ss_message *m)
{
    size_t bytes = sizeof(message_head) + m->body.len + m->key.len + m->id.len;
    for (uint32_t i = 0; i < header_count(m); i++) {
        ss_pair h = header_at(m, i);
        bytes += 2 * sizeof(uint32_t) + h.key.len + h.value.len;
    }
    size_t most = sizeof(message_head) + WIRE_MESSAGE_BYTES_MAX + WIRE_HEADERS_MAX * 2 * sizeof(uint32_t);
    return bytes < most ? bytes : most;
}

size_t wire_put_message(buf *out, const ss_message *m)
{
    size_t offset = out->len, room = WIRE_MESSAGE_BYTES_MAX;
    ss_str id = cut(m->id, &room), key = cut(m->key, &room), body = cut(m->body, &room);
    bool whole = id.len == m->id.len && key.len == m->key.len && body.len == m->body.len;
    message_head head = {.body = (uint32_t)body.len,
                         .key = (uint32_t)key.len,
                         .id = (uint32_t)id.len,
                         .time_us = m->time_us,
                         .headers = header_count(m)};
    buf_add(out, &head, sizeof head);
    buf_add(out, body.ptr, body.len);
    buf_add(out, key.ptr, key.len);
    buf_add(out, id.ptr, id.len);
    for (uint32_t i = 0; i < head.headers; i++) {
        ss_pair h = header_at(m, i);
        ss_str name = cut(h.key, &room), value = cut(h.value, &room);
        whole &= name.len == h.key.len && value.len == h.value.len;
        put_str(out, name);
        put_str(out, value);
    }
    if (!whole && !out->failed)
        wire_flag_message(out->ptr, offset, WIRE_MESSAGE_CUT);
    return offset;
}

void wire_flag_message(char *encoded, size_t offset, uint32_t flag)
{
    uint32_t flags;
    memcpy(&flags, encoded + offset, sizeof flags);
    flags |= flag;
    memcpy(encoded + offset, &flags, sizeof flags);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool take(ss_str *rest, void *out, size_t len)
{
    if (rest->len < len)
        return false;
    memcpy(out, rest->ptr, len);
    *rest = ss_s(rest->ptr + len, rest->len - len);
    return true;
}

static bool take_bytes(ss_str *rest, size_t len, ss_str *out)
{
    if (rest->len < len)
        return false;
    *out = ss_s(rest->ptr, len);
    *rest = ss_s(rest->ptr + len, rest->len - len);
    return true;
}

static bool take_str(ss_str *rest, ss_str *out)
{
    uint32_t len;
    return take(rest, &len, sizeof len) && take_bytes(rest, len, out);
}

bool wire_read_hello(ss_str body, wire_hello *out)
{
    return take(&body, &out->protocol, sizeof out->protocol) && take_str(&body, &out->version) &&
           take_str(&body, &out->process) && take_str(&body, &out->source) && take_str(&body, &out->parser) &&
           body.len == 0 && out->process.len < WIRE_NAME_MAX && out->source.len < WIRE_NAME_MAX &&
           out->source.len > 0 && out->parser.len < WIRE_NAME_MAX;
}

bool wire_read_welcome(ss_str body, wire_welcome *out)
{
    return take(&body, &out->status, sizeof out->status) && take_str(&body, &out->text) &&
           take(&body, &out->journal_id, sizeof out->journal_id) && take_str(&body, &out->group) &&
           take_str(&body, &out->position) && body.len == 0;
}

bool wire_read_answer(ss_str body, wire_answer *out)
{
    return take_str(&body, &out->group) && take(&body, &out->status, sizeof out->status) &&
           take_str(&body, &out->text) && body.len == 0;
}

bool wire_read_group(ss_str body, wire_group *out)
{
    if (!take_str(&body, &out->id) || !take_str(&body, &out->position) ||
        !take(&body, &out->count, sizeof out->count))
        return false;
    out->messages = body;
    return out->id.len == WIRE_GROUP_ID_BYTES && out->position.len <= WIRE_POSITION_MAX &&
           out->count <= WIRE_GROUP_MESSAGES_MAX;
}

bool wire_next_message(ss_str *rest, ss_message *out, uint32_t *flags, ss_pair *headers)
{
    message_head head;
    *out = (ss_message){.struct_size = sizeof *out, .pair_size = sizeof(ss_pair), .headers = headers};
    if (!take(rest, &head, sizeof head) || head.headers > WIRE_HEADERS_MAX ||
        !take_bytes(rest, head.body, &out->body) || !take_bytes(rest, head.key, &out->key) ||
        !take_bytes(rest, head.id, &out->id))
        return false;
    for (uint32_t i = 0; i < head.headers; i++)
        if (!take_str(rest, &headers[i].key) || !take_str(rest, &headers[i].value))
            return false;
    out->time_us = head.time_us;
    out->header_count = head.headers;
    *flags = head.flags;
    return true;
}

int wire_frame(ss_str bytes, enum wire_type *type, ss_str *body, size_t *used)
{
    wire_head head;
    if (bytes.len < sizeof head)
        return 0;
    memcpy(&head, bytes.ptr, sizeof head);
    if (head.magic != WIRE_MAGIC || head.bytes > WIRE_FRAME_BYTES_MAX || head.type < WIRE_HELLO ||
        head.type > WIRE_ANSWER)
        return -1;
    if (bytes.len - sizeof head < head.bytes)
        return 0;
    *type = (enum wire_type)head.type;
    *body = ss_s(bytes.ptr + sizeof head, head.bytes);
    *used = sizeof head + head.bytes;
    return 1;
}

/* ---- positions -------------------------------------------------------------------------------- */

bool wire_each_part(ss_str position, bool (*visit)(void *arg, ss_str part, ss_str value), void *arg,
                    ss_error *err)
{
    if (position.len == 0 || position.ptr[0] != '/')
        return visit(arg, ss_s("", 0), position);
    while (position.len > 0) {
        const char *end = memchr(position.ptr, '\n', position.len);
        size_t len = end ? (size_t)(end - position.ptr) : position.len;
        const char *equals = memchr(position.ptr, '=', len);
        if (!end || !equals || equals == position.ptr + 1 || position.ptr[0] != '/') {
            (void)ss_fail(err, SS_REJECT,
                          "a position that begins with '/' is lines \"/PART=VALUE\", each with its newline");
            return false;
        }
        size_t name = (size_t)(equals - position.ptr);
        if (!visit(arg, ss_s(position.ptr, name), ss_s(equals + 1, len - name - 1)))
            return false;
        position = ss_s(end + 1, position.len - len - 1);
    }
    return true;
}

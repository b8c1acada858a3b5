/* What comes in at the inlet: frames, groups, messages, positions. The bytes are read as ingest reads them.
 */
#include "core/base/error.h"
#include "core/pull/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sum;

static bool note(void *arg, ss_str part, ss_str value)
{
    (void)arg;
    for (size_t i = 0; i < part.len; i++)
        sum += (unsigned char)part.ptr[i];
    for (size_t i = 0; i < value.len; i++)
        sum += (unsigned char)value.ptr[i];
    return true;
}

static void look(ss_str text)
{
    (void)note(NULL, text, ss_s("", 0));
}

static void read_messages(const wire_group *g)
{
    static ss_pair headers[WIRE_HEADERS_MAX];
    ss_str rest = g->messages;
    ss_message m;
    uint32_t flags;
    for (uint32_t i = 0; i < g->count && wire_next_message(&rest, &m, &flags, headers); i++) {
        look(m.body);
        look(m.key);
        look(m.id);
        for (uint32_t k = 0; k < m.header_count; k++)
            (void)note(NULL, m.headers[k].key, m.headers[k].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ss_str bytes = ss_s((const char *)data, size), body;
    enum wire_type type;
    size_t used;
    wire_hello hello;
    wire_welcome welcome;
    wire_answer answer;
    wire_group group;
    ss_error err = error_init();
    (void)wire_each_part(bytes, note, NULL, &err);
    if (wire_frame(bytes, &type, &body, &used) != 1)
        return 0;
    if (wire_read_hello(body, &hello))
        look(hello.source);
    if (wire_read_welcome(body, &welcome))
        look(welcome.position);
    if (wire_read_answer(body, &answer))
        look(answer.text);
    if (wire_read_group(body, &group)) {
        look(group.position);
        read_messages(&group);
    }
    return 0;
}

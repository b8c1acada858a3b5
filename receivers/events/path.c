#include "receivers/events/path.h"

bool path_read(event_path *p, ss_str text)
{
    bool pointer = text.len > 0 && text.ptr[0] == '/';
    size_t len = 0;
    *p = (event_path){.count = 0};
    if (text.len >= PATH_BYTES_MAX)
        return false;
    for (size_t i = pointer; i <= text.len && text.len > 0; i++) {
        size_t from = len;
        for (; i < text.len && text.ptr[i] != (pointer ? '/' : '.'); i++) {
            bool escaped = pointer && text.ptr[i] == '~' && i + 1 < text.len;
            p->text[len++] = !escaped ? text.ptr[i] : text.ptr[i + 1] == '1' ? '/' : '~';
            i += escaped;
        }
        if (len == from || p->count == PATH_PARTS_MAX)
            return false;
        p->parts[p->count++] = ss_s(p->text + from, len - from);
    }
    return true;
}

uint32_t path_top(const event_path *p, const json_tape *tape)
{
    return p->count ? json_tape_find(tape, 0, p->parts[0]) : 0;
}

uint32_t path_find(const event_path *p, const json_tape *tape)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        at = json_tape_find(tape, at, p->parts[i]);
        if (at == 0)
            return 0;
    }
    return at;
}

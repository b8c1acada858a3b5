#include "core/server/orphan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/buf.h"
#include "core/delivery/state.h"

bool orphan_read(const char *dir, uint64_t *cursor, uint64_t *max_bytes)
{
    char path[PATH_MAX];
    struct stat st;
    ss_error err = error_init();
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, STATE_FILE) >= sizeof path || stat(path, &st) != 0)
        return false;
    state *s = state_open_existing(path, &err);
    if (!s)
        return false;
    buf text;
    buf_init(&text, 64);
    *cursor = state_cursor(s);
    *max_bytes = state_get(s, "max_bytes", &text) ? strtoull(buf_text(&text), NULL, 10) : 0;
    bool started = !state_is_new(s);
    buf_fini(&text);
    state_close(s);
    return started;
}

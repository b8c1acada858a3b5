/* Manifests of cuts and of compactions, as module compact reads them: what is read can be written and read
 * again. */
// with: modules/compact/manifest.c
#include <stdlib.h>

#include "modules/compact/manifest.h"

#define REPLACED_MAX 64u

typedef struct seen {
    grow text;
    unit_head head;
    size_t objects, replaced;
} seen;

static void must_be_inside(ss_str path)
{
    if (path.len == 0 || path.ptr[0] == '/' || memmem(path.ptr, path.len, "/../", 4) ||
        memchr(path.ptr, 0, path.len))
        abort();
}

static bool object(void *arg, const lake_object *o)
{
    seen *s = arg;
    must_be_inside(o->path);
    if (o->bytes < 0 || o->count < 0 || o->raw_bytes < 0)
        abort();
    if (s->objects++ == 0)
        manifest_put_head(&s->text, "again", &s->head, o);
    return true;
}

static bool replaced(void *arg, ss_str path)
{
    seen *s = arg;
    must_be_inside(path);
    if (s->objects == 1 && s->replaced < REPLACED_MAX)
        manifest_put_replaced(&s->text, path, s->replaced == 0);
    s->replaced++;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ss_str text = ss_s((const char *)data, size);
    seen s = {.text = {.limit = 1u << 20}};
    unit_head again;
    (void)manifest_read(text, NULL, &(manifest_visitor){NULL, NULL, NULL});
    if (manifest_read(text, &s.head, &(manifest_visitor){NULL, NULL, NULL}) &&
        manifest_read(text, &again, &(manifest_visitor){object, replaced, &s}) && s.objects == 1 &&
        s.replaced <= REPLACED_MAX) {
        manifest_put_end(&s.text);
        if (!s.text.full && !manifest_read(grow_str(&s.text), &again, &(manifest_visitor){NULL, NULL, NULL}))
            abort();
    }
    grow_free(&s.text);
    return 0;
}

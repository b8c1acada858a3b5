/* Views: another form of the records, rendered by their receiver's plugin, loaded for that alone. */
#include "core/base/log.h"
#include "core/config/node.h"
#include "core/delivery/inner.h"
#include "plugins/loader/loader.h"

#define VIEW_BYTES_MAX (256u * 1024 * 1024) /* all records of a batch together */

static bool view_find(const ss_plugin *plugin, const char *name, ss_view *out)
{
    for (size_t i = 0;; i++) {
        ss_view view = loader_view(plugin, i);
        if (!view.name)
            return false;
        if (strcmp(view.name, name) == 0 && view.render) {
            *out = view;
            return true;
        }
    }
}

int view_load(delivery *d, ss_error *err)
{
    buf_init(&d->batch.views, VIEW_BYTES_MAX);
    d->view_count = 0;
    if (!d->spec.view[0])
        return 0;
    const ss_config *list = node_get(d->spec.root, "views");
    for (size_t i = 0; i < node_len(list) && i < DELIVERY_VIEWS_MAX; i++) {
        const ss_config *item = node_at(list, i);
        const ss_plugin *plugin = loader_open(node_str(item, "path").ptr, SS_RECEIVER, err);
        if (!plugin)
            return -1;
        delivery_view *v = &d->views[d->view_count];
        v->receiver = node_str(item, "receiver");
        if (view_find(plugin, d->spec.view, &v->view))
            d->view_count++;
    }
    if (d->view_count == 0)
        return ss_fail(err, -1,
                       "module %s: no receiver has a view '%s'; `streamsteam explain RECEIVER` lists them",
                       d->spec.name, d->spec.view);
    return 0;
}

static int32_t view_write(void *self, const char *bytes, size_t len)
{
    buf *out = self;
    buf_add(out, bytes, len);
    return out->failed ? -1 : 0;
}

static void view_refuse(batch *b, uint32_t i, const char *text)
{
    size_t len = strlen(text);
    char *copy = arena_take(&b->texts, len + 1);
    if (copy)
        memcpy(copy, text, len);
    b->results[i] =
        (ss_record_result){.status = SS_RECORD_REJECT, .text = ss_s(copy ? copy : "", copy ? len : 0)};
}

static void view_one(delivery *d, uint32_t i)
{
    batch *b = &d->batch;
    ss_sink sink = {.struct_size = sizeof sink, .self = &b->views, .write = view_write};
    ss_error err = error_init();
    for (size_t k = 0; k < d->view_count; k++) {
        if (!ss_eq(d->views[k].receiver, b->records[i].receiver))
            continue;
        size_t at = b->views.len;
        int32_t rc = d->views[k].view.render(&b->records[i], &sink, &err);
        if (rc == SS_OK && !b->views.failed)
            return;
        b->views.len = at;
        b->views.failed = false;
        view_refuse(b, i, err.text[0] ? err.text : "its view could not be rendered");
        return;
    }
    view_refuse(b, i, "its receiver does not have the view any more (or is no longer configured)");
}

/* The bytes are all in one buffer that may move while it grows: slices are made at the end. */
void view_render(delivery *d)
{
    batch *b = &d->batch;
    if (!d->spec.view[0])
        return;
    buf_reset(&b->views);
    for (uint32_t i = 0; i < b->count; i++) {
        b->bodies[i] = b->views.len;
        if (!(b->records[i].flags & SS_RECORD_FAILED)) /* it is no event: a view has nothing to render */
            view_one(d, i);
    }
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->records[i].flags & SS_RECORD_FAILED)
            continue; /* its body is its line */
        size_t end = i + 1 < b->count ? b->bodies[i + 1] : b->views.len;
        b->records[i].body = ss_s(b->views.ptr ? b->views.ptr + b->bodies[i] : "", end - b->bodies[i]);
    }
}

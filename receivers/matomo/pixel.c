#include "receivers/matomo/pixel.h"

#include <errno.h>
#include <stdlib.h>

/* The very file that Matomo sends: some old clients compare it. */
static const char gif[43] =
    "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
    "\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02"
    "D\x01\x00;";

static ss_str type_of(ss_str bytes)
{
    static const struct {
        const char *begin, *type;
    } list[] = {{"GIF8", "image/gif"}, {"\x89PNG", "image/png"}, {"\xFF\xD8\xFF", "image/jpeg"}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        size_t len = strlen(list[i].begin);
        if (bytes.len > len && memcmp(bytes.ptr, list[i].begin, len) == 0)
            return ss_cstr(list[i].type);
    }
    return ss_s("", 0);
}

int32_t pixel_make(pixel *i, ss_str path, ss_error *err)
{
    char name[4096];
    *i = (pixel){.type = SS_LIT("image/gif"), .bytes = ss_s(gif, sizeof gif)};
    if (path.len == 0)
        return SS_OK;
    if (path.len >= sizeof name)
        return ss_fail(err, SS_REJECT, "custom_image: the path is too long");
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    FILE *f = fopen(name, "rbe");
    if (!f)
        return ss_fail(err, SS_REJECT, "custom_image: %s: %s", name, strerror(errno));
    i->own = malloc(PIXEL_BYTES_MAX + 1);
    size_t len = i->own ? fread(i->own, 1, PIXEL_BYTES_MAX + 1, f) : 0;
    (void)fclose(f);
    if (!i->own)
        return ss_fail(err, SS_LIMIT, "no memory for custom_image");
    i->bytes = ss_s(i->own, len);
    i->type = type_of(i->bytes);
    if (i->type.len == 0 || len > PIXEL_BYTES_MAX)
        return ss_fail(err, SS_REJECT, "custom_image: %s: it must be a GIF, PNG or JPEG of at most %u bytes",
                       name, PIXEL_BYTES_MAX);
    return SS_OK;
}

void pixel_free(pixel *i)
{
    free(i->own);
    *i = (pixel){0};
}

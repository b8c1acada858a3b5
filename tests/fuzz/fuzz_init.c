/* The files of other systems that `streamsteam init` translates: the first byte chooses which. What was not
   refused must be YAML again, whatever stood in the source. */
#include <stdlib.h>

#include "core/cli/init.h"
#include "core/config/merge.h"

#define FUZZ_ARENA_BYTES (64u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_yaml(buf *out)
{
    arena a;
    problems *p = malloc(sizeof *p);
    merged files;
    arena_init(&a, FUZZ_ARENA_BYTES);
    problems_init(p, &a);
    if (!merge_text(&a, p, "out.yaml", buf_str(out), &files) || p->count > 0 ||
        !files.sections[MERGE_MODULES]->first)
        abort();
    free(p);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    init_notes notes;
    buf out;
    if (size == 0)
        return 0;
    init_notes_init(&notes);
    buf_init(&out, INIT_YAML_BYTES_MAX);
    ss_str text = ss_s((const char *)data + 1, size - 1);
    if (data[0] == 'g')
        init_from_guidance("config.yaml", text, &notes, &out);
    else
        init_from_streamsteam("stream-steam.cfg", text, &notes, &out);
    if (notes.counts[INIT_REFUSED] == 0 && !out.failed)
        must_be_yaml(&out);
    buf_fini(&out);
    init_notes_fini(&notes);
    return 0;
}

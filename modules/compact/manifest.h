/* What this module reads and writes beside the files of a lake. Cuts: _manifest/NAME.json, by the module
   lake. Units: _compact/NAME.json, one for each compaction: which file takes the place of which. A file that
   a unit replaces is no data any more, whatever cut names it. */
#ifndef COMPACT_MANIFEST_H
#define COMPACT_MANIFEST_H

#include "plugins/common/grow.h"
#include "plugins/common/lake_manifest.h"

#define MANIFEST_DIR "_manifest"
#define COMPACT_DIR  "_compact"
#define COMPACT_DATA COMPACT_DIR "/data/" /* then the final path: seen by those who read manifests    */
#define COMPACT_TMP  COMPACT_DIR "/tmp"

/* written: readers of manifests have the new file, readers of folders the old ones. published: those have the
   new one, too, and the old ones are gone. done: its hidden name is gone. */
enum unit_state { UNIT_WRITTEN, UNIT_PUBLISHED, UNIT_DONE };

typedef struct unit_head {
    enum unit_state state;
    int64_t written_us, published_us;
    char final[LAKE_PATH_MAX]; /* the path that the file has in the end */
} unit_head;

/* What is met, in the order of the text; each may be NULL. Borrowed for the call; false ends the reading. */
typedef struct manifest_visitor {
    bool (*object)(void *arg, const lake_object *o);
    bool (*replaced)(void *arg, ss_str path);
    void *arg;
} manifest_visitor;

/* head: NULL for a cut. false: it is no manifest of that kind, or a visitor said so. */
bool manifest_read(ss_str text, unit_head *head, const manifest_visitor *v);

/* The text of a unit without its end: then manifest_put_replaced() for each, then manifest_put_end(). */
void manifest_put_head(grow *out, const char *name, const unit_head *head, const lake_object *o);
void manifest_put_replaced(grow *out, ss_str path, bool first);
void manifest_put_end(grow *out);

#endif

#include "modules/lake/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "modules/lake/files.h"
#include "modules/lake/manifest.h"
#include "modules/lake/part.h"
#include "plugins/common/fault.h"

/* ---- directories known to be on disk ---- */

void disk_forget(cut *c)
{
    for (size_t i = 0; i < CUT_SYNCED_DIRS; i++) {
        free(c->synced_dirs[i]);
        c->synced_dirs[i] = NULL;
    }
}

/* After a rename into dir: its entry, and once in a life all the way up to the lake's root. */
static int32_t sync_into(cut *c, const char *dir, ss_error *err)
{
    char **known = &c->synced_dirs[cut_hash(dir, strlen(dir)) % CUT_SYNCED_DIRS];
    if (*known && strcmp(*known, dir) == 0)
        return files_sync_dir(dir, err);
    int32_t rc = files_sync_chain(dir, c->settings.path, err);
    if (rc != SS_OK)
        return rc;
    free(*known);
    *known = strdup(dir);
    return SS_OK;
}

/* ---- publishing ---- */

static bool join(char out[PATH_MAX], const char *a, const char *b, const char *d, const char *e)
{
    int n = snprintf(out, PATH_MAX, "%s/%s%s%s", a, b, d, e);
    return n > 0 && n < PATH_MAX;
}

static int32_t part_publish(cut *c, cut_part *p, const char *name, ss_error *err)
{
    char tmp[PATH_MAX], target[PATH_MAX], dir[PATH_MAX], file[CUT_NAME_MAX + 16];
    if (p->published || p->count == 0)
        return SS_OK;
    part_tmp(c, p, tmp);
    (void)snprintf(file, sizeof file, "%s%s", name, cut_extension(c, p));
    if (!join(target, c->settings.path, p->dir, file, "") || !join(dir, c->settings.path, p->dir, "", ""))
        return ss_fail(err, SS_RETRY,
                       "lake: the path of partition %.100s... is too long; shorten `path` or `partition`",
                       p->dir);
    FAULT_POINT("lake.before_rename");
    int32_t rc = files_rename(tmp, target, err);
    if (rc != SS_OK)
        return rc;
    p->published = true;
    FAULT_POINT("lake.after_rename");
    rc = sync_into(c, dir, err);
    FAULT_POINT("lake.after_dir_sync");
    return rc == SS_RETRY ? SS_FATAL : rc; /* renamed, but not known to be on disk: do all of it again */
}

static int32_t manifest_write(cut *c, const char *name, ss_error *err)
{
    char tmp[PATH_MAX], target[PATH_MAX], dir[PATH_MAX];
    (void)snprintf(tmp, sizeof tmp, "%.*smanifest.tmp", PATH_MAX - 16, c->tmp_dir);
    if (!join(dir, c->settings.path, MANIFEST_DIR, "", "") ||
        !join(target, c->settings.path, MANIFEST_DIR "/", name, ".json"))
        return ss_fail(err, SS_RETRY, "lake: `path` is too long");
    FAULT_POINT("lake.before_manifest");
    FILE *f = fopen(tmp, "we");
    if (!f)
        return ss_fail(err, SS_RETRY, "lake: cannot create %.300s: %s; check space and rights", tmp,
                       strerror(errno));
    manifest_put(f, c, name);
    bool written = fflush(f) == 0 && !ferror(f);
    int32_t rc = written ? files_sync(fileno(f), tmp, err)
                         : ss_fail(err, SS_RETRY, "lake: cannot write %.300s: %s", tmp, strerror(errno));
    (void)fclose(f);
    FAULT_POINT("lake.manifest_synced");
    if (rc == SS_OK)
        rc = files_rename(tmp, target, err);
    if (rc != SS_OK) {
        (void)unlink(tmp);
        return rc;
    }
    FAULT_POINT("lake.manifest_renamed");
    rc = sync_into(c, dir, err);
    FAULT_POINT("lake.after_manifest");
    return rc;
}

int32_t disk_publish(cut *c, const char *name, ss_error *err)
{
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < c->part_count; i++)
        rc = part_publish(c, c->parts[i], name, err);
    if (rc == SS_OK && !c->manifest_done)
        rc = manifest_write(c, name, err);
    c->manifest_done |= rc == SS_OK;
    return rc;
}

/* Files of the lake, made durable step by step. Paths are below root. false with err, errno as it was. */
#ifndef COMPACT_DISK_H
#define COMPACT_DISK_H

#include "streamsteam/plugin.h"

#define FILE_MODE 0640

/* One compactor for a lake at a time, across processes. -1: another one is at work, or err says why. */
int disk_lock(const char *root, bool *busy, ss_error *err);
bool disk_path(char *out, size_t size, const char *root, const char *a, const char *b, ss_error *err);
/* Makes what is missing of the folders of that file, each synced into its parent. */
bool disk_make_dirs(const char *root, const char *file, ss_error *err);
bool disk_sync_dir_of(const char *root, const char *file, ss_error *err); /* the folder that the file is in */
bool disk_rename(const char *root, const char *from, const char *to, ss_error *err); /* and syncs */
bool disk_write(const char *root, const char *file, ss_str text, ss_error *err);     /* new, synced */
bool disk_remove(const char *root, const char *file, ss_error *err); /* true also where it is not there */
void disk_remove_empty_dirs(const char *root, const char *file, const char *stop);
/* Every file below dir, by its path. What visit removes may go. */
void disk_walk(const char *root, const char *dir, void (*visit)(void *arg, const char *path), void *arg);

#endif

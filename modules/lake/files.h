/* The lake's file calls: made durable step by step. Return SS_OK, SS_RETRY or SS_FATAL as in cut.h. */
#ifndef LAKE_FILES_H
#define LAKE_FILES_H

#include "streamsteam/plugin.h"

int32_t files_make_dirs(const char *path, ss_error *err); /* each new one is synced into its parent */
int32_t files_sync_dir(const char *path, ss_error *err);
/* Syncs dir and what is above it, up to and with root (NULL: all that may be opened). A directory that is
   there may have been made by a life that died before it synced it. */
int32_t files_sync_chain(const char *dir, const char *root, ss_error *err);
int32_t files_write(int fd, const char *path, const char *bytes, size_t len, uint64_t at, ss_error *err);
int32_t files_sync(int fd, const char *path, ss_error *err);
/* Makes the target's directories where they are missing. */
int32_t files_rename(const char *from, const char *to, ss_error *err);
void files_empty_dir(const char *path); /* deletes the files in it */

#endif

/* One file out of many: their bytes behind each other, as gzip allows it, and nothing is compressed anew.
   What is copied is unpacked on the way: a file that is not what its manifest says ends it. */
#ifndef COMPACT_COPY_H
#define COMPACT_COPY_H

#include "modules/compact/index.h"
#include "modules/compact/unpack.h"

enum copy_result {
    COPY_DONE,
    COPY_STOPPED,
    COPY_FAILED, /* err says why; it may be tried again */
    COPY_DAMAGED /* err says which of the files it is, *bad its place in files */
};

typedef struct copier {
    unpack *unpack;
    char *buffer;                /* COPY_BUFFER */
    bool (*stopping)(void *arg); /* asked for each piece */
    void *arg;
} copier;

bool copier_init(copier *c, bool (*stopping)(void *arg), void *arg);
void copier_free(copier *c);
/* Of one file, for those who read it piece by piece: what COPY_DAMAGED is told, and whether what went through
   unpack is what its manifest says. */
enum copy_result copy_damaged(const lake_index *x, const index_file *f, const char *what, ss_error *err);
enum copy_result copy_judge(copier *c, const lake_index *x, const index_file *f, bool whole, ss_error *err);
int copy_open(const lake_index *x, const index_file *f, enum copy_result *rc, ss_error *err); /* or -1 */
void copy_add_up(lake_object *sum, const index_file *f, bool first);

/* to: below the lake; it is synced, its folder is not. sum gets the numbers, path apart. */
enum copy_result copy_files(copier *c, const lake_index *x, const size_t *files, size_t count, const char *to,
                            lake_object *sum, size_t *bad, ss_error *err);

#endif
